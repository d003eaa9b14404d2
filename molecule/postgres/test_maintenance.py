"""What maintenance does when its timer's time has come."""

from __future__ import annotations

import json
import re

import pytest

VACUUM, REINDEX = "slipway-maintenance-vacuum@shop", "slipway-maintenance-reindex@shop"


def ask(host, *statements):
    words = " ".join(["-c %s"] * len(statements))
    return host.check_output(f"runuser -u postgres -- psql -XAtqd shop {words}", *statements)


def journal(host, unit):
    return host.check_output("journalctl -o cat -t slipway-maintenance -u %s", f"{unit}.service")


def test_tables_are_vacuumed_and_the_journal_says_how_long_it_took(host):
    ask(host, "DROP TABLE IF EXISTS crates", "CREATE TABLE crates AS SELECT generate_series(1, 1000) AS number")
    host.check_output(f"systemctl start {VACUUM}.service")
    looked_at = (
        "SELECT last_vacuum IS NOT NULL AND last_analyze IS NOT NULL FROM pg_stat_user_tables WHERE relname = 'crates'"
    )
    assert ask(host, looked_at) == "t"
    assert re.search(r"^vacuum in shop is done after [0-9.]+ s[.]$", journal(host, VACUUM), re.MULTILINE)
    assert host.check_output(f"systemctl is-active {VACUUM}.timer") == "active"


def test_indexes_are_made_anew_and_what_is_left_behind_is_told(host):
    ask(
        host,
        "DROP TABLE IF EXISTS barrels",
        "CREATE TABLE barrels AS SELECT generate_series(1, 1000) AS number",
        "CREATE INDEX barrels_number ON barrels (number)",
    )
    before = ask(host, "SELECT relfilenode FROM pg_class WHERE relname = 'barrels_number'")
    host.check_output(f"systemctl start {REINDEX}.service")
    assert ask(host, "SELECT relfilenode FROM pg_class WHERE relname = 'barrels_number'") != before
    # Somebody's transaction outlasts the job's patience.
    host.check_output(
        "runuser -u postgres -- psql -Xqd shop -c 'BEGIN; DELETE FROM barrels WHERE number = 1; SELECT pg_sleep(60)'"
        " >/dev/null 2>&1 & sleep 1"
    )
    assert host.run(f"systemctl start {REINDEX}.service").rc != 0
    ask(
        host,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()",
    )
    said = journal(host, REINDEX)
    assert "reindex_concurrently of public.barrels wasn't done: canceling statement due to lock timeout." in said
    assert "invalid indexes: barrels_number_ccnew." in said
    assert host.check_output(f"systemctl show --property Result --value {REINDEX}.service") == "exit-code"
    ask(host, "DROP TABLE barrels")
    host.check_output(f"systemctl start {REINDEX}.service")


@pytest.mark.for_long
def test_what_is_no_longer_listed_is_gone(host, play):
    told = {"postgres_install": False, "shop_maintenance": []}
    play("shop.yml", "-e", json.dumps(told))
    assert "slipway-maintenance" not in host.check_output("systemctl list-timers")
    assert host.check_output("find /etc/systemd/system /etc/slipway -name '*maintenance-*'") == ""
    play("shop.yml", "-e", json.dumps({"postgres_install": False}))
    assert host.check_output(f"systemctl is-enabled {VACUUM}.timer {REINDEX}.timer").split() == ["enabled"] * 2
