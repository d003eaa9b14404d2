"""Each kind of bad input is refused before any host is changed, in a sentence that names the variable and the mend."""

from __future__ import annotations

import datetime
import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

HOST = "bare"
CONNECTION = {
    "ansible_connection": "community.docker.docker",
    "ansible_host": f"slipway-{os.environ['MOLECULE_SCENARIO_NAME']}-{HOST}",
}
GROUPS = ("app", "nginx", "postgres", "redis")
GOOD = yaml.safe_load(Path(__file__, "../../shared/stack/group_vars/all.yml").resolve().read_text())
LISTING = "find /etc /srv /opt /usr/local /var/lib/dpkg -printf '%%p %%T@ %%s\\n' | sort | sha256sum"
WEB = {"name": "web", "module": "app.main:app"}


@pytest.fixture
def refuse(machine, tmp_path):
    """refuse(CHANGES, without=NAMES, groups=NAMES): runs the site, which must stop in preflight; returns its message."""

    def run(changes: dict[str, object], without: tuple[str, ...] = (), groups: tuple[str, ...] = GROUPS) -> str:
        variables = {name: value for name, value in (GOOD | changes).items() if name not in without}
        members = {group: {"hosts": {HOST: CONNECTION}} for group in groups}
        inventory = tmp_path / "hosts.yml"
        inventory.write_text(json.dumps({"all": {"vars": variables, "children": members}}))
        before = machine(HOST).check_output(LISTING)
        result = subprocess.run(
            ["ansible-playbook", "-i", str(inventory), "slipway.stack.site"],
            check=False,
            capture_output=True,
            text=True,
        )
        assert result.returncode != 0, result.stdout
        assert machine(HOST).check_output(LISTING) == before, "the host was changed"
        return re.sub(r"\s+", " ", result.stdout + result.stderr)

    return run


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (
            {"app_processes": [WEB | {"modul": "x"}]},
            ["app_processes[web] has an unknown key 'modul'", "did you mean 'module'"],
        ),
        ({"app_port": "many"}, ["app_port", "int"]),
        ({"app_processes": [WEB | {"server": "waitress"}]}, ["app_processes", "gunicorn, uvicorn", "waitress"]),
        ({"app_secrets": {"SECRET_KEY": "change-me"}}, ["app_secrets.SECRET_KEY is a placeholder", "openssl rand"]),
        ({"app_database_password": "short"}, ["app_database_password has 5 characters", "openssl rand"]),
        (
            {"postgres_max_connections": 100, "app_processes": [WEB | {"workers": 4}]},
            ["postgres_max_connections is 100, but 130 connections", "set postgres_max_connections to at least 130"],
        ),
        ({"app_database_pool": 5000}, ["app_database_pool", "lower them until the sum is at most"]),
        ({"app_version": "v9.9.9"}, ["app_version", "v9.9.9", "shop.git"]),
        ({"app_python": "3.6"}, ["app_python is 3.6", "set app_python to 3.11"]),
        ({"app_processes": [{"name": "beat", "command": "x", "singleton": True, "count": 2}]}, ["leave count out"]),
        ({"app_processes": [WEB | {"count": 11}]}, ["app_processes[web].count is 11", "from 1 to 10"]),
        (
            {"nginx_certificate": "/nowhere.pem", "nginx_certificate_key": "/nowhere.key"},
            ["/nowhere.pem", "controller"],
        ),
        # What each role finds in its own variables, all at once.
        (
            {
                "app_database_least_privilege": True,
                "app_processes": [WEB, WEB | {"port": 9000}],
                "app_environment": {"PORT": 1},
                "app_build_environment": {"VITE_API_SECRET": "4e1d2c3b4a5f6e7d"},
                "nginx_routes": [{"path": "/", "upstream": "wbe"}],
                "app_database_extensions": ["vector"],
            },
            [
                "app_migrate_password is made of app_database_password",
                "app_processes has one name twice",
                "app_environment sets PORT",
                "VITE_API_SECRET in app_build_environment or app_build_commands holds a secret",
                "wbe",
                "has no package of the extension vector",
            ],
        ),
        ({"app_name": "my_shop"}, ["app_name is 'my_shop'"]),
        (
            {"app_database_port": 5433},
            ["app_database_port is 5433, but the servers in the group postgres listen on 5432"],
        ),
    ],
)
def test_bad_input_is_refused(refuse, extra, words):
    message = refuse(extra)
    for word in words:
        assert word in message


