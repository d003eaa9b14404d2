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
  - Runs on the controller, whatever host the task is for.
  - It resolves a tag, a branch, a commit, an archive, a directory or a package to one revision, so that all hosts of a
    fleet get the same, also when a branch moves while they are deployed.
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
  run_once: true
  register: shop_source

- name: Fetch the working directory as a tarball
  slipway.stack.source:
    directory: ../shop
    fetch: true
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
