"""Whole rollouts on two hosts: visitors notice no migration, and whatever fails leaves the release before serving."""

from __future__ import annotations

import json
import re

import pytest

STEPS = "/srv/shop/shared/beat/steps"
LEDGER = "/var/lib/slipway/shop/ledger.jsonl"


@pytest.fixture(scope="session")
def times_written(server_log):
    """times_written(REVISION): how often some migration has written that the database is at it."""

    def count(name):
        return len(re.findall(rf"shop_migrate@shop .*UPDATE alembic_version SET version_num='{name}'", server_log()))

    return count


@pytest.fixture(scope="session")
def stop_the_release_before(machine, group):
    """As after the warm time."""
    stop = "systemctl stop 'shop-retire-*.timer'; for s in blue green; do grep -q '\"slot\": \"'$s'\"' /etc/slipway/shop/live.json"

    def stop_everywhere():
        for host in group("app"):
            machine(host).check_output(f'{stop} || systemctl stop "shop-*@$s*.service"; done')

    return stop_everywhere


@pytest.mark.for_long
def test_a_rehearsal_tells_what_the_migration_would_do_and_touches_nothing(run, visitors, serving, revision, sql):
    with visitors() as seen:
        told = run("rehearse", "-e", "app_version=v2.0.0-drops", "-e", '{"app_smoke_paths": ["/items"]}')
    seen.assert_nothing_failed()
    assert "0004 -> drop_name (contract) took" in told.text
    assert "v1.0.0 FAILS on the migrated copy" in told.text
    harmless = run("rehearse", "-e", "app_version=v2.0.0-blocks", "-e", '{"app_smoke_paths": ["/items"]}')
    assert re.search(r"It locked items \(Share, which blocks writes\) for [\d.]+ s", harmless.text), harmless.text
    assert re.search(r"items: (\d+) -> \1 rows, [\d.]+ MB -> [\d.]+ MB", harmless.text), harmless.text
    assert "v1.0.0 is healthy on the migrated copy" in harmless.text
    assert (serving(), revision()) == ({"v1.0.0"}, "0004")
    assert sql("SELECT count(*) FROM pg_database WHERE datname LIKE '%rehearsal'") == "0"


def test_an_expand_revision_runs_once_for_all_hosts_and_waits_without_keeping_visitors_waiting(
    run, visitors, serving, revision, passing_transaction, times_written, machine, group
):
    note = {"directory": "app", "environment": {"WHAT": "a note"}, "only": "upgrade"}
    steps = {
        "app_before_migration": [
            {**note, "command": f'echo "$WHAT in $(basename $PWD)" >>{STEPS}'},
            {"command": f"echo never >>{STEPS}", "only": "first"},
        ],
        "app_after_migration": [{"command": f"echo after >>{STEPS}"}],
    }
    ran = times_written("add_note")
    with visitors() as seen:
        with passing_transaction():
            told = run("upgrade", "-e", "app_version=v1.2.0", "-e", json.dumps(steps))
        early = run("contract", check=False)
    seen.assert_nothing_failed()
    assert (serving(), revision()) == ({"v1.2.0"}, "add_note")
    assert "Database: 0004 -> add_note (expand)" in told.text
    assert times_written("add_note") == ran + 1
    assert "slipway.stack.contract runs drop_legacy_code" in told.text
    assert "The release before still runs (shop-" in early.text

    written = [machine(host).run("cat %s", STEPS).stdout.split("\n") for host in group("app")]
    assert sorted(written) == [[""], ["a note in app", "after", ""]]
    for host in group("app"):
        ledger = machine(host).check_output("cat %s", LEDGER)
        noted = [entry["command"] for entry in map(json.loads, ledger.splitlines()) if entry["outcome"] == "ran"]
        assert noted[-2:] == [steps["app_before_migration"][0]["command"], steps["app_after_migration"][0]["command"]]


def test_the_way_back_over_an_expand_revision_is_a_switch_only(run, visitors, serving, revision, report):
    with visitors() as seen:
        told = run("rollback")
    seen.assert_nothing_failed()
    assert (serving(), revision()) == ({"v1.0.0"}, "add_note")
    report(f"warm rollback over an expand revision: {told.seconds_to_switch} s to the switch")


