#!/usr/bin/python
# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release
short_description: Build a release of an application
version_added: 0.1.0
author:
  - slipway.stack contributors (@slipway)
description:
  - Builds one release beside those that run, as the application's user. Once a release is live on the host, builds get
    little weight on processor and disk. Nothing is done when the release is complete already, and a half-built one is
    built anew.
  - A release is complete once its C(release.json) exists, which is written last.
extends_documentation_fragment:
  - slipway.stack.attributes
attributes:
  check_mode:
    support: full
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
  user:
    description: User who builds.
    type: str
    required: true
  home:
    description: Home directory of that user. The default is C(home) in O(root).
    type: path
  tarball:
    description: Tarball of the source on the host. It is removed once the release is complete.
    type: path
  package:
    description: Package to install from the index, as in V(shop==1.4.2).
    type: str
    default: ""
  subdirectory:
    description: Folder in the source where the application is.
    type: str
    default: ""
  python:
    description: Version or path of the interpreter. The default is the system's.
    type: str
    default: ""
  python_download:
    description: Whether uv may download an interpreter that the host doesn't have.
    type: bool
    default: false
  install:
    description:
      - From what the environment is made.
      - With V(auto), from C(uv.lock), else from O(requirements), else from C(pyproject.toml), whichever exists.
    type: str
    choices: [auto, lock, requirements, pyproject, none]
    default: auto
  requirements:
    description: Files of requirements in the source.
    type: list
    elements: str
    default: [requirements.txt]
  extra_packages:
    description: Requirements to install beside.
    type: list
    elements: str
    default: []
  constraints:
    description: Files of constraints in the source, or constraints themselves.
    type: list
    elements: str
    default: []
  servers:
    description: Servers to install where the application's requirements don't bring them.
    type: list
    elements: str
    choices: [gunicorn, uvicorn, uvicorn-worker]
    default: []
  links:
    description: Symbolic links to put into the source, in place of what is there.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Path in the source.
        type: str
        required: true
      target:
        description: Where the link points to.
        type: str
        required: true
  files:
    description: Files to put into the source.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Path in the source.
        type: str
        required: true
      content:
        description: The text.
        type: str
        required: true
      mode:
        description: Permissions as a quoted octal number.
        type: str
        default: "0600"
  commands:
    description: Shell commands to run at the end of the build, in this order.
    type: list
    elements: dict
    default: []
    suboptions:
      command:
        description: The command.
        type: str
        required: true
      directory:
        description: Folder in the source. The default is where the application is.
        type: str
        default: ""
      environment:
        description: Variables for this command.
        type: dict
        default: {}
      each_host:
        description: For whoever decides where the command runs; ignored here.
        type: bool
        default: false
  static:
    description: Folders of static files, which must be there at the end of the build.
    type: list
    elements: str
    default: []
  environment:
    description: Variables for the whole build.
    type: dict
    default: {}
  secrets:
    description: Values that are hidden wherever they occur in the output.
    type: list
    elements: str
    default: []
  uv_version:
    description: Version of uv, which is installed from the host's package index where it is missing.
    type: str
    default: 0.13.9
  timeout:
    description: For how many seconds a build may run.
    type: int
    default: 3600
  lock_wait:
    description: For how many seconds to wait for another build of the same application.
    type: int
    default: 300
  keep_failed:
    description: Whether a release whose build failed is kept for inspection.
    type: bool
    default: false
  manifest:
    description: What to note in C(release.json), such as version and revision.
    type: dict
    default: {}
seealso:
  - module: slipway.stack.source
  - module: slipway.stack.release_facts
  - module: slipway.stack.deployment
"""

EXAMPLES = r"""
- name: Build the release
  slipway.stack.release:
    name: shop
    root: /srv/shop
    user: shop
    release: 3f2a9c51d07e
    tarball: /srv/shop/cache/.sources/3f2a9c51d07e.tar.gz
    commands:
      - command: npm ci && npm run build
        directory: frontend
    secrets: ["{{ shop_registry_token }}"]
"""

RETURN = r"""
path:
  description: Directory of the release.
  returned: success
  type: str
  sample: /srv/shop/releases/3f2a9c51d07e
manifest:
  description: What is known of the release, with the packages of its environment and the seconds of each step.
  returned: outside check mode
  type: dict
  sample: {id: 3f2a9c51d07e, version: v1.4.2, build_seconds: 4.1, packages: [fastapi==0.115.0]}
