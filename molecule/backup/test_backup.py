"""Backups are made, kept, copied and proven, and whatever goes wrong with them is loud."""

from __future__ import annotations

import json
import os
import re
import time

import pytest

SETTINGS = "/etc/slipway/shop/backup/backup.json"
SOAK = bool(os.environ.get("SOAK"))
ROWS = 1_000_000 if SOAK else 60_000
DAYS = 30
PASSPHRASE = "7c1e5f0a9b3d4826e1f7a0c4d9b85263"
ALARMS = "/var/lib/slipway/shop/backup/alarms"
METRICS = "/var/lib/prometheus/node-exporter/slipway_backup_shop.prom"
UNIT = "slipway-backup@shop.service"
# What restic calls it, wherever it comes upon it.
CORRUPT = "ciphertext verification failed|does not match|hash mismatch|repository contains errors"
FILL = """
    INSERT INTO items (id, name, quantity) SELECT gen_random_uuid(), md5(g::text) || md5((g * 7)::text), g FROM generate_series({}, {}) g
"""
RESTIC = f"restic -q --no-cache --password-file {SETTINGS.replace('backup.json', 'passphrase')}"
WATCH = """
for try in $(seq 400); do cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '; sleep 0.02; done >/tmp/processes
"""


@pytest.fixture(scope="module", autouse=True)
def data(host, sql):
    sql(FILL.format(1, ROWS))
    host.check_output(
        "head -c 2000000 /dev/urandom >/srv/shop/shared/uploads/picture; chown shop: /srv/shop/shared/uploads/picture"
    )


def test_the_timers_wait_for_their_time(host):
    for name in ("backup", "prune", "restore-test"):
        timer = host.service(f"slipway-{name}@shop.timer")
        assert timer.is_running
        assert timer.is_enabled
        settings = host.check_output("systemctl show slipway-%s@shop.timer slipway-%s@shop.service", name, name)
        assert "Persistent=yes" in settings
        assert "RandomizedDelayUSec=15min" in settings
        assert "Nice=15" in settings
        assert "IOSchedulingClass=3" in settings


def test_secrets_are_readable_by_root_alone(host):
    assert host.file("/etc/slipway/shop/backup").mode == 0o700
    for path in host.check_output("grep -rl %s /etc /usr/local /var/lib/slipway || true", PASSPHRASE).split():
        assert host.file(path).mode == 0o600


def test_a_backup_while_visitors_write_fails_none_of_them_and_is_of_one_moment(host, sql, play, load, runs):
    sql("SET ROLE shop_owner; CREATE TABLE pairs (a int); CREATE TABLE mirror (a int)")
    write = "INSERT INTO pairs VALUES (1); INSERT INTO mirror VALUES (1)"
    loop = f"while :; do runuser -u postgres -- psql -qX -1 shop -c '{write}'; done"
    host.check_output("systemd-run -q --unit=writer --working-directory=/ sh -c %s", loop)
    host.check_output("systemd-run -q --unit=watcher sh -c %s", WATCH)
    with load("https://shop.example", at=["one"]) as visitors:
        done = play("slipway.stack.backup").stdout
    host.check_output("systemctl stop writer")
    visitors.assert_nothing_failed()
    assert int(sql("SELECT count(*) FROM pairs")) > 10
    assert runs()[-1] in done
    assert runs("--from", "offsite") == runs("--from", "bucket") == runs()
    seen = host.file("/tmp/processes").content_string
    assert "restic" in seen
    assert PASSPHRASE not in seen
    assert "0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT0uV1wX2yZ3" not in seen
    assert "9f3c%1e7a" not in seen


def test_what_writers_wrote_together_comes_back_together(sql, backup, runs):
    """Loaded as the owner, though the application's own user can't create a table."""
    sql("CREATE DATABASE shop_restore OWNER shop_owner TEMPLATE template0", "postgres")
    try:
        assert backup("load", "--run", runs()[-1], "--database", "shop_restore")["run"] == runs()[-1]
        pairs, mirror = sql("SELECT (SELECT count(*) FROM pairs), (SELECT count(*) FROM mirror)", "shop_restore").split(
            "|"
        )
        assert int(pairs) == int(mirror) > 0
        assert (
            sql("SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'items'", "shop_restore")
            == "shop_owner"
        )
        assert sql("SELECT has_table_privilege('shop', 'items', 'INSERT')", "shop_restore") == "t"
    finally:
        sql("DROP DATABASE shop_restore", "postgres")


