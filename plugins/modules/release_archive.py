#!/usr/bin/python
# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_archive
short_description: Pack what a release was built to, for other hosts
version_added: 0.1.0
author:
  - slipway.stack contributors (@slipway)
description:
  - Makes one archive of a complete release's source as it is after the build, or of its static files alone. So what was
    built once is the same on all hosts.
  - The virtual environment isn't in it, since it belongs to the host.
extends_documentation_fragment:
  - slipway.stack.attributes
attributes:
  check_mode:
    support: full
    details:
      - Nothing is packed in check mode.
  diff_mode:
    support: none
options:
  name:
    description: Name of the application.
    type: str
    required: true
  root:
    description: Directory of the application.
    type: path
    required: true
  release:
    description: Name of the release.
    type: str
    required: true
  content:
    description: What to pack.
    type: str
    choices: [source, static]
    required: true
  dest:
    description: Directory for the archive. Whoever owns it gets the archive, so that a user who isn't root can fetch it.
    type: path
    required: true
seealso:
  - module: slipway.stack.release
  - module: slipway.stack.static_files
"""

EXAMPLES = r"""
- name: Make a place that the connection's user can read
  ansible.builtin.tempfile:
    state: directory
  become: false
  register: shop_scratch

- name: Pack the static files
  slipway.stack.release_archive:
    name: shop
    root: /srv/shop
    release: 3f2a9c51d07e
    content: static
    dest: "{{ shop_scratch.path }}"
  become: true
  register: shop_archive
"""

RETURN = r"""
path:
  description: The archive.
  returned: success
  type: str
  sample: /tmp/ansible.x1y2z3/3f2a9c51d07e-static.tar.gz
below:
  description: Where in it the application is.
  returned: success
  type: str
  sample: source
"""

import os
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.slipway.stack.plugins.module_utils._command import run_bounded
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError, conclude
from ansible_collections.slipway.stack.plugins.module_utils._release import Layout, bundle_path, read_json

PACK_SECONDS = 900


def run(module: AnsibleModule) -> dict[str, Any]:
    parameters = module.params
    layout = Layout(parameters["name"], Path(parameters["root"]))
    release, content = parameters["release"], parameters["content"]
    target = Path(parameters["dest"], f"{release}-{content}.tar.gz")
    if module.check_mode:
        return {"changed": True, "path": str(target), "below": ""}
    if not layout.manifest(release).exists():
        raise StackError(f"release {release} isn't on this host, or isn't complete: build it first.")
    below = "source"
    folder, members = layout.release(release) / below, ["."]
    if content == "static":
        files = read_json(bundle_path(layout, release)).get("static")
        if not files:
            raise StackError(f"release {release} has no static files.")
        below, folder = files["below"], layout.release(release)
        members = [os.path.normpath(os.path.join(below, name)) for name in files["folders"]]
    pack(folder, members, target)
    owner = os.stat(parameters["dest"])
    os.chown(target, owner.st_uid, owner.st_gid)
    return {"changed": True, "path": str(target), "below": below}


def pack(folder: Path, members: list[str], target: Path) -> None:
    """Byte code is left out: each host has an interpreter of its own."""
    options = ["--owner=0", "--group=0", "--numeric-owner", "--exclude=__pycache__", "--use-compress-program=gzip -1"]
    words = ["tar", "-c", *options, "-f", str(target), "-C", str(folder), "--", *members]
    done = run_bounded(words, capture_output=True, text=True, timeout=PACK_SECONDS, umask=0o077)
    if done.returncode:
        raise StackError(f"{folder} can't be packed: {done.stderr.strip()}")


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "root": {"type": "path", "required": True},
            "release": {"type": "str", "required": True},
            "content": {"type": "str", "choices": ["source", "static"], "required": True},
            "dest": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    conclude(module, run)


if __name__ == "__main__":
    main()
