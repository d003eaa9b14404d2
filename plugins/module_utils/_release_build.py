# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.
"""Builds one release: its code, its virtual environment and its assets, in the place where it will run."""

from __future__ import annotations

import os
import pwd
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError
from ansible_collections.slipway.stack.plugins.module_utils._index_program import install_program
from ansible_collections.slipway.stack.plugins.module_utils._release import Layout, now, read_json, write_json
from ansible_collections.slipway.stack.plugins.module_utils._release_bytecode import PROGRAM
from ansible_collections.slipway.stack.plugins.module_utils._release_index import index_environment
from ansible_collections.slipway.stack.plugins.module_utils._release_run import Worker

UV_HOME = Path("/opt/slipway/uv")
_SYSTEM_PYTHON = "/usr/bin/python3"
_SERVER_MODULES = {"gunicorn": "gunicorn", "uvicorn": "uvicorn", "uvicorn-worker": "uvicorn_worker"}


@dataclass(frozen=True)
class Recipe:
    """What a release is made of."""

    release_id: str
    tarball: str = ""
    package: str = ""
    subdirectory: str = ""
    python: str = ""
    python_download: bool = False
    install: str = "auto"
    requirements: Sequence[str] = ()
    extra_packages: Sequence[str] = ()
    constraints: Sequence[str] = ()
    servers: Sequence[str] = ()
    links: Sequence[Mapping[str, str]] = ()
    files: Sequence[Mapping[str, str]] = ()
    commands: Sequence[Mapping[str, Any]] = ()
    static: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    manifest: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Step:
    """What was done, and how long it took."""

    name: str
    seconds: float


def install_uv(version: str) -> Path:
    """uv comes from the index that pip uses: the distribution doesn't have it."""
    return install_program(UV_HOME, "uv", "uv", version)


