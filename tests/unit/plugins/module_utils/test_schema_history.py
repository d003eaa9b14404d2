# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the way back is open, by what the ledgers say."""

from __future__ import annotations

from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils._schema_history import changes_since, verdict


def entry(release: str, kind: str = "none", outcome: str = "live", **more: Any) -> dict[str, Any]:
    move = {
        "database_kind": kind,
        "database_before": "0001",
        "database_after": "0002",
        "database_revisions": [{"revision": "0002", "kind": kind}],
    }
    return {"release": release, "version": f"v{release}", "outcome": outcome, "at": "noon", **move, **more}


FIRST = entry("one", "contract")
EXPANDED = [FIRST, entry("two", "expand")]
CONTRACTED = [*EXPANDED, entry("two", "contract", "contracted", database_breaking=["items.code is gone"])]


def judge(ledger: list[dict[str, Any]], choice: str = "", tool: str = "alembic") -> dict[str, Any]:
    return verdict([ledger], "one", "v1", choice, tool)


def test_what_was_only_added_is_in_nobodys_way() -> None:
    expanded = judge(EXPANDED)
    assert (expanded["obstacle"], expanded["downgrade_to"], expanded["changes"]) == ("", "", 1)
    # Should it not start all the same.
    assert "app_database=downgrade" in expanded["choices"]
    # It would be refused again.
    assert "app_database=force" not in expanded["choices"]
    assert judge([FIRST, entry("two")]) == {
        "obstacle": "",
        "downgrade_to": "",
        "restore": "",
        "changes": 0,
        "choices": "",
    }
    assert judge([{"release": "one", "outcome": "live"}, {"release": "two", "outcome": "live"}])["obstacle"] == ""


def test_a_contract_revision_closes_the_way_back_and_names_the_choices() -> None:
    told = judge(CONTRACTED)["obstacle"]
    assert told.startswith(
        "v1 may not run on the database as it is. vtwo ran 0002 at noon: items.code is gone. Choose: "
    )
    assert "-e app_database=downgrade takes the schema back to 0001" in told
    assert "backup" in told
    assert "-e app_database=force" in told


def test_what_nobody_could_look_at_closes_it_too() -> None:
    told = judge([FIRST, entry("two", "unknown")], tool="command")["obstacle"]
    assert "nobody could see what it changed" in told
    assert "app_database=downgrade" not in told


def test_a_run_that_failed_may_have_migrated() -> None:
    assert judge([FIRST, entry("two", "contract", "failed")])["obstacle"]


def test_the_choices_open_it() -> None:
    assert judge(CONTRACTED, "force")["obstacle"] == ""
    back = judge(CONTRACTED, "downgrade")
    assert (back["obstacle"], back["downgrade_to"], back["changes"]) == ("", "0001", 2)
    assert judge(EXPANDED, "downgrade")["downgrade_to"] == "0001"
    assert judge([FIRST], "downgrade")["downgrade_to"] == ""


def test_what_was_chosen_is_not_offered_again() -> None:
    assert judge(CONTRACTED, "downgrade")["choices"] == "Choose: restore a backup from before that migration."


def test_the_backup_from_before_opens_it_too() -> None:
    expanded = entry("two", "expand", backup="run-1")
    ledger = [FIRST, expanded, entry("two", "contract", "contracted", backup="run-2")]
    told = judge(ledger)["obstacle"]
    assert "-e app_database=restore brings the database of backup run-2 back, without what was written since" in told
    back = judge(ledger, "restore")
    assert (back["obstacle"], back["restore"], back["downgrade_to"]) == ("", "run-2", "")
    # Where that migration has none, there is the one from before the migration before.
    assert judge([FIRST, expanded, entry("two", "contract", "contracted")], "restore")["restore"] == "run-1"
    # What was backed up later has the change already.
    later = entry("three", "expand", backup="run-3")
    assert judge([*CONTRACTED, later], "restore")["obstacle"].startswith("No backup is known from before 0002 of noon.")
    assert judge([FIRST], "restore")["restore"] == ""


def test_a_command_takes_nothing_back() -> None:
    told = judge(CONTRACTED, "downgrade", "command")["obstacle"]
    assert "Nothing is known of how to take the schema back" in told
    assert "-e app_database=force" in told


def test_a_run_that_was_killed_after_its_migration_is_known() -> None:
    killed = judge([FIRST, entry("two", "contract", "migrated"), entry("two", "none", "live")])
    assert (killed["changes"], bool(killed["obstacle"])) == (1, True)


def test_a_migration_that_is_noted_twice_is_one() -> None:
    assert judge([FIRST, entry("two", "expand", "migrated"), entry("two", "expand")])["changes"] == 1


def test_what_was_taken_back_stands_in_nobodys_way() -> None:
    back = entry("two", "contract", "migrated", database_before="0002", database_after="0001")
    assert judge([FIRST, entry("two", "contract"), back]) == judge([FIRST])
    # A rollback that failed brings the schema forward again.
    assert judge([FIRST, entry("two", "contract"), back, entry("two", "contract", "migrated")])["obstacle"]


def test_an_older_ledger_names_the_revisions_alone() -> None:
    assert "vtwo ran 0002 at noon" in judge([FIRST, entry("two", "contract", database_revisions=["0002"])])["obstacle"]


def test_a_release_that_ran_on_the_schema_already_may_run_on_it_again() -> None:
    ledger = [*CONTRACTED, entry("one", "none", "rolled back"), entry("three", "expand")]
    assert (judge(ledger)["obstacle"], judge(ledger)["changes"]) == ("", 1)


def test_the_host_that_knows_most_is_believed() -> None:
    assert verdict([[], CONTRACTED], "one", "v1", "", "alembic")["obstacle"]


def test_a_downgrade_leads_to_before_the_first_that_took_something_away() -> None:
    ledger = [*CONTRACTED, entry("three", "contract", database_before="0002", database_after="0003")]
    assert judge(ledger, "downgrade")["downgrade_to"] == "0001"
    # What a release itself contracted is what it runs on.
    assert [each["release"] for each in changes_since(ledger, "two")] == ["three"]
