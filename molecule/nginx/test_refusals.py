"""What must not break: bad input, a configuration that nginx refuses, and a reload that it refuses."""

from __future__ import annotations

import json
import subprocess

import pytest

UNCHANGED = "every file is as it was before"


def test_a_configuration_that_nginx_refuses_changes_nothing(refusal, play, fingerprints, serves, name):
    before = fingerprints(name)
    told = refusal("shop.yml", "--limit", name, "-e", json.dumps({"nginx_snippet": 'add_header X-Stray "open;'}))
    assert UNCHANGED in told
    assert fingerprints(name) == before
    assert serves(name)
    assert "changed=0" in play("shop.yml", "--limit", name).stdout


def test_a_key_of_another_certificate_is_refused_and_not_shown(refusal, fingerprints, serves, tmp_path):
    before = fingerprints("twelve")
    key = tmp_path / "other.key"
    options = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
    subprocess.run(["openssl", "genpkey", *options, "-out", key], check=True)
    given = {"nginx_certificate_key": key.read_text()}
    told = refusal("shop.yml", "--limit", "twelve", "--diff", "-vvv", "-e", json.dumps(given))
    assert "key values mismatch" in told
    assert key.read_text().splitlines()[1] not in told
    assert fingerprints("twelve") == before
    assert serves("twelve")


def test_a_reload_that_the_running_nginx_refuses_is_noticed_and_mended(machine, refusal, play, curl, serves, name):
    # `nginx -t` doesn't mind a port that another process holds. The running server does, and tells its log alone.
    machine(name).check_output("systemd-run --unit=squatter python3 -m http.server 8443")
    other_port = ("--limit", name, "-e", json.dumps({"nginx_https_port": 8443}))
    assert "its old configuration" in refusal("shop.yml", *other_port)
    assert serves(name)
    machine(name).check_output("systemctl stop squatter")
    assert "changed=1" in play("shop.yml", *other_port).stdout
    answer = curl("https://shop.example:8443/", "--connect-to", f"::{name}:8443")
    assert answer.json()["headers"]["host"] == "shop.example:8443"
    assert curl("http://shop.example/", at=name).headers["location"] == "https://shop.example:8443/"
    play("shop.yml", "--limit", name)
    assert serves(name)


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"nginx_routes": [{"path": "/", "upstream": "wbe"}]}, "nginx_routes[/].upstream is 'wbe'"),
        ({"nginx_routes": [{"path": "/a", "kind": "static"}]}, "nginx_routes[/a]: give root or alias"),
        ({"nginx_routes": [{"path": "/a"}, {"path": "/a"}]}, "nginx_routes[/a] is listed twice"),
        ({"nginx_routes": [{"path": "/metrics"}]}, "nginx_routes[/metrics] is in nginx_closed_paths too"),
        ({"nginx_routes": [{"path": "/a", "rate": {"requests": "fast"}}]}, "nginx_routes[/a].rate.requests is 'fast'"),
        ({"nginx_routes": [{"path": "/", "strip": True}]}, "strip"),
        ({"nginx_certificate_key": ""}, "nginx_certificate and nginx_certificate_key belong together"),
        ({"nginx_hsts_max_age": 60}, "nginx_hsts_preload needs"),
        ({"nginx_server_names": ["shop example"]}, "nginx_server_names has 'shop example'"),
        ({"nginx_headers": {"X-A": "b\r\nX-C: d"}}, "nginx_headers has the header 'X-A'"),
    ],
)
def test_bad_input_is_refused_by_name_before_a_change(refusal, fingerprints, variables, sentence):
    before = fingerprints("thirteen")
    told = refusal("shop.yml", "--limit", "thirteen", "-e", json.dumps(variables))
    assert sentence in told
    assert "changed=0" in told
    assert fingerprints("thirteen") == before


def test_nginx_warns_of_nothing(machine, name):
    checked = machine(name).run("nginx -t")
    assert checked.rc == 0
    assert "warn" not in checked.stderr
    assert "uninitialized" not in machine(name).check_output("cat /var/log/nginx/error.log /var/log/nginx/*/error.log")
