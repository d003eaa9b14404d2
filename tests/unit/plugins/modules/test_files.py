# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many files are written in one step, truthfully, or not at all."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.modules import files

SECRET = "KEY=correct-horse\n"
ME = {"owner": pwd.getpwuid(os.getuid()).pw_name, "group": grp.getgrgid(os.getgid()).gr_name}

RunFiles = Callable[..., dict[str, Any]]


@pytest.fixture
def run_files(run_module: Callable[..., dict[str, Any]]) -> RunFiles:
    def run(entries: list[dict[str, Any]], *, check_mode: bool = False, **options: Any) -> dict[str, Any]:
        mine = [{**ME, **{key: str(value) for key, value in entry.items()}} for entry in entries]
        given = {"files": mine} if mine else {}
        return run_module(files, {**given, **options}, check_mode=check_mode, diff=True)

    return run


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def snapshot(root: Path) -> dict[str, tuple[int, str]]:
    """Everything below root: mode and content, or where a link points."""
    return {
        str(path.relative_to(root)): (
            mode_of(path),
            os.readlink(path) if path.is_symlink() else path.read_text() if path.is_file() else "directory",
        )
        for path in sorted(root.rglob("*"))
    }


def whole_application(root: Path) -> list[dict[str, Any]]:
    return [
        {"path": root / "app", "state": "directory", "mode": "0750"},
        {"path": root / "app/site.conf", "content": "listen 80;\n"},
        {"path": root / "app/environment", "secret_content": SECRET, "mode": "0600"},
        {"path": root / "site", "state": "link", "target": "app/site.conf"},
    ]


def test_all_is_written_once(run_files: RunFiles, tmp_path: Path) -> None:
    result = run_files(whole_application(tmp_path))
    assert result["changed"]
    assert result["changed_paths"] == sorted(str(entry["path"]) for entry in whole_application(tmp_path))
    assert snapshot(tmp_path) == {
        "app": (0o750, "directory"),
        "app/environment": (0o600, SECRET),
        "app/site.conf": (0o644, "listen 80;\n"),
        "site": (0o777, "app/site.conf"),
    }
    again = run_files(whole_application(tmp_path))
    assert not again["changed"]
    assert again["changed_paths"] == []
    assert again["diff"] == []


def test_check_mode_foresees_exactly_what_then_happens(run_files: RunFiles, tmp_path: Path) -> None:
    (tmp_path / "old.conf").write_text("old\n")
    options = {"prune": [str(tmp_path / "*.conf")]}
    foreseen = run_files(whole_application(tmp_path), check_mode=True, **options)
    assert list(snapshot(tmp_path)) == ["old.conf"]
    assert run_files(whole_application(tmp_path), **options) == foreseen
    assert not run_files(whole_application(tmp_path), check_mode=True, **options)["changed"]


