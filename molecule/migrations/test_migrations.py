"""What must hold of every migration: visitors notice nothing, and whatever fails leaves the release before serving."""

from __future__ import annotations

import os
import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

ROWS = 1_000_000
# What a query of a visitor may wait behind a migration that waits itself: lock_timeout, and some of its own.
LONGEST_WAIT_MS = 4500


@pytest.fixture(scope="session")
def sql(machine):
    """What the database says, to its superuser."""
    return lambda query: machine("one").check_output("su postgres -c %s", f'psql -d shop -tAc "{query}"')


@pytest.fixture(scope="session")
def revision(sql):
    return lambda: sql("SELECT version_num FROM alembic_version")


@pytest.fixture(scope="session", autouse=True)
def _rows(sql):
    sql(
        f"INSERT INTO items (id, name) SELECT gen_random_uuid(), 'item ' || n FROM generate_series(1, {ROWS}) n "
        f"WHERE (SELECT count(*) FROM items) < {ROWS}"
    )


@pytest.fixture
def long_transaction(machine, wait_until, sql):
    """A transaction that has read the items and stays open, until a migration waits for it, and some seconds longer.

    `patience`: how long it then stays.
    """

    @contextmanager
    def hold(patience):
        sleeps = "query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()"
        waits = "usename = 'shop_migrate' AND wait_event_type = 'Lock'"
        machine("one").check_output(
            "systemd-run --uid=postgres --collect psql -d shop -c %s",
            "BEGIN; SELECT 1 FROM items LIMIT 1; SELECT pg_sleep(600)",
        )
        wait_until(lambda: sql(f"SELECT count(*) FROM pg_stat_activity WHERE {sleeps}") == "1")

        def let_go():
            wait_until(lambda: sql(f"SELECT count(*) FROM pg_stat_activity WHERE {waits}") != "0", seconds=300)
            time.sleep(patience)
            sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {sleeps}")

        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(let_go)
            yield
            waiting.result()

    return hold


@pytest.fixture(scope="session")
def stop_the_release_before(machine):
    """As after the warm time."""
    stop = "systemctl stop 'shop-retire-*.timer'; for s in blue green; do grep -q '\"slot\": \"'$s'\"' /etc/slipway/shop/live.json"
    return lambda: machine("one").check_output(f'{stop} || systemctl stop "shop-*@$s*.service"; done')


def test_a_rehearsal_tells_what_the_migration_will_do_and_touches_nothing(run, visitors, serving, revision, sql):
    with visitors() as seen:
        told = run("rehearse", "-e", "app_version=v2.0.0-drops", "-e", '{"app_smoke_paths": ["/items"]}')
    seen.assert_nothing_failed()
    assert "0004 -> drop_name (contract) took" in told.text
    assert "v1.0.0 FAILS on the migrated copy" in told.text
    harmless = run("rehearse", "-e", "app_version=v2.0.0-blocks", "-e", '{"app_smoke_paths": ["/items"]}')
    assert re.search(r"It locked items \(Share, which blocks writes\) for [\d.]+ s", harmless.text), harmless.text
    assert "v1.0.0 is healthy on the migrated copy" in harmless.text
    assert (serving(), revision()) == ({"v1.0.0"}, "0004")
    assert sql("SELECT count(*) FROM pg_database WHERE datname LIKE '%rehearsal'") == "0"


def test_an_expand_revision_waits_for_a_long_transaction_without_keeping_visitors_waiting(
    run, visitors, serving, revision, long_transaction
):
    with visitors() as seen, long_transaction(patience=8):
        told = run("upgrade", "-e", "app_version=v1.1.0")
    seen.assert_nothing_failed()
    assert serving() == {"v1.1.0"}
    assert revision() == "add_note"
    assert "Database: 0004 -> add_note (expand)" in told.text
    assert seen.result["latency_ms"]["max"] < LONGEST_WAIT_MS


