#!/usr/bin/python
# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_settings
short_description: Change the settings of running Redis instances without a restart
version_added: 0.1.0
author:
  - slipway.stack contributors (@slipway)
description:
  - Compares what running instances of Debian's C(redis-server@.service) do with what they shall do, and changes it
    live. What a running server can't change is reported as pending.
  - Writes no file. Run it before the configuration files are written, so that a value that Redis refuses never gets
    into one, and the password that the server still wants can be read from the old one.
  - An instance that isn't running is left alone, after a look at whether its port is free.
extends_documentation_fragment:
  - slipway.stack.attributes
attributes:
  check_mode:
    support: full
    details:
      - In check mode, an unusual setting that only a restart can change is reported as a change and not as pending.
  diff_mode:
    support: full
options:
  owner:
    description: Name of the application that the instances belong to, in lower-case letters, digits and hyphens.
    type: str
    required: true
  registry:
    description: Directory in which each application's instances are listed, as in RV(registration).
    type: path
    default: /etc/slipway/redis.d
  instances:
    description: All instances of the application.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The part of the unit's name after C(redis-server@).
        type: str
        required: true
      settings:
        description: Directives of C(redis.conf) with their values as strings. Must hold C(port).
        type: dict
        required: true
      password:
        description: The password of the user C(default). Empty for none.
        type: str
        default: ""
      users:
        description: All ACL users beside C(default). Others are removed.
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description: The user's name.
            type: str
            required: true
          password:
            description: The user's password.
            type: str
            required: true
          rules:
            description: What the user may do, in the words of Redis, such as C(~cache:*) and C(+@all).
            type: list
            elements: str
            required: true
seealso:
  - module: slipway.stack.units
"""

EXAMPLES = r"""
- name: Let the running cache have more memory
  slipway.stack.redis_settings:
    owner: shop
    instances:
      - name: shop-cache
        settings:
          port: "6379"
          maxmemory: 512mb
          maxmemory-policy: allkeys-lru
        password: "{{ shop_redis_password }}"
"""

RETURN = r"""
instances:
  description: What was found and done, by the instance's name.
  returned: success
  type: dict
  contains:
    running:
      description: Whether the instance is running.
      type: bool
    changed_settings:
      description: Names of the settings that were changed, or in check mode would be.
      type: list
      elements: str
    pending:
      description: Names of the settings that wait for a restart.
      type: list
      elements: str
  sample:
    shop-cache: {running: true, changed_settings: [maxmemory], pending: [databases]}
gone:
  description: Instances that the application had when it was last registered, and has no longer.
  returned: success
  type: list
  elements: str
  sample: [shop-queue]
