# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.
"""Trees of files: which belong to a project, what they amount to, and a tarball of them."""

from __future__ import annotations

import gzip
import hashlib
import os
import stat
import tarfile
import zipfile
from collections.abc import Collection, Iterable
from pathlib import Path

from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError

_VERSION_CONTROL = frozenset({".git", ".hg", ".svn"})
# Work of tools in somebody's working directory, which neither belongs to a release nor may decide whether there is a new one.
_NEVER_SHIPPED = _VERSION_CONTROL | frozenset(
    {
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        ".tox",
        ".venv",
        "__pycache__",
        "node_modules",
        "venv",
    }
)
_EXECUTABLE = 0o755
_PLAIN = 0o644


def project_files(root: Path, tracked: Iterable[str] | None) -> list[str]:
    """The paths below somebody's directory that are shipped, sorted; tracked limits them to what a version control knows."""
    names = tracked if tracked is not None else _walk(root, _NEVER_SHIPPED)
    return sorted({name for name in names if _is_shipped(root, name, _NEVER_SHIPPED)})


def all_files(root: Path) -> list[str]:
    """The paths below a checkout or an unpacked archive, sorted: all that was given, but what version control keeps."""
    return sorted({name for name in _walk(root, _VERSION_CONTROL) if _is_shipped(root, name, _VERSION_CONTROL)})


def _walk(root: Path, left_out: Collection[str]) -> Iterable[str]:
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in left_out)
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        for name in [*files, *links]:
            yield os.path.relpath(os.path.join(folder, name), root)


def _is_shipped(root: Path, name: str, left_out: Collection[str]) -> bool:
    if name.endswith(".pyc") or any(part in left_out for part in Path(name).parts):
        return False
    path = root / name
    return path.is_symlink() or path.is_file()


def directory_digest(root: Path, names: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for name in names:
        path = root / name
        if path.is_symlink():
            kind, content = b"l", os.fsencode(os.readlink(path))
        else:
            kind = b"x" if path.stat().st_mode & stat.S_IXUSR else b"f"
            content = hashlib.sha256(path.read_bytes()).digest()
        digest.update(b"\0".join((kind, os.fsencode(name), content, b"")))
    return digest.hexdigest()


def pack(root: Path, names: Iterable[str], target: Path) -> None:
    """Write a tarball that is the same for the same files, whoever packs it and whenever."""
    scratch = target.with_name(f".{os.getpid()}-{target.name}")
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with (
            scratch.open("wb") as raw,
            gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=3, mtime=0) as zipped,
            tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as tar,
        ):
            for name in names:
                _add(tar, root / name, name)
        os.replace(scratch, target)
    finally:
        scratch.unlink(missing_ok=True)


def _add(tar: tarfile.TarFile, path: Path, name: str) -> None:
    member = tar.gettarinfo(str(path), arcname=name)
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = 0
    if member.issym():
        tar.addfile(member)
        return
    # A hard link to an earlier member would make the content depend on the file system.
    member.type, member.linkname = tarfile.REGTYPE, ""
    member.size = path.stat().st_size
    member.mode = _EXECUTABLE if member.mode & stat.S_IXUSR else _PLAIN
    with path.open("rb") as stream:
        tar.addfile(member, stream)


def unpack_archive(archive: Path, target: Path) -> Path:
    """Unpack a tar or zip archive; returns its only folder where it has just that, as archives of forges do."""
    target.mkdir(parents=True)
    if tarfile.is_tarfile(archive):
        with tarfile.open(archive) as tar:
            members = tar.getmembers()
            _refuse_escapes(member.name for member in members)
            _refuse_tricks(members)
            # Debian 12's Python 3.11.2 has no filters yet (PEP 706 came with 3.11.4).
            if hasattr(tarfile, "data_filter"):
                tar.extraction_filter = tarfile.data_filter
            tar.extractall(target)
    elif zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            _refuse_escapes(zipped.namelist())
            for info in zipped.infolist():
                path = Path(zipped.extract(info, target))
                if path.is_file() and (info.external_attr >> 16) & stat.S_IXUSR:
                    path.chmod(_EXECUTABLE)
    else:
        raise StackError(
            f"archive {archive.name} is neither a tar nor a zip archive: give it as one (app_archive in the role)."
        )
    entries = list(target.iterdir())
    return entries[0] if len(entries) == 1 and entries[0].is_dir() and not entries[0].is_symlink() else target


def _refuse_escapes(names: Iterable[str]) -> None:
    for name in names:
        if os.path.isabs(name) or ".." in Path(name).parts:
            raise StackError(f"the archive holds {name}, a path outside of itself: it can't be trusted.")


def _refuse_tricks(members: Iterable[tarfile.TarInfo]) -> None:
    """Links that lead outside, files that lie behind a link, and what is no file at all."""
    by_name = {os.path.normpath(member.name): member for member in members}
    links = {name for name, member in by_name.items() if member.issym()}
    for name, member in by_name.items():
        if not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
            raise StackError(f"the archive holds {name}, which is no file, directory or link: it can't be trusted.")
        if member.issym():
            _refuse_escapes([os.path.normpath(os.path.join(os.path.dirname(name), member.linkname))])
        if member.islnk():
            _refuse_escapes([os.path.normpath(member.linkname)])
        behind = {*map(str, Path(name).parents), os.path.normpath(member.linkname) if member.islnk() else ""}
        if behind & links:
            raise StackError(f"the archive holds {name} behind a link: it can't be trusted.")
