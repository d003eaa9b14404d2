# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.
"""One migration from its plan to what it has left behind."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils import _migrate_lint as lint
from ansible_collections.slipway.stack.plugins.module_utils import _migrate_plan as logic
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError
from ansible_collections.slipway.stack.plugins.module_utils._migrate_schema import Schema, broken_promises, fingerprint
from ansible_collections.slipway.stack.plugins.module_utils._migrate_session import Session
from ansible_collections.slipway.stack.plugins.module_utils._migrate_tool import Tool, ToolError

# What it takes to look at what a failed migration has left behind.
AFTERMATH_SECONDS = 60


@dataclass(frozen=True)
class Wish:
    """What is asked for."""

    application: str
    state: str
    phase: str
    contract: Sequence[str]
    lint: str
    squawk_version: str
    retries: int
    lock_wait: float
    own_login: bool
    mark: str
    # Where the tool has no name for a revision, it is called by what the schema looks like.
    named_by_schema: bool
    # Whether the database is one that may be tried on, and no other may be touched.
    is_copy: bool
    # What the schema was when an application began to migrate it itself.
    since: Schema
    check_mode: bool
    # Whether the database may be at a revision that the release doesn't have.
    ahead: bool = False


class Migration:
    """Brings one database to a revision with one release's tool."""

    def __init__(
        self, wish: Wish, tool: Tool, aftermath: Tool, session: Session | None, warn: Callable[[str], None]
    ) -> None:
        self._wish = wish
        self._tool = tool
        self._aftermath = aftermath
        self._session = session
        self._warn = warn
        self._begun = time.monotonic()
        self._attempts = 0
        self._findings: list[dict[str, Any]] = []
        self._was_judged = False

    def run(self) -> dict[str, Any]:
        if self._session is None or self._wish.check_mode or self._wish.state == "current":
            return self._migrate()
        with self._session.locked(self._wish.application, self._wish.lock_wait) as waited:
            return {**self._migrate(), "waited": round(waited, 1)}

    def _migrate(self) -> dict[str, Any]:
        schema = self._schema()
        found = self._plan()
        self._check_database(found["database"])
        steps = logic.read_steps(found["steps"], self._wish.contract)
        chosen = logic.in_phase(steps, self._wish.phase)
        before = self._name(found["before"], schema)
        if self._wish.state == "current":
            told = {"unknown": found["unknown"], **self._told_of(schema or Schema({}))}
            return {**self._result(steps, chosen, before, before), **told}
        if found["unknown"]:
            return {**self._result([], [], before, before), "unknown": found["unknown"]}
        self._judge(chosen, found["before"], schema)
        if self._wish.check_mode or not chosen:
            if not self._wish.check_mode:
                self._tell_of(self._session.invalid_indexes() if self._session else [])
            return self._result(steps, chosen, before, before)
        invalid = self._refuse_invalid_indexes(chosen)
        self._warn_of_endless_waits()
        after, output = self._run(chosen, found)
        schema_after = self._schema()
        now = self._name(after, schema_after)
        self._fail_for_invalid_indexes(invalid, output, now)
        broken = broken_promises(schema, schema_after) if schema is not None and schema_after is not None else []
        result = self._result(steps, chosen, before, now)
        broken += self._warned_of(broken)
        kind = self._kind(chosen, broken) if result["changed"] else "none"
        return {**result, "kind": kind, "breaking": broken, "output": output}

    def _told_of(self, schema: Schema) -> dict[str, Any]:
        """What an application has done to its schema since."""
        if not self._wish.since.tables or self._wish.since == schema:
            return {"schema": schema.told()}
        broken = broken_promises(self._wish.since, schema)
        kind = logic.CONTRACT if broken else logic.EXPAND
        return {"schema": schema.told(), "before": fingerprint(self._wish.since), "kind": kind, "breaking": broken}

    def _schema(self) -> Schema | None:
        return self._session.read_schema() if self._session else None

    def _plan(self) -> dict[str, Any]:
        try:
            found = self._tool.plan(self._wish.state)
        except ToolError as error:
            raise StackError(f"The migration can't be planned: {error}.", output=error.details["output"]) from error
        if found["unknown"] and self._wish.state != "current" and not self._wish.ahead:
            raise StackError(
                f"The database is at revision {', '.join(found['unknown'])}, which this release doesn't have: a newer one "
                "has migrated it. Go back to a release by slipway.stack.rollback, which judges what has changed."
            )
        return found

    def _check_database(self, name: str) -> None:
        """An application may look elsewhere for its database than where it was told to."""
        meant = self._session.database() if self._session else ""
        if self._wish.is_copy and name != meant:
            raise StackError(
                f"The copy {meant} can't be migrated: the application's own configuration leads to {name}, and not where "
                "DATABASE_URL does. Nothing was changed."
                if name
                else "A command can't be tried on a copy, since nobody knows which database it would migrate."
            )
        if name and meant and name != meant:
            self._warn(
                f"The application's own configuration leads to the database {name}, and database_url to {meant}."
            )

    def _judge(self, chosen: Sequence[logic.Step], before: Sequence[str], schema: Schema | None) -> None:
        """Let squawk read the SQL. Where nothing was migrated yet, nobody reads or writes what it would block."""
        forward = [step for step in chosen if not step.back]
        if self._wish.lint == "off" or not before or not forward:
            return
        for step in forward:
            if not step.sql:
                self._warn(f"{step.revision} wasn't judged: {step.sql_problem or 'it prints no SQL'}.")
        program = self._squawk() if any(step.sql for step in forward) else None
        if program is None:
            return
        self._findings = lint.check(
            program,
            forward,
            postgres=self._session.server_version() if self._session else 0,
            tables=schema.tables if schema else None,
        )
        self._was_judged = True
        serious = [finding for finding in self._findings if finding["serious"]]
        for finding in self._findings:
            if self._wish.lint == "warn" or finding not in serious:
                self._warn(lint.told(finding))
        if serious and self._wish.lint == "fail":
            raise StackError(
                "The migration would block or break the running release: "
                + " ".join(map(lint.told, serious))
                + " Nothing was changed. To accept a finding, say why in the revision's docstring: "
                f"squawk-ignore {serious[0]['rule']}: REASON.",
                findings=self._findings,
                pending=[step.told() for step in chosen],
            )

    def _squawk(self) -> Path | None:
        program = lint.HOME / self._wish.squawk_version / "bin" / "squawk"
        if program.exists():
            return program
        if self._wish.check_mode:
            self._warn("The revisions weren't judged, since squawk isn't installed on this host yet.")
            return None
        try:
            return lint.install(self._wish.squawk_version)
        except StackError as error:
            if self._wish.lint == "fail":
                raise
            self._warn(f"The revisions weren't judged: {error}")
            return None

    def _run(self, chosen: Sequence[logic.Step], found: dict[str, Any]) -> tuple[list[str], str]:
        revisions = [step.revision for step in chosen]
        while True:
            self._attempts += 1
            try:
                return self._tool.run(self._wish.state, revisions, found["target"], back=chosen[0].back)
            except ToolError as error:
                ended = self._end_leftovers() if error.gone else []
                now, left = self._aftermath_of(revisions)
                pause = logic.pause(self._attempts)
                if (
                    not logic.is_lock_wait(error.error, error.output)
                    or not logic.may_retry(chosen, left)
                    or self._attempts > self._wish.retries
                    or not self._tool.has_time_for(pause)
                ):
                    raise self._failure(error, chosen, found["before"], now, ended) from error
            time.sleep(pause)

    def _end_leftovers(self) -> list[str]:
        return self._session.end_leftovers(self._wish.mark, own_login=self._wish.own_login) if self._session else []

    def _aftermath_of(self, revisions: Sequence[str]) -> tuple[list[str] | None, list[str]]:
        """Where the database is now, and which of the revisions are still pending."""
        try:
            found = self._aftermath.plan(self._wish.state)
        except ToolError:
            return None, []
        return found["before"], [step["revision"] for step in found["steps"] if step["revision"] in revisions]

    def _failure(
        self,
        error: ToolError,
        chosen: Sequence[logic.Step],
        before: Sequence[str],
        now: list[str] | None,
        ended: Sequence[str],
    ) -> StackError:
        at = self._name(now, self._schema()) if now is not None else "an unknown revision"
        was = "still " if now == list(before) else ""
        sentences = [f"The migration to {chosen[-1].revision} failed: {error}."]
        if logic.is_lock_wait(error.error, error.output):
            sentences.append(
                f"A table that it alters was in use for longer than the lock_timeout, {self._attempts} times: wait for "
                "whoever holds it (a long transaction, a backup), or end it."
                if self._attempts > 1 or any(step.transactional for step in chosen)
                else "It isn't tried again, since the revision doesn't run in one transaction."
            )
        if ended:
            sentences.append(f"What went on in the database was ended: {'; '.join(ended)}.")
        sentences += [
            f"It left the index {index['index']} of {index['table']} invalid: {index['mend']}."
            for index in (self._session.invalid_indexes() if self._session else [])
        ]
        sentences.append(f"The database is {was}at {at or 'its beginning'}.")
        return StackError(
            " ".join(sentences),
            before=self._name(before, None),
            after=at,
            pending=[step.told() for step in chosen],
            attempts=self._attempts,
            seconds=round(time.monotonic() - self._begun, 1),
            output=error.details["output"],
        )

    def _refuse_invalid_indexes(self, chosen: Sequence[logic.Step]) -> list[str]:
        """CREATE INDEX CONCURRENTLY IF NOT EXISTS would take an invalid one for success. What can't be read may hold it."""
        found = self._session.invalid_indexes() if self._session else []
        sql = " ".join(step.sql for step in chosen)
        unread = any(not step.sql for step in chosen)
        for index in found:
            name = index["index"].rpartition(".")[2]
            if unread or name in sql:
                would = "would" if name in sql else "may"
                raise StackError(
                    f"The index {name} of {index['table']} is invalid, since an earlier CREATE INDEX CONCURRENTLY was cut "
                    f"off, and the pending revisions {would} leave it so: {index['mend'].partition(';')[0]}; then run this "
                    "again.",
                    invalid_indexes=found,
                )
        return [index["index"] for index in found]

    def _fail_for_invalid_indexes(self, known: Sequence[str], output: str, now: str) -> None:
        found = self._session.invalid_indexes() if self._session else []
        new = [index for index in found if index["index"] not in known]
        if new:
            raise StackError(
                f"The migration ran, but the index {new[0]['index']} of {new[0]['table']} is invalid: {new[0]['mend']}. "
                f"The database is at {now}.",
                invalid_indexes=found,
                output=output,
                after=now,
            )
        self._tell_of(found)

    def _warn_of_endless_waits(self) -> None:
        """As with a managed database, where nobody has made the role."""
        if self._session and self._session.lock_timeout() == "0":
            self._warn(
                "The role that migrates waits for the lock of a table without end, and all queries of it behind: "
                "let app_migrate_url name a role of their own, for which ALTER ROLE ... SET lock_timeout = '3s' was run."
            )

    def _tell_of(self, invalid: Sequence[Mapping[str, str]]) -> None:
        for index in invalid:
            self._warn(f"The index {index['index']} of {index['table']} is invalid: {index['mend']}.")

    def _warned_of(self, seen: Sequence[str]) -> list[str]:
        """What takes something away by its SQL, where that isn't seen in the schema and nobody has said why it's none."""
        found = [finding for finding in self._findings if finding["breaking"] and not finding["accepted"]]
        return [f"{finding['revision']} has `{finding['sql']}` ({finding['rule']})" for finding in found if not seen]

    def _kind(self, chosen: Sequence[logic.Step], broken: Sequence[str]) -> str:
        """What was seen or read counts for more than what was said."""
        if broken or any(step.kind == logic.CONTRACT and not step.back for step in chosen):
            return logic.CONTRACT
        return logic.EXPAND if self._session or self._is_read(chosen) else "unknown"

    def _is_read(self, chosen: Sequence[logic.Step]) -> bool:
        """Whether all that a migration does was read in its SQL, where nobody can look at the schema, and nothing was found."""
        serious = [finding for finding in self._findings if finding["serious"] and not finding["accepted"]]
        return self._was_judged and not serious and all(step.sql and not step.sql_problem for step in chosen)

    def _result(
        self, steps: Sequence[logic.Step], chosen: Sequence[logic.Step], before: str, after: str
    ) -> dict[str, Any]:
        moves = bool(chosen) if self._wish.check_mode else before != after or (bool(chosen) and not after)
        with_timeout: dict[str, Any] = {}
        if self._session:
            with contextlib.suppress(StackError):
                with_timeout["lock_timeout"] = self._session.lock_timeout()
        return {
            "changed": moves,
            "before": before,
            "after": after,
            "kind": "none",
            "breaking": [],
            "pending": [step.told() for step in chosen],
            "waiting": [step.told() for step in steps if step not in chosen],
            "sql": "\n".join(step.sql for step in chosen if step.sql),
            "findings": self._findings,
            "attempts": self._attempts,
            "seconds": round(time.monotonic() - self._begun, 1),
            "output": "",
            "waited": 0.0,
            **with_timeout,
        }

    def _name(self, revisions: Sequence[str], schema: Schema | None) -> str:
        if revisions or not self._wish.named_by_schema:
            return ",".join(revisions)
        return fingerprint(schema) if schema else ""