def test_jobs_work_in_their_sandboxes(host, runs, job):
    """As timers start them."""
    for name, kind in (("prune", "prune"), ("restore-test", "test")):
        host.check_output("systemctl start slipway-%s@shop.service", name)
        assert job(kind)["state"] == "ok"
        assert time.time() - job(kind)["ended"] < 300
    assert job("test")["success"]["run"] == runs()[-1]


def test_redis_and_the_configuration_are_in_it(host, runs):
    listed = host.check_output(f"{RESTIC} -r /var/backups/slipway/shop ls --tag run:{runs()[-1]},part:files latest")
    for path in (
        "redis-queue.rdb",
        "/etc/slipway/shop/releases",
        "/etc/nginx/sites-available/shop.conf",
        "uploads/picture",
    ):
        assert path in listed


def test_what_was_proven_is_in_the_metrics(host):
    metrics = host.file(METRICS).content_string
    values = dict(line.split(" ") for line in metrics.splitlines() if not line.startswith("#"))
    assert values['slipway_backup_failed{application="shop",job_name="backup"}'] == "0"
    assert float(values['slipway_backup_rto_seconds{application="shop"}']) > 0
    age = time.time() - float(values['slipway_backup_proven_timestamp_seconds{application="shop"}'])
    assert 0 < age < 600


@pytest.mark.for_long
def test_a_backup_is_proven_at_once_where_asked(play, runs, job):
    assert "Restored to prove it" in play("slipway.stack.backup", "-e", "backup_prove=true").stdout
    assert job("test")["success"]["run"] == runs()[-1]


@pytest.mark.for_long
def test_the_report_shows_all_repositories(play):
    output = play("slipway.stack.backup_report", "--check").stdout
    for line in ("repository local", "repository offsite", "repository bucket", "RPO as it is", "RTO as measured"):
        assert line in output


def test_a_copy_that_is_away_is_loud_and_made_up_for(host, vault, runs, job):
    before = len(runs())
    vault.check_output("systemctl stop ssh.socket ssh.service 2>/dev/null || systemctl stop ssh.service")
    for nights in range(1, 3 if SOAK else 2):
        assert host.run("systemctl start %s", UNIT).rc != 0
        assert len(runs()) == before + nights
        assert len(runs("--from", "bucket")) == before + nights
    assert host.check_output("systemctl show -p Result --value %s", UNIT) == "exit-code"
    vault.check_output("systemctl start ssh.service")
    assert job("backup")["state"] == "failed"
    assert "backup repository offsite" in host.file(ALARMS).content_string
    host.check_output("systemctl start %s", UNIT)
    assert job("backup")["state"] == "ok"
    assert runs("--from", "offsite") == runs()


def test_a_run_that_is_killed_is_loud_and_leaves_nothing(host, runs, job, wait_until, in_the_middle):
    before = runs()
    in_the_middle()
    host.check_output("systemctl kill -s KILL %s; systemctl stop holder.service", UNIT)
    wait_until(lambda: host.check_output("systemctl show -p ActiveState --value %s", UNIT) == "failed", seconds=20)
    assert "ended from outside" in job("backup")["error"]
    assert runs() == before
    host.check_output("systemctl start %s", UNIT)
    assert len(runs()) == len(before) + 1
    assert host.check_output("ls /var/backups/slipway/shop/locks") == ""


@pytest.mark.for_long
def test_a_reboot_in_the_middle_leaves_nothing(host, runs, reboot, job, in_the_middle):
    before = runs()
    in_the_middle()
    reboot("one")
    assert runs() == before
    assert job("backup")["state"] == "failed"
    host.check_output("systemctl start %s", UNIT)
    assert len(runs()) == len(before) + 1


