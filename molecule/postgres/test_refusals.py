"""What the role refuses: before anything is changed, in a sentence that names the variable."""

from __future__ import annotations

import json

import pytest


def refused(play, playbook="converge.yml", **variables):
    run = play(playbook, "-e", json.dumps({"postgres_install": False, **variables}), check=False)
    assert run.returncode != 0
    return run


def one_line(run):
    return " ".join((run.stdout + run.stderr).split())


def needs(host):
    return host.check_output("sha256sum /etc/slipway/postgres.d/* /etc/postgresql/*/main/conf.d/*")


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"postgres_databases": [{"name": "a", "owner": "b"}]}, "names the owner b, who isn't in postgres_users"),
        ({"postgres_client_addresses": ["app.example"]}, "postgres_client_addresses holds app.example"),
        ({"postgres_client_addresses": ["10.0.0.7"]}, "add this host's private address"),
        ({"postgres_users": [{"name": "x"}]}, "can't log in without a password"),
        ({"postgres_certificate": "x.pem"}, "postgres_certificate and postgres_certificate_key go together"),
        (
            {"postgres_databases": [{"name": "a", "owner": "postgres", "extensions": ["no_such"]}]},
            "has no extension no_such",
        ),
        ({"postgres_users": [{"name": "x", "passwort": "y"}]}, "passwort"),
    ],
)
def test_bad_input_is_refused_with_the_mend(host, play, variables, sentence):
    before = needs(host)
    run = refused(play, postgres_client="bad", **variables)
    assert sentence in one_line(run)
    assert needs(host) == before


def test_vectors_where_there_is_no_package_are_refused_with_the_choices(host, version, play):
    before, is_there = needs(host), version != "15"
    wish = {"postgres_databases": [{"name": "shop", "owner": "shop", "extensions": ["vector"]}]}
    run = play("shop.yml", "-e", json.dumps(wish), check=False)
    assert (run.returncode == 0) == is_there
    assert ("use Debian 13, or set postgres_version to 16 or later" in one_line(run)) != is_there
    assert needs(host) == before