def test_the_way_back_over_an_expand_revision_is_a_switch_only(run, visitors, serving, revision):
    with visitors() as seen:
        told = run("rollback")
    seen.assert_nothing_failed()
    assert serving() == {"v1.0.0"}
    assert revision() == "add_note"
    print(f"warm rollback: {told.seconds_to_switch} s to the switch")


def test_what_an_expand_revision_made_belongs_to_the_application(sql):
    assert sql("SELECT tableowner FROM pg_tables WHERE tablename = 'jobs'") == "shop"


FAILURES = {
    "v2.0.0-fails": ([], "contains null values"),
    "v2.0.0-hangs": (["-e", "app_migrate_timeout=20"], "was ended"),
    "v2.0.0-drops": (["-e", "app_migration_lint=fail"], "ban-drop-column"),
    "v2.0.0-disorders": ([], "put drop_legacy_code last"),
    "v2.0.0-branches": ([], "more than one head (add_note, second_head)"),
}


@pytest.mark.parametrize("version", FAILURES)
def test_a_migration_that_fails_is_never_noticed(version, run, visitors, serving, revision, sql):
    options, reason = FAILURES[version]
    with visitors() as seen:
        told = run("upgrade", "-e", f"app_version={version}", *options, check=False)
    assert told.status != 0
    assert reason in told.text
    assert "v1.0.0 (" in told.text
    assert "serves as before" in told.text
    seen.assert_nothing_failed()
    assert serving() == {"v1.0.0"}
    assert revision() == "add_note"
    assert sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'shop_migrate'") == "0"


def test_a_migration_that_is_killed_is_never_noticed(run, visitors, serving, revision, sql, machine):
    kill = "while ! pgrep -f '[s]tart.py' >/dev/null || [ $(psql -d shop -tAc %s) = 0 ]; do sleep 0.2; done; pkill -9 -f '[s]tart.py'"
    hangs = "\"SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'\""
    machine("one").check_output(
        "systemd-run --unit=killer --collect sh -c %s", kill.replace("psql", "runuser -u postgres -- psql") % hangs
    )
    with visitors() as seen:
        told = run("upgrade", "-e", "app_version=v2.0.0-hangs", check=False)
    machine("one").run("systemctl stop killer")
    assert "was killed" in told.text
    seen.assert_nothing_failed()
    assert serving() == {"v1.0.0"}
    assert revision() == "add_note"
    assert sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'shop_migrate'") == "0"


def test_an_index_that_was_cut_off_is_never_taken_for_success(run, serving, revision, sql, long_transaction):
    with long_transaction(patience=8):
        told = run("upgrade", "-e", "app_version=v2.0.0-indexes", check=False)
    mend = 'DROP INDEX CONCURRENTLY "public"."items_created_at_idx"'
    assert "isn't tried again" in told.text
    assert mend in told.text.replace('\\"', '"')
    again = run("upgrade", "-e", "app_version=v2.0.0-indexes", check=False)
    assert again.status != 0
    assert "is invalid" in again.text
    assert (serving(), revision()) == ({"v1.0.0"}, "add_note")
    sql(mend.replace('"', ""))
    run("upgrade", "-e", "app_version=v2.0.0-indexes")
    assert (serving(), revision()) == ({"v2.0.0-indexes"}, "index_created_at")
    run("rollback")
    sql("DROP INDEX items_created_at_idx; UPDATE alembic_version SET version_num = 'add_note'".replace(";", '" -c "'))
    assert (serving(), revision()) == ({"v1.0.0"}, "add_note")