@pytest.mark.for_long
def test_a_host_that_loses_its_power_says_so_when_it_is_back(host, runs, switched_off, job, in_the_middle, wait_until):
    before = runs()
    in_the_middle()
    with switched_off("one"):
        pass
    wait_until(lambda: host.run("systemctl is-failed slipway-backup-after-boot@shop").rc == 0, seconds=60)
    assert "it broke off" in job("backup")["error"]
    assert host.file(ALARMS).content_string.splitlines()[-1].startswith("backup it broke off")
    assert 'slipway_backup_failed{application="shop",job_name="backup"} 1' in host.file(METRICS).content_string
    assert runs() == before
    host.check_output("systemctl start %s", UNIT)
    assert len(runs()) == len(before) + 1
    host.check_output("systemctl reset-failed slipway-backup-after-boot@shop")


@pytest.mark.for_long
def test_a_full_disk_is_loud(host, other):
    host.check_output("rm -rf /mnt/small/repository && mount -o remount,size=24m /mnt/small")
    place = [{"name": "small", "url": "/mnt/small/repository"}]
    assert other({"repositories": place, "paths": []}, "init").rc == 0
    grown = {"repositories": place, "paths": ["/usr/lib/postgresql", "/usr/bin"]}
    done = other(grown, "backup", "--once")
    assert done.rc != 0
    assert "no space left" in done.stderr
    listed = other(grown, "list")
    assert listed.rc == 0, listed.stderr
    assert json.loads(listed.stdout)["runs"] == []
    host.check_output("mount -o remount,size=600m /mnt/small")
    done = other(grown, "backup", "--once")
    assert done.rc == 0, done.stderr
    assert [run["run"] for run in json.loads(other(grown, "list").stdout)["runs"]] == [json.loads(done.stdout)["run"]]
    host.check_output("rm -r /mnt/small/repository")


def test_a_wrong_passphrase_is_refused_and_nothing_is_made_anew(host, other, runs):
    before = runs()
    host.check_output("echo something else entirely >/root/wrong")
    for command in ("init", "backup"):
        done = other({"passphrase_file": "/root/wrong"}, command)
        assert done.rc != 0
        assert "wrong password" in done.stderr
    assert "wrong password" in host.file(ALARMS).content_string
    assert runs() == before


@pytest.mark.for_long
@pytest.mark.parametrize("name", ["offsite", "bucket"])
def test_a_wrong_key_to_a_repository_is_loud_and_nothing_is_made_anew(name, host, other, runs):
    before = runs("--from", name)
    places = json.loads(host.file(SETTINGS).content_string)["repositories"]
    place = next(place for place in places if place["name"] == name)
    if name == "bucket":
        place["environment"]["AWS_SECRET_ACCESS_KEY"] = "some" * 10
    key = "/etc/slipway/shop/backup/offsite.key"
    host.check_output("cp -p %s /root/right.key && rm %s && ssh-keygen -q -t ed25519 -N '' -f %s", key, key, key)
    try:
        for command in ("init", "backup"):
            began = time.monotonic()
            done = other({"repositories": [place]}, command)
            assert done.rc != 0
            assert f"repository {name}" in done.stderr
            assert time.monotonic() - began < 120
    finally:
        # ssh would offer the public key beside it.
        host.check_output("mv /root/right.key %s && rm %s.pub", key, key)
    assert f"repository {name}" in host.file(ALARMS).content_string
    assert runs("--from", name) == before


