#!/usr/bin/python
# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: static_files
short_description: Give each slot the static files of its release, on a proxy that runs none
version_added: 0.1.0
author:
  - slipway.stack contributors (@slipway)
description:
  - Below O(root) there is a folder for each release, and a link for each slot, through which nginx finds the files of the
    slot that a request gets. A folder is complete when it is there, and links change in one step.
  - Where a release isn't there yet, its slot keeps the files that it has, and the release is returned in RV(missing), to be
    brought as one of O(archives).
extends_documentation_fragment:
  - slipway.stack.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  root:
    description: Directory of the folders and links. It is made where it is missing.
    type: path
    required: true
  slots:
    description: Release of each slot that has static files. The link of another slot is removed.
    type: dict
    required: true
  keep:
    description: Further releases to keep. Others are removed.
    type: list
    elements: str
    default: []
  archives:
    description: Files of releases to unpack. Each archive is removed then.
    type: list
    elements: dict
    default: []
    suboptions:
      release:
        description: Name of the release.
        type: str
        required: true
      path:
        description: Archive on this host, as M(slipway.stack.release_archive) makes it.
        type: path
        required: true
      below:
        description: Where in it the application is, as M(slipway.stack.release_archive) says.
        type: str
        required: true
seealso:
  - module: slipway.stack.release_archive
  - module: slipway.stack.slot
"""

EXAMPLES = r"""
- name: Give each slot its files
  slipway.stack.static_files:
    root: /srv/shop/static
    slots: {blue: 0c5b11d2e3f4, green: 3f2a9c51d07e}
  register: shop_files

- name: Say what is to be brought
  ansible.builtin.debug:
    msg: "{{ shop_files.missing | join(', ') }}"
"""

RETURN = r"""
missing:
  description: Releases of slots that aren't here.
  returned: success
  type: list
  elements: str
  sample: [3f2a9c51d07e]
removed:
  description: Releases that were removed.
  returned: success
  type: list
  elements: str
  sample: [91aa0c3de512]
"""

import os
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.slipway.stack.plugins.module_utils import _static_files as logic
from ansible_collections.slipway.stack.plugins.module_utils._errors import conclude


def run(module: AnsibleModule) -> dict[str, Any]:
    parameters = module.params
    # nginx's workers look into all of it.
    os.umask(0o022)
    shelf = logic.Shelf(Path(parameters["root"]))
    archives = [logic.Archive(**each) for each in parameters["archives"]]
    new = [archive for archive in archives if not shelf.has(archive.release)]
    if not module.check_mode:
        for archive in new:
            shelf.unpack(archive)
        for archive in archives:
            Path(archive.path).unlink(missing_ok=True)
    planned = logic.plan(shelf, parameters["slots"], parameters["keep"])
    if not module.check_mode:
        logic.apply(shelf, planned)
    return {
        "changed": bool(new) or planned.changes,
        "missing": list(planned.missing),
        "removed": list(planned.removed),
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "required": True},
            "slots": {"type": "dict", "required": True},
            "keep": {"type": "list", "elements": "str", "default": []},
            "archives": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "release": {"type": "str", "required": True},
                    "path": {"type": "path", "required": True},
                    "below": {"type": "str", "required": True},
                },
            },
        },
        supports_check_mode=True,
    )
    conclude(module, run)


if __name__ == "__main__":
    main()
