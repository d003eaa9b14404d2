# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: files
short_description: Write many files, directories and links in one step, or none of them
version_added: 0.1.0
author:
  - slipway.stack contributors (@slipway)
description:
  - Brings a list of files, directories and links to the wanted content, owner and mode with a single task.
  - Each file is replaced in one step, so that no reader ever sees a part of it.
  - When something fails, or the command in O(validate) rejects the result, everything is put back as it was.
  - Content given as O(files[].secret_content) never appears in a diff or in a message.
extends_documentation_fragment:
  - slipway.stack.attributes
attributes:
  check_mode:
    support: full
    details:
      - Validation commands aren't run in check mode, since what they check isn't written.
      - A record that O(restore) needs and that is not there yet is accepted in check mode, and no change is reported.
      - A parent directory, owner or group that doesn't exist yet is accepted in check mode.
  diff_mode:
    support: full
options:
  files:
    description: What shall be on the host, in the order in which it is written.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path.
        type: path
        required: true
      state:
        description:
          - What shall be at the path.
          - A V(directory) that is V(absent) is removed with all that is in it.
          - A V(file) takes the place of a link, and a V(link) that of a file. Neither replaces a directory.
        type: str
        choices: [file, directory, link, absent]
        default: file
      content:
        description:
          - The text of a file, written as UTF-8.
          - Without O(files[].content) and O(files[].secret_content), a file keeps its content, and a missing one is
            created empty.
        type: str
      secret_content:
        description: Like O(files[].content), for text that nobody may see in a log or in a diff.
        type: str
      target:
        description: Where a link points to. The target need not exist.
        type: str
      owner:
        description: Name or number of the owning user.
        type: str
        default: root
      group:
        description: Name or number of the owning group.
        type: str
        default: root
      mode:
        description:
          - Permissions as a quoted octal number with a leading zero.
          - The default is V(0644) for a file and V(0755) for a directory.
        type: str
      validate:
        description:
          - A command that checks the file before it takes its place. C(%s) stands for the temporary file.
          - It isn't run through a shell.
        type: str
      force:
        description: With V(false), whatever is at the path already is left alone.
        type: bool
        default: true
  prune:
    description:
      - Patterns, as in V(/etc/nginx/sites-enabled/shop-*), of files and links to remove unless O(files) lists them.
      - Directories are never removed this way.
    type: list
    elements: str
    default: []
  keep:
    description:
      - File in which to keep what the files and links that change were before, for O(restore).
      - It is written only if something changes, and root alone may read it.
    type: path
  restore:
    description:
      - File that an earlier call wrote as its O(keep). Files and links are brought back to what they were then.
      - Directories stay. O(files) and O(prune) can't be given with it.
    type: path
  validate:
    description:
      - A command that checks the result as a whole, such as V(nginx -t).
      - It runs after everything is written, and only if something changed. It isn't run through a shell.
    type: str
seealso:
  - module: ansible.builtin.copy
  - module: ansible.builtin.file
"""

EXAMPLES = r"""
- name: Write the site and its secrets, and drop sites that are no longer wanted
  slipway.stack.files:
    files:
      - path: /etc/shop
        state: directory
        mode: "0750"
      - path: /etc/shop/environment
        secret_content: "SECRET_KEY={{ shop_secret_key }}\n"
        mode: "0600"
      - path: /etc/nginx/sites-available/shop.conf
        content: "{{ lookup('ansible.builtin.template', 'shop.conf.j2') }}"
      - path: /etc/nginx/sites-enabled/shop.conf
        state: link
        target: ../sites-available/shop.conf
    prune:
      - /etc/nginx/sites-enabled/shop-*.conf
    validate: nginx -t

- name: Let the operators group restart the service
  slipway.stack.files:
    files:
      - path: /etc/sudoers.d/shop
        content: "%operators ALL=(root) NOPASSWD: /usr/bin/systemctl restart shop.service\n"
        mode: "0440"
        validate: visudo -cf %s
"""

RETURN = r"""
changed_paths:
  description: What was created or changed, sorted.
  returned: success
  type: list
  elements: str
  sample: [/etc/nginx/sites-available/shop.conf, /etc/shop/environment]
removed_paths:
  description: What was removed, by RV(ignore:state=absent) or by O(prune), sorted.
  returned: success
  type: list
  elements: str
  sample: [/etc/nginx/sites-enabled/shop-old.conf]
put_back:
  description: Whether everything is as it was before the module ran.
  returned: failure after the first change
  type: bool
  sample: true
validate_output:
  description: What the validation command printed.
  returned: failure of a validation command
  type: str
  sample: 'nginx: [emerg] unknown directive "sever" in /etc/nginx/sites-enabled/shop.conf:3'
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.slipway.stack.plugins.module_utils._errors import conclude
from ansible_collections.slipway.stack.plugins.module_utils._files import (
    apply,
    diff_of,
    keep,
    parse_wanted,
    plan,
    plan_return,
)


def run(module: AnsibleModule) -> dict[str, Any]:
    restore = module.params["restore"]
    if restore:
        # What a check hasn't kept, it can't put back.
        is_unknown = module.check_mode and not os.path.exists(restore)
        changes = [] if is_unknown else plan_return(restore)
    else:
        changes = plan(parse_wanted(module.params["files"]), module.params["prune"], check_mode=module.check_mode)
    result: dict[str, Any] = {
        "changed": bool(changes),
        "changed_paths": sorted(change.path for change in changes if not change.removes),
        "removed_paths": sorted(change.path for change in changes if change.removes),
    }
    if module._diff:
        result["diff"] = diff_of(changes)
    if not module.check_mode:
        apply(changes, lambda words: call(module, words), module.params["validate"])
        if changes and module.params["keep"]:
            keep(changes, module.params["keep"])
    return result


def call(module: AnsibleModule, words: list[str]) -> tuple[int, str, str]:
    code, out, err = module.run_command(words, handle_exceptions=False, expand_user_and_vars=False)
    return code, out, err


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "files": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "path": {"type": "path", "required": True},
                    "state": {
                        "type": "str",
                        "choices": ["file", "directory", "link", "absent"],
                        "default": "file",
                    },
                    "content": {"type": "str"},
                    "secret_content": {"type": "str", "no_log": True},
                    "target": {"type": "str"},
                    "owner": {"type": "str", "default": "root"},
                    "group": {"type": "str", "default": "root"},
                    "mode": {"type": "str"},
                    "validate": {"type": "str"},
                    "force": {"type": "bool", "default": True},
                },
            },
            "prune": {"type": "list", "elements": "str", "default": []},
            "keep": {"type": "path"},
            "restore": {"type": "path"},
            "validate": {"type": "str"},
        },
        mutually_exclusive=[("restore", "files"), ("restore", "prune"), ("restore", "keep")],
        supports_check_mode=True,
    )
    conclude(module, run)


if __name__ == "__main__":
    main()
