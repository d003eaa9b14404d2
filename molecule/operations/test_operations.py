"""What people do day by day: each is one command, and visitors notice none of them."""

from __future__ import annotations

import json
import re

import pytest

# As the shared group_vars have it, less what clocks and first answers may be apart.
DRAIN_SECONDS = 15 - 1
PASSWORD = "9f3c%1e7a/5b2d@4c6e:8f0a#1b3d"
NEW_PASSWORD = "0c1d2e3f4a5b6c7d8e9f%/@:0a1b2c3d"
SECRETS = (PASSWORD, "9f3c%251e7a%2F5b2d%404c6e%3A8f0a%231b3d", "1d2c3b4a5f6e7d8c9b0a1f2e", "5e884898da28047151d0e5")
FROM_THE_HOST_ITSELF = r"""
import socket, ssl
context = ssl._create_unverified_context()
with context.wrap_socket(socket.create_connection(("127.0.0.1", 443)), server_hostname="shop.example") as connection:
    connection.sendall(b"GET /version HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n")
    print(connection.makefile().read())
"""


def started_at(machine, unit):
    return machine("one").check_output("systemctl show --property=ExecMainStartTimestampMonotonic --value %s", unit)


def live_slot(machine):
    return json.loads(machine("one").file("/etc/slipway/shop/live.json").content_string)["slot"]


def test_a_command_runs_in_the_live_release_and_its_exit_status_decides(run):
    told = run("run", "-e", "app_run='echo release $APP_RELEASE in $PWD; printenv'")
    assert re.search(r"release \w{12} in /srv/shop/releases/\w{12}/source", told.text)
    assert re.search(r"DATABASE_URL=postgresql\+asyncpg://shop:\*+@", told.text)
    assert [secret for secret in SECRETS if secret in told.text] == []
    fails = {"app_run": """python -c 'import app.settings, sys; sys.exit("no luck")'"""}
    failed = run("run", "-e", json.dumps(fails), check=False)
    assert failed.status != 0
    assert "failed with exit status 1: no luck" in failed.text
    assert "Say what to run" in run("run", check=False).text
    # Ansible cuts it at the space, and would run the shell's `true`.
    cut = run("run", "-e", "app_run=true && false", check=False)
    assert cut.status != 0
    assert "Say what to run" in cut.text


def test_logs_of_a_process_are_one_line_each(run, ask):
    given = ask("/version").headers["x-request-id"]
    told = run("logs", "-e", "process=web", "-e", "since='5 min ago'", "-e", "lines=5000").text
    assert re.search(rf"\dZ one shop-web@(blue|green) [^Z]*{given}", told), told[-3000:]
    assert "shop-worker@" not in told
    refused = run("logs", "-e", "process=wbe", check=False)
    assert "shop has no process wbe: set process to some of web, worker, beat." in refused.text


def test_sql_prints_rows_and_shows_no_password(run):
    told = run("sql", "-e", "sql='select current_user as who, 40 + 2 as answer'")
    assert re.search(r"shop \| 42", told.text)
    failed = run("sql", "-e", "sql='select nothing_here'", check=False)
    assert failed.status != 0
    assert 'column "nothing_here" does not exist' in failed.text
    cut = run("sql", "-e", "sql=select 1", check=False)
    assert cut.status != 0
    assert "Say what to ask" in cut.text
    assert [secret for secret in SECRETS if secret in told.text + failed.text] == []


def test_the_depth_of_a_queue_is_seen_and_it_is_purged_only_when_confirmed(run, machine):
    put = "import os, redis; redis.Redis.from_url(os.environ['CELERY_BROKER_URL']).rpush('mail', 1, 2, 3)"
    run("run", "-e", json.dumps({"app_run": f'python -c "{put}"'}))
    assert re.search(r"celery: \d+ waiting.*mail: 3 waiting", run("queues", "-e", "queues=celery,mail").text)
    refused = run("queues", "-e", "queues=mail", "-e", "queues_purge=blog", check=False)
    assert refused.status != 0
    assert "say so by -e queues_purge=shop" in refused.text
    assert "mail: 3 dropped" in run("queues", "-e", "queues=mail", "-e", "queues_purge=shop").text
    assert "mail: 0 waiting" in run("queues", "-e", "queues=mail").text