def test_check_mode_accepts_what_does_not_exist_yet(run_files: RunFiles, tmp_path: Path) -> None:
    entry = {"path": tmp_path / "missing/file", "content": "", "owner": "nobody-yet", "group": "nobody-yet"}
    assert run_files([entry], check_mode=True)["changed_paths"] == [str(tmp_path / "missing/file")]


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([{"path": "etc/x", "content": ""}], "isn't an absolute path"),
        ([{"path": "/", "state": "absent"}], "root directory"),
        ([{"path": "{root}/x", "content": "", "mode": "420"}], 'quoted, as in "0644"'),
        ([{"path": "{root}/x", "content": "", "secret_content": "hush hush"}], "give one of them"),
        ([{"path": "{root}/x", "state": "directory", "content": "a"}], "can't have content"),
        ([{"path": "{root}/x", "state": "link"}], "target is needed for a link"),
        ([{"path": "{root}/x", "target": "y"}], "target is needed for a link"),
        ([{"path": "{root}/x", "content": "a", "validate": "true"}], "needs %s"),
        ([{"path": "{root}/x", "content": "a"}, {"path": "{root}//x", "content": "b"}], "listed twice"),
        ([{"path": "{root}/missing/x", "content": "a"}], "list it before as a directory"),
        ([{"path": "{root}/x", "content": "a", "owner": "nobody-at-all"}], "owner 'nobody-at-all'"),
        ([{"path": "{root}/x", "content": "a", "group": "nobody-at-all"}], "group 'nobody-at-all'"),
        ([{"path": "{root}/here", "content": "a"}], "a directory is there: remove it first"),
        ([{"path": "{root}/file/x", "content": "a"}], "below something that isn't a directory"),
    ],
)
def test_impossible_wishes_are_refused_before_anything_is_written(
    run_files: RunFiles, tmp_path: Path, entries: list[dict[str, Any]], words: str
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "file").touch()
    before = snapshot(tmp_path)
    innocent = {"path": tmp_path / "innocent", "content": "a"}
    rooted = [{**entry, "path": entry["path"].replace("{root}", str(tmp_path))} for entry in entries]
    result = run_files([innocent, *rooted])
    assert result["failed"]
    assert words in result["msg"]
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("secret", [True, False])
def test_only_secrets_are_hidden(run_files: RunFiles, tmp_path: Path, secret: bool) -> None:
    path = tmp_path / "environment"
    path.write_text("KEY=battery-staple\n")
    path.chmod(0o600)
    key = "secret_content" if secret else "content"
    result = run_files([{"path": path, key: SECRET, "mode": "0600"}])
    (part,) = result["diff"]
    assert path.read_text() == SECRET
    assert ("correct-horse" in str(result)) is not secret
    assert ("battery-staple" in str(result)) is not secret
    if secret:
        assert part["after"] == "(secret, changed)\n"


def test_a_new_secret_is_hidden_too(run_files: RunFiles, tmp_path: Path) -> None:
    (part,) = run_files([{"path": tmp_path / "x", "secret_content": SECRET}])["diff"]
    assert (part["before"], part["after"]) == ("", "(secret)\n")


def test_what_others_may_not_read_is_not_shown_when_it_goes(run_files: RunFiles, tmp_path: Path) -> None:
    for name, mode in (("private", 0o640), ("public", 0o644)):
        (tmp_path / name).write_text(f"{name} content\n")
        (tmp_path / name).chmod(mode)
    result = run_files([{"path": tmp_path / name, "state": "absent"} for name in ("private", "public")])
    assert [part["before"] for part in result["diff"]] == ["(secret)\n", "public content\n"]
    assert result["removed_paths"] == [str(tmp_path / "private"), str(tmp_path / "public")]
    assert snapshot(tmp_path) == {}


