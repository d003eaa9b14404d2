# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a version to one revision and its tarball, on real repositories and archives."""

from __future__ import annotations

import hashlib
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from ansible_collections.slipway.stack.plugins.module_utils import _source as source
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=nobody", "-c", "user.email=nobody@localhost", "-c", "protocol.file.allow=always"]
    return subprocess.run(
        ["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def commit(folder: Path, text: str) -> str:
    (folder / "app.py").write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", text)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def cache(tmp_path: Path) -> source.Cache:
    return source.Cache(tmp_path / "cache")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, "one")
    git(folder, "tag", "-a", "v1.0", "-m", "annotated")
    commit(folder, "two")
    git(folder, "tag", "v1.10")
    return folder


def names_in(tarball: Path) -> list[str]:
    with tarfile.open(tarball) as tar:
        return tar.getnames()


# --- git


def test_a_tag_is_the_commit_that_it_points_to(repository: Path, cache: source.Cache) -> None:
    found = source.Git(str(repository), "", cache).resolve("v1.0")
    assert found.revision == git(repository, "rev-parse", "v1.0^{commit}")


def test_a_branch_moves(repository: Path, cache: source.Cache) -> None:
    before = source.Git(str(repository), "", cache).resolve("main").revision
    after = commit(repository, "three")
    assert before != after == source.Git(str(repository), "", cache).resolve("main").revision


def test_a_tag_wins_over_a_branch_of_its_name(repository: Path, cache: source.Cache) -> None:
    git(repository, "branch", "v1.0", "main")
    assert source.Git(str(repository), "", cache).resolve("v1.0").revision == git(
        repository, "rev-parse", "v1.0^{commit}"
    )


@pytest.mark.parametrize("length", [40, 8])
def test_a_commit_that_no_branch_ends_in_is_found(repository: Path, cache: source.Cache, length: int) -> None:
    wanted = git(repository, "rev-parse", "v1.0^{commit}")
    git(repository, "tag", "-d", "v1.0")
    assert source.Git(str(repository), "", cache).resolve(wanted[:length]).revision == wanted


@pytest.mark.parametrize("version", ["v9", "0123456789abcdef0123456789abcdef01234567", "abcdef12"])
def test_what_is_not_there_is_refused_with_what_is(repository: Path, cache: source.Cache, version: str) -> None:
    with pytest.raises(StackError, match=r"neither a tag, a branch nor a commit of .*\(its newest tags: v1.10, v1.0\)"):
        source.Git(str(repository), "", cache).resolve(version)


def test_a_repository_that_is_not_there_is_refused(tmp_path: Path, cache: source.Cache) -> None:
    with pytest.raises(StackError, match=r"can't be read"):
        source.Git(f"file://{tmp_path}/nowhere", "", cache).resolve("v1")


def test_credentials_are_not_shown(cache: source.Cache) -> None:
    with pytest.raises(StackError) as caught:
        source.Git("https://me:hunter2@localhost:1/x.git", "", cache).resolve("v1")
    assert "hunter2" not in str(caught.value)


def test_the_deploy_key_is_gone_afterwards(
    repository: Path, cache: source.Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    source.Git(str(repository), "a key", cache).resolve("main")
    assert list(tmp_path.glob("slipway-key-*")) == []


def test_the_commit_is_packed_with_its_submodules(repository: Path, cache: source.Cache, tmp_path: Path) -> None:
    part = tmp_path / "part"
    part.mkdir()
    git(part, "init", "--quiet")
    commit(part, "part")
    git(repository, "submodule", "--quiet", "add", str(part), "part")
    git(repository, "commit", "--quiet", "-m", "with a part")
    wanted = source.Git(str(repository), "", cache)
    revision = wanted.resolve("main")
    commit(repository, "later")
    target = cache.tarball(revision)
    wanted.pack(revision, target)
    assert names_in(target) == [".gitmodules", "app.py", "part/app.py"]
    with tarfile.open(target) as tar:
        stream = tar.extractfile("app.py")
        assert stream is not None
        assert stream.read() == b"two"
    assert list(cache.root.glob("source-*")) == []


# --- directories


def test_a_directory_is_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("one")
    before = source.Directory(str(tmp_path)).resolve("").revision
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "app.pyc").write_text("x")
    assert source.Directory(str(tmp_path)).resolve("").revision == before
    (tmp_path / "app.py").chmod(0o755)
    executable = source.Directory(str(tmp_path)).resolve("").revision
    (tmp_path / "app.py").write_text("two")
    assert len({before, executable, source.Directory(str(tmp_path)).resolve("").revision}) == 3


def test_what_git_ignores_is_not_shipped(repository: Path, cache: source.Cache) -> None:
    (repository / ".gitignore").write_text("secret.txt\n")
    (repository / "secret.txt").write_text("x")
    (repository / "new.py").write_text("x")
    found = source.Directory(str(repository))
    target = cache.tarball(found.resolve(""))
    found.pack(found.resolve(""), target)
    assert names_in(target) == [".gitignore", "app.py", "new.py"]


def test_the_same_files_make_the_same_tarball(tmp_path: Path) -> None:
    digests = set()
    for number in ("1", "2"):
        folder = tmp_path / number
        folder.mkdir()
        (folder / "app.py").write_text("same")
        (folder / "link").symlink_to("app.py")
        target = tmp_path / f"{number}.tar.gz"
        found = source.Directory(str(folder))
        found.pack(found.resolve(""), target)
        digests.add(hashlib.sha256(target.read_bytes()).hexdigest())
    assert len(digests) == 1


# --- archives


def no_download(url: str, target: Path) -> None:
    raise AssertionError(f"{url} was downloaded")


def make_archive(tmp_path: Path, kind: str) -> Path:
    folder = tmp_path / "shop-1.0"
    folder.mkdir()
    (folder / "app.py").write_text("x")
    archive = tmp_path / f"shop.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(archive, "w") as zipped:
            zipped.write(folder / "app.py", "shop-1.0/app.py")
    else:
        with tarfile.open(archive, "w:xz") as tar:
            tar.add(folder, "shop-1.0")
    return archive


@pytest.mark.parametrize("kind", ["zip", "tar.xz"])
def test_the_only_folder_of_an_archive_is_left_out(tmp_path: Path, cache: source.Cache, kind: str) -> None:
    found = source.Archive(str(make_archive(tmp_path, kind)), "", cache, no_download)
    target = cache.tarball(found.resolve("1.0"))
    found.pack(found.resolve("1.0"), target)
    assert names_in(target) == ["app.py"]


def test_an_archive_that_someone_changed_is_refused(tmp_path: Path, cache: source.Cache) -> None:
    archive = make_archive(tmp_path, "zip")
    with pytest.raises(StackError, match="someone changed it"):
        source.Archive(str(archive), "sha256:" + "0" * 64, cache, no_download).resolve("")


def test_an_archive_from_a_url_needs_a_checksum_and_is_checked(tmp_path: Path, cache: source.Cache) -> None:
    url = "https://me:hunter2@example.com/shop.tar.gz"
    with pytest.raises(StackError, match="set checksum"):
        source.Archive(url, "", cache, no_download)
    bad = source.Archive(url, "sha256:" + "0" * 64, cache, lambda _url, target: target.write_bytes(b"x") and None)
    with pytest.raises(StackError, match="someone changed it") as caught:
        bad.pack(bad.resolve(""), cache.tarball(bad.resolve("")))
    assert "hunter2" not in str(caught.value)


def test_an_archive_may_not_reach_outside_of_itself(tmp_path: Path, cache: source.Cache) -> None:
    archive = tmp_path / "evil.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("../evil", "x")
    found = source.Archive(str(archive), "", cache, no_download)
    with pytest.raises(StackError, match="path outside of itself"):
        found.pack(found.resolve(""), cache.tarball(found.resolve("")))


def tar_of(path: Path, **members: str) -> Path:
    """What each name leads to; a file where that is empty, and a pipe where it is a bar."""
    with tarfile.open(path, "w") as tar:
        for name, target in members.items():
            member = tarfile.TarInfo(name.replace("__", "/"))
            member.linkname = target.strip("|=")
            member.type = {"": tarfile.REGTYPE, "|": tarfile.FIFOTYPE}.get(
                target, tarfile.LNKTYPE if target.startswith("=") else tarfile.SYMTYPE
            )
            tar.addfile(member)
    return path


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"out": "../../etc"}, "path outside of itself"),
        ({"etc": "/etc"}, "path outside of itself"),
        ({"shadow": "=/etc/shadow"}, "path outside of itself"),
        ({"here": ".", "here__app.py": ""}, "behind a link"),
        ({"app.py": "main.py", "same": "=app.py"}, "behind a link"),
        ({"pipe": "|"}, "no file, directory or link"),
    ],
    ids=str,
)
def test_links_of_an_archive_lead_nowhere_else(
    members: dict[str, str], reason: str, tmp_path: Path, cache: source.Cache
) -> None:
    found = source.Archive(str(tar_of(tmp_path / "evil.tar", **members)), "", cache, no_download)
    with pytest.raises(StackError, match=reason):
        found.pack(found.resolve(""), cache.tarball(found.resolve("")))


