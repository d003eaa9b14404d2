"""What stands between applications and PostgreSQL: seen by drivers on the application's host, and by psql from elsewhere."""

from __future__ import annotations

import json
import os

import pytest

SOAK = bool(os.environ.get("SOAK"))
SHOP = {"user": "shop", "password": "9f3c%1e7a/5b2d@4c6e:8f0a#1b3d", "dbname": "shop"}
WHARF = {"user": "wharf", "password": "wharf's password", "dbname": "wharf"}
QUAY = {"user": "quay-side", "password": "quay%password", "dbname": "quay-side"}
CLIENTS = 2000
# Opens all connections, then lets 200 at a time say something, and looks at what the server sees of it.
HOLD_MANY = """
import json, sys
from concurrent.futures import ThreadPoolExecutor
import psycopg2
words, clients = json.loads(sys.argv[1]), int(sys.argv[2])
def connect(_):
    return psycopg2.connect(**words)
def talk(session):
    with session, session.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(0.05)")
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = current_user")
        return cursor.fetchone()[0]
with ThreadPoolExecutor(20) as crew:
    sessions = list(crew.map(connect, range(clients)))
with ThreadPoolExecutor(200) as crew:
    seen = list(crew.map(talk, sessions))
still = sum(not session.closed for session in sessions)
print(json.dumps({"held": still, "answered": len(seen), "most": max(seen)}))
"""


def ask(host, query, database="postgres"):
    return host.check_output("runuser -u postgres -- psql -XAtd %s -c %s", database, query)


def console(host, command):
    """What the pooler's own console answers: a mapping for each row."""
    words = "runuser -u postgres -- psql -XAF '|' -h /run/postgresql -p 6432 -U pgbouncer -c %s pgbouncer"
    lines = host.check_output(words, command).splitlines()[:-1]
    return [dict(zip(lines[0].split("|"), line.split("|"), strict=True)) for line in lines[1:]]


def connect(observer, server, account, query="SELECT 1", port=6432, sslmode="require", **changes):
    account = {**account, **changes}
    return observer.run(
        "PGPASSWORD=%s psql -XAtw -d %s -c %s",
        account["password"],
        f"host={server} port={port} user={account['user']} dbname={account['dbname']} sslmode={sslmode} connect_timeout=5",
        query,
    )


def main_process(host):
    return host.check_output("systemctl show --property MainPID --value pgbouncer")


@pytest.fixture(scope="module")
def data(machine):
    return machine("db1")


@pytest.fixture(scope="module")
def app(machine):
    return machine("app1")


@pytest.fixture(scope="module")
def alone(machine):
    return machine("alone")


def environment(app):
    lines = app.check_output("cat /etc/slipway/shop/releases/*.env").splitlines()
    return {name: value.strip('"') for name, _, value in (line.partition("=") for line in lines)}


# --- an application behind it


def test_two_thousand_clients_share_less_than_a_hundred_connections(app, data):
    words = {**SHOP, "host": "db1", "port": 6432, "sslmode": "require", "connect_timeout": 120}
    result = json.loads(app.check_output("python3 -c %s %s %s", HOLD_MANY, json.dumps(words), str(CLIENTS)))
    assert (result["held"], result["answered"]) == (CLIENTS, CLIENTS)
    # With the application's own, and the lease that goes past the pooler.
    assert result["most"] <= 91, result
    assert ask(data, "SHOW max_connections") == "101"


def test_preflights_sum_is_what_the_pooler_takes(data):
    # 4 workers x (100 + 200) x 2 slots, the singleton, and 10 in reserve
    limits = {row["key"]: row["value"] for row in console(data, "SHOW CONFIG")}
    assert limits["max_client_conn"] == "2411"
    (shop,) = [row for row in console(data, "SHOW DATABASES") if row["name"] == "shop"]
    assert (shop["pool_size"], shop["max_connections"]) == ("90", "90")
    files = data.check_output(f"grep 'open files' /proc/{main_process(data)}/limits").split()
    assert int(files[3]) > 2411 + 90


def test_processes_go_through_it_and_what_needs_a_session_goes_past_it(app, data, address):
    told = environment(app)
    assert told["DATABASE_URL"].startswith("postgresql+asyncpg://shop:")
    assert ":6432/shop" in told["DATABASE_URL"]
    assert ":5432/shop" in told["DATABASE_DIRECT_URL"]
    rows = ask(
        data,
        "SELECT DISTINCT coalesce(host(client_addr), 'pooler'), application_name FROM pg_stat_activity WHERE usename = 'shop'",
    )
    callers = dict(reversed(row.split("|")) for row in rows.splitlines())
    assert callers["shop-clock lease"] == address("app1")
    assert {caller for name, caller in callers.items() if "lease" not in name} == {"pooler"}


def test_migrations_go_past_it(app, data):
    assert ask(data, "SELECT count(*) FROM alembic_version", "shop") == "1"
    assert ask(data, "SELECT count(*) FROM pg_roles WHERE rolname = 'shop_migrate'") == "1"
    users = data.file("/etc/pgbouncer/slipway_users.txt").content_string
    assert "shop_migrate" not in users
    answer = connect(app, "db1", SHOP, user="shop_migrate", password="whatever")
    assert answer.rc != 0


