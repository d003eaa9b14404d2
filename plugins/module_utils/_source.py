# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.
"""Where a release comes from: one revision of it, and one tarball of that revision."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.slipway.stack.plugins.module_utils._command import run_bounded
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError
from ansible_collections.slipway.stack.plugins.module_utils._source_tree import (
    all_files,
    directory_digest,
    pack,
    project_files,
    unpack_archive,
)

Download = Callable[[str, Path], None]

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_COMMIT_PREFIX = re.compile(r"[0-9a-f]{7,64}")
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")
_NOT_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_TAGS_SHOWN = 5
_LOOKUP_SECONDS = 120
_FETCH_SECONDS = 900


@dataclass(frozen=True)
class Revision:
    """What the user's version resolved to."""

    kind: str
    revision: str
    version: str
    verified: bool = True


@dataclass
class Cache:
    """The controller's copies of what was fetched before."""

    root: Path
    kept_tarballs: int = 10
    _tarballs: Path = field(init=False)

    def __post_init__(self) -> None:
        self._tarballs = self.root / "tarballs"

    def prepare(self) -> None:
        self._tarballs.mkdir(parents=True, exist_ok=True, mode=0o700)

    def repository(self, url: str) -> Path:
        return self.root / "git" / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}.git"

    def tarball(self, revision: Revision) -> Path:
        return self._tarballs / f"{revision.kind}-{_NOT_A_NAME.sub('-', revision.revision)}.tar.gz"

    def prune(self) -> None:
        by_age = sorted(self._tarballs.glob("*.tar.gz"), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in by_age[self.kept_tarballs :]:
            path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Two runs on one controller share the cache."""
        self.prepare()
        with (self.root / "lock").open("w") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield


def without_credentials(text: str) -> str:
    return _CREDENTIALS.sub("", text)


class Git:
    """A repository, looked up without a clone and fetched one commit at a time."""

    def __init__(self, url: str, deploy_key: str, cache: Cache) -> None:
        local = os.path.expanduser(url)
        self.url = os.path.abspath(local) if os.path.isdir(local) else url
        self._cache = cache
        self._deploy_key = deploy_key

    def resolve(self, version: str) -> Revision:
        if not version:
            raise StackError(
                f"version is needed to fetch {self._shown}: set it (app_version in the role) to a tag, a branch or a commit."
            )
        references = self._references()
        for name in (f"refs/tags/{version}^{{}}", f"refs/tags/{version}", f"refs/heads/{version}"):
            if name in references:
                return Revision("git", references[name], version)
        if _COMMIT_PREFIX.fullmatch(version.lower()):
            commit = self._find_commit(version.lower(), references)
            if commit:
                return Revision("git", commit, version)
        raise StackError(
            f"version {version} is neither a tag, a branch nor a commit of {self._shown}{_newest_tags(references)}: "
            "set it (app_version in the role) to one of them."
        )

    def pack(self, revision: Revision, target: Path) -> None:
        with self._cache.locked():
            repository = self._fetched(revision.revision)
            scratch = Path(tempfile.mkdtemp(prefix="source-", dir=self._cache.root))
            tree = scratch / "tree"
            try:
                self._git(
                    ["worktree", "add", "--quiet", "--force", "--detach", str(tree), revision.revision], repository
                )
                if (tree / ".gitmodules").exists():
                    self._git(["submodule", "update", "--quiet", "--init", "--recursive", "--depth", "1"], tree)
                pack(tree, all_files(tree), target)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
                self._git(["worktree", "prune"], repository)

    @property
    def _shown(self) -> str:
        return without_credentials(self.url)

    def _references(self) -> dict[str, str]:
        lines = self._git(["ls-remote", "--tags", "--heads", self.url], None, _LOOKUP_SECONDS).splitlines()
        pairs = (line.split("\t", 1) for line in lines if "\t" in line)
        return {name: commit for commit, name in pairs}

    def _find_commit(self, prefix: str, references: Mapping[str, str]) -> str:
        tips = {commit for commit in references.values() if commit.startswith(prefix)}
        if len(tips) == 1:
            return tips.pop()
        with self._cache.locked():
            try:
                if _COMMIT.fullmatch(prefix):
                    self._fetched(prefix)
                    return prefix
                repository = self._fetched(None)
                return self._git(["rev-parse", "--verify", "--quiet", f"{prefix}^{{commit}}"], repository).strip()
            except StackError:
                return ""

    def _fetched(self, commit: str | None) -> Path:
        """Bring one commit into the cache, or with None everything."""
        repository = self._cache.repository(self.url)
        if not repository.exists():
            self._git(["init", "--quiet", "--bare", str(repository)], None)
        everything = ["fetch", "--quiet", "--force", self.url, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]
        if commit is None:
            shallow = ["--unshallow"] if (repository / "shallow").exists() else []
            self._git([*everything[:1], *shallow, *everything[1:]], repository, _FETCH_SECONDS)
        elif not self._has(repository, commit):
            try:
                self._git(["fetch", "--quiet", "--depth", "1", self.url, commit], repository, _FETCH_SECONDS)
            except StackError:
                # Servers may refuse to give a commit by its name.
                self._git(everything, repository, _FETCH_SECONDS)
        self._git(["config", "remote.origin.url", self.url], repository)
        if commit is not None and not self._has(repository, commit):
            raise StackError(f"commit {commit} isn't in {self._shown}.")
        return repository

    def _has(self, repository: Path, commit: str) -> bool:
        try:
            self._git(["cat-file", "-e", f"{commit}^{{commit}}"], repository)
        except StackError:
            return False
        return True

    def _git(self, arguments: Sequence[str], folder: Path | None, seconds: int = _LOOKUP_SECONDS) -> str:
        with _ssh_command(self._deploy_key) as ssh:
            environment = {
                **os.environ,
                "GIT_TERMINAL_PROMPT": "0",
                "GIT_ASKPASS": "true",
                "GIT_SSH_COMMAND": ssh,
                "LC_ALL": "C",
            }
            # protocol.file.allow: a repository on this machine may have submodules on this machine.
            command = ["git", "-c", "safe.directory=*", "-c", "protocol.file.allow=always", *arguments]
            try:
                done = run_bounded(
                    command, cwd=folder, env=environment, capture_output=True, text=True, timeout=seconds
                )
            except FileNotFoundError as error:
                raise StackError("git isn't installed on the controller: install it there.") from error
            except subprocess.TimeoutExpired as error:
                raise StackError(f"{self._shown} didn't answer within {seconds} s.") from error
        if done.returncode != 0:
            raise StackError(
                f"{self._shown} can't be read: {_last_line(without_credentials(done.stderr), arguments[0])}"
            )
        return str(done.stdout)


def _newest_tags(references: Mapping[str, str]) -> str:
    prefix = "refs/tags/"
    tags = [name.removeprefix(prefix) for name in references if name.startswith(prefix) and not name.endswith("^{}")]
    newest = sorted(tags, key=_version_key, reverse=True)[:_TAGS_SHOWN]
    return f" (its newest tags: {', '.join(newest)})" if newest else " (it has no tags)"


def _version_key(tag: str) -> list[tuple[int, int, str]]:
    parts = re.findall(r"\d+|[^\d.]+", tag)
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts]


def _last_line(text: str, command: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # ssh's own reason; git's "Could not read from remote repository" follows it.
    refused = [line for line in lines if "Permission denied" in line or line.startswith("Load key")]
    if refused:
        return f"{refused[0].rstrip('.')}: set app_deploy_key to a key without a passphrase that may read it"
    reasons = ("ssh:", "Host key"), ("fatal:", "ERROR:", "error:")
    telling = [line for starts in reasons for line in lines if line.startswith(starts)]
    return (telling or lines or [f"git {command} failed"])[0]


@contextlib.contextmanager
def _ssh_command(deploy_key: str) -> Iterator[str]:
    options = "-o BatchMode=yes -o StrictHostKeyChecking=accept-new -o ConnectTimeout=20"
    if not deploy_key:
        yield os.environ.get("GIT_SSH_COMMAND", f"ssh {options}")
        return
    handle, path = tempfile.mkstemp(prefix="slipway-key-")
    try:
        with os.fdopen(handle, "w") as stream:
            stream.write(deploy_key.strip() + "\n")
        yield f"ssh -i {path} -o IdentitiesOnly=yes {options}"
    finally:
        os.unlink(path)


class Directory:
    """A directory on the controller."""

    def __init__(self, path: str) -> None:
        self._path = Path(path).expanduser().absolute()
        if not self._path.is_dir():
            raise StackError(f"directory {path} doesn't exist on the controller: set it (app_directory in the role).")
        self._names = project_files(self._path, _tracked_by_git(self._path))

    def resolve(self, version: str) -> Revision:
        digest = directory_digest(self._path, self._names)
        return Revision("directory", digest, version or digest[:12])

    def pack(self, revision: Revision, target: Path) -> None:
        if directory_digest(self._path, self._names) != revision.revision:
            raise StackError(f"directory {self._path} changed while it was being packed: run this again.")
        pack(self._path, self._names, target)


def _tracked_by_git(path: Path) -> list[str] | None:
    """The files that git would consider, so that what .gitignore names isn't shipped; None outside of a work tree."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = run_bounded(command, cwd=path, capture_output=True, timeout=_LOOKUP_SECONDS)
    except FileNotFoundError:
        return None
    if done.returncode != 0 or not done.stdout:
        return None
    return [os.fsdecode(name) for name in done.stdout.split(b"\0") if name]


class Archive:
    """A tar or zip archive, from the controller or from a URL."""

    def __init__(self, location: str, checksum: str, cache: Cache, download: Download) -> None:
        self._location = location
        self._algorithm, _colon, self._expected = checksum.partition(":") if checksum else ("sha256", "", "")
        self._cache = cache
        self._download = download
        self._is_url = "://" in location
        if checksum and (not self._expected or self._algorithm not in hashlib.algorithms_available):
            raise StackError(
                f"checksum {checksum} isn't written as an algorithm and a number: write it as sha256:0123abcd... "
                "(app_archive_checksum in the role)."
            )
        if self._is_url and not checksum:
            raise StackError(
                f"archive {without_credentials(location)} comes from a URL, so what it holds must be known beforehand: "
                "set checksum (app_archive_checksum in the role)."
            )

    def resolve(self, version: str) -> Revision:
        digest = self._expected.lower() if self._is_url else self._digest_of(self._local())
        return Revision("archive", digest, version or digest[:12])

    def pack(self, revision: Revision, target: Path) -> None:
        with self._cache.locked():
            scratch = Path(tempfile.mkdtemp(prefix="source-", dir=self._cache.root))
            try:
                archive = self._local()
                if self._is_url:
                    archive = scratch / Path(self._location.split("?", 1)[0]).name
                    self._download(self._location, archive)
                if self._digest_of(archive) != revision.revision:
                    raise StackError(f"archive {self._location} changed while it was being packed: run this again.")
                tree = unpack_archive(archive, scratch / "tree")
                pack(tree, all_files(tree), target)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)

    def _local(self) -> Path:
        path = Path(self._location).expanduser().absolute()
        if not self._is_url and not path.is_file():
            raise StackError(
                f"archive {self._location} doesn't exist on the controller: set it (app_archive in the role)."
            )
        return path

    def _digest_of(self, path: Path) -> str:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, self._algorithm).hexdigest()
        if self._expected and digest != self._expected.lower():
            raise StackError(
                f"archive {without_credentials(self._location)} has the {self._algorithm} checksum {digest}, not "
                f"{self._expected}: someone changed it, or checksum (app_archive_checksum in the role) is out of date."
            )
        return digest


