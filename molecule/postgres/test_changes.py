"""What a further run does to servers that are in use: seen by psql, on both hosts at once."""

from __future__ import annotations

import json
import re

import pytest

VERSIONS = {"twelve": "15", "thirteen": "17"}
SHOP_PASSWORD = "s%op p@ss'w\"ord"


@pytest.fixture(scope="module")
def servers(machine):
    return {name: machine(name) for name in VERSIONS}


@pytest.fixture(scope="module")
def run(play):
    """run(PLAYBOOK, fails=False, VARIABLE=VALUE...): what the run printed, in one line."""

    def play_with(playbook, *options, fails=False, **variables):
        # The packages are there; asking apt again only takes time.
        variables = {"postgres_install": False, **variables}
        done = play(playbook, *options, "-e", json.dumps(variables), check=False)
        output = done.stdout + done.stderr
        assert (done.returncode != 0) == fails, output[-4000:]
        return " ".join(output.split())

    return play_with


def ask(host, query):
    return host.check_output("runuser -u postgres -- psql -XAtc %s", query)


def on_all(servers, query):
    return {ask(host, query) for host in servers.values()}


def start_times(servers):
    return [ask(host, "SELECT pg_postmaster_start_time()") for host in servers.values()]


def lets_in(observer, name, password=SHOP_PASSWORD, sslmode="require"):
    return observer.run(
        "PGPASSWORD=%s psql -XAt -d %s -c 'SELECT 1'",
        password,
        f"host={name} user=shop dbname=shop connect_timeout=5 sslmode={sslmode}",
    )


def configuration(servers):
    files = "/etc/postgresql/*/main/conf.d/10-slipway.conf /etc/postgresql/*/main/slipway_hba.conf /etc/slipway/postgres.d/*"
    return [host.check_output(f"sha256sum {files}") for host in servers.values()]


def unchanged_hosts(output):
    return len(re.findall(r" changed=0 ", output))


def test_a_callers_run_leaves_the_others_as_they_are(servers, run):
    before = configuration(servers)
    for playbook in ("shop.yml", "blog.yml"):
        assert unchanged_hosts(run(playbook)) == len(servers)
    assert configuration(servers) == before


def test_a_running_server_is_restarted_only_when_asked(servers, run):
    before = start_times(servers)
    for _attempt in range(2):
        output = run("blog.yml", blog_connections=45, blog_may_restart=False)
        assert output.count("needs a restart for max_connections (150 -> 155)") == len(servers)
    assert unchanged_hosts(output) == len(servers)
    assert start_times(servers) == before
    assert on_all(servers, "SHOW max_connections") == {"150"}
    run("blog.yml", blog_connections=45)
    assert not set(start_times(servers)) & set(before)
    assert on_all(servers, "SHOW max_connections") == {"155"}
    run("blog.yml")
    assert on_all(servers, "SHOW max_connections") == {"150"}


def test_what_needs_no_restart_gets_none(servers, client, run):
    before = start_times(servers)
    run("shop.yml", postgres_slow_statement_ms=250, shop_new_password="another one")
    assert on_all(servers, "SHOW log_min_duration_statement") == {"250ms"}
    for name in servers:
        assert lets_in(client, name, "another one").rc == 0
        assert lets_in(client, name).rc != 0
    run("shop.yml")
    assert all(lets_in(client, name).rc == 0 for name in servers)
    assert start_times(servers) == before


def test_a_certificate_of_ones_own_proves_who_answers(servers, client, run):
    before = start_times(servers)
    client.check_output(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=database"
        " -addext subjectAltName=DNS:twelve,DNS:thirteen -keyout /tmp/server.key -out /tmp/server.crt"
    )
    pem = {key: client.file(f"/tmp/server.{key}").content_string for key in ("crt", "key")}
    output = run("shop.yml", "--diff", postgres_certificate=pem["crt"], postgres_certificate_key=pem["key"])
    assert "PRIVATE KEY" not in output
    trusting = "verify-full sslrootcert=/tmp/server.crt"
    for name, host in servers.items():
        assert lets_in(client, name, sslmode=trusting).rc == 0
        assert host.file(f"/etc/postgresql/{VERSIONS[name]}/main/slipway.key").mode == 0o640
    run("shop.yml")
    assert all("certificate verify failed" in lets_in(client, name, sslmode=trusting).stderr for name in servers)
    assert start_times(servers) == before


def test_a_refused_setting_leaves_everything_as_it_was(servers, run):
    before = configuration(servers)
    output = run("blog.yml", fails=True, postgres_settings={"work_mem": "lots"})
    assert 'invalid value for parameter "work_mem"' in output
    assert configuration(servers) == before
    assert on_all(servers, "SELECT 1") == {"1"}


def test_callers_that_contradict_each_other_are_refused_by_name(servers, run):
    before = configuration(servers)
    output = run("shop.yml", fails=True, postgres_settings={"autovacuum_naptime": "5s"})
    assert "postgres_settings.autovacuum_naptime isn't the same for all that share this server" in output
    assert configuration(servers) == before


def test_what_was_broken_by_hand_is_mended(servers, client, run):
    before = configuration(servers)
    for name, host in servers.items():
        directory = f"/etc/postgresql/{VERSIONS[name]}/main"
        host.check_output(
            f"echo 'max_connections = 7' >{directory}/conf.d/10-slipway.conf && : >{directory}/slipway_hba.conf"
        )
        host.check_output(f"systemctl stop postgresql@{VERSIONS[name]}-main")
        assert lets_in(client, name).rc != 0
    run("shop.yml")
    assert configuration(servers) == before
    assert all(lets_in(client, name).rc == 0 for name in servers)
