"""What PostgreSQL does, seen by psql on the host and in another container."""

from __future__ import annotations

import re

import pytest

SHOP = {"user": "shop", "password": "s%op p@ss'w\"ord", "dbname": "shop"}
BLOG = {"user": "blog", "password": "blog-password", "dbname": "blog"}
MB = 1024 * 1024


def as_superuser(host, query, database="postgres"):
    return host.check_output("runuser -u postgres -- psql -XAtd %s -c %s", database, query)


def connect(host, server, account, query="SELECT 1", sslmode="require", **changes):
    account = {**account, **changes}
    return host.run(
        "PGPASSWORD=%s psql -XAt -d %s -c %s",
        account["password"],
        f"host={server} user={account['user']} dbname={account['dbname']} sslmode={sslmode} connect_timeout=5",
        query,
    )


def test_the_distributions_version_runs_at_boot(host, version):
    assert as_superuser(host, "SHOW server_version_num").startswith(version)
    assert host.service("postgresql").is_enabled
    assert host.service(f"postgresql@{version}-main").is_running
    assert as_superuser(host, "SHOW data_checksums") == "on"


def test_an_application_connects_from_another_host_by_tls(client):
    answer = connect(client, "one", SHOP, "SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    assert answer.rc == 0, answer.stderr
    assert answer.stdout.strip() == "t|TLSv1.3"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"sslmode": "disable"}, "no pg_hba.conf entry"),
        ({"password": "wrong"}, "password authentication failed"),
        ({"dbname": "blog"}, "no pg_hba.conf entry"),
        ({"dbname": "postgres"}, "no pg_hba.conf entry"),
        ({"user": "postgres", "dbname": "postgres"}, "no pg_hba.conf entry"),
        ({"user": "blog", "dbname": "blog", "password": "blog-password"}, "no pg_hba.conf entry"),
    ],
)
def test_nobody_else_gets_in_from_there(client, change, reason):
    answer = connect(client, "one", SHOP, **change)
    assert answer.rc != 0
    assert reason in answer.stderr


def test_an_application_on_the_same_host_connects_by_password(host):
    assert connect(host, "127.0.0.1", BLOG).rc == 0
    assert connect(host, "localhost", BLOG, sslmode="disable").rc == 0
    assert connect(host, "/run/postgresql", BLOG, sslmode="prefer").rc == 0
    assert connect(host, "/run/postgresql", BLOG, sslmode="prefer", password="wrong").rc != 0


def test_only_scram_and_the_superusers_own_login_are_known(host):
    rules = as_superuser(host, "SELECT DISTINCT auth_method, user_name FROM pg_hba_file_rules ORDER BY 1").splitlines()
    assert "peer|{postgres}" in rules
    assert {rule.split("|")[0] for rule in rules if rule != "peer|{postgres}"} == {"scram-sha-256"}
    assert as_superuser(host, "SELECT count(*) FROM pg_hba_file_rules WHERE error IS NOT NULL") == "0"
    kinds = as_superuser(host, "SELECT DISTINCT left(rolpassword, 14) FROM pg_authid WHERE rolpassword IS NOT NULL")
    assert kinds == "SCRAM-SHA-256$"


def test_only_the_servers_port_is_open(open_ports):
    assert open_ports("one", "1-7000") - {22} == {5432}


def test_connections_are_the_sum_over_the_callers(host):
    assert as_superuser(host, "SHOW max_connections") == str(50 + 60 + 40)


def test_memory_follows_the_limit_of_the_unit(host):
    """2 GB and 150 connections by PGTune's rules for web applications."""
    query = "SELECT setting::bigint * CASE unit WHEN '8kB' THEN 8 ELSE 1 END FROM pg_settings WHERE name = '{}'"
    found = {
        setting: int(as_superuser(host, query.format(setting))) // 1024
        for setting in ("shared_buffers", "effective_cache_size", "maintenance_work_mem", "work_mem")
    }
    assert found == {"shared_buffers": 512, "effective_cache_size": 1536, "maintenance_work_mem": 128, "work_mem": 4}


def test_the_unit_is_limited(host, version):
    unit = f"postgresql@{version}-main.service"
    assert host.check_output("systemctl show -p MemoryMax --value %s", unit) == str(2048 * MB)
    assert float(host.check_output("systemctl show -p CPUQuotaPerSecUSec --value %s", unit).removesuffix("s")) == 1.5
    group = host.check_output("systemctl show -p ControlGroup --value %s", unit)
    files = f"/sys/fs/cgroup/memory{group}/memory.limit_in_bytes", f"/sys/fs/cgroup{group}/memory.max"
    assert host.check_output("cat %s %s 2>/dev/null || true", *files) == str(2048 * MB)


def test_the_users_settings_and_roles_hold(host, client):
    assert connect(client, "one", SHOP, "SHOW statement_timeout").stdout.strip() == "30s"
    report = {"user": "shop_report", "password": "report-password"}
    assert connect(client, "one", SHOP, "SELECT pg_has_role('pg_monitor', 'MEMBER')", **report).stdout.strip() == "t"


def test_the_owner_may_do_what_a_migration_does(client):
    statements = "CREATE TABLE IF NOT EXISTS items (id int); INSERT INTO items VALUES (1); DROP TABLE items"
    answer = connect(client, "one", SHOP, statements)
    assert answer.rc == 0, answer.stderr


def test_databases_hold_any_text(host):
    query = "SELECT pg_encoding_to_char(encoding), datcollate FROM pg_database WHERE datname IN ('shop', 'blog')"
    assert set(as_superuser(host, query).splitlines()) == {"UTF8|C.UTF-8"}


def test_extensions_are_there(host, version, client):
    assert as_superuser(host, "SELECT 'pear' % 'pears'", "shop") == "t"
    vectors = connect(client, "one", SHOP, "SELECT '[1,2]'::vector <-> '[1,4]'::vector")
    assert (vectors.stdout.strip() == "2") if version == "17" else (vectors.rc != 0)


def test_statements_are_counted(host, client):
    for _attempt in range(3):
        assert connect(client, "one", SHOP, "SELECT 41 + 1 AS answer").rc == 0
    query = "SELECT sum(calls) >= 3 FROM pg_stat_statements WHERE query LIKE 'SELECT $1 + $2 AS answer%'"
    assert as_superuser(host, query) == "t"


def test_only_slow_statements_are_logged(host, version, client):
    log = f"/var/log/postgresql/postgresql-{version}-main.log"
    assert connect(client, "one", SHOP, "SELECT pg_sleep(0.01), 'a quick one'").rc == 0
    assert connect(client, "one", SHOP, "SELECT pg_sleep(0.35), 'a slow one'").rc == 0
    text = host.file(log).content_string
    assert re.search(r"duration: \d{3}\.\d+ ms .*a slow one", text)
    assert "a quick one" not in text


def test_passwords_are_neither_logged_nor_counted(host):
    assert host.run("grep -rlF -e 'p@ss' -e blog-password /var/log /etc/slipway /etc/postgresql").stdout == ""
    query = "SELECT count(*) FROM pg_stat_statements WHERE query ILIKE '%password%' AND query ILIKE '%role%'"
    assert as_superuser(host, query) == "0"


def test_it_all_comes_back_after_a_reboot(client, reboot, wait_until):
    reboot("one")

    def the_shop_connects():
        return connect(client, "one", SHOP).rc == 0

    wait_until(the_shop_connects, seconds=30)
