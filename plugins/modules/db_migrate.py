#!/usr/bin/python
# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: db_migrate
short_description: Migrate an application's database without taking the service down
version_added: 0.2.0
author:
  - slipway.stack contributors (@slipway)
description:
  - Brings a database to a revision with the migration tool of one release, as the application's user, in the environment
    and the working directory of that release. Nothing is changed where the database is at that revision already.
  - On PostgreSQL only one migration of an application runs at a time, whoever starts it from where, under an advisory lock
    that this module's own connection holds. What a hanging or killed migration leaves in the database is ended.
  - A migration that only waited too long for a lock is tried again, with growing pauses, if its revision runs in one
    transaction. That it waits no longer than a few seconds, while all others queue behind it, is up to the role that it logs
    in with, since drivers differ in what they make of an environment (C(ALTER ROLE shop_migrate SET lock_timeout = '5s')).
  - Before anything runs, squawk reads the SQL of what is pending. Afterwards the schema is compared with what it was, so
    that the result says whether a release that knows the old one could still run.
  - "A revision whose docstring begins with C(contract:) takes something away, and waits until no process of an old release
    runs. The line C(squawk-ignore RULE: REASON) in a docstring accepts a finding."
extends_documentation_fragment:
  - slipway.stack.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Shows the SQL, where the tool can print it. Commands can't.
requirements:
  - psycopg2 (the package python3-psycopg2) where O(database_url) is PostgreSQL's
options:
  name:
    description: Name of the application.
    type: str
    required: true
  user:
    description: User to run the tool as.
    type: str
    required: true
  tool:
    description:
      - What migrates. V(flask) is Flask-Migrate. V(command) runs O(command).
    type: str
    choices: [alembic, django, flask, command]
    required: true
  directory:
    description: Working directory.
    type: path
    required: true
  config:
    description:
      - For V(alembic) the path of its configuration, C(alembic.ini) by default; for V(django) that of C(manage.py); for
        V(flask) the application, as in C(FLASK_APP).
    type: str
    default: ""
  section:
    description: Section of Alembic's configuration, C(alembic) by default.
    type: str
    default: ""
  migrations:
    description: Folder of Flask-Migrate's migrations, where it isn't what the application says.
    type: str
    default: ""
  command:
    description: The shell command that migrates to the newest revision, for O(tool=command).
    type: str
    default: ""
  current_command:
    description: A shell command whose last line is the revision that the database is at, for O(tool=command).
    type: str
    default: ""
  target_command:
    description: A shell command whose last line is the newest revision, for O(tool=command).
    type: str
    default: ""
  state:
    description:
      - V(head) for the newest revision, V(heads) for the newest of each branch, V(current) to report only, the name of a
        revision, or V(-1) and V(+1) for that many revisions from where it is.
      - A revision of Django is V(shop.0003_price), or V(shop.zero); several are separated by commas.
    type: str
    default: head
  phase:
    description:
      - With V(expand), revisions are left for later that take something away. With V(contract), only these run.
    type: str
    choices: [all, expand, contract]
    default: all
  contract:
    description: Revisions that take something away, though their docstring doesn't say so.
    type: list
    elements: str
    default: []
  ahead:
    description:
      - Whether the database may be at a revision that this release doesn't have, as after a rollback. Then nothing is run, and
        RV(unknown) tells it. Otherwise that is an error.
    type: bool
    default: false
  lint:
    description: Whether findings of squawk are ignored, told as warnings, or refused where they are serious.
    type: str
    choices: ["off", warn, fail]
    default: warn
  squawk_version:
    description: Version of squawk, which is installed from the host's package index.
    type: str
    default: 2.70.0
  database_url:
    description:
      - The database, with the credentials for migrations, as the application's own driver needs it.
      - Where it is empty or isn't PostgreSQL's, there is no lock, and the schema isn't looked at.
    type: str
    default: ""
  variable:
    description: Environment variable in which the tool finds O(database_url).
    type: str
    default: DATABASE_URL
  own_login:
    description: Whether nothing but migrations logs in with the role of O(database_url).
    type: bool
    default: false
  wait:
    description: For how many seconds to wait for a database that is starting.
    type: float
    default: 30
  lock_wait:
    description: For how many seconds to wait for another migration to end.
    type: float
    default: 300
  retries:
    description: How often to try again when only a lock wasn't granted in time.
    type: int
    default: 4
  timeout:
    description: For how many seconds the whole migration may run before it is ended.
    type: float
    default: 1800
  since:
    description:
      - The C(schema) that an earlier call with O(state=current) returned. With O(state=current), the result tells what an
        application that migrates itself has done to it since.
    type: dict
    default: {}
  observe:
    description:
      - Whether to watch the locks that it takes and to count rows, for a copy of the database that nobody else uses. A lock that
        is held for a few milliseconds only may be missed.
      - Nothing is done where the application's own configuration leads to another database.
    type: bool
    default: false
  path:
    description: Directories to put in front of C(PATH). The first that has a C(python) gives the tool's.
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
  overrides:
    description: Variables that outrank those of O(environment_files), and are shown nowhere.
    type: dict
    default: {}
  secrets:
    description: Values that are hidden wherever they occur in the output.
    type: list
    elements: str
    default: []