class Build:
    """One build, from an empty folder to the manifest that makes it a release."""

    def __init__(self, layout: Layout, worker: Worker, recipe: Recipe, uv: Path) -> None:
        self._layout = layout
        self._worker = worker
        self._recipe = recipe
        self._uv = uv
        self._path = layout.release(recipe.release_id)
        self._tree = self._path / "source"
        self._source = self._tree / recipe.subdirectory if recipe.subdirectory else self._tree
        self._venv = self._path / "venv"
        self._cache = layout.root / "cache" / ".build"
        self._started = time.monotonic()
        self.steps: list[Step] = []

    def run(self) -> dict[str, Any]:
        self._step("prepare", self._prepare)
        self._step("unpack", self._unpack)
        self._step("environment", self._create_environment)
        self._step("install", self._install)
        self._step("servers", self._install_servers)
        self._step("link", self._link)
        self._step("files", self._write_files)
        for command in self._recipe.commands:
            self._step(command["command"], lambda command=command: self._command(command))
        self._step("static", self._check_static)
        self._step("compile", self._compile)
        return self._finish()

    def _step(self, name: str, action: Any) -> None:
        begun = time.monotonic()
        try:
            action()
        except StackError as error:
            raise StackError(f"release {self._recipe.release_id} can't be built: {error}", **error.details) from error
        self.steps.append(Step(name, round(time.monotonic() - begun, 2)))

    def _prepare(self) -> None:
        if self._path.exists():
            shutil.rmtree(self._path)
        identity = pwd.getpwnam(self._worker.user)
        for folder in (self._path, self._tree):
            folder.mkdir(mode=0o755)
            os.chown(folder, identity.pw_uid, identity.pw_gid)

    def _unpack(self) -> None:
        if not self._recipe.tarball:
            return
        # As the application's user: what a hostile archive could reach is what the application can reach anyway.
        # The tarball's files have no time of their own. Of two releases' files of one size, proxies and browsers would take one
        # for the other.
        self._as_user(["tar", "-xzmf", self._recipe.tarball, "--no-same-owner", "-C", str(self._tree)], self._tree)
        if not self._source.is_dir():
            raise StackError(
                f"the source has no folder {self._recipe.subdirectory}: set app_subdirectory to one that it has."
            )

    def _create_environment(self) -> None:
        command = ["venv", "--no-project", "--python", self._recipe.python or _SYSTEM_PYTHON, str(self._venv)]
        downloads = "automatic" if self._recipe.python_download else "never"
        self._run_uv(command, {"UV_PYTHON_DOWNLOADS": downloads})

    def _install(self) -> None:
        kind = self._recipe.install
        kind = self._detect() if kind == "auto" else kind
        wanted = [self._recipe.package] if self._recipe.package else []
        if kind == "lock":
            wanted += ["--requirement", str(self._exported_lock())]
        elif kind == "requirements":
            for name in self._recipe.requirements:
                wanted += ["--requirement", str(self._existing(name, "app_requirements"))]
        elif kind == "pyproject":
            wanted.append(str(self._existing("pyproject.toml", "app_install").parent))
        wanted += self._recipe.extra_packages
        if wanted:
            limits = [
                word for text in self._recipe.constraints for word in ("--constraint", self._constraint_file(text))
            ]
            self._run_uv(["pip", "install", "--python", str(self._venv), *wanted, *limits])
        if kind == "lock" and self._is_package():
            self._run_uv(["pip", "install", "--python", str(self._venv), "--no-deps", "--editable", str(self._source)])

    def _detect(self) -> str:
        if self._recipe.package or not self._recipe.tarball:
            return "none"
        if (self._source / "uv.lock").exists():
            return "lock"
        if any((self._source / name).exists() for name in self._recipe.requirements):
            return "requirements"
        if (self._source / "pyproject.toml").exists():
            return "pyproject"
        return "none"

    def _exported_lock(self) -> Path:
        """A lock file names the index of whoever wrote it; its export holds versions and hashes, which any index has."""
        self._existing("uv.lock", "app_install")
        exported = self._path / "requirements.lock"
        self._run_uv(
            [
                *("export", "--quiet", "--frozen", "--no-dev", "--no-emit-project", "--no-header", "--no-annotate"),
                *("--format", "requirements-txt", "--output-file", str(exported), "--project", str(self._source)),
            ]
        )
        return exported

    def _existing(self, name: str, variable: str) -> Path:
        path = self._source / name
        if not path.is_file():
            raise StackError(f"the source has no {name}: set {variable} (or app_subdirectory) to what it has.")
        return path

    def _is_package(self) -> bool:
        return "[build-system]" in (self._source / "pyproject.toml").read_text(encoding="utf-8")

    def _constraint_file(self, constraint: str) -> str:
        path = self._source / constraint
        if path.is_file():
            return str(path)
        inline = self._path / "constraints.txt"
        with inline.open("a", encoding="utf-8") as stream:
            stream.write(constraint + "\n")
        return str(inline)

    def _install_servers(self) -> None:
        """The servers that the processes ask for, where the application's own requirements don't bring them."""
        found = {path.name for path in self._venv.glob("lib/python3*/site-packages/*") if path.is_dir()}
        missing = [name for name in self._recipe.servers if _SERVER_MODULES[name] not in found]
        if missing:
            self._run_uv(["pip", "install", "--python", str(self._venv), *missing])

    # Links and files are made as the application's user too: a package that was just installed could have left a
    # symbolic link for root to follow.

    def _link(self) -> None:
        script = 'rm -rf -- "$1" && mkdir -p -- "$(dirname -- "$1")" && ln -s -- "$2" "$1"'
        for link in self._recipe.links:
            self._as_user(
                ["/bin/sh", "-c", script, "link", str(self._source / link["path"]), link["target"]], self._source
            )

    def _write_files(self) -> None:
        script = 'umask 077 && rm -f -- "$1" && mkdir -p -- "$(dirname -- "$1")" && cat >"$1" && chmod -- "$2" "$1"'
        for entry in self._recipe.files:
            path = str(self._source / entry["path"])
            self._as_user(["/bin/sh", "-c", script, "write", path, entry["mode"]], self._source, stdin=entry["content"])

    def _command(self, command: Mapping[str, Any]) -> None:
        folder = self._source / command["directory"] if command.get("directory") else self._source
        if not folder.is_dir():
            raise StackError(
                f"the source has no folder {command['directory']}: set directory of that app_build_commands entry to one that it has."
            )
        own = {name: str(value) for name, value in (command.get("environment") or {}).items()}
        self._as_user(["/bin/sh", "-c", command["command"]], folder, own)

    def _check_static(self) -> None:
        folders = [self._source / name for name in self._recipe.static]
        if missing := [folder for folder in folders if not folder.is_dir()]:
            raise StackError(
                f"there is no folder {missing[0].relative_to(self._source)} after the build: set directory of that "
                "app_static entry to one that the source has or app_build_commands make."
            )

    def _compile(self) -> None:
        python = str(self._venv / "bin" / "python")
        live = read_json(self._layout.live).get("release", "none")
        folders = [self._venv, self._tree, self._layout.release(live) / "venv"]
        self._as_user([python, "-c", PROGRAM, *map(str, folders)], self._path)

    def _finish(self) -> dict[str, Any]:
        frozen = self._run_uv(["pip", "freeze", "--quiet", "--python", str(self._venv)])
        manifest = {
            **self._recipe.manifest,
            "id": self._recipe.release_id,
            "built_at": now(),
            "build_seconds": round(time.monotonic() - self._started, 1),
            "steps": {step.name: step.seconds for step in self.steps},
            "packages": frozen.splitlines(),
        }
        write_json(self._layout.manifest(self._recipe.release_id), manifest)
        return manifest

    def _run_uv(self, words: Sequence[str], extra: Mapping[str, str] | None = None) -> str:
        return self._as_user([str(self._uv), *words], self._source, extra)

    def _as_user(
        self, words: Sequence[str], folder: Path, extra: Mapping[str, str] | None = None, stdin: str = ""
    ) -> str:
        paths = f"{self._venv}/bin:{self._worker.environment({})['PATH']}"
        given = {name: str(value) for name, value in self._recipe.environment.items()}
        environment = {
            "PATH": paths,
            "VIRTUAL_ENV": str(self._venv),
            "UV_CACHE_DIR": str(self._cache / "uv"),
            "UV_NO_PROGRESS": "1",
            "UV_PYTHON_DOWNLOADS": "never",
            "UV_PYTHON_INSTALL_DIR": str(self._layout.root / "cache" / ".python"),
            "npm_config_cache": str(self._cache / "npm"),
            "npm_config_update_notifier": "false",
            **index_environment({**os.environ, **given}),
            **given,
            **(extra or {}),
        }
        return self._worker.run(words, folder, environment, stdin)