output:
  description: Last lines of the command that failed.
  returned: failure of a command
  type: str
  sample: 'ERROR: No matching distribution'
"""

import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError, conclude
from ansible_collections.slipway.stack.plugins.module_utils._release import Layout, read_json, remove_release
from ansible_collections.slipway.stack.plugins.module_utils._release_build import Build, Recipe, install_uv
from ansible_collections.slipway.stack.plugins.module_utils._release_run import Worker


def recipe_from(parameters: dict[str, Any]) -> Recipe:
    return Recipe(
        release_id=parameters["release"],
        tarball=parameters["tarball"] or "",
        package=parameters["package"],
        subdirectory=parameters["subdirectory"],
        python=parameters["python"],
        python_download=parameters["python_download"],
        install=parameters["install"],
        requirements=parameters["requirements"],
        extra_packages=parameters["extra_packages"],
        constraints=parameters["constraints"],
        servers=parameters["servers"],
        links=parameters["links"],
        files=parameters["files"],
        commands=parameters["commands"],
        static=parameters["static"],
        environment=parameters["environment"],
        manifest=parameters["manifest"],
    )


def build(parameters: dict[str, Any], layout: Layout, *, check_mode: bool) -> dict[str, Any]:
    release_id = parameters["release"]
    manifest = read_json(layout.manifest(release_id))
    if manifest or check_mode:
        return {"changed": not manifest, "manifest": manifest}
    with layout.locked(parameters["lock_wait"]) as lock:
        # Whoever held the lock may have built this very release.
        manifest = read_json(layout.manifest(release_id))
        if manifest:
            return {"changed": False, "manifest": manifest}
        worker = Worker(
            application=parameters["name"],
            user=parameters["user"],
            home=Path(parameters["home"] or layout.root / "home"),
            lock=lock,
            deadline=time.monotonic() + parameters["timeout"],
            # Before the first release there is nobody on this host whom a build could slow down.
            yields=layout.live.exists(),
        )
        try:
            manifest = Build(layout, worker, recipe_from(parameters), install_uv(parameters["uv_version"])).run()
        except StackError:
            if not parameters["keep_failed"]:
                remove_release(layout, release_id)
            raise
        if parameters["tarball"]:
            Path(parameters["tarball"]).unlink(missing_ok=True)
    return {"changed": True, "manifest": manifest}


def run(module: AnsibleModule) -> dict[str, Any]:
    layout = Layout(module.params["name"], Path(module.params["root"]))
    result = build(module.params, layout, check_mode=module.check_mode)
    return {"path": str(layout.release(module.params["release"])), **result}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "root": {"type": "path", "required": True},
            "release": {"type": "str", "required": True},
            "user": {"type": "str", "required": True},
            "home": {"type": "path"},
            "tarball": {"type": "path"},
            "package": {"type": "str", "default": ""},
            "subdirectory": {"type": "str", "default": ""},
            "python": {"type": "str", "default": ""},
            "python_download": {"type": "bool", "default": False},
            "install": {
                "type": "str",
                "choices": ["auto", "lock", "requirements", "pyproject", "none"],
                "default": "auto",
            },
            "requirements": {"type": "list", "elements": "str", "default": ["requirements.txt"]},
            "extra_packages": {"type": "list", "elements": "str", "default": []},
            "constraints": {"type": "list", "elements": "str", "default": []},
            "servers": {
                "type": "list",
                "elements": "str",
                "choices": ["gunicorn", "uvicorn", "uvicorn-worker"],
                "default": [],
            },
            "links": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {"path": {"type": "str", "required": True}, "target": {"type": "str", "required": True}},
            },
            "files": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "path": {"type": "str", "required": True},
                    "content": {"type": "str", "required": True, "no_log": True},
                    "mode": {"type": "str", "default": "0600"},
                },
            },
            "commands": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "command": {"type": "str", "required": True},
                    "directory": {"type": "str", "default": ""},
                    "environment": {"type": "dict", "default": {}},
                    "each_host": {"type": "bool", "default": False},
                },
            },
            "static": {"type": "list", "elements": "str", "default": []},
            "environment": {"type": "dict", "default": {}},
            "secrets": {"type": "list", "elements": "str", "default": [], "no_log": True},
            "uv_version": {"type": "str", "default": "0.13.9"},
            "timeout": {"type": "int", "default": 3600},
            "lock_wait": {"type": "int", "default": 300},
            "keep_failed": {"type": "bool", "default": False},
            "manifest": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    conclude(module, run)


if __name__ == "__main__":
    main()