seealso:
  - module: slipway.stack.release_command
  - name: squawk
    description: The rules, and why each is one.
    link: https://squawkhq.com/docs/rules
"""

EXAMPLES = r"""
- name: Migrate, but for what the running release still needs
  slipway.stack.db_migrate:
    name: shop
    user: shop
    tool: alembic
    phase: expand
    lint: fail
    directory: /srv/shop/releases/3f2a9c51d07e/source
    path: [/srv/shop/releases/3f2a9c51d07e/venv/bin]
    environment_files: [/etc/slipway/shop/releases/3f2a9c51d07e.env]
    database_url: "postgresql+asyncpg://shop_migrate:{{ shop_migrate_password }}@127.0.0.1/shop"
    own_login: true
  register: shop_migrated

- name: Say at which revision the database is
  slipway.stack.db_migrate:
    name: shop
    user: shop
    tool: django
    state: current
    directory: /srv/shop/releases/3f2a9c51d07e/source
    path: [/srv/shop/releases/3f2a9c51d07e/venv/bin]
    environment_files: [/etc/slipway/shop/releases/3f2a9c51d07e.env]
"""

RETURN = r"""
before:
  description:
    - The revision that the database was at; several, where it has branches or Django applications, separated by commas.
    - For a command that tells no revision it is a name for what the schema looks like.
  returned: success
  type: str
  sample: "0004"
after:
  description: The revision that the database is at.
  returned: always, once it was planned
  type: str
  sample: add_note
kind:
  description:
    - V(expand) where a release that knows the schema as it was can still run on it, V(contract) where it was told or seen
      that something was taken away, V(none) where nothing moved, V(unknown) where nobody could look.
  returned: success
  type: str
  sample: expand
breaking:
  description: What such a release can't rely on any more.
  returned: success
  type: list
  elements: str
  sample: [items.name is gone]
pending:
  description: The revisions that ran, or would run in check mode, in this order.
  returned: always, once it was planned
  type: list
  elements: dict
  sample: [{revision: add_note, message: add a note to items, kind: expand, transactional: true, sql: "...", sql_problem: ""}]
unknown:
  description: Revisions of the database that this release doesn't have.
  returned: O(state=current), or O(ahead) where there are any
  type: list
  elements: str
  sample: []
waiting:
  description: Pending revisions of the other phase.
  returned: success
  type: list
  elements: dict
  sample: []
sql:
  description: The SQL of O(ignore:pending), where it is known.
  returned: success
  type: str
  sample: ALTER TABLE items ADD COLUMN note TEXT;
findings:
  description: What squawk has to say.
  returned: success, and when it is refused
  type: list
  elements: dict
  sample:
    - revision: drop_name
      rule: ban-drop-column
      line: 3
      sql: ALTER TABLE items DROP COLUMN name;
      message: Dropping a column may break existing clients.
      advice: Release what doesn't use it first, then drop it in a contract revision.
      serious: true
      breaking: true
      accepted: ""
