# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.
"""Alembic, also as Flask-Migrate brings it. Runs in the release's own Python: see _migrate_agent.py."""

from __future__ import annotations

import contextlib
import io
import os
import re
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils._migrate_trouble import Caught, Trouble

INI, TOML = "alembic.ini", "pyproject.toml"
HEADER = re.compile(r"^-- Running (?:up|down)grade (?P<below>.*?) ?-> (?P<above>.*)$", re.MULTILINE)
RELATIVE = re.compile(r"[+-]\d+")
OUTSIDE_OF_TRANSACTION = re.compile(r"autocommit_block|AUTOCOMMIT")


class Revisions:
    """The revisions of an application, and which of them its database has."""

    def __init__(self, config: Any) -> None:
        from alembic.script import ScriptDirectory

        self.config = config
        self.script = ScriptDirectory.from_config(config)
        self.heads = list(self.script.get_heads())
        # The newest first.
        self.all = list(self.script.walk_revisions("base", "heads"))
        self.by_id = {step.revision: step for step in self.all}
        self.database = ""

    def current(self) -> list[str]:
        """Also notes which database the application's own configuration leads to."""
        from alembic.runtime.environment import EnvironmentContext

        found: list[str] = []

        def look(revision: Any, context: Any) -> list[Any]:
            if context.dialect.name == "postgresql":
                self.database = context.connection.exec_driver_sql("SELECT current_database()").scalar()
            found.extend(each for each in revision if each not in found)
            return []

        with EnvironmentContext(self.config, self.script, fn=look, dont_mutate=True):
            self.script.run_env()
        return sorted(found)

    def ancestors(self, revisions: list[str]) -> set[str]:
        """These revisions, and what they stand on."""
        found: set[str] = set()
        pending = list(revisions)
        while pending:
            revision = pending.pop()
            if revision not in found and revision in self.by_id:
                found.add(revision)
                pending += parents(self.by_id[revision])
        return found

    def tips(self, revisions: set[str]) -> list[str]:
        """Those of the revisions on which no other stands."""
        below = {parent for revision in revisions for parent in parents(self.by_id[revision])}
        return sorted(revisions - below)

    def is_labelled(self, step: Any, label: str) -> bool:
        """Whether the revision is on a branch of that label: it bears it, or one does that it follows on.

        Alembic also gives a label to what the branch's first revision follows on.
        """
        while label not in names(getattr(step.module, "branch_labels", None)):
            if not isinstance(step.down_revision, str):
                return False
            step = self.by_id[step.down_revision]
        return True

    def resolved(self, name: str) -> str:
        found = [revision for revision in self.by_id if revision == name] or [
            revision for revision in self.by_id if revision.startswith(name)
        ]
        if len(found) != 1:
            raise Trouble("revision", name)
        return str(found[0])


def names(value: Any) -> list[str]:
    """Alembic takes one, several or none."""
    return [value] if isinstance(value, str) else list(value or ())


def parents(step: Any) -> list[str]:
    # A dependency may be named by a branch's label, which Alembic resolves.
    return names(step.down_revision) + names(getattr(step, "_resolved_dependencies", None) or step.dependencies)


def wanted(revisions: Revisions, state: str, applied: set[str]) -> set[str]:
    """The revisions that the database shall have."""
    if state in ("head", "heads"):
        if state == "head" and len(revisions.heads) > 1:
            raise Trouble("heads", ", ".join(sorted(revisions.heads)))
        return set(revisions.by_id)
    if state == "base":
        return set()
    if RELATIVE.fullmatch(state):
        count = int(state)
        ordered = [step.revision for step in revisions.all]
        if count < 0:
            return applied - set([each for each in ordered if each in applied][:-count])
        pending = [each for each in reversed(ordered) if each not in applied]
        return applied | set(pending[:count])
    return revisions.ancestors([revisions.resolved(name) for name in state.split(",") if name])


def plan(request: dict[str, Any]) -> dict[str, Any]:
    with configured(request) as config:
        revisions = Revisions(config)
        before = revisions.current()
        unknown = [each for each in before if each not in revisions.by_id]
        answer: dict[str, Any] = {"before": before, "unknown": unknown, "heads": sorted(revisions.heads), "steps": []}
        answer["database"] = revisions.database
        if unknown or request["state"] == "current":
            return {**answer, "target": before}
        applied = revisions.ancestors(before)
        aim = wanted(revisions, request["state"], applied)
        answer["target"] = revisions.tips(aim)
        up = [step for step in reversed(revisions.all) if step.revision in aim - applied]
        down = [step for step in revisions.all if step.revision in applied - aim]
        # A named revision is reached by one way or the other.
        if up and down:
            up = [] if aim < applied else up
            down = [] if up else down
        answer["steps"] = [described(revisions, step, back=step in down) for step in up + down]
        return answer


