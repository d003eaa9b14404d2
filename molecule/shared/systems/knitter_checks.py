"""knitter.app: a front end built with the release, limits for each visitor, search by vectors, and maintenance."""

from __future__ import annotations

import re

NAME = "knitter"


def test_its_pages_are_all_one_and_its_assets_last(ask):
    home = ask(NAME, "/")
    assert '<div id="root">' in home.body
    assert ask(NAME, "/notes/7/edit").body == home.body
    script = re.search(r'src="(/assets/index-[\w-]+\.js)"', home.body)[1]
    asset = ask(NAME, script)
    assert asset.status == 200
    assert asset.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert home.headers["cache-control"] == "no-cache"
    assert ask(NAME, "/assets/gone.js").status == 404


def test_its_visitors_are_counted(statuses):
    # The limit lets so many through at once, and a few more while the others are on their way.
    for path, burst in (("/api/items", 20), ("/api/search?quantity=1&length=1", 10)):
        came = statuses(NAME, path, 60)
        assert set(came) == {200, 429}, path
        assert burst + 1 <= came[200] < 60, path
        assert came[429] > 0, path


def test_it_searches_by_vectors(ask, wait_until):
    def is_let_in():
        return ask(NAME, "/api/search?quantity=1&length=1").status == 200

    wait_until(is_let_in, seconds=30)
    names = {1: "purl", 500: "cable stitch", 9000: "fisherman's rib"}
    for quantity, name in names.items():
        assert ask(NAME, "/api/items", "--json", f'{{"name": "{name}", "quantity": {quantity}}}').status == 201
    found = ask(NAME, "/api/search?quantity=480&length=12&limit=2").json()
    assert [item["name"] for item in found] == ["cable stitch", "purl"]


def test_its_database_is_set_as_its_guide_says(psql):
    settings = "max_connections", "shared_buffers", "work_mem"
    wanted = ["200", "256MB", "4MB"]
    assert [psql(NAME, f"SHOW {name}") for name in settings] == wanted
    assert "vector" in psql(NAME, "SELECT extname FROM pg_extension")


def test_its_maintenance_runs_and_reports(machine, system):
    host = machine(system(NAME).host("postgres"))
    for task in ("vacuum", "reindex"):
        unit = f"slipway-maintenance-{task}@{NAME}"
        assert host.service(f"{unit}.timer").is_running
        host.check_output("systemctl start %s.service", unit)
    assert NAME in host.check_output("journalctl -t slipway-maintenance --no-pager")


def test_browsers_keep_to_https(ask):
    assert ask(NAME, "/").headers["strict-transport-security"] == "max-age=63072000; includeSubDomains; preload"