schema:
  description:
    - For each table its columns, each with its type, whether it must be given, and whether the database gives it; and what
      its rows have to keep to.
  returned: O(state=current)
  type: dict
  sample:
    tables: {items: {name: [text, true, false]}}
    rules: {items: {"UNIQUE (name)": {kind: u, columns: [name]}}}
locks:
  description: The strongest lock on each table, what it keeps others from, and for how long it was held.
  returned: O(observe=true)
  type: list
  elements: dict
  sample: [{table: items, lock: AccessExclusive, blocks: reads and writes, seconds: 0.4}]
tables:
  description: The tables whose rows or size have changed.
  returned: O(observe=true)
  type: list
  elements: dict
  sample: [{table: items, rows_before: 1000000, rows_after: 1000000, bytes_before: 90000000, bytes_after: 120000000}]
attempts:
  description: How often it was tried.
  returned: success and failure of the tool
  type: int
  sample: 1
seconds:
  description: How long it took, but for the wait for the lock.
  returned: success and failure of the tool
  type: float
  sample: 1.4
waited:
  description: How many seconds it waited for another migration.
  returned: success
  type: float
  sample: 0.0
lock_timeout:
  description: For how long the role waits for the lock of a table; V(0) for ever.
  returned: success, on PostgreSQL
  type: str
  sample: 5s
invalid_indexes:
  description: Indexes that serve no query, each with the statements that mend it.
  returned: when one is the reason of a failure
  type: list
  elements: dict
  sample:
    - index: items_created_at_idx
      table: items
      mend: DROP INDEX CONCURRENTLY "public"."items_created_at_idx"; then CREATE INDEX CONCURRENTLY ...
output:
  description: What the tool printed, or the end of it on failure.
  returned: always, once it ran
  type: str
  sample: 'INFO  [alembic.runtime.migration] Running upgrade 0004 -> add_note'
