"""Files and routes of two releases, of which one is live."""

from __future__ import annotations

import json

import pytest

SHOP = "https://shop.example"
FLAG = "/var/lib/slipway/slots/shop.green"
YEAR = "public, max-age=31536000, immutable"


@pytest.fixture
def switch(host):
    """switch(SLOT): what the module slot does."""

    def to(slot):
        host.check_output(f"touch {FLAG}" if slot == "green" else f"rm -f {FLAG}")

    yield to
    to("blue")


@pytest.mark.parametrize("slot", ["blue", "green"])
def test_a_page_comes_from_the_slot_of_the_request_and_from_no_other(switch, curl, slot):
    switch(slot)
    for path in ("/front/", "/front/index.html", "/front/some/view"):
        page = curl(SHOP + path)
        assert (page.status, page.body, page.headers["cache-control"]) == (200, f"{slot} page\n", "no-cache")
    # Only the slot blue has it, and no year of caching says that it never changes.
    news = curl(f"{SHOP}/front/news.txt")
    assert (news.status, "news" in news.body) == ((200, True) if slot == "blue" else (404, False))


@pytest.mark.parametrize("slot", ["blue", "green"])
@pytest.mark.parametrize("folder", ["/front/assets", "/assets"])
def test_hashed_files_of_both_slots_are_found_the_live_one_first(switch, curl, slot, folder):
    switch(slot)
    for file, content in (("app-b1b1b1b1.js", "blue"), ("app-93e93e93.js", "green"), ("same.js", f"same of {slot}")):
        script = curl(f"{SHOP}{folder}/{file}")
        assert (script.status, script.body) == (200, f"// {content}\n")
        assert [value for key, value in script.raw_headers if key == "cache-control"] == [YEAR]
        assert script.headers["content-type"].startswith(("application/javascript", "text/javascript"))
        assert script.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/front/assets/app-00000000.js", "/assets/none.js", "/front/assets/", "/front/.env"])
def test_what_neither_slot_has_is_not_found(switch, curl, path):
    for slot in ("green", "blue"):
        switch(slot)
        answer = curl(SHOP + path)
        assert answer.status == 404
        assert "page" not in answer.body
        assert "max-age" not in answer.headers.get("cache-control", "")


@pytest.fixture(scope="module")
def split(play):
    """The routes of the slots differ."""
    play("split.yml")
    yield
    play("shop.yml")


@pytest.mark.usefixtures("split")
class TestRoutes:
    """A route is that of the slot that the request gets."""

    @pytest.mark.parametrize(
        ("path", "blue", "green"),
        [
            ("/", "blue /", 404),
            ("/leaves/1?a=b", "blue /leaves/1?a=b", 404),
            # What was asked for arrives as it was written.
            ("/whole/a%2Fb/%3F?c=%2F", "blue /whole/a%2Fb/%3F?c=%2F", "green /whole/a%2Fb/%3F?c=%2F"),
            ("/whole/../whole/x%0Ay", "blue /whole/../whole/x%0Ay", "green /whole/../whole/x%0Ay"),
            ("/api/items?a=b", "blue /api/items?a=b", "green /items?a=b"),
            ("/api/metrics", "blue /api/metrics", 404),
            ("/comes", "blue /comes", "green /comes"),
            ("/comes/", "blue /comes/", 404),
            ("/moves/robots.txt", "User-agent", 404),
            ("/moves/some/view", "<title>", "green /moves/some/view"),
            ("/moves/assets/app-3f9c1a2b.js", "// a script", "green /moves/assets/app-3f9c1a2b.js"),
            ("/moves/assets/none.js", 404, "green /moves/assets/none.js"),
            ("/moves/.env", 404, "green /moves/.env"),
            ("/web/robots.txt", "User-agent", 404),
            ("/web/", "<title>", 404),
            ("/robots.txt", "blue /robots.txt", "User-agent"),
            ("/v1/x", "blue /v1/x", 404),
            ("/x/v1/", "blue /x/v1/", 404),
            ("/front/", "blue /front/", "green page"),
            ("/front/assets/app-b1b1b1b1.js", "blue /front/", "// blue"),
            ("/internal", "blue /internal", 404),
            ("/metrics", 404, 404),
            ("/slipway-blue/leaves", "blue /slipway-blue/leaves", 404),
            ("/slipway-green/whole", "blue /slipway-green/whole", 404),
        ],
    )
    def test_it_changes_with_the_slot(self, switch, curl, path, blue, green):
        for slot, expected in (("blue", blue), ("green", green)):
            switch(slot)
            answer = curl(SHOP + path, "--path-as-is")
            if isinstance(expected, int):
                assert answer.status == expected
                continue
            told = answer.json() if answer.body.startswith("{") else {}
            assert answer.status == 200
            assert (f"{told['slot']} {told['target']}" if told else answer.body).startswith(expected)

    def test_what_nginx_itself_answers_stays(self, switch, curl):
        for slot in ("green", "blue"):
            switch(slot)
            assert curl(f"{SHOP}/.slipway/slot").json()["slot"] == slot
            assert curl("http://shop.example/leaves").headers["location"] == f"{SHOP}/leaves"

    def test_headers_and_limits_are_those_of_the_slot(self, switch, curl):
        switch("blue")
        assert curl(f"{SHOP}/v1/x").headers["x-versioned"] == "1"
        assert "x-versioned" not in curl(f"{SHOP}/x/v1/").headers
        limited = [curl(f"{SHOP}/limited").status for _ in range(6)]
        assert limited == [200] * 5 + [429]

    def test_a_websocket_passes(self, program):
        assert program("websocket.py", "wss://shop.example/ws", 0, 2) == ["blue: 0", "blue: 1"]

    def test_a_run_that_asks_for_the_same_changes_nothing(self, play):
        assert "changed=0" in play("split.yml").stdout


def test_a_location_that_the_split_would_hide_is_refused(refusal):
    snippet = json.dumps({"nginx_snippet": "location = /legacy { return 410; }"})
    assert "a location of nginx_snippet wouldn't be found" in refusal("split.yml", "-e", snippet)
