# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.
"""Django's own migrations. Runs in the release's own Python: see _migrate_agent.py."""

from __future__ import annotations

import os
import re
import sys
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils._migrate_trouble import Caught, Trouble

SETTINGS = re.compile(r"""DJANGO_SETTINGS_MODULE["'],\s*["']([\w.]+)["']""")


def set_up(request: dict[str, Any]) -> Any:
    """Returns the executor of migrations."""
    try:
        import django
    except ImportError:
        raise Trouble("tool", "django") from None
    path = request["config"] or "manage.py"
    if not os.environ.get("DJANGO_SETTINGS_MODULE"):
        if not os.path.isfile(path):
            raise Trouble("config", path)
        with open(path, encoding="utf-8") as stream:
            found = SETTINGS.search(stream.read())
        if not found:
            raise Trouble("settings", path)
        os.environ["DJANGO_SETTINGS_MODULE"] = found[1]
    folder = os.path.dirname(os.path.abspath(path))
    if folder not in sys.path:
        sys.path.insert(0, folder)
    django.setup()
    return executor()


def executor() -> Any:
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    return MigrationExecutor(connection)


def text_of(key: tuple[str, str]) -> str:
    return ".".join(key)


def current(found: Any) -> list[str]:
    """The newest revision of each application that has one."""
    newest: dict[str, str] = {}
    if found.recorder.has_table():
        newest = dict(found.recorder.migration_qs.order_by("id").values_list("app", "name"))
    return sorted(map(text_of, newest.items()))


def node(found: Any, name: str) -> tuple[str, str | None]:
    """The migration that a user names: app.0003, or app.zero."""
    from django.db.migrations.exceptions import AmbiguityError

    app, dot, prefix = name.replace(" ", ".").partition(".")
    if app not in found.loader.migrated_apps or not dot:
        raise Trouble("revision", name)
    if prefix == "zero":
        return app, None
    try:
        return app, found.loader.get_migration_by_prefix(app, prefix).name
    except (AmbiguityError, KeyError):
        raise Trouble("revision", name) from None


def targets(found: Any, state: str) -> list[tuple[str, str | None]]:
    if state in ("head", "heads"):
        conflicts = found.loader.detect_conflicts()
        if conflicts:
            names = [f"{app}.{name}" for app, names in sorted(conflicts.items()) for name in sorted(names)]
            raise Trouble("heads", ", ".join(names))
        return list(found.loader.graph.leaf_nodes())
    if re.fullmatch(r"-\d+", state):
        rows = list(found.recorder.migration_qs.order_by("-id").values_list("app", "name")) if current(found) else []
        gone, kept = rows[: -int(state)], rows[-int(state) :]
        return [(app, next((name for each, name in kept if each == app), None)) for app in dict(gone)]
    if re.fullmatch(r"\+\d+", state):
        pending = found.migration_plan(found.loader.graph.leaf_nodes())[: int(state)]
        return [(migration.app_label, migration.name) for migration, back in pending]
    return [node(found, name.strip()) for name in state.split(",") if name.strip()]


def plan(request: dict[str, Any]) -> dict[str, Any]:
    found = set_up(request)
    before = current(found)
    # Rows of what was squashed away long ago stay behind: what counts is where each application is.
    known = {text_of(key) for key in {*found.loader.graph.nodes, *found.loader.disk_migrations}}
    unknown = [each for each in before if each not in known and each.partition(".")[0] in found.loader.migrated_apps]
    heads = sorted(text_of(key) for key in found.loader.graph.leaf_nodes())
    database = found.connection.settings_dict["NAME"] if found.connection.vendor == "postgresql" else ""
    answer: dict[str, Any] = {
        "database": database,
        "before": before,
        "unknown": unknown,
        "heads": heads,
        "steps": [],
        "target": before,
    }
    if unknown or request["state"] == "current":
        return answer
    aims = targets(found, request["state"])
    steps = found.migration_plan(aims)
    answer["steps"] = [described(found, migration, back) for migration, back in steps]
    answer["target"] = after_all(before, steps, aims)
    return answer


def after_all(before: list[str], steps: list[Any], aims: list[tuple[str, str | None]]) -> list[str]:
    newest = dict(name.split(".", 1) for name in before)
    for migration, back in steps:
        if not back:
            newest[migration.app_label] = migration.name
    for app, name in aims if any(back for migration, back in steps) else []:
        newest.pop(app, None)
        if name:
            newest[app] = name
    return sorted(map(text_of, newest.items()))


def described(found: Any, migration: Any, back: bool) -> dict[str, Any]:
    sql = ""
    with Caught() as caught:
        sql = "\n".join(found.loader.collect_sql([(migration, back)]))
    problem = str(caught)
    if "RAW PYTHON OPERATION" in sql.upper():
        problem = "it runs Python code, whose SQL can't be known"
    text = sys.modules[type(migration).__module__].__doc__ or migration.name.partition("_")[2].replace("_", " ")
    return {
        "revision": f"{migration.app_label}.{migration.name}",
        "parents": [text_of(key) for key in migration.dependencies],
        "text": text,
        "back": back,
        "transactional": migration.atomic,
        "sql": sql,
        "sql_problem": problem,
    }


def run(request: dict[str, Any]) -> dict[str, Any]:
    from django.core.management import call_command

    found = set_up(request)
    aims = targets(found, request["state"])
    steps = found.migration_plan(aims)
    if [f"{migration.app_label}.{migration.name}" for migration, back in steps] == request["revisions"] and request[
        "state"
    ] in ("head", "heads"):
        call_command("migrate", interactive=False)
    elif request["back"]:
        for app, name in aims:
            call_command("migrate", app, name or "zero", interactive=False)
    else:
        # One after the other, so that nothing comes along that wasn't chosen.
        for revision in request["revisions"]:
            call_command("migrate", *revision.split(".", 1), interactive=False)
    return {"after": current(executor())}
