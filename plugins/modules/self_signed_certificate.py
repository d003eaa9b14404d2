# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: self_signed_certificate
short_description: Keep a self-signed certificate and its key on a host, in one file
version_added: 0.1.0
author:
  - slipway.stack contributors (@slipway)
description:
  - Makes a key (ECDSA on P-256) and a certificate signed by it, and renews both before they expire or when the names
    change.
  - The key never leaves the host. Certificate and key are in one file, which is replaced in one step, so that no reader
    finds two that don't belong together.
  - For a host that has no certificate from an authority yet. Clients can't verify it unless they are given the file's
    certificate.
extends_documentation_fragment:
  - slipway.stack.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
requirements:
  - openssl (the command)
options:
  path:
    description:
      - The file. Only root may read it.
      - A missing directory is made.
    type: path
    required: true
  names:
    description: Host names (V(*.example.com) is allowed) and IP addresses. The first is the common name.
    type: list
    elements: str
    required: true
  days:
    description: For how many days a new certificate is good.
    type: int
    default: 365
  renew_days:
    description: A certificate with fewer days left is renewed.
    type: int
    default: 30
seealso:
  - module: community.crypto.x509_certificate
"""

EXAMPLES = r"""
- name: Have something to serve https with until the real certificate comes
  slipway.stack.self_signed_certificate:
    path: /etc/nginx/slipway/shop.pem
    names: [shop.example.com, 203.0.113.10]
"""

RETURN = r"""
reason:
  description: Why a new certificate was made, or in check mode would be made. Empty if none is needed.
  returned: success
  type: str
  sample: the old one has 12 days left
names:
  description: The names, as the certificate bears them.
  returned: success
  type: list
  elements: str
  sample: [shop.example.com, 203.0.113.10]
not_after:
  description: When the certificate expires, in UTC. In check mode this is of the certificate that is there.
  returned: success, if there is a certificate
  type: str
  sample: "2027-11-23T05:00:00+00:00"
"""

import os
from datetime import UTC, datetime
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.slipway.stack.plugins.module_utils import _self_signed as logic
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError, conclude


def run(module: AnsibleModule) -> dict[str, Any]:
    path = module.params["path"]
    names = logic.clean_names(module.params["names"])
    if module.params["days"] <= module.params["renew_days"]:
        raise StackError("days must be more than renew_days, else the certificate would be renewed at each run.")
    found, mode = logic.read(path)
    reason = logic.reason_to_make(found, names, module.params["renew_days"], datetime.now(tz=UTC))
    changed = reason is not None or mode != logic.MODE
    if not module.check_mode:
        if reason:
            logic.make(
                path, names, module.params["days"], lambda words: module.run_command(words, handle_exceptions=False)
            )
            found, _mode = logic.read(path)
        elif changed:
            os.chmod(path, logic.MODE)
    result: dict[str, Any] = {"changed": changed, "reason": reason or "", "names": names}
    if found:
        result["not_after"] = found.not_after.isoformat()
    if module._diff and reason:
        result["diff"] = {"prepared": f"{path}: a new certificate for {', '.join(names)}, since {reason}\n"}
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "names": {"type": "list", "elements": "str", "required": True},
            "days": {"type": "int", "default": 365},
            "renew_days": {"type": "int", "default": 30},
        },
        supports_check_mode=True,
    )
    conclude(module, run)


if __name__ == "__main__":
    main()