class Package:
    """A package of an index, which the hosts install themselves."""

    def __init__(self, name: str, lookup: Callable[[str], list[str]] | None = None) -> None:
        self._name = name
        self._lookup = lookup or published_versions

    def resolve(self, version: str) -> Revision:
        if not version:
            raise StackError(f"version of the package {self._name} is needed: set it (app_version in the role).")
        versions = self._lookup(self._name.partition("[")[0])
        if versions and version not in versions:
            raise StackError(
                f"version {version} of the package {self._name} isn't on the index (its newest: "
                f"{', '.join(versions[:_TAGS_SHOWN])}): set it (app_version in the role) to one that is."
            )
        return Revision("package", f"{self._name}=={version}", version, verified=bool(versions))


def published_versions(name: str) -> list[str]:
    """The versions that the controller's index offers, newest first.

    None where the controller has no pip, or another index than the hosts: they find out themselves.
    """
    pip = [sys.executable, "-m", "pip"]
    command = [*pip, "index", "versions", "--ignore-requires-python", "--pre", "--disable-pip-version-check", name]
    try:
        done = run_bounded(command, capture_output=True, text=True, timeout=_LOOKUP_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return []
    match = re.search(r"^Available versions: (.+)$", done.stdout, re.MULTILINE)
    return match[1].split(", ") if done.returncode == 0 and match else []