@pytest.mark.for_long
def test_the_policy_keeps_days_and_the_repository_stays_small(host, sql, other):
    host.check_output("apt-get install -qq -y --no-install-recommends faketime")
    place = {"repositories": [{"name": "days", "url": "/var/backups/slipway/days"}], "paths": []}
    place |= {"keep": {"daily": DAYS - 1, "weekly": 0, "monthly": 0, "within": ""}}
    assert other(place, "init").rc == 0
    gzipped = 0
    program = "PYTHONPATH=/usr/local/lib/slipway/shop faketime %s python3 -m slipway_backup /root/other.json"
    for day in range(DAYS):
        sql(FILL.format(ROWS + day * ROWS // 100, ROWS + (day + 1) * ROWS // 100))
        sql(
            f"UPDATE items SET quantity = quantity + 1 WHERE quantity BETWEEN {day * ROWS // 1000} AND {(day + 1) * ROWS // 1000}"
        )
        for hour in ("03", "15"):
            moment = f"2026-10-{day + 1:02} {hour}:00:00"
            if hour == "03" or day == 0:
                host.check_output(program + " backup --once", moment)
        gzipped += int(host.check_output("cd / && runuser -u postgres -- pg_dump shop | gzip | wc -c"))
    host.check_output(program + " prune", f"2026-10-{DAYS:02} 20:00:00")
    kept = [run["run"][:8] for run in json.loads(other(place, "list").stdout)["runs"]]
    assert kept == [f"202610{day + 1:02}" for day in range(1, DAYS)]
    size = int(host.check_output("du -sb /var/backups/slipway/days").split()[0])
    print(f"{DAYS} days: {size >> 10} KB in the repository, {gzipped >> 10} KB as gzipped dumps")
    assert size < gzipped / 3
    added = []
    for day, changed in enumerate((f"quantity <= {ROWS // 1000}", "quantity % 1000 = 7"), start=1):
        sql(f"UPDATE items SET name = name || '.' WHERE {changed}")
        added.append(
            json.loads(host.check_output(program + " backup --once", f"2026-11-{day:02} 03:00:00"))["added_bytes"]
        )
    print(
        f"0.1 % of the rows changed: {added[0] >> 10} KB if they lie together, {added[1] >> 10} KB if they are scattered"
    )
    assert 0 < added[0] < added[1]


def test_a_flipped_byte_fails_the_restore_test(host, other):
    host.check_output(
        "rm -rf /var/backups/slipway/flipped; cp -a /var/backups/slipway/shop /var/backups/slipway/flipped"
    )
    place = {"repositories": [{"name": "flipped", "url": "/var/backups/slipway/flipped"}]}
    pack = host.check_output("ls -S /var/backups/slipway/flipped/data/*/* | head -1")
    host.check_output("printf '\\377\\0' | dd of=%s bs=1 seek=5000 conv=notrunc status=none", pack)
    done = other(place, "test")
    assert done.rc != 0
    assert re.search(CORRUPT, done.stderr), done.stderr
    assert "test repository flipped" in host.file(ALARMS).content_string


@pytest.mark.for_long
def test_a_truncated_dump_fails_the_restore_test(host, other, runs):
    newest = runs()[-1]
    place = [{"name": "cut", "url": "/var/backups/slipway/cut"}]
    restic = f"{RESTIC} -r /var/backups/slipway/cut"
    source = restic.replace("/cut", "/shop")
    tags = "app:shop,run:cut,kind:manual"
    host.check_output(f"rm -rf /var/backups/slipway/cut && {restic} init")
    for part, filename, cut in (("database", "database.dump", "| head -c 100000"), ("manifest", "manifest.json", "")):
        more = ",parts:database" if part == "manifest" else ""
        host.check_output(
            f"{source} dump --tag run:{newest},part:{part} latest /{filename} {cut} | "
            f"{restic} backup --stdin --stdin-filename {filename} --tag {tags},part:{part}{more}"
        )
    done = other({"repositories": place, "test_files": False}, "test")
    assert done.rc != 0
    assert "the dump has 100000 bytes instead of" in done.stderr


def test_a_restore_test_leaves_nothing_behind(host):
    assert host.run("pgrep -fa 'slipway/.*/[t]est-'").rc != 0
    assert (
        host.check_output("ls /var/lib/slipway/shop/backup /var/lib/slipway/other | grep -c -e test- -e dump- || true")
        == "0"
    )


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("", "is empty"),
        pytest.param("changeme", "is a placeholder", marks=pytest.mark.for_long),
        pytest.param(
            "{{ lookup('ansible.builtin.file', '/nowhere') }}", "can't be worked out", marks=pytest.mark.for_long
        ),
    ],
)
def test_a_passphrase_that_is_missing_or_unreadable_is_refused_before_anything_is_changed(play, said, value, problem):
    done = play("slipway.stack.preflight", "-e", json.dumps({"backup_passphrase": value}), check=False)
    assert done.returncode != 0
    assert "backup_passphrase" in said(done)
    assert problem in said(done)
    assert "changed=0" in said(done)