def test_what_was_prepared_is_looked_for_nowhere_else(curl, client, address, run_python):
    made = curl("https://shop.example/items", "-X", "POST", "--json", '{"name": "rope"}', at="app1")
    assert made.status == 201, made.body
    client.check_output("echo %s >>/etc/hosts", f"{address('app1')} shop.example")
    answers = run_python(
        """
import asyncio, collections, json, sys
import aiohttp
async def main():
    connector = aiohttp.TCPConnector(ssl=False, limit=40)
    async with aiohttp.ClientSession(connector=connector) as session:
        async def ask():
            async with session.get("https://shop.example/items") as answer:
                return answer.status
        return collections.Counter(await asyncio.gather(*(ask() for _ in range(400))))
print(json.dumps(asyncio.run(main())))
"""
    )
    assert answers == {"200": 400}


def test_only_the_application_reaches_it_and_only_over_tls(app, client, data, open_ports):
    assert open_ports("db1", "5432,6432") == set()
    answer = connect(app, "db1", SHOP)
    assert answer.rc == 0, answer.stderr
    assert connect(app, "db1", SHOP, sslmode="disable").rc != 0
    assert connect(app, "db1", SHOP, password="wrong").rc != 0
    for user, database in (("postgres", "postgres"), ("pgbouncer", "pgbouncer"), ("postgres", "shop")):
        assert connect(app, "db1", SHOP, user=user, dbname=database, password="").rc != 0


def test_no_password_lies_about(data):
    assert data.run("grep -rF %s /etc/pgbouncer /etc/slipway", SHOP["password"]).rc == 1
    for file in ("slipway.ini", "slipway_hba.conf", "slipway_users.txt"):
        held = data.file(f"/etc/pgbouncer/{file}")
        assert (held.user, held.group, held.mode) == ("root", "postgres", 0o640)


# --- two callers of one pooler


def test_each_caller_reaches_its_own_database_and_from_where_it_said(alone, client):
    query = "SELECT inet_client_addr() IS NULL"
    assert connect(client, "alone", WHARF, query).stdout.strip() == "t"
    assert connect(alone, "127.0.0.1", QUAY, sslmode="disable").rc == 0
    assert connect(alone, "/run/postgresql", QUAY, sslmode="prefer").rc == 0
    assert connect(client, "alone", QUAY).rc != 0
    assert connect(client, "alone", WHARF, dbname="quay-side").rc != 0
    assert connect(client, "alone", WHARF, sslmode="disable").rc != 0
    limits = {row["key"]: row["value"] for row in console(alone, "SHOW CONFIG")}
    assert (limits["max_client_conn"], limits["max_prepared_statements"]) == ("500", "200")


def test_a_change_disconnects_nobody(alone, client, play):
    before = main_process(alone)
    opened = "import json, psycopg2, sys, time; s = psycopg2.connect(sys.argv[1]); s.autocommit = True; c = s.cursor()"
    asks = "c.execute('SELECT 1'); print('asked', flush=True); sys.stdin.readline(); c.execute('SELECT 2'); print(c.fetchone()[0])"
    words = "host=alone port=6432 user=wharf dbname=wharf sslmode=require password='wharf\\'s password'"
    client.check_output("rm -f /tmp/go /tmp/said; mkfifo /tmp/go")
    client.check_output("python3 -c %s %s <>/tmp/go >/tmp/said 2>&1 & sleep 2", f"{opened}; {asks}", words)
    output = play_alone(play, wharf_pool_size=3)
    assert "needs a restart" not in output
    client.check_output("echo >/tmp/go; sleep 2")
    assert client.check_output("cat /tmp/said").splitlines() == ["asked", "2"]
    (wharf,) = [row for row in console(alone, "SHOW DATABASES") if row["name"] == "wharf"]
    assert (wharf["pool_size"], main_process(alone)) == ("3", before)


def test_it_is_restarted_only_when_asked(alone, play):
    before = main_process(alone)
    longer = {"listen_backlog": 256}
    for _attempt in range(2):
        output = play_alone(play, pgbouncer_settings=longer)
        assert "needs a restart for listen_backlog (128 -> 256)" in output
    assert " changed=0 " in output
    assert main_process(alone) == before
    play_alone(play, pgbouncer_settings=longer, pgbouncer_restart=True)
    assert main_process(alone) != before
    assert {row["key"]: row["value"] for row in console(alone, "SHOW CONFIG")}["listen_backlog"] == "256"
    assert connect(alone, "127.0.0.1", WHARF).rc == 0


def test_what_it_would_not_take_is_refused(alone, play):
    before = main_process(alone)
    output = play_alone(play, fails=True, pgbouncer_settings={"query_wait_timeout": "soon"})
    assert "doesn't take query_wait_timeout" in output
    assert main_process(alone) == before
    play_alone(play)
    assert connect(alone, "127.0.0.1", WHARF).rc == 0


def play_alone(play, fails=False, **variables):
    words = json.dumps({"only_pooler": True, "pgbouncer_install": False, **variables})
    done = play("alone.yml", "-e", words, check=False)
    output = " ".join((done.stdout + done.stderr).split())
    assert (done.returncode != 0) == fails, output[-3000:]
    return output


# --- the way of a password through it


if SOAK:  # two releases take minutes

    def test_a_new_password_goes_through_it(app, play):
        told = {"app_database_password": "another-password-7d1f3c"}
        play("slipway.stack.database_password", "-e", json.dumps(told))
        assert connect(app, "db1", SHOP, password=told["app_database_password"]).rc == 0
        assert connect(app, "db1", SHOP).rc != 0
