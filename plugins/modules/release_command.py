#!/usr/bin/python
# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_command
short_description: Run one command in the environment of a release
version_added: 0.1.0
author:
  - slipway.stack contributors (@slipway)
description:
  - Runs a shell command as the application's user, with the environment files and the working directory that its
    services have, and waits for its end. systemd reads the environment files, so that a value means the same as to a
    service, and no secret stands on a command line.
extends_documentation_fragment:
  - slipway.stack.attributes
attributes:
  check_mode:
    support: partial
    details:
      - The command isn't run, and a change is reported.
  diff_mode:
    support: none
options:
  name:
    description: Name of the application.
    type: str
    required: true
  user:
    description: User to run the command as.
    type: str
    required: true
  command:
    description: The shell command.
    type: str
    required: true
  directory:
    description: Working directory.
    type: path
    required: true
  path:
    description: Directories to put in front of C(PATH).
    type: list
    elements: path
    default: []
  environment_files:
    description: Environment files, the strongest last.
    type: list
    elements: path
    default: []
  environment:
    description: Further variables, weaker than those of O(environment_files). They are no place for secrets.
    type: dict
    default: {}
  stdin:
    description: What the command reads from its standard input.
    type: str
    default: ""
  secrets:
    description: Values that are hidden wherever they occur in the output. Passwords in URLs are hidden in any case, since a
      release may know others than its inventory does by now.
    type: list
    elements: str
    default: []
  timeout:
    description: For how many seconds the command may run.
    type: int
    default: 3600
seealso:
  - module: slipway.stack.release
"""

EXAMPLES = r"""
- name: Bring the schema to the newest revision
  slipway.stack.release_command:
    name: shop
    user: shop
    command: alembic upgrade head
    directory: /srv/shop/releases/3f2a9c51d07e/source
    path: [/srv/shop/releases/3f2a9c51d07e/venv/bin]
    environment_files: [/etc/slipway/shop/releases/3f2a9c51d07e.env]
    secrets: ["{{ shop_database_password }}"]
"""

RETURN = r"""
output:
  description: What the command printed, or the end of it on failure.
  returned: when the command ran
  type: str
  sample: 'INFO  [alembic.runtime.migration] Running upgrade  -> 0001'
seconds:
  description: How long the command took.
  returned: success, outside check mode
  type: float
  sample: 2.4
"""

import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.slipway.stack.plugins.module_utils._errors import conclude
from ansible_collections.slipway.stack.plugins.module_utils._release_run import (
    failure,
    service_command,
    without_passwords,
)

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def run(module: AnsibleModule) -> dict[str, Any]:
    if module.check_mode:
        return {"changed": True}
    parameters = module.params
    words = service_command(
        f"slipway-command-{parameters['name']}-{time.monotonic_ns()}",
        parameters["command"],
        {
            "User": parameters["user"],
            "Group": parameters["user"],
            "WorkingDirectory": parameters["directory"],
            "RuntimeMaxSec": str(parameters["timeout"]),
        },
        parameters["environment_files"],
        {"PATH": ":".join([*parameters["path"], SYSTEM_PATH]), **parameters["environment"]},
    )
    begun = time.monotonic()
    # Else it would put Ansible's own HOME, USER and PATH into the command.
    code, out, err = module.run_command(
        words, data=parameters["stdin"] or None, binary_data=True, expand_user_and_vars=False
    )
    output = without_passwords(out + err)
    if code != 0:
        raise failure(["/bin/sh", "-c", parameters["command"]], f"failed with exit status {code}", output)
    return {"changed": True, "output": output, "seconds": round(time.monotonic() - begun, 1)}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "user": {"type": "str", "required": True},
            "command": {"type": "str", "required": True},
            "directory": {"type": "path", "required": True},
            "path": {"type": "list", "elements": "path", "default": []},
            "environment_files": {"type": "list", "elements": "path", "default": []},
            "environment": {"type": "dict", "default": {}},
            "stdin": {"type": "str", "default": ""},
            "secrets": {"type": "list", "elements": "str", "default": [], "no_log": True},
            "timeout": {"type": "int", "default": 3600},
        },
        supports_check_mode=True,
    )
    conclude(module, run)


if __name__ == "__main__":
    main()