def test_a_mode_alone_is_changed_without_a_new_inode(run_files: RunFiles, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("line\n")
    path.chmod(0o644)
    inode = path.stat().st_ino
    result = run_files([{"path": path, "mode": "0640"}])
    assert (path.read_text(), mode_of(path), path.stat().st_ino) == ("line\n", 0o640, inode)
    (part,) = result["diff"]
    assert "mode: 0644" in part["before"]
    assert "mode: 0640" in part["after"]


def test_without_force_what_is_there_stays(run_files: RunFiles, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("mine\n")
    path.chmod(0o600)
    assert not run_files([{"path": path, "content": "theirs\n", "force": False}])["changed"]
    assert (path.read_text(), mode_of(path)) == ("mine\n", 0o600)
    path.unlink()
    assert run_files([{"path": path, "content": "theirs\n", "force": False}])["changed"]
    assert path.read_text() == "theirs\n"


def test_a_file_replaces_a_link_and_not_its_target(run_files: RunFiles, tmp_path: Path) -> None:
    (tmp_path / "target").write_text("target\n")
    (tmp_path / "link").symlink_to("target")
    run_files([{"path": tmp_path / "link", "content": "own\n"}])
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "target\n"


def test_a_link_to_a_directory_counts_as_that_directory(run_files: RunFiles, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o755)
    (tmp_path / "link").symlink_to("real")
    assert not run_files([{"path": tmp_path / "link", "state": "directory"}])["changed"]
    assert (tmp_path / "link").is_symlink()


def test_prune_takes_only_unlisted_files_and_links(run_files: RunFiles, tmp_path: Path) -> None:
    for name in ("shop-old", "shop-new", "blog-old"):
        (tmp_path / name).write_text("x")
    (tmp_path / "shop-dangling").symlink_to("nowhere")
    (tmp_path / "shop-directory").mkdir()
    result = run_files([{"path": tmp_path / "shop-new"}], prune=[str(tmp_path / "shop-*")])
    assert result["removed_paths"] == [str(tmp_path / "shop-dangling"), str(tmp_path / "shop-old")]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blog-old", "shop-directory", "shop-new"]


def prepare(root: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Every kind of change at once: create, replace, relink, chmod, remove a tree, prune."""
    (root / "config").write_text("old\n")
    (root / "config").chmod(0o640)
    (root / "link").symlink_to("old-target")
    (root / "kept").write_text("kept\n")
    (root / "tree/deep").mkdir(parents=True)
    (root / "tree/deep/file").write_text("deep\n")
    (root / "pruned.old").write_text("pruned\n")
    os.utime(root / "config", (1_000_000_000, 1_000_000_000))
    entries = [
        {"path": root / "new", "state": "directory"},
        {"path": root / "new/file", "content": "new\n"},
        {"path": root / "config", "content": "new\n"},
        {"path": root / "link", "state": "link", "target": "new-target"},
        {"path": root / "kept", "mode": "0600"},
        {"path": root / "tree", "state": "absent"},
        {"path": root / "environment", "secret_content": SECRET},
    ]
    return entries, {"prune": [str(root / "*.old")]}


def test_all_kinds_of_change_leave_nothing_behind(run_files: RunFiles, tmp_path: Path) -> None:
    entries, options = prepare(tmp_path)
    result = run_files(entries, validate=f"test -f {tmp_path}/new/file", **options)
    assert result["changed"]
    assert set(snapshot(tmp_path)) == {"new", "new/file", "config", "link", "kept", "environment"}


def test_a_failed_validation_puts_everything_back(run_files: RunFiles, tmp_path: Path) -> None:
    entries, options = prepare(tmp_path)
    before = snapshot(tmp_path)
    script = f"cat {tmp_path}/config {tmp_path}/environment; echo line 3 is wrong >&2; exit 7"
    result = run_files(entries, validate=f'sh -c "{script}"', **options)
    assert result["failed"]
    assert result["put_back"] is True
    assert "exit status 7" in result["msg"]
    assert "new\n" in result["validate_output"], "the command saw the new files"
    assert "line 3 is wrong" in result["validate_output"]
    assert "correct-horse" not in str(result)
    assert snapshot(tmp_path) == before
    assert (tmp_path / "config").stat().st_mtime == 1_000_000_000


@pytest.mark.parametrize("quoted", ["correct-horse", 'TOKEN="battery staple"', "battery staple"])
def test_a_checker_that_quotes_a_line_of_a_secret_does_not_give_it_away(
    run_files: RunFiles, tmp_path: Path, quoted: str
) -> None:
    script = tmp_path / "check"
    script.write_text(f"echo 'line 2 is wrong: {quoted}'; exit 1\n")
    entry = {"path": tmp_path / "environment", "secret_content": SECRET + 'TOKEN="battery staple"\n'}
    result = run_files([entry], validate=f"sh {script}")
    assert "line 2 is wrong: (secret)" in result["msg"]
    assert quoted not in str(result)


def test_a_rejected_file_takes_the_earlier_ones_back_with_it(run_files: RunFiles, tmp_path: Path) -> None:
    entries, options = prepare(tmp_path)
    before = snapshot(tmp_path)
    bad = {"path": tmp_path / "bad", "content": "x = = 1\n", "validate": 'sh -c "echo %s is bad; exit 1"'}
    result = run_files([*entries, bad], **options)
    assert f"{tmp_path}/bad is bad" in result["msg"], "the temporary name is of no use to the reader"
    assert snapshot(tmp_path) == before


def test_a_file_is_validated_under_a_name_with_its_own_ending(run_files: RunFiles, tmp_path: Path) -> None:
    entry = {
        "path": tmp_path / "shop.service",
        "content": "x\n",
        "validate": f"sh -c 'cp %s {tmp_path}/seen; echo %s >> {tmp_path}/seen'",
    }
    run_files([entry])
    content, name = (tmp_path / "seen").read_text().splitlines()
    assert content == "x"
    assert name.endswith("-shop.service")
    assert os.path.basename(name).startswith(".")


def test_validation_runs_only_when_something_changed(run_files: RunFiles, tmp_path: Path) -> None:
    entry = {"path": tmp_path / "x", "content": "x\n"}
    validate = f'sh -c "echo ran >> {tmp_path}/runs"'
    run_files([entry], validate=validate, check_mode=True)
    assert not (tmp_path / "runs").exists()
    for _run in range(2):
        run_files([entry], validate=validate)
    assert (tmp_path / "runs").read_text() == "ran\n"


def test_the_validation_command_is_taken_literally(
    run_files: RunFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHO", "Ansible")
    run_files([{"path": tmp_path / "x"}], validate=f"sh -c 'WHO=sh; echo $WHO > {tmp_path}/seen'")
    assert (tmp_path / "seen").read_text() == "sh\n"


def test_a_validation_command_that_is_not_there_is_named(run_files: RunFiles, tmp_path: Path) -> None:
    result = run_files([{"path": tmp_path / "x", "content": "x\n"}], validate="no-such-checker -t")
    assert "no-such-checker could not run" in result["msg"]
    assert snapshot(tmp_path) == {}


def test_text_of_all_scripts_survives(run_files: RunFiles, tmp_path: Path) -> None:
    run_files([{"path": tmp_path / "x", "content": "größer 東京 %s\n"}])
    assert (tmp_path / "x").read_bytes() == "größer 東京 %s\n".encode()


def test_a_file_that_is_not_text_can_be_replaced(run_files: RunFiles, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\xff\xfe\x00")
    (part, *_mode) = run_files([{"path": tmp_path / "x", "content": "text\n"}])["diff"]
    assert part["before"] == "(3 bytes that aren't text)\n"


def test_what_was_is_kept_and_comes_back(run_files: RunFiles, tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    before_entries = whole_application(tmp_path)
    run_files(before_entries)
    before = snapshot(tmp_path)
    changed = [
        {**before_entries[0], "mode": "0700"},
        {**before_entries[1], "content": "listen 81;\n"},
        {**before_entries[2], "secret_content": "KEY=other\n", "mode": "0640"},
        {**before_entries[3], "target": "app/other.conf"},
        {"path": tmp_path / "app/new.conf", "content": "new\n"},
    ]
    run_files(changed, keep=str(kept))
    assert mode_of(kept) == 0o600
    assert run_files(changed, keep=str(kept))["changed"] is False
    assert run_files([], restore=str(kept), check_mode=True)["changed"] is True
    result = run_files([], restore=str(kept))
    assert result["changed"] is True
    assert SECRET.strip() not in str(result)
    kept.unlink()
    # Directories stay as they are.
    assert snapshot(tmp_path) == {**before, "app": (0o700, "directory")}


def test_what_is_rejected_is_not_brought_back(run_files: RunFiles, tmp_path: Path) -> None:
    kept, entry = tmp_path / "kept.json", {"path": tmp_path / "site.conf", "content": "old\n"}
    run_files([entry])
    run_files([{**entry, "content": "new\n"}], keep=str(kept))
    assert run_files([], restore=str(kept), validate="false")["failed"]
    assert (tmp_path / "site.conf").read_text() == "new\n"


def test_nothing_comes_back_where_nothing_was_kept(run_files: RunFiles, tmp_path: Path) -> None:
    assert "nothing is known of what was before" in run_files([], restore=str(tmp_path / "none"))["msg"]
