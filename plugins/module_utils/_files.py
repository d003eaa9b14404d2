# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.

from __future__ import annotations

import base64
import contextlib
import glob
import grp
import json
import os
import pwd
import re
import shlex
import shutil
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils._atomic import (
    parse_mode,
    scratch_name,
    sync_directory,
    write_atomically,
)
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError

Run = Callable[[list[str]], tuple[int, str, str]]

DEFAULT_MODES = {"file": 0o644, "directory": 0o755}
_SHORTEST_SECRET_WORTH_HIDING = 4


@dataclass(frozen=True)
class State:
    """What is at a path, or shall be. A field that is None is unknown, or of no interest."""

    kind: str
    content: bytes | None = None
    target: str | None = None
    owner: str | None = None
    group: str | None = None
    mode: int | None = None


ABSENT = State("absent")


@dataclass(frozen=True)
class Wanted:
    path: str
    state: State
    secret: bool = False
    validate: str | None = None
    force: bool = True


@dataclass(frozen=True)
class Change:
    path: str
    before: State
    after: State
    secret: bool = False
    validate: str | None = None

    @property
    def removes(self) -> bool:
        return self.after.kind == "absent"


@dataclass
class Undo:
    """How to put back what was done so far, newest first."""

    steps: list[tuple[str, Callable[[], None]]] = field(default_factory=list)
    set_aside: list[str] = field(default_factory=list)

    def run(self) -> list[str]:
        failures = []
        for path, step in reversed(self.steps):
            try:
                step()
            except OSError as error:
                failures.append(f"{path} could not be put back: {error.strerror}")
        return failures

    def forget(self) -> None:
        for path in self.set_aside:
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)


def parse_wanted(entries: Iterable[Mapping[str, Any]]) -> list[Wanted]:
    wanted = [_parse_entry(entry) for entry in entries]
    seen: set[str] = set()
    for entry in wanted:
        if entry.path in seen:
            raise StackError(f"{entry.path} is listed twice in files.")
        seen.add(entry.path)
    return wanted


def _parse_entry(entry: Mapping[str, Any]) -> Wanted:
    path = clean_path(entry["path"])
    kind = entry["state"]
    plain, secret, target = entry.get("content"), entry.get("secret_content"), entry.get("target")
    if plain is not None and secret is not None:
        raise StackError(f"{path} has both content and secret_content: give one of them.")
    if (plain is not None or secret is not None) and kind != "file":
        raise StackError(f"{path} is to be {kind} and can't have content.")
    if (target is not None) != (kind == "link"):
        raise StackError(f"{path}: target is needed for a link, and for nothing else.")
    if entry.get("validate") and "%s" not in entry["validate"]:
        raise StackError(f"validate of {path} needs %s where the temporary file's name goes.")
    if kind == "absent":
        return Wanted(path, ABSENT)
    text = plain if secret is None else secret
    mode = parse_mode(entry["mode"], path) if entry.get("mode") else DEFAULT_MODES.get(kind)
    return Wanted(
        path=path,
        state=State(
            kind=kind,
            content=None if text is None else text.encode(),
            target=target,
            owner=entry["owner"],
            group=entry["group"],
            mode=None if kind == "link" else mode,
        ),
        secret=secret is not None,
        validate=entry.get("validate"),
        force=entry["force"],
    )


def clean_path(path: str) -> str:
    if not os.path.isabs(path):
        raise StackError(f"{path!r} isn't an absolute path.")
    clean = os.path.normpath(path)
    if clean.strip("/") == "":
        raise StackError("the root directory can't be managed by this module.")
    return clean