def test_maintenance_shuts_out_visitors_until_it_is_off(run, ask, machine, reboot, wait_until):
    def is_shut_out():
        return ask("/version").status == 503

    try:
        assert "get the maintenance page" in run("maintenance", "-e", "maintenance=on").text
        for options in ((), ("-X", "POST", "-d", "{}"), ("-X", "DELETE")):
            shut = ask("/version", *options)
            assert shut.status == 503
            assert shut.headers["retry-after"] == "300"
            assert shut.headers["cache-control"] == "no-store"
            assert "This site is being worked on" in shut.body
        # Nobody finds the page by its address, and the fleet itself is let in.
        assert ask("/.slipway/maintenance.html").status == 404
        answer = machine("one").check_output("python3 -c %s", FROM_THE_HOST_ITSELF)
        assert answer.startswith("HTTP/1.1 200 OK")
        assert "Maintenance is on: visitors of one get a page" in run("verify").text
        reboot("one")
        wait_until(is_shut_out, seconds=60)
    finally:
        run("maintenance", "-e", "maintenance=off")
    wait_until(lambda: ask("/version").status == 200, seconds=60)
    assert "Maintenance is on" not in run("verify").text


@pytest.mark.for_long
def test_a_restart_costs_nobody_anything(run, visitors, machine, serving):
    before = live_slot(machine)
    beat = started_at(machine, f"shop-beat@{before}")
    with visitors() as seen:
        told = run("restart")
    seen.assert_nothing_failed()
    after = live_slot(machine)
    assert {before, after} == {"blue", "green"}
    assert told.versions == ("v1.0.0", "v1.0.0")
    assert started_at(machine, f"shop-beat@{after}") not in ("", "0", beat)
    assert serving() == {"v1.0.0"}
    assert "restarted" in run("history").text
    # The inventory's release is live already.
    assert "changed=0" in run("site").text
    assert live_slot(machine) == after


def test_workers_restart_where_they_are_and_lose_no_job(run, visitors, machine):
    slot = live_slot(machine)
    worker, web = (started_at(machine, f"shop-{name}@{slot}") for name in ("worker", "web"))
    with visitors() as seen:
        run("restart", "-e", "process=worker")
    seen.assert_nothing_failed()
    assert started_at(machine, f"shop-worker@{slot}") != worker
    assert started_at(machine, f"shop-web@{slot}") == web
    assert "set process to one of web, worker, beat." in run("restart", "-e", "process=wbe", check=False).text


@pytest.mark.for_long
def test_the_password_of_the_database_changes_and_no_request_fails(run, begin, visitors, machine, serving, ask):
    new = ("-e", json.dumps({"app_database_password": NEW_PASSWORD}))
    with visitors() as seen:
        # The live release comes in by the second login, with a password that nobody remembers.
        half = begin("database_password", "-e", json.dumps({"app_database_password": NEW_PASSWORD[::-1]}))
        half.reach("slipway.stack.app : Make sure that nothing of an older release runs")
        half.kill()
        assert ask("/env/DB_USER").json()["value"] == "shop_second"
        told = run("database_password", *new)
    # Two old slots were left for good meanwhile.
    seen.assert_nothing_failed(drained=DRAIN_SECONDS)
    assert "logs in with its new password" in told.text
    assert serving() == {"v1.0.0"}
    assert ask("/env/DB_USER").json()["value"] == "shop"
    tried = "PGPASSWORD=%s psql -h 127.0.0.1 -U %s -d shop -Atc 'select 1'"
    one = machine("one")
    assert one.check_output(tried, NEW_PASSWORD, "shop") == "1"
    assert "password authentication failed" in one.run(tried, PASSWORD, "shop").stderr
    roles = one.check_output("sudo -u postgres psql -Atc %s", "select rolname from pg_roles where rolname like 'shop%'")
    assert sorted(roles.split()) == ["shop", "shop_migrate"]
    # What was made over the second login belongs to the first.
    owners = "select distinct tableowner from pg_tables where schemaname = 'public'"
    assert one.check_output("sudo -u postgres psql -d shop -Atc %s", owners) == "shop"
    assert NEW_PASSWORD not in told.text
    # A run of the site doesn't bring anything back.
    run("site", *new)
    assert serving() == {"v1.0.0"}
