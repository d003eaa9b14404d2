"""What a further run does to servers that are in use: seen by psql."""

from __future__ import annotations

import json

import pytest

SHOP_PASSWORD = "s%op p@ss'w\"ord"


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


def start_time(host):
    return ask(host, "SELECT pg_postmaster_start_time()")


def lets_in(observer, password=SHOP_PASSWORD, sslmode="require"):
    return observer.run(
        "PGPASSWORD=%s psql -XAt -d %s -c 'SELECT 1'",
        password,
        f"host=one user=shop dbname=shop connect_timeout=5 sslmode={sslmode}",
    )


def configuration(host):
    files = "/etc/postgresql/*/main/conf.d/10-slipway.conf /etc/postgresql/*/main/slipway_hba.conf /etc/slipway/postgres.d/*"
    return host.check_output(f"sha256sum {files}")


@pytest.mark.for_long
def test_a_callers_run_leaves_the_others_as_they_are(host, run):
    before = configuration(host)
    for playbook in ("shop.yml", "blog.yml"):
        assert " changed=0 " in run(playbook)
    assert configuration(host) == before


def test_a_running_server_is_restarted_only_when_asked(host, run):
    before = start_time(host)
    for _attempt in range(2):
        output = run("blog.yml", blog_connections=45, blog_may_restart=False)
        assert output.count("needs a restart for max_connections (150 -> 155)") == 1
    assert " changed=0 " in output
    assert start_time(host) == before
    assert ask(host, "SHOW max_connections") == "150"
    run("blog.yml", blog_connections=45)
    assert start_time(host) != before
    assert ask(host, "SHOW max_connections") == "155"
    run("blog.yml")
    assert ask(host, "SHOW max_connections") == "150"


def test_what_needs_no_restart_gets_none(host, client, run):
    before = start_time(host)
    run("shop.yml", postgres_slow_statement_ms=250, shop_new_password="another one")
    assert ask(host, "SHOW log_min_duration_statement") == "250ms"
    assert lets_in(client, "another one").rc == 0
    assert lets_in(client).rc != 0
    run("shop.yml")
    assert lets_in(client).rc == 0
    assert start_time(host) == before


@pytest.mark.for_long
def test_a_certificate_of_ones_own_proves_who_answers(host, version, client, run):
    before = start_time(host)
    client.check_output(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=database"
        " -addext subjectAltName=DNS:one -keyout /tmp/server.key -out /tmp/server.crt"
    )
    pem = {key: client.file(f"/tmp/server.{key}").content_string for key in ("crt", "key")}
    output = run("shop.yml", "--diff", postgres_certificate=pem["crt"], postgres_certificate_key=pem["key"])
    assert "PRIVATE KEY" not in output
    trusting = "verify-full sslrootcert=/tmp/server.crt"
    assert lets_in(client, sslmode=trusting).rc == 0
    assert host.file(f"/etc/postgresql/{version}/main/slipway.key").mode == 0o640
    run("shop.yml")
    assert "certificate verify failed" in lets_in(client, sslmode=trusting).stderr
    assert start_time(host) == before


def test_a_refused_setting_leaves_everything_as_it_was(host, run):
    before = configuration(host)
    output = run("blog.yml", fails=True, postgres_settings={"work_mem": "lots"})
    assert 'invalid value for parameter "work_mem"' in output
    assert configuration(host) == before
    assert ask(host, "SELECT 1") == "1"


def test_callers_that_contradict_each_other_are_refused_by_name(host, run):
    before = configuration(host)
    output = run("shop.yml", fails=True, postgres_settings={"autovacuum_naptime": "5s"})
    assert "postgres_settings.autovacuum_naptime isn't the same for all that share this server" in output
    assert configuration(host) == before


def test_what_was_broken_by_hand_is_mended(host, version, client, run):
    before = configuration(host)
    directory = f"/etc/postgresql/{version}/main"
    host.check_output(
        f"echo 'max_connections = 7' >{directory}/conf.d/10-slipway.conf && : >{directory}/slipway_hba.conf"
    )
    host.check_output(f"systemctl stop postgresql@{version}-main")
    assert lets_in(client).rc != 0
    run("shop.yml")
    assert configuration(host) == before
    assert lets_in(client).rc == 0
