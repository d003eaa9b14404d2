"""What the tests of backups share: the program on the host, and the data of the application."""

from __future__ import annotations

import json

import pytest

PROGRAM = "/usr/local/lib/slipway/shop/backup"
SETTINGS = "/etc/slipway/shop/backup/backup.json"
LEDGER = "/var/lib/slipway/shop/ledger.jsonl"
LOCKS = "SELECT mode FROM pg_locks WHERE locktype = 'relation' AND mode = 'AccessExclusiveLock'"
OTHER_SETTINGS = """
import json, pathlib, sys
settings = json.loads(pathlib.Path(sys.argv[1]).read_text())
settings.update(json.loads(sys.argv[2]))
settings["work"] = "/var/lib/slipway/other"
pathlib.Path(settings["work"]).mkdir(mode=0o711, exist_ok=True)
pathlib.Path("/root/other.json").write_text(json.dumps(settings))
"""


@pytest.fixture(scope="module")
def host(machine):
    return machine("one")


@pytest.fixture(scope="module")
def vault(machine):
    return machine("vault")


@pytest.fixture(scope="module")
def sql(host):
    """sql(STATEMENT, database="shop"): what the server says to its superuser."""
    return lambda statement, database="shop": host.check_output(
        "cd / && runuser -u postgres -- psql -qAtX -v ON_ERROR_STOP=1 -d %s -c %s", database, statement
    )


@pytest.fixture(scope="module")
def backup(host):
    """backup(WORD...): the JSON that the program prints."""
    return lambda *words: json.loads(host.check_output(PROGRAM + " %s" * len(words), *words))


@pytest.fixture(scope="module")
def other(host):
    """other(CHANGES, WORD...): the same program with other settings; the result of the command."""

    def run(changes, *words):
        host.check_output("python3 -c %s %s %s", OTHER_SETTINGS, SETTINGS, json.dumps(changes))
        program = (
            f"PYTHONPATH=/usr/local/lib/slipway/shop python3 -m slipway_backup /root/other.json{' %s' * len(words)}"
        )
        return host.run(program, *words)

    return run


@pytest.fixture(scope="module")
def runs(backup):
    """runs(): the ids of all whole backups in the first repository."""
    return lambda *words: [run["run"] for run in backup("list", *words)["runs"]]


@pytest.fixture(scope="module")
def job(backup):
    """job(NAME): how it ended last."""
    return lambda name: backup("report")["jobs"][name]


@pytest.fixture(scope="module")
def said():
    """said(DONE): what a playbook printed, in one line."""
    return lambda done: " ".join((done.stdout + done.stderr).split())


@pytest.fixture
def in_the_middle(host, wait_until):
    """in_the_middle(): a run of the unit has begun, and its dump waits for a table."""

    def is_locked():
        return "AccessExclusiveLock" in host.check_output("cd / && runuser -u postgres -- psql -qAtX -c %s", LOCKS)

    def begin():
        # It would go on sleeping after its client has gone.
        lock = "SET client_connection_check_interval = '1s'; BEGIN; LOCK TABLE pairs; SELECT pg_sleep(300)"
        host.check_output("systemd-run -q --unit=holder --uid=postgres --working-directory=/ psql -qX shop -c %s", lock)
        wait_until(is_locked)
        host.check_output("systemctl start --no-block slipway-backup@shop.service")
        wait_until(lambda: host.run("pgrep -x pg_dump").rc == 0, interval=0.1)

    yield begin
    host.run("systemctl stop holder.service")


@pytest.fixture(scope="module")
def contents(host):
    """contents(where=HOST): what may not get lost: rows, and files with their owners."""

    def look(where=host):
        query = "SELECT count(*), sum(hashtext(i::text)::bigint) FROM items i"
        rows = where.check_output("cd / && runuser -u postgres -- psql -qAtX shop -c %s", query)
        files = where.check_output(
            "cd /srv/shop/shared/uploads && find . -type f -printf '%p %u %m\\n' -exec sha256sum {} + | sort"
        )
        return rows, files

    return look


@pytest.fixture(scope="module")
def ledger(host):
    """ledger(): what was done, the oldest first."""
    return lambda: [json.loads(line) for line in host.file(LEDGER).content_string.splitlines()]