def look(path: str, *, follow_to_directory: bool = False) -> State:
    try:
        found = os.lstat(path)
        if follow_to_directory and stat.S_ISLNK(found.st_mode) and os.path.isdir(path):
            found = os.stat(path)
    except FileNotFoundError:
        return ABSENT
    except NotADirectoryError:
        raise StackError(f"{path} lies below something that isn't a directory.") from None
    owner, group, mode = _user_name(found.st_uid), _group_name(found.st_gid), stat.S_IMODE(found.st_mode)
    if stat.S_ISLNK(found.st_mode):
        return State("link", target=os.readlink(path), owner=owner, group=group)
    if stat.S_ISDIR(found.st_mode):
        return State("directory", owner=owner, group=group, mode=mode)
    if stat.S_ISREG(found.st_mode):
        with open(path, "rb") as stream:
            return State("file", content=stream.read(), owner=owner, group=group, mode=mode)
    return State("special file", owner=owner, group=group, mode=mode)


def plan(wanted: Sequence[Wanted], prune: Iterable[str], *, check_mode: bool) -> list[Change]:
    """Every difference between what is and what shall be, in the order to apply it."""
    changes = []
    directories_to_come: set[str] = set()
    for entry in wanted:
        before = look(entry.path, follow_to_directory=entry.state.kind == "directory")
        after = _after(entry, before, check_mode=check_mode)
        if entry.state.kind == "directory":
            directories_to_come.add(entry.path)
        parent = os.path.dirname(entry.path)
        creates = before.kind == "absent" and after.kind != "absent"
        if creates and not check_mode and parent not in directories_to_come and not os.path.isdir(parent):
            raise StackError(f"{parent}, where {entry.path} belongs, doesn't exist: list it before as a directory.")
        if after != before:
            changes.append(Change(entry.path, before, after, entry.secret, entry.validate))
    return changes + _plan_prune(wanted, prune)


def _after(entry: Wanted, before: State, *, check_mode: bool) -> State:
    shall = entry.state
    if shall.kind == "absent" or (not entry.force and before.kind != "absent"):
        return ABSENT if shall.kind == "absent" else before
    if before.kind not in ("absent", shall.kind) and not {before.kind, shall.kind} == {"file", "link"}:
        raise StackError(f"{entry.path} shall be a {shall.kind}, but a {before.kind} is there: remove it first.")
    content = shall.content
    if shall.kind == "file" and content is None:
        content = before.content if before.kind == "file" else b""
    return replace(
        shall,
        content=content,
        owner=_known(shall.owner, _user_id, _user_name, entry.path, "owner", check_mode=check_mode),
        group=_known(shall.group, _group_id, _group_name, entry.path, "group", check_mode=check_mode),
    )


def _known(
    name: str | None,
    to_id: Callable[[str], int],
    to_name: Callable[[int], str],
    path: str,
    what: str,
    *,
    check_mode: bool,
) -> str | None:
    """The name in the form that look() returns, so that `0` and `root` are the same owner."""
    if name is None:
        return None
    try:
        return to_name(to_id(name))
    except KeyError:
        if check_mode:
            return name
        raise StackError(f"{what} {name!r} of {path} doesn't exist on this host.") from None


def _plan_prune(wanted: Sequence[Wanted], prune: Iterable[str]) -> list[Change]:
    listed = {entry.path for entry in wanted}
    doomed: dict[str, Change] = {}
    for pattern in prune:
        for match in sorted(glob.glob(clean_path(pattern))):
            before = look(match)
            if match not in listed and before.kind in ("file", "link"):
                doomed[match] = Change(match, before, ABSENT)
    return list(doomed.values())


def keep(changes: Iterable[Change], path: str) -> None:
    """Note what files and links are before they change, so that a later call can bring all of it back."""
    states = [(change.path, change.before) for change in changes if change.after.kind != "directory"]
    entries = [
        {"path": name, "state": asdict(replace(state, content=None)), "content": _encoded(state.content)}
        for name, state in states
        if state.kind in ("file", "link", "absent")
    ]
    write_atomically(clean_path(path), json.dumps(entries).encode(), mode=0o600)


def _encoded(content: bytes | None) -> str | None:
    return None if content is None else base64.b64encode(content).decode()