packaged_service:
  description: >-
    Whether the package's own C(redis-server.service) is V(absent) (isn't running), V(idle) (holds no keys) or V(in_use)
    (holds keys, or doesn't let anybody look).
  returned: success
  type: str
  sample: idle
registration:
  description: What to write into the registry for this application.
  returned: success
  type: dict
  contains:
    path:
      description: Where to.
      type: str
    content:
      description: The text.
      type: str
  sample: {path: /etc/slipway/redis.d/shop.json, content: '{"instances": {"shop-cache": 6379}}'}
"""

import contextlib
import errno
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.slipway.stack.plugins.module_utils import _fragments
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError, conclude
from ansible_collections.slipway.stack.plugins.module_utils._redis import (
    Connection,
    NotRedisError,
    Outcome,
    User,
    apply_settings,
    apply_users,
    configuration_file,
    count_keys,
    log_in,
    parse_configuration,
)

PACKAGED_CONFIGURATION = "/etc/redis/redis.conf"
DEFAULT_PORT = "6379"


@dataclass(frozen=True)
class Instance:
    name: str
    settings: dict[str, str]
    password: str
    users: list[User]

    @property
    def port(self) -> int:
        return int(self.settings["port"])

    @property
    def file(self) -> str:
        return f"/etc/redis/redis-{self.name}.conf"

    @property
    def socket(self) -> str:
        return f"/run/redis-{self.name}/redis-server.sock"


def parse_instance(entry: dict[str, Any]) -> Instance:
    users = [User(user["name"], user["password"], tuple(user["rules"])) for user in entry["users"]]
    settings = {name: str(value) for name, value in entry["settings"].items()}
    return Instance(entry["name"], settings, entry["password"], users)


def read_configuration(path: str) -> dict[str, str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return parse_configuration(stream.read())
    except FileNotFoundError:
        return {}


@contextlib.contextmanager
def connection(address: str | tuple[str, int]) -> Iterator[Connection | None]:
    """A connection, or None where nobody listens."""
    try:
        server = Connection(address)
    except (FileNotFoundError, ConnectionRefusedError):
        yield None
        return
    try:
        with contextlib.closing(server):
            yield server
    except (ConnectionError, TimeoutError) as error:
        raise StackError(f"Redis at {address} was lost: {error}") from error


def look_at_packaged_service() -> str:
    configuration = read_configuration(PACKAGED_CONFIGURATION)
    port = int(configuration.get("port", DEFAULT_PORT))
    with connection(("127.0.0.1", port)) as server:
        if server is None or not configuration:
            return "absent"
        try:
            return state_of_packaged_service(server, configuration.get("requirepass", ""), port)
        except NotRedisError:
            return "absent"


def state_of_packaged_service(server: Connection, password: str, port: int) -> str:
    if not log_in(server, [password, ""]):
        # A password that isn't in its file: one of our own instances, or a server that someone takes care of.
        return "absent" if registered_port(port) else "in_use"
    if configuration_file(server) != PACKAGED_CONFIGURATION:
        return "absent"
    return "in_use" if count_keys(server) else "idle"


def registered_port(port: int) -> bool:
    """Whether an instance of the template unit has a configuration file with this port."""
    directory = os.path.dirname(PACKAGED_CONFIGURATION)
    files = [name for name in os.listdir(directory) if name.startswith("redis-") and name.endswith(".conf")]
    return any(read_configuration(os.path.join(directory, name)).get("port") == str(port) for name in files)


def is_taken(port: int) -> bool:
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))  # closed again at once; only listen() would open it
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return True
            raise
    return False


def refuse_clashes(instances: list[Instance], others: dict[str, dict[str, Any]]) -> None:
    for owner, content in others.items():
        for instance in instances:
            for name, port in content.get("instances", {}).items():
                if name == instance.name:
                    raise StackError(f"The Redis instance {name} belongs to {owner}: choose another name.")
                if port == instance.port:
                    raise StackError(
                        f"Port {port} of the Redis instance {instance.name} belongs to {name} of {owner}: choose another."
                    )


def bring_up_to_date(instance: Instance, packaged_service: str, *, check_mode: bool) -> tuple[bool, Outcome]:
    with connection(instance.socket) as server:
        if server is None:
            refuse_taken_port(instance, packaged_service)
            return False, Outcome()
        old_password = read_configuration(instance.file).get("requirepass", "")
        if not log_in(server, [old_password, instance.password, ""]):
            raise StackError(
                f"The running Redis instance {instance.name} accepts neither the password in {instance.file} nor the "
                "new one: write the password that it runs with into that file, or restart the instance."
            )
        try:
            wanted = {**instance.settings, "requirepass": instance.password}
            outcome = apply_settings(server, wanted, check_mode=check_mode)
            apply_users(server, instance.users, outcome, check_mode=check_mode)
        except StackError as error:
            raise StackError(f"Redis instance {instance.name}: {error}", **error.details) from error
        return True, outcome


def refuse_taken_port(instance: Instance, packaged_service: str) -> None:
    if not is_taken(instance.port):
        return
    packaged_port = int(read_configuration(PACKAGED_CONFIGURATION).get("port", DEFAULT_PORT))
    if instance.port != packaged_port or packaged_service == "absent":
        raise StackError(
            f"Port {instance.port} of the Redis instance {instance.name} is taken by another process: "
            "stop that, or choose another port."
        )
    if packaged_service == "in_use":
        raise StackError(
            f"Port {instance.port} of the Redis instance {instance.name} is served by the package's own "
            "redis-server.service, which holds keys: move or flush them, or choose another port."
        )


def run(module: AnsibleModule) -> dict[str, Any]:
    owner: str = module.params["owner"]
    instances = [parse_instance(entry) for entry in module.params["instances"]]
    content = {"instances": {instance.name: instance.port for instance in instances}}
    registration = _fragments.plan(module.params["registry"], owner, content, 0o644)
    refuse_clashes(instances, registration.others)
    before = json.loads(registration.before.text or "{}")
    packaged_service = look_at_packaged_service()
    outcomes = {
        instance.name: bring_up_to_date(instance, packaged_service, check_mode=module.check_mode)
        for instance in instances
    }
    result: dict[str, Any] = {
        "changed": any(outcome.changed for _running, outcome in outcomes.values()),
        "instances": {
            name: {"running": running, "changed_settings": outcome.changed, "pending": outcome.pending}
            for name, (running, outcome) in outcomes.items()
        },
        "gone": sorted(set(before.get("instances", {})) - set(outcomes)),
        "packaged_service": packaged_service,
        "registration": {"path": registration.path, "content": registration.after.text},
    }
    if module._diff:
        result["diff"] = [
            {"before_header": name, "after_header": name, "before": outcome.before, "after": outcome.after}
            for name, (_running, outcome) in outcomes.items()
            if outcome.changed
        ]
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "owner": {"type": "str", "required": True},
            "registry": {"type": "path", "default": "/etc/slipway/redis.d"},
            "instances": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "settings": {"type": "dict", "required": True},
                    "password": {"type": "str", "default": "", "no_log": True},
                    "users": {
                        "type": "list",
                        "elements": "dict",
                        "default": [],
                        "options": {
                            "name": {"type": "str", "required": True},
                            "password": {"type": "str", "required": True, "no_log": True},
                            "rules": {"type": "list", "elements": "str", "required": True},
                        },
                    },
                },
            },
        },
        supports_check_mode=True,
    )
    conclude(module, run)


if __name__ == "__main__":
    main()
