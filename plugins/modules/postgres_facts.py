#!/usr/bin/python
# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_facts
short_description: Tell which users, databases and extensions of a PostgreSQL server aren't as wanted
version_added: 0.1.0
author:
  - slipway.stack contributors (@slipway)
description:
  - Looks at the server that runs on the host, and changes nothing. It is run as PostgreSQL's superuser, through the
    server's socket.
  - So the modules of C(community.postgresql), one task for each kind of thing, need to run only for what isn't as wanted.
  - A password is compared with its SCRAM verifier on the host; neither leaves it. What can't be compared, such as a
    password with characters beyond ASCII, counts as not as wanted.
extends_documentation_fragment:
  - slipway.stack.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  users:
    description: Users as they shall be. What isn't given may be as it is.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the user.
        type: str
        required: true
      password:
        description: The password.
        type: str
      attributes:
        description: Attributes of the user, such as V(CREATEDB) or V(NOLOGIN).
        type: list
        elements: str
      roles:
        description: Roles of which the user is a member, perhaps among others.
        type: list
        elements: str
      settings:
        description: All settings of the user's sessions.
        type: dict
  databases:
    description: Databases as they shall be.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the database.
        type: str
        required: true
      owner:
        description: The user who owns it.
        type: str
        required: true
      encoding:
        description: Its encoding.
        type: str
        default: UTF8
      writers:
        description: Users who read and write the owner's tables in it, and can't change its schema.
        type: list
        elements: str
      locale:
        description: Its collation and character classes.
        type: str
      extensions:
        description: Extensions that are in it, perhaps among others.
        type: list
        elements: str
seealso:
  - module: community.postgresql.postgresql_user
  - module: community.postgresql.postgresql_db
  - module: community.postgresql.postgresql_ext
"""

EXAMPLES = r"""
- name: Look at the server
  slipway.stack.postgres_facts:
    users:
      - {name: shop, password: "{{ vault_shop_password }}"}
    databases:
      - {name: shop, owner: shop, extensions: [pg_trgm]}
  become: true
  become_user: postgres
  register: server

- name: Create the extensions that are missing
  community.postgresql.postgresql_ext:
    login_db: "{{ item.database }}"
    name: "{{ item.name }}"
  loop: "{{ server.unsettled.extensions }}"
  become: true
  become_user: postgres
"""

RETURN = r"""
pending:
  description: Settings that wait for a restart, with the value that they have and the one that they will have.
  returned: success
  type: list
  elements: str
  sample: [max_connections (100 -> 150)]
databases:
  description: The names of all databases.
  returned: success
  type: list
  elements: str
  sample: [postgres, shop, template0, template1]
users:
  description: The names of all users.
  returned: success
  type: list
  elements: str
  sample: [postgres, shop]
unsettled:
  description: What isn't there, or isn't as wanted, in the order in which it was given.
  returned: success
  type: dict
  contains:
    users:
      description: Users without what is wanted of them but their roles.
      type: list
      elements: str
      sample: [shop]
    members:
      description: Users who aren't members of all roles.
      type: list
      elements: str
      sample: []
    databases:
      description: Databases.
      type: list
      elements: str
      sample: []
    extensions:
      description: Extensions, each with its database.
      type: list
      elements: dict
      sample: [{database: shop, name: pg_trgm}]
    writers:
      description: Writers who can do less or more in a database than writers do, each with the database and its owner.
      type: list
      elements: dict
      sample: [{database: shop, owner: shop_owner, writer: shop}]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.slipway.stack.plugins.module_utils._errors import conclude
from ansible_collections.slipway.stack.plugins.module_utils._postgres import QUIET_ENVIRONMENT, gather, psql


def run(module: AnsibleModule) -> dict[str, Any]:
    def call(words: list[str]) -> tuple[int, str, str]:
        code, out, err = module.run_command(words, environ_update=QUIET_ENVIRONMENT)
        return code, out, err

    return {"changed": False, **gather(psql(call), module.params["users"], module.params["databases"])}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "users": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "password": {"type": "str", "no_log": True},
                    "attributes": {"type": "list", "elements": "str"},
                    "roles": {"type": "list", "elements": "str"},
                    "settings": {"type": "dict"},
                },
            },
            "databases": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "owner": {"type": "str", "required": True},
                    "encoding": {"type": "str", "default": "UTF8"},
                    "writers": {"type": "list", "elements": "str"},
                    "locale": {"type": "str"},
                    "extensions": {"type": "list", "elements": "str"},
                },
            },
        },
        supports_check_mode=True,
    )
    conclude(module, run)


if __name__ == "__main__":
    main()