def test_another_setting_is_released_after_it_by_code_that_knows_the_revision_no_more(run, visitors, serving, revision):
    settings = {"app_environment": {"APP_ENV": "production", "BEAT_INTERVAL": 5, "GREETING": "after"}}
    with visitors() as seen:
        told = run("site", "-e", json.dumps(settings))
    seen.assert_nothing_failed()
    assert "So nothing is migrated." in told.text
    assert (serving(), revision()) == ({"v1.0.0"}, "add_note")


def test_what_an_expand_revision_made_belongs_to_the_application(sql):
    assert sql("SELECT tableowner FROM pg_tables WHERE tablename = 'jobs'") == "shop"


def test_a_contract_revision_runs_once_and_closes_the_way_back(
    run, visitors, serving, revision, times_written, stop_the_release_before
):
    run("rollback", "-e", "app_release=v1.2.0")
    assert (serving(), revision()) == ({"v1.2.0"}, "add_note")
    stop_the_release_before()
    ran = times_written("drop_legacy_code")
    with visitors() as seen:
        assert "add_note -> drop_legacy_code" in run("contract").text
        refused = run("rollback", "-e", "app_release=v1.0.0", check=False)
    seen.assert_nothing_failed()
    assert (serving(), revision()) == ({"v1.2.0"}, "drop_legacy_code")
    assert times_written("drop_legacy_code") == ran + 1
    assert refused.status != 0
    assert "items.legacy_code is gone" in refused.text
    assert "app_database=downgrade" in refused.text
    assert "app_database=force" in refused.text


def test_the_way_back_with_a_downgrade(run, visitors, serving, revision):
    with visitors() as seen:
        run("rollback", "-e", "app_release=v1.0.0", "-e", "app_database=downgrade")
    seen.assert_nothing_failed()
    assert (serving(), revision()) == ({"v1.0.0"}, "add_note")


def test_the_ledger_tells_of_the_database(run):
    table = run("history").text
    assert re.search(r"live v1\.2\.0 .*0004 → add_note", table), table
    assert re.search(r"contracted v1\.2\.0 .*add_note → drop_legacy_code", table), table
    assert re.search(r"rolled back v1\.0\.0 .*drop_legacy_code → add_note", table), table


@pytest.fixture
def assert_unnoticed(serving, revision, nothing_is_left):
    """assert_unnoticed(TOLD, SEEN): it ended red, and everything is as it was."""

    def look(told, seen):
        assert told.status != 0
        assert re.search(r"v1\.0\.0 \(\w+\) serves as before", told.text), told.text[-3000:]
        seen.assert_nothing_failed()
        nothing_is_left()
        assert (serving(), revision()) == ({"v1.0.0"}, "add_note")

    return look


FAILURES = {
    "v2.0.0-fails": ([], "contains null values"),
    "v2.0.0-drops": (["-e", "app_migration_lint=fail"], "ban-drop-column"),
    "v2.0.0-hangs": (["-e", "app_migrate_timeout=20"], "was ended"),
    "v2.0.0-disorders": ([], "put drop_legacy_code last"),
    "v2.0.0-branches": ([], "more than one head (add_note, second_head)"),
}


@pytest.mark.for_long
@pytest.mark.parametrize("version", FAILURES)
def test_a_migration_that_fails_is_never_noticed(version, run, visitors, assert_unnoticed):
    options, reason = FAILURES[version]
    with visitors() as seen:
        told = run("upgrade", "-e", f"app_version={version}", *options, check=False)
    assert reason in told.text
    assert_unnoticed(told, seen)


@pytest.mark.for_long
def test_a_migration_that_is_killed_is_never_noticed(begin, visitors, assert_unnoticed, sql, machine, wait_until):
    hangs = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'shop_migrate' AND query LIKE 'SELECT pg_sleep%'"
    with visitors() as seen:
        begun = begin("upgrade", "-e", "app_version=v2.0.0-hangs")
        wait_until(lambda: sql(hangs) == "1", seconds=120)
        machine("one").check_output("pkill -9 -f '[s]tart.py'")
        told = begun.end()
    assert "was killed" in told.text
    assert_unnoticed(told, seen)


