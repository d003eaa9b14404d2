"""What the tests of migrations share: the database itself, and the module without a rollout around it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from threading import Event

import pytest
import yaml

ROWS = 1_000_000
SETTINGS = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"], "molecule", "shared", "rollout", "group_vars", "all.yml")
SLEEPER = "query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()"
# A wait of a visitor's query for a lock, as the server tells it when it is over.
WAIT = re.compile(r" shop@shop .* acquired \w+ on .* after ([\d.]+) ms")


def pytest_collection_modifyitems(config, items):
    if "SOAK" not in os.environ:
        left_out = [item for item in items if item.get_closest_marker("for_long")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def sql(machine):
    """sql(STATEMENT...): what the database says, to its superuser."""

    def ask(*statements, database="shop"):
        options = " -c %s" * len(statements)
        return machine("one").check_output(f"runuser -u postgres -- psql -qtAd %s{options}", database, *statements)

    return ask


@pytest.fixture(scope="session")
def revision(sql):
    return lambda: sql("SELECT version_num FROM alembic_version")


@pytest.fixture(scope="session", autouse=True)
def _rows(sql):
    """So many rows that rewriting them takes a while; and the server notes what migrations write."""
    sql(
        "ALTER ROLE shop_migrate IN DATABASE shop SET log_statement = 'mod'",
        f"INSERT INTO items (id, name) SELECT gen_random_uuid(), 'item ' || n FROM generate_series(1, {ROWS}) n "
        f"WHERE (SELECT count(*) FROM items) < {ROWS}",
    )


@pytest.fixture(scope="session")
def server_log(machine):
    """server_log(): what PostgreSQL has written so far."""
    return lambda: machine("one").check_output("cat /var/log/postgresql/postgresql-*-main.log")


@pytest.fixture(scope="session")
def longest_wait_ms(server_log):
    """longest_wait_ms(): what a visitor's query has waited for a lock at most, of those that waited a second or more."""
    return lambda: max(map(float, WAIT.findall(server_log())), default=0.0)


@pytest.fixture(scope="session")
def nothing_is_left(sql, wait_until):
    """nothing_is_left(): no session of a migration, and so no lock of one."""

    def the_role_has_no_session():
        return sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'shop_migrate'") == "0"

    return lambda: wait_until(the_role_has_no_session)


@pytest.fixture(scope="session")
def long_transaction(machine, wait_until, sql):
    """long_transaction(DATABASE, TABLE): one that has read the table, and stays open until its block ends."""

    @contextmanager
    def stay(database="shop", table="items"):
        open_ones = f"SELECT count(*) FROM pg_stat_activity WHERE {SLEEPER}"
        machine("one").check_output(
            "systemd-run --uid=postgres --collect psql -d %s -c %s",
            database,
            f"BEGIN; SELECT count(*) FROM (SELECT FROM {table} LIMIT 1) a; SELECT pg_sleep(600)",
        )
        wait_until(lambda: sql(open_ones) == "1")

        def end():
            sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {SLEEPER}")

        try:
            yield end
        finally:
            end()

    return stay


@pytest.fixture(scope="session")
def passing_transaction(long_transaction, wait_until, sql):
    """passing_transaction(DATABASE, TABLE): one that ends some seconds after a migration has begun to wait for it."""
    waits = "usename IN ('shop_migrate', 'tester') AND wait_event_type = 'Lock'"

    @contextmanager
    def pass_by(database="shop", table="items", seconds=5):
        is_over = Event()

        def a_migration_waits():
            return is_over.is_set() or sql(f"SELECT count(*) FROM pg_stat_activity WHERE {waits}") != "0"

        with long_transaction(database, table) as end, ThreadPoolExecutor() as pool:

            def end_in_time():
                wait_until(a_migration_waits, seconds=300, interval=0.2)
                is_over.wait(seconds)
                end()

            ending = pool.submit(end_in_time)
            try:
                yield
            finally:
                is_over.set()
            ending.result()

    return pass_by


class Migrating:
    """The module alone, under way on some hosts."""

    def __init__(self, hosts, arguments, options):
        inventory = str(Path(os.environ["MOLECULE_INVENTORY_FILE"]).parent)
        module = ["-m", "slipway.stack.db_migrate", "-a", json.dumps(arguments)]
        self._process = subprocess.Popen(
            ["ansible", hosts, "-i", inventory, *module, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"},
        )

    def results(self):
        """What the module returned, by host."""
        text = self._process.communicate()[0]
        begun = re.finditer(r"^(\w+) \| [A-Z!]+ => (?={)", text, re.MULTILINE)
        found = {each[1]: json.JSONDecoder().raw_decode(text[each.end() :])[0] for each in begun}
        assert found, text
        # The diff stands before them.
        return {host: {**result, "printed": text} for host, result in found.items()}

    def result(self):
        """For one host."""
        return next(iter(self.results().values()))


@pytest.fixture(scope="session")
def begin_module():
    """begin_module(HOSTS, *OPTIONS, **ARGUMENTS)"""
    return lambda hosts, *options, **arguments: Migrating(hosts, arguments, options)


@pytest.fixture(scope="session")
def begin_shop(begin_module, machine, address):
    """begin_shop(VERSION, *OPTIONS, at=HOST, **ARGUMENTS): the application's database, by the migrations of a version."""
    password = sha256(
        f"migrations {yaml.safe_load(SETTINGS.read_text())['app_database_password']}".encode()
    ).hexdigest()

    def begin(version, *options, at="one", **arguments):
        database = "127.0.0.1" if at == "one" else address("one")
        release = machine(at).check_output("basename $(readlink -f /srv/shop/current)")
        wanted = {
            "name": "shop",
            "user": "shop",
            "tool": "alembic",
            "directory": f"/opt/projects/{version}",
            "path": [f"/srv/shop/releases/{release}/venv/bin"],
            "environment_files": [f"/etc/slipway/shop/releases/{release}.env"],
            "database_url": f"postgresql+asyncpg://shop_migrate:{password}@{database}/shop",
            "own_login": True,
        }
        return begin_module(at, *options, **{**wanted, **arguments})

    return begin


@pytest.fixture(scope="session")
def migrate_shop(begin_shop):
    """migrate_shop(VERSION, *OPTIONS, at=HOST, **ARGUMENTS): the same, until it has ended."""
    return lambda version, *options, **arguments: begin_shop(version, *options, **arguments).result()