"""

import json
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError, conclude
from ansible_collections.slipway.stack.plugins.module_utils._migrate import AFTERMATH_SECONDS, Migration, Wish
from ansible_collections.slipway.stack.plugins.module_utils._migrate_schema import Schema
from ansible_collections.slipway.stack.plugins.module_utils._migrate_session import Session
from ansible_collections.slipway.stack.plugins.module_utils._migrate_tool import Service, Tool
from ansible_collections.slipway.stack.plugins.module_utils._migrate_watch import Watch, sizes, told_sizes

PASSWORD = re.compile(r"\A[^:]+://[^:/@]*:(?P<password>[^@]+)@")
# A shorter one would hide half of the output.
LEAST_SECRET = 6


def hide_password(module: AnsibleModule, url: str) -> None:
    """Also where a tool prints it without its URL."""
    found = PASSWORD.match(url)
    for each in {found["password"], unquote(found["password"]), quote(unquote(found["password"]))} if found else set():
        if len(each) >= LEAST_SECRET:
            module.no_log_values.add(each)


def show_what_is_short(module: AnsibleModule) -> None:
    """All values of a hidden option are hidden wherever they occur, the 5 of 25 rows too, which then is no number."""
    module.no_log_values = {value for value in module.no_log_values if len(str(value)) >= LEAST_SECRET}


def as_text(value: Any) -> str:
    """As an environment file of the role has it."""
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value)


def diff_of(result: dict[str, Any]) -> dict[str, str]:
    if not result["changed"]:
        return {}
    lines = [f"-- {step['revision']}: {step['message']}" for step in result["pending"] if not step["sql"]]
    return {
        "before_header": result["before"],
        "after_header": result["pending"][-1]["revision"],
        "before": "",
        "after": "\n".join([result["sql"].strip(), *lines]).strip() + "\n",
    }


def observed(migration: Migration, session: Session, connect: Callable[[], Session]) -> dict[str, Any]:
    before = sizes(session.query)
    with Watch(connect) as watch:
        result = migration.run()
    return {**result, "locks": watch.locks.told(), "tables": told_sizes(before, sizes(session.query))}


def run(module: AnsibleModule) -> dict[str, Any]:
    parameters = module.params
    name, url = parameters["name"], parameters["database_url"]
    show_what_is_short(module)
    hide_password(module, url)
    if parameters["tool"] == "command" and not parameters["command"] and parameters["state"] != "current":
        raise StackError("command is empty: set it to what migrates, or tool to something else.")
    mark = f"slipway-migration {name}"
    service = Service(
        name=name,
        user=parameters["user"],
        directory=parameters["directory"],
        path=parameters["path"],
        environment_files=parameters["environment_files"],
        environment={"PGAPPNAME": mark, **{key: as_text(value) for key, value in parameters["environment"].items()}},
        secret_environment={
            **{key: as_text(value) for key, value in parameters["overrides"].items()},
            **({parameters["variable"]: url} if url else {}),
        },
    )
    words = ("tool", "config", "section", "command", "current_command", "target_command")
    settings = {**{word: parameters[word] for word in words}, "directory": parameters["migrations"]}
    deadline = time.monotonic() + parameters["timeout"]
    wish = Wish(
        application=name,
        state=parameters["state"],
        phase=parameters["phase"],
        contract=parameters["contract"],
        lint=parameters["lint"],
        squawk_version=parameters["squawk_version"],
        retries=parameters["retries"],
        lock_wait=parameters["lock_wait"],
        own_login=parameters["own_login"],
        mark=mark,
        named_by_schema=parameters["tool"] == "command",
        since=Schema.heard(parameters["since"]),
        is_copy=parameters["observe"],
        check_mode=module.check_mode,
        ahead=parameters["ahead"],
    )
    session = Session(url, parameters["wait"]) if url.startswith("postgres") else None
    tool, aftermath = (Tool(service, settings, deadline + more) for more in (0, AFTERMATH_SECONDS))
    migration = Migration(wish, tool, aftermath, session, module.warn)
    try:
        if session and parameters["observe"]:
            result = observed(migration, session, lambda: Session(url, parameters["wait"]))
        else:
            result = migration.run()
    finally:
        if session:
            session.close()
    return {**result, "diff": diff_of(result)} if module._diff else result


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "user": {"type": "str", "required": True},
            "tool": {"type": "str", "choices": ["alembic", "django", "flask", "command"], "required": True},
            "directory": {"type": "path", "required": True},
            "config": {"type": "str", "default": ""},
            "section": {"type": "str", "default": ""},
            "migrations": {"type": "str", "default": ""},
            "command": {"type": "str", "default": ""},
            "current_command": {"type": "str", "default": ""},
            "target_command": {"type": "str", "default": ""},
            "state": {"type": "str", "default": "head"},
            "phase": {"type": "str", "choices": ["all", "expand", "contract"], "default": "all"},
            "contract": {"type": "list", "elements": "str", "default": []},
            "lint": {"type": "str", "choices": ["off", "warn", "fail"], "default": "warn"},
            "squawk_version": {"type": "str", "default": "2.70.0"},
            "database_url": {"type": "str", "default": "", "no_log": True},
            "variable": {"type": "str", "default": "DATABASE_URL"},
            "own_login": {"type": "bool", "default": False},
            "wait": {"type": "float", "default": 30},
            "lock_wait": {"type": "float", "default": 300},
            "retries": {"type": "int", "default": 4},
            "timeout": {"type": "float", "default": 1800},
            "since": {"type": "dict", "default": {}},
            "observe": {"type": "bool", "default": False},
            "ahead": {"type": "bool", "default": False},
            "path": {"type": "list", "elements": "path", "default": []},
            "environment_files": {"type": "list", "elements": "path", "default": []},
            "environment": {"type": "dict", "default": {}},
            "overrides": {"type": "dict", "default": {}, "no_log": True},
            "secrets": {"type": "list", "elements": "str", "default": [], "no_log": True},
        },
        supports_check_mode=True,
    )
    conclude(module, run)


if __name__ == "__main__":
    main()