def test_links_within_an_archive_are_kept(tmp_path: Path, cache: source.Cache) -> None:
    archive = tar_of(tmp_path / "shop.tar", **{"src__app.py": "", "app.py": "src/app.py", "src__up": "../app.py"})
    found = source.Archive(str(archive), "", cache, no_download)
    target = cache.tarball(found.resolve("1.0"))
    found.pack(found.resolve("1.0"), target)
    assert names_in(target) == ["app.py", "src/app.py", "src/up"]


# --- packages


def test_a_version_that_the_index_lacks_is_refused() -> None:
    with pytest.raises(StackError, match=r"its newest: 2.0, 1.0"):
        source.Package("shop[extra]", lambda name: ["2.0", "1.0"] if name == "shop" else []).resolve("3.0")


def test_a_package_that_only_the_hosts_can_see_is_left_to_them() -> None:
    found = source.Package("shop", lambda _name: []).resolve("3.0")
    assert (found.revision, found.verified) == ("shop==3.0", False)


# --- the cache


def test_only_the_newest_tarballs_are_kept(cache: source.Cache) -> None:
    cache.prepare()
    for number in range(12):
        cache.tarball(source.Revision("git", str(number), "")).write_text("x")
    cache.prune()
    assert len(list((cache.root / "tarballs").iterdir())) == cache.kept_tarballs
