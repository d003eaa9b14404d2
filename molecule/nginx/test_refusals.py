"""What must not break: bad input, a configuration that nginx refuses, and a reload that it refuses."""

from __future__ import annotations

import json
import subprocess

import pytest


def test_a_configuration_that_nginx_refuses_changes_nothing(refusal, play, fingerprints, serves):
    before = fingerprints()
    told = refusal("shop.yml", "-e", json.dumps({"nginx_snippet": 'add_header X-Stray "open;'}))
    assert "every file is as it was before" in told
    assert fingerprints() == before
    assert serves()
    assert "changed=0" in play("shop.yml").stdout


def test_a_key_of_another_certificate_is_refused_and_not_shown(refusal, fingerprints, serves, tmp_path):
    before = fingerprints()
    key = tmp_path / "other.key"
    options = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
    subprocess.run(["openssl", "genpkey", *options, "-out", key], check=True)
    given = tmp_path / "given.json"
    given.write_text(json.dumps({"nginx_certificate_key": key.read_text()}))
    told = refusal("shop.yml", "--diff", "-vvv", "-e", f"@{given}")
    assert "key values mismatch" in told
    assert key.read_text().splitlines()[1] not in told
    assert fingerprints() == before
    assert serves()


@pytest.mark.for_long
def test_a_reload_that_the_running_nginx_refuses_is_noticed_and_mended(host, refusal, play, curl, serves):
    # `nginx -t` doesn't mind a port that another process holds. The running server does, and tells its log alone.
    host.check_output("systemd-run --unit=squatter python3 -m http.server 8443")
    other_port = ("-e", json.dumps({"nginx_https_port": 8443}))
    assert "its old configuration" in refusal("shop.yml", *other_port)
    assert serves()
    host.check_output("systemctl stop squatter")
    assert "changed=1" in play("shop.yml", *other_port).stdout
    assert curl("https://shop.example:8443/").json()["headers"]["host"] == "shop.example:8443"
    assert curl("http://shop.example/").headers["location"] == "https://shop.example:8443/"
    play("shop.yml")
    assert serves()


def test_bad_input_is_refused_by_name_all_at_once_before_a_change(refusal, fingerprints):
    before = fingerprints()
    routes = [
        {"path": "/", "upstream": "wbe"},
        {"path": "/a", "kind": "static"},
        {"path": "/b"},
        {"path": "/b"},
        {"path": "/metrics"},
        {"path": "/c", "rate": {"requests": "fast"}},
        {"path": "/d/", "kind": "static", "alias": "/srv/d"},
        {"path": "^/e", "match": "regex", "strip_prefix": True},
    ]
    variables = {
        "nginx_routes": routes,
        "nginx_certificate_key": "",
        "nginx_hsts_max_age": 60,
        "nginx_server_names": ["shop example"],
        "nginx_headers": {"X-A": "b\r\nX-C: d"},
        "nginx_http_port": 443,
    }
    told = refusal("shop.yml", "-e", json.dumps(variables))
    for sentence in (
        "nginx_routes[/].upstream is 'wbe', but nginx_upstreams has only web, pair, nothing-yet",
        "nginx_routes[/a]: give root or alias",
        "nginx_routes[/b] is listed twice",
        "nginx_routes[/metrics] is in nginx_closed_paths too",
        "nginx_routes[/c].rate.requests is 'fast'",
        "nginx_routes[/d/]: path and alias must both end with '/'",
        "nginx_routes[^/e].strip_prefix needs match: prefix",
        "nginx_certificate and nginx_certificate_key belong together",
        "nginx_hsts_preload needs",
        "nginx_server_names has 'shop example'",
        "nginx_headers has the header 'X-A'",
        "nginx_http_port and nginx_https_port are both 443",
    ):
        assert sentence in told
    assert "changed=0" in told
    assert fingerprints() == before


def test_an_unknown_key_is_refused_by_name(refusal):
    routes = {"nginx_routes": [{"path": "/", "strip": True}]}
    assert "strip" in refusal("shop.yml", "-e", json.dumps(routes))


def test_nginx_warns_of_nothing(host):
    checked = host.run("nginx -t")
    assert checked.rc == 0
    assert "warn" not in checked.stderr
    assert "uninitialized" not in host.check_output("cat /var/log/nginx/error.log /var/log/nginx/*/error.log")