def described(revisions: Revisions, step: Any, back: bool) -> dict[str, Any]:
    with open(step.path, encoding="utf-8", errors="replace") as stream:
        source = stream.read()
    sql, problem = printed(revisions.config, step, back)
    return {
        "revision": step.revision,
        "parents": parents(step),
        "text": step.module.__doc__ or step.doc or "",
        "contract": revisions.is_labelled(step, "contract"),
        "back": back,
        "transactional": not OUTSIDE_OF_TRANSACTION.search(source) and " CONCURRENTLY " not in sql.upper(),
        "sql": sql,
        "sql_problem": problem,
    }


def printed(config: Any, step: Any, back: bool) -> tuple[str, str]:
    """The SQL of one revision, where it can be known without the database."""
    from alembic import command

    if isinstance(step.down_revision, tuple):
        return "", "it merges branches"
    buffer, usual = io.StringIO(), config.output_buffer
    config.output_buffer = buffer
    parent = step.down_revision or "base"
    with Caught() as problem:
        if back:
            command.downgrade(config, f"{step.revision}:{parent}", sql=True)
        else:
            command.upgrade(config, f"{parent}:{step.revision}", sql=True)
    config.output_buffer = usual
    return "" if problem.error else own_sql(buffer.getvalue(), step.revision, back), str(problem)


def own_sql(text: str, revision: str, back: bool) -> str:
    """Alembic also prints what a revision depends on."""
    headers = list(HEADER.finditer(text))
    starts = [header.start() for header in headers] + [len(text)]
    own = [
        text[starts[number] : starts[number + 1]]
        for number, header in enumerate(headers)
        if revision in re.split(r",\s*", header["below" if back else "above"])
    ]
    return "".join(own) if own and len(headers) > 1 else text


def run(request: dict[str, Any]) -> dict[str, Any]:
    from alembic import command

    with configured(request) as config:
        revisions = Revisions(config)
        if request["back"]:
            for target in request["targets"] or ["base"]:
                command.downgrade(config, target)
        else:
            for target in revisions.tips(set(request["revisions"])):
                command.upgrade(config, target)
        return {"after": revisions.current()}


@contextlib.contextmanager
def configured(request: dict[str, Any]) -> Any:
    if request["tool"] == "flask":
        with flask_context(request) as config:
            yield config
    else:
        yield alembic_config(request)


def alembic_config(request: dict[str, Any]) -> Any:
    try:
        from alembic.config import Config
    except ImportError:
        raise Trouble("tool", "alembic") from None
    path, section = request["config"] or INI, request["section"] or "alembic"
    is_toml = os.path.basename(path) == TOML
    if (request["config"] and not os.path.isfile(path)) or not (os.path.isfile(path) or os.path.isfile(TOML)):
        raise Trouble("config", path)
    # As Alembic's own command does it, from 1.16 on.
    reads_toml = hasattr(Config, "get_alembic_option")
    toml = {"toml_file": path if is_toml else TOML} if reads_toml else {}
    config = Config(INI if is_toml else path, ini_section=section, **toml)
    has_section = config.file_config.has_section(section)
    look = config.get_alembic_option if reads_toml else config.get_main_option
    folder = (look("script_location") if reads_toml or has_section else "") or ""
    if not folder:
        raise Trouble("section", section)
    if ":" not in folder and not os.path.isdir(folder):
        raise Trouble("directory", folder)
    return config


@contextlib.contextmanager
def flask_context(request: dict[str, Any]) -> Any:
    try:
        from flask.cli import NoAppException, ScriptInfo, load_dotenv
    except ImportError:
        raise Trouble("tool", "flask") from None
    load_dotenv()
    try:
        app = ScriptInfo(app_import_path=request["config"] or os.environ.get("FLASK_APP")).load_app()
    except NoAppException as error:
        said = [line.strip() for line in str(error).splitlines() if line.strip()]
        # A traceback may stand between.
        raise Trouble("flask", " ".join(dict.fromkeys((said[0], said[-1])))) from None
    if "migrate" not in app.extensions:
        raise Trouble("tool", "flask-migrate")
    folder = request["directory"] or app.extensions["migrate"].directory
    if not os.path.isdir(folder):
        raise Trouble("directory", folder)
    with app.app_context():
        yield app.extensions["migrate"].migrate.get_config(folder)
