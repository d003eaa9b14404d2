#!/usr/bin/python
# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: source
short_description: Resolve an application's version to one revision, and fetch it as one tarball
version_added: 0.1.0
author:
  - slipway.stack contributors (@slipway)
description:
  - Runs on the controller. It resolves a tag, a branch, a commit, an archive, a directory or a package to one
    revision, so that all hosts of a fleet get the same, also when a branch moves while they are deployed.
  - With O(fetch=true) it also makes one tarball of that revision, which is then shipped to the hosts. They need
    neither git, nor a deploy key, nor a way to the repository.
extends_documentation_fragment:
  - slipway.stack.attributes
attributes:
  check_mode:
    support: full
    details:
      - What was fetched is kept in a cache on the controller, in check mode too. This is never reported as a change.
  diff_mode:
    support: none
options:
  repository:
    description:
      - URL or local path of a git repository.
      - Submodules are fetched too.
    type: str
  archive:
    description:
      - Path or URL of a tar or zip archive. A URL needs O(checksum).
      - Where the archive holds a single folder, its content is taken.
    type: str
  directory:
    description:
      - A directory on the controller.
      - In a git work tree, what C(.gitignore) names is left out. Virtual environments, C(node_modules) and caches of
        tools are always left out.
    type: path
  package:
    description: Name of a package on the index that the hosts use, with extras where needed, as in V(shop[postgres]).
    type: str
  version:
    description:
      - Tag, branch or commit of O(repository), in this order of precedence; version of O(package).
      - For O(archive) and O(directory) it is only a label.
    type: str
    default: ""
  checksum:
    description: Checksum of O(archive), as in V(sha256:0123abcd).
    type: str
    default: ""
  subdirectory:
    description: Folder in the source that must exist. It is checked when the source is fetched.
    type: str
    default: ""
  deploy_key:
    description: Private ssh key that may read O(repository).
    type: str
    default: ""
  fetch:
    description: Whether to make the tarball.
    type: bool
    default: false
  cache:
    description: Where what was fetched is kept.
    type: path
    default: ~/.cache/slipway/source
seealso:
  - module: slipway.stack.release
"""

EXAMPLES = r"""
- name: Find out which commit a tag is
  slipway.stack.source:
    repository: https://git.example.com/shop.git
    version: v1.4.2
  delegate_to: localhost
  run_once: true
  register: shop_source

- name: Fetch the working directory as a tarball
  slipway.stack.source:
    directory: ../shop
    fetch: true
  delegate_to: localhost
  run_once: true
  register: shop_source
"""

RETURN = r"""
kind:
  description: What the source is.
  returned: success
  type: str
  sample: git
revision:
  description: The commit, the checksum of the content, or C(name==version) of a package.
  returned: success
  type: str
  sample: 5f0c1d0e8e9c4f0db9c55a1f2a3b4c5d6e7f8a9b
version:
  description: The version as asked for; the beginning of the revision where none was.
  returned: success
  type: str
  sample: v1.4.2
verified:
  description: Whether the revision was seen to exist. Only V(false) for a package that the controller couldn't look up.
  returned: success
  type: bool
  sample: true
tarball:
  description: Path of the tarball on the controller; empty for a package.
  returned: O(fetch=true)
  type: str
  sample: /home/me/.cache/slipway/source/tarballs/git-5f0c1d0e8e9c4f0db9c55a1f2a3b4c5d6e7f8a9b.tar.gz
"""

import os
import shutil
import tarfile
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import open_url

from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError, conclude
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


def open_source(parameters: dict[str, Any], cache: Cache) -> Git | Archive | Directory | Package:
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


def run(module: AnsibleModule) -> dict[str, Any]:
    parameters = module.params
    cache = Cache(Path(parameters["cache"]))
    source = open_source(parameters, cache)
    revision = source.resolve(parameters["version"])
    result: dict[str, Any] = {
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


def fetch(source: Git | Archive | Directory, revision: Revision, cache: Cache, parameters: dict[str, Any]) -> str:
    tarball = cache.tarball(revision)
    if not tarball.exists():
        source.pack(revision, tarball)
    os.utime(tarball)
    cache.prune()
    if parameters["subdirectory"]:
        require_subdirectory(tarball, parameters["subdirectory"])
    return str(tarball)


def main() -> None:
    module = AnsibleModule(
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
        supports_check_mode=True,
    )
    conclude(module, run)


if __name__ == "__main__":
    main()