@pytest.mark.for_long
def test_a_table_that_is_never_free_ends_a_rollout(run, visitors, assert_unnoticed, long_transaction):
    with visitors() as seen, long_transaction():
        told = run("upgrade", "-e", "app_version=v2.0.0-drops", check=False)
    assert "in use for longer than the lock_timeout, 5 times" in told.text
    assert_unnoticed(told, seen)


@pytest.mark.for_long
def test_an_index_that_was_cut_off_is_never_taken_for_success(
    run, visitors, serving, revision, sql, passing_transaction, assert_unnoticed
):
    with visitors() as seen, passing_transaction():
        told = run("upgrade", "-e", "app_version=v2.0.0-indexes", check=False)
    mend = 'DROP INDEX CONCURRENTLY "public"."items_created_at_idx"'
    assert "isn't tried again" in told.text
    assert mend in told.text.replace('\\"', '"')
    assert_unnoticed(told, seen)
    with visitors() as seen:
        again = run("upgrade", "-e", "app_version=v2.0.0-indexes", check=False)
    assert "is invalid" in again.text
    assert_unnoticed(again, seen)
    sql(mend)
    run("upgrade", "-e", "app_version=v2.0.0-indexes")
    assert (serving(), revision()) == ({"v2.0.0-indexes"}, "index_created_at")
    run("rollback")
    sql("DROP INDEX items_created_at_idx", "UPDATE alembic_version SET version_num = 'add_note'")
    assert (serving(), revision()) == ({"v1.0.0"}, "add_note")


@pytest.mark.for_long
def test_what_contracts_by_itself_waits_for_the_release_before_and_the_way_back_can_be_forced(
    run, visitors, serving, revision, migrate_shop
):
    with visitors() as seen:
        told = run("upgrade", "-e", "app_version=v1.2.0", "-e", "app_contract=after_warm", "-e", "app_warm_minutes=0")
    # What was held open ends with the slot in which it was.
    assert (seen.result["failed"], seen.result["posts"]["lost"]) == (0, 0)
    assert "add_note -> drop_legacy_code" in told.text
    assert (serving(), revision()) == ({"v1.2.0"}, "drop_legacy_code")

    with visitors() as seen:
        assert "Nothing is left to contract" in run("contract").text
        run("rollback", "-e", "app_database=force")
    seen.assert_nothing_failed()
    assert (serving(), revision()) == ({"v1.0.0"}, "drop_legacy_code")
    assert migrate_shop("v1.2.0", state="add_note")["changed"]


@pytest.mark.for_long
def test_a_rehearsal_can_be_made_on_a_backup(run, serving, revision, sql):
    backed_up = ("-e", "backup_passphrase=a-passphrase-of-some-length")
    run("site", *backed_up)
    run("backup", *backed_up)
    told = run("rehearse", *backed_up, "-e", "rehearse_from=backup", "-e", "app_version=v2.0.0-indexes")
    assert re.search(r"add_note -> index_created_at \(expand\) took [\d.]+ s on backup \w+-\w+\.", told.text), (
        told.text[-2000:]
    )
    assert "v1.0.0 is healthy on the migrated copy" in told.text
    assert (serving(), revision()) == ({"v1.0.0"}, "add_note")
    assert sql("SELECT count(*) FROM pg_database WHERE datname LIKE '%rehearsal'") == "0"


@pytest.mark.for_long
def test_the_application_can_be_kept_from_its_schema(run, visitors, serving, sql):
    least = ("-e", "app_database_least_privilege=true", "-e", "app_migrate_password=0f4c2d1b9a8e7f6a5b4c3d2e")
    with visitors() as seen:
        run("site", *least)
        run("upgrade", *least, "-e", "app_version=v1.1.0")
    seen.assert_nothing_failed()
    assert serving() == {"v1.1.0"}
    assert sql("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'") == "shop_owner"
    assert sql("SELECT has_schema_privilege('shop', 'public', 'CREATE')") == "f"
    assert sql("SELECT has_table_privilege('shop', 'items', 'UPDATE')") == "t"