def plan_return(path: str) -> list[Change]:
    """Every difference between what is and what was noted by keep(), in the order to apply it."""
    try:
        with open(path, encoding="utf-8") as stream:
            entries = json.load(stream)
    except FileNotFoundError:
        raise StackError(f"{path} isn't there, so nothing is known of what was before.") from None
    changes = []
    for entry in reversed(entries):
        content = entry["content"]
        after = State(**{**entry["state"], "content": None if content is None else base64.b64decode(content)})
        before = look(entry["path"])
        if after != before:
            changes.append(Change(entry["path"], before, after, secret=True))
    return changes


def apply(changes: Sequence[Change], run: Run, validate: str | None) -> None:
    """Do all of it, or put everything back and say why."""
    undo = Undo()
    try:
        for change in changes:
            _apply_one(change, run, undo)
        if changes and validate:
            _validate(shlex.split(validate), run, changes)
    except (StackError, OSError) as error:
        reason = str(error) if isinstance(error, StackError) else f"{error.filename}: {error.strerror}."
        failures = undo.run()
        outcome = "; ".join(failures) if failures else "every file is as it was before"
        details = error.details if isinstance(error, StackError) else {}
        raise StackError(f"{reason.rstrip()}\n({outcome})", put_back=not failures, **details) from error
    undo.forget()
    for directory in sorted({os.path.dirname(change.path) for change in changes}):
        if os.path.isdir(directory):
            sync_directory(directory)


def _apply_one(change: Change, run: Run, undo: Undo) -> None:
    path, before, after = change.path, change.before, change.after
    if after.kind == "absent":
        _remove(path, before, undo)
    elif after.kind == "directory":
        if before.kind == "absent":
            os.mkdir(path, 0o700)
            undo.steps.append((path, lambda: os.rmdir(path)))
        else:
            undo.steps.append((path, lambda: _set_owner_and_mode(path, before)))
        _set_owner_and_mode(path, after)
    elif after.kind == "link":
        undo.steps.append((path, _restorer(path, before)))
        _link(path, after)
    elif replace(after, owner=None, group=None, mode=None) == replace(before, owner=None, group=None, mode=None):
        # A new inode would part a log file from the process that holds it open.
        undo.steps.append((path, lambda: _set_owner_and_mode(path, before)))
        _set_owner_and_mode(path, after)
    else:
        undo_step = (path, _restorer(path, before))
        check = _file_check(change, run) if change.validate else None
        _write(path, after, check)
        undo.steps.append(undo_step)


def _remove(path: str, before: State, undo: Undo) -> None:
    if before.kind in ("file", "link"):
        undo.steps.append((path, _restorer(path, before)))
        os.unlink(path)
        return
    aside = scratch_name(path)
    os.rename(path, aside)
    undo.steps.append((path, lambda: os.rename(aside, path)))
    undo.set_aside.append(aside)


def _restorer(path: str, before: State) -> Callable[[], None]:
    if before.kind == "absent":

        def remove() -> None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

        return remove
    if before.kind == "link":
        return lambda: _link(path, before)
    times = os.stat(path)

    def rewrite() -> None:
        _write(path, before)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    return rewrite


def _write(path: str, state: State, check: Callable[[str], None] | None = None) -> None:
    write_atomically(
        path,
        state.content or b"",
        uid=-1 if state.owner is None else _user_id(state.owner),
        gid=-1 if state.group is None else _group_id(state.group),
        mode=0o644 if state.mode is None else state.mode,
        check=check,
    )


def _link(path: str, state: State) -> None:
    scratch = scratch_name(path)
    os.symlink(state.target or "", scratch)
    try:
        if state.owner is not None and state.group is not None:
            os.lchown(scratch, _user_id(state.owner), _group_id(state.group))
        os.replace(scratch, path)
    except OSError:
        os.unlink(scratch)
        raise