def test_a_contract_revision_waits_for_the_release_before_and_closes_the_way_back(
    run, visitors, serving, revision, stop_the_release_before
):
    with visitors() as seen:
        told = run("upgrade", "-e", "app_version=v1.2.0")
    assert "slipway.stack.contract runs drop_legacy_code" in told.text
    assert revision() == "add_note"
    assert "The release before still runs (shop-" in run("contract", check=False).text
    assert revision() == "add_note"
    seen.assert_nothing_failed()

    stop_the_release_before()
    with visitors() as seen:
        assert "add_note -> drop_legacy_code" in run("contract").text
    seen.assert_nothing_failed()
    assert revision() == "drop_legacy_code"
    assert "Nothing is left to contract" in run("contract").text

    refused = run("rollback", check=False)
    assert refused.status != 0
    assert "items.legacy_code is gone" in refused.text
    assert "app_database=downgrade" in refused.text
    assert "app_database=force" in refused.text
    assert serving() == {"v1.2.0"}


def test_the_way_back_with_a_downgrade(run, visitors, serving, revision):
    with visitors() as seen:
        run("rollback", "-e", "app_database=downgrade")
    seen.assert_nothing_failed()
    assert serving() == {"v1.0.0"}
    assert revision() == "add_note"


def test_the_ledger_tells_of_the_database(run):
    table = run("history").text
    assert re.search(r"contracted v1\.2\.0 .*add_note → drop_legacy_code", table), table
    assert re.search(r"live v1\.1\.0 .*0004 → add_note", table), table
    assert re.search(r"rolled back v1\.0\.0 .*drop_legacy_code → add_note", table), table


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


def test_one_migration_runs_and_the_others_find_nothing_to_do(project):
    project("django", "state=shop.zero")
    begun = [project.start("django", "phase=expand") for _ in range(3)]
    told = [process.communicate(timeout=300)[0] for process in begun]
    assert [process.returncode for process in begun] == [0, 0, 0], told
    assert sorted(re.search(r"(True|False): ", text)[1] for text in told) == ["False", "False", "True"], told


BEGINNING = {"django": "shop.zero", "flask": "base"}


@pytest.mark.parametrize("tool", BEGINNING)
def test_other_tools_do_as_alembic_does(tool, project):
    project(tool, f"state={BEGINNING[tool]}")
    assert "(expand)" in project(tool, "phase=expand")
    assert "False: " in project(tool, "phase=expand")
    assert "(contract)" in project(tool, "phase=contract")
    assert "False: " in project(tool)
    assert "True: " in project(tool, "state=-1")
    assert "has no revision" in project(tool, "state=shop.nonsense", check=False)


def test_what_is_wrong_with_the_database_is_one_sentence(project, machine):
    url = "url=postgresql://tester:{}@127.0.0.1:{}/{}"
    assert "refuses user tester" in project("django", url.format("wrong-password", 5432, "django"), check=False)
    elsewhere = url.format("tester-password", 5432, "nothing")
    assert "lets nobody in as tester from 127.0.0.1" in project("django", elsewhere, check=False)
    assert "can't be reached" in project("django", url.format("tester-password", 5999, "django"), check=False)
    machine("one").check_output("systemctl stop postgresql@17-main")
    begun = project.start("django", "prepare=false")
    time.sleep(15)
    machine("one").check_output("systemctl start postgresql@17-main")
    assert begun.communicate(timeout=120)[0]
    assert begun.returncode == 0


class Project:
    """The module alone, for a small project with another tool."""

    def __init__(self, play, inventory, folder):
        self._play, self._inventory, self._folder = play, inventory, folder

    def _options(self, tool, wishes):
        return [word for wish in (f"project={tool}", *wishes) for word in ("-e", wish)]

    def __call__(self, tool, *wishes, check=True):
        done = self._play("plays/project.yml", *self._options(tool, wishes), check=check)
        return re.sub(r"\s+", " ", done.stdout + done.stderr)

    def start(self, tool, *wishes):
        return subprocess.Popen(
            ["ansible-playbook", "-i", self._inventory, *self._options(tool, wishes), "plays/project.yml"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self._folder,
        )


@pytest.fixture(scope="session")
def project(play):
    inventory = str(Path(os.environ["MOLECULE_INVENTORY_FILE"]).parent)
    return Project(play, inventory, os.environ["MOLECULE_SCENARIO_DIRECTORY"])
