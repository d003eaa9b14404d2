"""Limits, streams and files."""

from __future__ import annotations

import pytest

SHOP = "https://shop.example"


def test_a_rate_is_limited_after_its_burst_for_each_client(program):
    assert program("rate.py", SHOP) == [[200] * 5 + [429] * 5, [200, 200], [200, 503, 503]]


@pytest.mark.parametrize(
    ("path", "silence", "second"),
    # The scenario's ordinary routes may be silent for three seconds.
    [("/ws", 5, "blue: 1"), ("/", 1, "blue: 1"), ("/", 5, None)],
)
def test_websockets_pass_and_on_their_own_routes_may_be_silent(program, path, silence, second):
    assert program("websocket.py", f"wss://shop.example{path}", silence, 2) == ["blue: 0", second]


def test_an_event_arrives_before_the_next_is_made(client):
    output = client.check_output(
        "curl -ksSN --max-time 20 -D /tmp/head https://shop.example/events"
        ' | while read -r word made; do if [ -n "$made" ]; then echo "$made $(date +%s.%N)"; fi; done'
    )
    (first_made, first_came), (second_made, second_came) = (map(float, line.split()) for line in output.splitlines())
    assert first_made <= first_came < second_made <= second_came
    assert first_came - first_made < 2
    head = client.check_output("cat /tmp/head").lower()
    assert "cache-control: no-cache" in head
    assert "content-encoding" not in head


def test_a_single_page_application_is_served(curl):
    page = curl(f"{SHOP}/app/some/view")
    assert (page.status, page.headers["cache-control"], page.body) == (200, "no-cache", "<title>the page</title>\n")
    assert page.headers["content-type"] == "text/html"
    assert curl(f"{SHOP}/app/").body == page.body
    assert curl(f"{SHOP}/app/robots.txt").headers["cache-control"] == "no-cache"


def test_hashed_assets_are_kept_for_a_year(curl):
    script = curl(f"{SHOP}/app/assets/app-3f9c1a2b.js", "--compressed")
    kept = [value for key, value in script.raw_headers if key == "cache-control"]
    assert (script.status, kept) == (200, ["public, max-age=31536000, immutable"])
    assert script.headers["content-encoding"] == "gzip"
    assert script.body.startswith("// a script\n")


@pytest.mark.parametrize(
    "path",
    ["/app/assets/app-00000000.js", "/app/assets/nothing", "/app/logo.png", "/app/.env", "/web/none", "/web/.env"],
)
def test_a_missing_or_hidden_file_is_not_the_page(curl, path):
    answer = curl(SHOP + path)
    assert answer.status == 404
    assert "the page" not in answer.body
    assert "max-age" not in answer.headers.get("cache-control", "")


@pytest.mark.parametrize("path", ["/app../upstream.py", "/app/../upstream.py", "/app/%2e%2e/upstream.py"])
def test_nothing_outside_of_a_directory_is_served(curl, path):
    # Not a path of that route: the application gets it.
    assert curl(SHOP + path, "--path-as-is").json()["target"] == path


def test_static_files_below_a_root(curl):
    assert curl(f"{SHOP}/web/robots.txt").body == "User-agent: *\n"
    assert curl(f"{SHOP}/web/").body == "<title>the page</title>\n"


def test_acme_challenges_are_answered_over_http(host, curl):
    directory = "/var/lib/slipway/acme/.well-known/acme-challenge"
    host.check_output(f"mkdir -p {directory} && echo token > {directory}/abc")
    answer = curl("http://shop.example/.well-known/acme-challenge/abc")
    assert (answer.status, answer.body) == (200, "token\n")