def _set_owner_and_mode(path: str, state: State) -> None:
    uid = -1 if state.owner is None else _user_id(state.owner)
    gid = -1 if state.group is None else _group_id(state.group)
    os.chown(path, uid, gid)
    if state.mode is not None:
        os.chmod(path, state.mode)


def _file_check(change: Change, run: Run) -> Callable[[str], None]:
    def check(scratch: str) -> None:
        words = [word.replace("%s", scratch) for word in shlex.split(change.validate or "")]
        _validate(words, run, [change], shown_as=change.path, scratch=scratch)

    return check


def _validate(
    words: list[str], run: Run, changes: Iterable[Change], shown_as: str | None = None, scratch: str | None = None
) -> None:
    try:
        code, out, err = run(words)
    except OSError as error:
        raise StackError(f"the validation command {words[0]} could not run: {error.strerror}.") from error
    if code == 0:
        return
    output = "\n".join(part.strip() for part in (out, err) if part.strip())
    output = hide_secrets(output, changes)
    command = shlex.join(words)
    if shown_as and scratch:
        output, command = output.replace(scratch, shown_as), command.replace(scratch, shown_as)
    raise StackError(f"validation by `{command}` failed with exit status {code}: {output}", validate_output=output)


def hide_secrets(text: str, changes: Iterable[Change]) -> str:
    """Checkers quote the line that they reject, and Ansible censors a secret only where it stands as a whole."""
    words: set[str] = set()
    for change in changes:
        if change.secret:
            for content in (change.before.content, change.after.content):
                words.update(_secret_words((content or b"").decode(errors="replace")))
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, "(secret)")
    return text


def _secret_words(content: str) -> Iterable[str]:
    for line in content.splitlines():
        value = re.split(r"[=:]\s*", line, maxsplit=1)[-1]
        for word in (line.strip(), value.strip(), value.strip().strip("'\";")):
            if len(word) >= _SHORTEST_SECRET_WORTH_HIDING:
                yield word


def diff_of(changes: Iterable[Change]) -> list[dict[str, str]]:
    parts = []
    for change in changes:
        before, after = _shown(change, change.before), _shown(change, change.after)
        if change.secret and before == after and change.before.content != change.after.content:
            after = "(secret, changed)\n"
        if before != after:
            parts.append(_diff_part(change, before, after))
        if "absent" not in (change.before.kind, change.after.kind):
            before, after = _owner_and_mode(change.before), _owner_and_mode(change.after)
            if before != after:
                parts.append(_diff_part(change, before, after))
    return parts


def _diff_part(change: Change, before: str, after: str) -> dict[str, str]:
    return {
        "before": before,
        "after": after,
        "before_header": _header(change.path, change.before),
        "after_header": _header(change.path, change.after),
    }


def _header(path: str, state: State) -> str:
    if state.kind == "absent":
        return f"{path} (absent)"
    mode = "" if state.mode is None else f" {state.mode:04o}"
    return f"{path} ({state.owner}:{state.group}{mode})"


def _shown(change: Change, state: State) -> str:
    if state.kind == "absent":
        return ""
    if state.kind == "link":
        return f"-> {state.target}\n"
    if state.kind != "file":
        return f"({state.kind})\n"
    if change.secret or (change.removes and not _world_readable(state)):
        return "(secret)\n"
    try:
        return (state.content or b"").decode() or "(empty)\n"
    except UnicodeDecodeError:
        return f"({len(state.content or b'')} bytes that aren't text)\n"


def _world_readable(state: State) -> bool:
    return bool((state.mode or 0) & stat.S_IROTH)


def _owner_and_mode(state: State) -> str:
    mode = "" if state.mode is None else f"mode: {state.mode:04o}\n"
    return f"owner: {state.owner}\ngroup: {state.group}\n{mode}"


def _user_id(name: str) -> int:
    return int(name) if name.isdigit() else pwd.getpwnam(name).pw_uid


def _group_id(name: str) -> int:
    return int(name) if name.isdigit() else grp.getgrnam(name).gr_gid


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