@pytest.mark.parametrize("name", ["app_name", "app_domain", "app_database_password", "app_redis_password"])
def test_a_missing_variable_is_named(refuse, name):
    assert f"{name} is required but isn't set" in refuse({}, without=(name,))


def test_a_group_without_hosts_that_a_process_needs_is_refused(refuse):
    message = refuse({}, groups=("app", "postgres", "redis"))
    assert "app_processes[web] is routed, but the group nginx has no hosts" in message
    assert "name a host under nginx" in message


@pytest.mark.parametrize(
    ("extra", "without", "group", "words"),
    [
        (
            {},
            ("app_redis_password",),
            "redis",
            [
                "app_processes[worker] runs celery, which gets its jobs from Redis, but the group redis has no hosts",
                "set app_redis_url",
            ],
        ),
        ({}, (), "redis", ["app_redis_password is set, but the group redis has no hosts"]),
        (
            {"app_migrate": "alembic"},
            ("app_database_password",),
            "postgres",
            ["app_migrate is alembic, but the group postgres has no hosts", "or set app_database_url"],
        ),
    ],
)
def test_a_service_that_is_needed_and_nowhere_is_refused(refuse, extra, without, group, words):
    message = refuse(extra, without=without, groups=tuple(name for name in GROUPS if name != group))
    for word in words:
        assert word in message


def test_a_wired_name_that_would_silently_lose_is_refused(refuse):
    assert "nginx_site is set for all hosts" in refuse({"nginx_site": "mine"})


def test_a_certificate_for_another_domain_is_refused(refuse, tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "blog.example")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("blog.example")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    message = refuse(
        {"nginx_certificate": str(tmp_path / "cert.pem"), "nginx_certificate_key": str(tmp_path / "key.pem")}
    )
    assert "nginx_certificate is for blog.example, not for shop.example" in message


def test_two_applications_with_one_port_are_refused(refuse, machine):
    machine(HOST).check_output("mkdir -p /etc/slipway/apps.d")
    machine(HOST).check_output("echo '{\"ports\": [8000, 8050]}' > /etc/slipway/apps.d/blog.json")
    try:
        message = refuse({})
    finally:
        machine(HOST).check_output("rm -r /etc/slipway")
    assert "app_port leads to port 8000, which belongs to the application blog" in message
    assert "set app_port" in message


def test_a_server_beside_one_of_an_older_debian_is_refused(refuse, machine):
    machine(HOST).check_output("mkdir -p /etc/postgresql/13/main")
    machine(HOST).check_output("echo 'port = 5432' > /etc/postgresql/13/main/postgresql.conf")
    try:
        message = refuse({})
    finally:
        machine(HOST).check_output("rm -r /etc/postgresql")
    assert "the PostgreSQL cluster 13/main of this host has port 5432, and 15/main would be made beside it" in message
    assert "pg_upgradecluster -v 15 13 main" in message


def test_an_unsupported_distribution_is_refused(refuse, machine):
    machine(HOST).check_output("cp --remove-destination $(readlink -f /etc/os-release) /etc/os-release")
    machine(HOST).check_output("sed -i 's/VERSION_ID=.*/VERSION_ID=\"11\"/; s/bookworm/bullseye/g' /etc/os-release")
    machine(HOST).check_output("mv /etc/debian_version /root/ && echo 11.9 > /etc/debian_version")
    try:
        message = refuse({})
    finally:
        machine(HOST).check_output("ln -sf ../usr/lib/os-release /etc/os-release && mv /root/debian_version /etc/")
    assert "the host runs Debian 11, which isn't supported" in message
    assert "Debian 12, Debian 13" in message


def test_every_problem_is_reported_at_once(refuse):
    message = refuse({"app_secrets": {"SECRET_KEY": "change-me"}, "app_database_password": "short"})
    assert "2 problems" in message
