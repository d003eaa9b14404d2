# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action: resolve a version to one revision, and fetch it, without the detour of a module on localhost."""

from __future__ import annotations

import os
import shutil
import tarfile
import typing as t
from pathlib import Path

from ansible.module_utils.urls import open_url
from ansible.plugins.action import ActionBase

from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError
from ansible_collections.slipway.stack.plugins.module_utils._source import (
    Archive,
    Cache,
    Directory,
    Git,
    Package,
    Revision,
    without_credentials,
)

KINDS = ("repository", "archive", "directory", "package")


def download(url: str, target: Path) -> None:
    try:
        with open_url(url, timeout=120) as response, target.open("wb") as stream:
            shutil.copyfileobj(response, stream)
    except (OSError, ValueError) as error:
        raise StackError(f"archive {without_credentials(url)} can't be downloaded: {error}.") from error


def open_source(parameters: dict[str, t.Any], cache: Cache) -> Git | Archive | Directory | Package:
    if parameters["repository"]:
        return Git(parameters["repository"], parameters["deploy_key"], cache)
    if parameters["archive"]:
        return Archive(parameters["archive"], parameters["checksum"], cache, download)
    if parameters["directory"]:
        return Directory(parameters["directory"])
    return Package(parameters["package"])


def require_subdirectory(tarball: Path, subdirectory: str) -> None:
    prefix = os.path.normpath(subdirectory) + "/"
    with tarfile.open(tarball) as tar:
        if not any(name.startswith(prefix) for name in tar.getnames()):
            raise StackError(
                f"subdirectory {subdirectory} isn't in the source: set it (app_subdirectory in the role) to a folder that is."
            )


def resolve(parameters: dict[str, t.Any]) -> dict[str, t.Any]:
    cache = Cache(Path(parameters["cache"]))
    source = open_source(parameters, cache)
    revision = source.resolve(parameters["version"])
    result: dict[str, t.Any] = {
        "changed": False,
        "kind": revision.kind,
        "revision": revision.revision,
        "version": revision.version,
        "verified": revision.verified,
    }
    if parameters["fetch"]:
        # Hosts install a package themselves.
        result["tarball"] = "" if isinstance(source, Package) else fetch(source, revision, cache, parameters)
    return result


def fetch(source: Git | Archive | Directory, revision: Revision, cache: Cache, parameters: dict[str, t.Any]) -> str:
    tarball = cache.tarball(revision)
    if not tarball.exists():
        source.pack(revision, tarball)
    os.utime(tarball)
    cache.prune()
    if parameters["subdirectory"]:
        require_subdirectory(tarball, parameters["subdirectory"])
    return str(tarball)


class ActionModule(ActionBase):
    """The action under its name."""

    _requires_connection = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Resolve and fetch; what goes wrong ends the task."""
        super().run(tmp, task_vars)
        _result, parameters = self.validate_argument_spec(
            argument_spec={
                "repository": {"type": "str"},
                "archive": {"type": "str"},
                "directory": {"type": "path"},
                "package": {"type": "str"},
                "version": {"type": "str", "default": ""},
                "checksum": {"type": "str", "default": ""},
                "subdirectory": {"type": "str", "default": ""},
                "deploy_key": {"type": "str", "default": "", "no_log": True},
                "fetch": {"type": "bool", "default": False},
                "cache": {"type": "path", "default": "~/.cache/slipway/source"},
            },
            mutually_exclusive=[KINDS],
            required_one_of=[KINDS],
        )
        try:
            return resolve(parameters)
        except StackError as error:
            return {"failed": True, "msg": str(error), **error.details}
        except OSError as error:
            return {"failed": True, "msg": f"{error.filename}: {error.strerror}"}
