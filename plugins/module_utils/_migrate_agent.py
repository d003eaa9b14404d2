# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.
"""What runs in a release's own Python: asks its migration tool what is pending, or lets it migrate.

It is shipped with the file for the tool, and may be run by an older Python than Ansible's. The request is JSON, in its
environment; the answer is JSON on standard output, and what the tool prints goes to standard error.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
import traceback
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils._migrate_trouble import Caught, Trouble

PACKAGE = "ansible_collections.slipway.stack.plugins.module_utils"
TOOLS = {
    "alembic": "_migrate_alembic",
    "flask": "_migrate_alembic",
    "django": "_migrate_django",
    "command": "_migrate_command",
}


def end_with_caller() -> None:
    """A migration that nobody waits for would go on without its lock."""
    while os.read(0, 1024):
        pass
    os._exit(75)


def chain(error: BaseException) -> list[BaseException]:
    """The error and what it was raised from, the outermost first."""
    found: list[BaseException] = []
    pending: list[Any] = [error]
    while pending:
        each = pending.pop(0)
        if isinstance(each, BaseException) and each not in found:
            found.append(each)
            pending += [getattr(each, "orig", None), each.__cause__, each.__context__]
    return found


def sqlstate(error: BaseException) -> str:
    """As psycopg, asyncpg or psycopg2 calls it."""
    return next((str(code) for code in (getattr(error, name, None) for name in ("sqlstate", "pgcode")) if code), "")


def describe(error: BaseException) -> dict[str, str]:
    """What went wrong, by the database's own words where it has said something."""
    errors = chain(error)
    said = [each for each in errors if sqlstate(each)]
    # A driver's own error is inside of what the library above makes of it.
    source = said[-1] if said else errors[0]
    primary = getattr(getattr(source, "diag", None), "message_primary", None)
    lines = [line.strip() for line in str(primary or source).splitlines() if line.strip()]
    return {
        "type": type(source).__name__,
        "message": lines[0] if lines else type(source).__name__,
        "sqlstate": sqlstate(source),
        "kind": next((each.kind for each in errors if isinstance(each, Trouble)), ""),
    }


def answer(request: dict[str, Any]) -> dict[str, Any]:
    tool = importlib.import_module(f"{PACKAGE}.{TOOLS[request['tool']]}")
    # The tool's own command would find the application in the working directory, and nothing of ours.
    sys.path[0] = os.getcwd()
    action = tool.run if request["action"] == "run" else tool.plan
    found: dict[str, Any] = action(request)
    return found


def main() -> None:
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    threading.Thread(target=end_with_caller, daemon=True).start()
    found: dict[str, Any] = {}
    with Caught() as caught:
        found = answer(json.loads(os.environ.pop("SLIPWAY_REQUEST")))
    if caught.error:
        if not isinstance(caught.error, Trouble):
            traceback.print_exception(type(caught.error), caught.error, caught.error.__traceback__)
        found = {"error": describe(caught.error)}
    json.dump(found, channel)
    channel.flush()
    sys.stdout.flush()
    sys.stderr.flush()
    # An application may have started threads that never end.
    os._exit(1 if caught.error else 0)
