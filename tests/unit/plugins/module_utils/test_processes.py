# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What kinds, ports, units and connection sums follow from app_processes."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.stack.plugins.module_utils._processes import (
    connection_demand,
    copies_at_once,
    longest_wait,
    plan,
    upstreams,
    worker_processes,
)

PROCESSES = [
    {"name": "web", "module": "app.main:app", "workers": 4},
    {"name": "front", "command": "node server.js", "routed": True, "count": 3},
    {"name": "worker", "command": "celery worker", "count": 2, "concurrency": 4},
    {"name": "beat", "command": "celery beat", "singleton": True},
    {"name": "clock", "command": "clock", "singleton": True, "lease": False},
    {"name": "cleanup", "command": "python -m app.cleanup", "schedule": "daily"},
]


def test_kinds_follow_from_what_the_user_wrote() -> None:
    assert [item["kind"] for item in plan(PROCESSES, "shop", 8000)] == [
        "routed",
        "routed",
        "worker",
        "singleton",
        "singleton",
        "timer",
    ]


def test_slots_have_ports_fifty_apart_and_processes_ten_apart() -> None:
    web, front, worker = plan(PROCESSES, "shop", 8000)[:3]
    assert web["ports"] == {"blue": [8000], "green": [8050]}
    assert front["ports"] == {"blue": [8010, 8011, 8012], "green": [8060, 8061, 8062]}
    assert worker["ports"] == {"blue": [], "green": []}


def test_a_changed_count_moves_no_port() -> None:
    more = [{**PROCESSES[0], "count": 2}, *PROCESSES[1:]]
    assert plan(more, "shop", 8000)[1]["ports"] == plan(PROCESSES, "shop", 8000)[1]["ports"]


def routed(count: int, **more: object) -> list[dict[str, object]]:
    return [{"name": f"web{number}", "module": "a:b", **more} for number in range(count)]


def test_the_sixth_to_the_tenth_leave_the_ports_of_the_first_five_where_they_are() -> None:
    ten = plan(routed(10), "shop", 8000)
    assert [item["ports"] for item in ten[:5]] == [item["ports"] for item in plan(routed(5), "shop", 8000)]
    assert [item["ports"]["blue"] for item in ten[5:]] == [[8005], [8015], [8025], [8035], [8045]]
    assert [item["ports"]["green"] for item in ten[5:]] == [[8055], [8065], [8075], [8085], [8095]]


def test_the_last_of_ten_may_become_one_that_may_not_run_twice_beside_what_runs() -> None:
    ten = plan(routed(10, overlap=False), "shop", 8000)
    held = [item["ports"]["blue"][0] for item in ten]
    assert held == [8009, 8019, 8029, 8039, 8049, 8059, 8069, 8079, 8089, 8099]
    in_slots = [port for item in plan(routed(10), "shop", 8000) for ports in item["ports"].values() for port in ports]
    assert not set(held) & set(in_slots)


def test_an_eleventh_needs_a_port_of_its_own() -> None:
    with pytest.raises(ValueError, match=r"app_processes\[web10\] is the 11th .* give it a port of its own"):
        plan(routed(11, overlap=False), "shop", 8000)
    assert plan([*routed(10), {"name": "more", "module": "a:b", "port": 8301}], "shop", 8000)[10]["ports"] == {
        "blue": [8301],
        "green": [8351],
    }


@pytest.mark.parametrize(
    ("second", "port"),
    [
        ({"port": 8050}, 8050),
        ({"port": 7950}, 8000),
        ({"port": 8000}, 8000),
        ({"port": 7999, "count": 2}, 8000),
        ({"port": 8041, "overlap": False}, 8050),
    ],
)
def test_two_processes_with_one_port_are_refused_whichever_slot_has_it(second: dict[str, object], port: int) -> None:
    processes = [{"name": "web", "module": "a:b"}, {"name": "front", "module": "a:b", **second}]
    with pytest.raises(ValueError, match=rf"app_processes\[web\] and app_processes\[front\] .* port {port}: lower"):
        plan(processes, "shop", 8000)


def test_instances_that_reach_the_second_half_of_their_ten_are_refused_where_it_is_taken() -> None:
    many, *others = routed(6)
    assert plan([{**many, "count": 5}, *others], "shop", 8000)
    with pytest.raises(ValueError, match=r"app_processes\[web0\] and app_processes\[web5\] .* port 8005"):
        plan([{**many, "count": 6}, *others], "shop", 8000)


def test_units_bear_application_process_and_slot() -> None:
    units = {item["name"]: item["units"] for item in plan(PROCESSES, "shop", 8000)}
    assert units["web"]["green"] == ["shop-web@green.service"]
    assert units["front"]["blue"] == [
        "shop-front@blue.service",
        "shop-front@blue-2.service",
        "shop-front@blue-3.service",
    ]
    assert units["cleanup"] == {"blue": ["shop-cleanup.timer"], "green": ["shop-cleanup.timer"]}


@pytest.mark.parametrize(
    ("process", "message"),
    [
        ({"name": "web", "module": "a:b", "count": 11}, "set it from 1 to 10"),
        ({"name": "beat", "command": "x", "singleton": True, "count": 2}, "leave count out"),
        ({"name": "web", "module": "a:b", "health": {"successes": 0}}, "health.successes is 0: set it from 1 to 60"),
        (
            {"name": "web", "module": "a:b", "health": {"successes": 21}, "start_timeout": 20},
            "health.successes is 21: set it from 1 to 20",
        ),
    ],
)
def test_contradictions_name_the_entry_and_the_mend(process: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plan([process], "shop", 8000)


def test_connections_are_summed_over_hosts_instances_workers_and_slots() -> None:
    demand = connection_demand(plan(PROCESSES, "shop", 8000), hosts=2, pool=5, overflow=10)
    by_name = {part["name"]: part["connections"] for part in demand["parts"]}
    assert by_name == {
        "web": 2 * 1 * 4 * 15 * 2,
        "front": 2 * 3 * 1 * 15 * 2,
        "worker": 2 * 2 * 5 * 2,
        "beat": 2,
        "clock": 1,
        "cleanup": 1,
    }
    assert demand["total"] == sum(by_name.values()) + 10
    assert demand["steady"] == 2 * 4 * 15 + 2 * 3 * 15 + 2 * 2 * 5 + 4 + 10


def test_a_pooler_opens_what_it_may_and_leases_go_past_it() -> None:
    planned = plan(PROCESSES, "shop", 8000)
    without = connection_demand(planned, hosts=2, pool=5, overflow=10)
    demand = connection_demand(planned, hosts=2, pool=5, overflow=10, shared=90)
    assert [(part["name"], part["connections"]) for part in demand["parts"]] == [("pooler", 90), ("leases", 1)]
    assert demand["total"] == 90 + 1 + 10
    assert demand["clients"] == without["total"] - 1
    assert demand["clients"] == sum(part["connections"] for part in demand["opened"]) + 10
    few = connection_demand(planned, hosts=2, pool=5, overflow=10, shared=5000)
    assert few["total"] == without["total"]


def test_a_pool_to_read_counts_for_each_worker() -> None:
    (web,) = plan([{"name": "web", "module": "a:b", "workers": 4}], "shop", 8000)
    (part,) = connection_demand([web], hosts=1, pool=5, overflow=10, read=5)["parts"]
    assert (part["connections"], part["formula"].count("+ 5 read")) == (4 * 20 * 2, 1)


@pytest.mark.parametrize(
    ("process", "cores", "expected"),
    [
        ({"module": "a:b"}, 1, 3),
        ({"module": "a:b"}, 2, 4),
        ({"module": "a:b"}, None, 4),
        ({"module": "a:b", "server": "uvicorn"}, 2, 1),
        ({"module": "a:b", "workers": 9}, 2, 9),
        ({"command": "node x"}, 8, 1),
    ],
)
def test_worker_processes_follow_gunicorns_rule(process: dict[str, object], cores: int | None, expected: int) -> None:
    assert worker_processes(process, cores) == expected


def test_what_the_environment_says_of_workers_is_counted() -> None:
    web, front = plan(PROCESSES[:2], "shop", 8000, {"WEB_CONCURRENCY": "6"})
    assert worker_processes(web, 2) == 6
    # Whether node reads it, nobody knows.
    assert worker_processes(front, 2) == 1
    assert connection_demand([web], hosts=1, pool=5, overflow=10)["parts"][0]["connections"] == 6 * 15 * 2


def test_what_the_environment_says_of_gunicorns_seconds_is_what_the_proxy_goes_by() -> None:
    own = {**PROCESSES[0], "timeout": 30, "environment": {"GUNICORN_TIMEOUT": "600"}}
    web, front = plan([own, PROCESSES[1]], "shop", 8000, {"GUNICORN_TIMEOUT": "5", "GUNICORN_KEEPALIVE": "10"})
    assert (web["timeout"], web["keepalive"], front["timeout"]) == (600, 10, 120)
    # nginx keeps idle connections for longer, and one that is closed may have a request on its way.
    assert upstreams([web], ["10.0.0.1"])[0]["keepalive"] == 0
    with pytest.raises(ValueError, match=r"app_processes\[web\] is told GUNICORN_TIMEOUT=10m by its environment"):
        plan(PROCESSES[:1], "shop", 8000, {"GUNICORN_TIMEOUT": "10m"})


def test_a_release_keeps_its_name_where_the_environment_says_nothing() -> None:
    assert plan(PROCESSES, "shop", 8000, {"OTHER": "6"}) == plan(PROCESSES, "shop", 8000)


def test_upstreams_pair_every_host_with_every_port() -> None:
    entries = upstreams(plan(PROCESSES, "shop", 8000), ["10.0.0.11", "fd00::2"])
    assert [entry["name"] for entry in entries] == ["web", "front"]
    assert entries[0]["green"] == ["10.0.0.11:8050", "[fd00::2]:8050"]
    assert len(entries[1]["blue"]) == 2 * 3


def test_a_command_gets_a_connection_for_each_request_unless_it_is_known_to_keep_them() -> None:
    command = {"name": "ui", "command": "mlflow server --port $PORT", "routed": True}
    web, unknown = upstreams(plan([PROCESSES[0], command], "shop", 8000), ["10.0.0.1"])
    assert "keepalive" not in web
    assert unknown["keepalive"] == 0
    (known,) = upstreams(plan([{**command, "keepalive": 90}], "shop", 8000), ["10.0.0.1"])
    assert "keepalive" not in known


# --- what may not run twice

QUEUE = {"name": "queue", "module": "app.main:app", "overlap": False}


def test_what_may_not_run_twice_has_one_unit_and_one_port_outside_of_the_slots() -> None:
    _web, queue = plan([PROCESSES[0], QUEUE], "shop", 8000)
    assert queue["exclusive"]
    assert queue["units"] == {slot: ["shop-queue.service"] for slot in ("blue", "green")}
    assert queue["ports"] == {slot: [8019] for slot in ("blue", "green")}
    assert queue["workers"] == 1


def test_a_worker_that_may_not_run_twice_has_one_unit() -> None:
    (mailer,) = plan([{"name": "mailer", "command": "mailer", "overlap": False}], "shop", 8000)
    assert (mailer["exclusive"], mailer["units"]["green"]) == (True, ["shop-mailer.service"])
    assert mailer["ports"]["green"] == []


@pytest.mark.parametrize("more", [{"singleton": True}, {"schedule": "daily"}])
def test_what_never_runs_twice_stays_what_it_is(more: dict[str, object]) -> None:
    (process,) = plan([{"name": "beat", "command": "beat", "overlap": False, **more}], "shop", 8000)
    assert not process["exclusive"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"count": 2}, r"app_processes\[queue\].count is 2, but .* leave count out"),
        ({"workers": 4}, r"app_processes\[queue\].workers is 4, .* leave workers out"),
        (
            {"module": "", "command": "node queue.js", "routed": True},
            r"app_processes\[queue\] .* set takes_socket: true",
        ),
    ],
)
def test_what_would_run_twice_or_could_not_let_requests_wait_is_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plan([{**QUEUE, **wrong}], "shop", 8000)


def test_a_command_may_take_the_socket() -> None:
    command = {**QUEUE, "module": "", "command": "node queue.js", "routed": True, "takes_socket": True}
    assert plan([command], "shop", 8000)[0]["exclusive"]


def test_it_needs_its_connections_once() -> None:
    web, queue = plan([PROCESSES[0], QUEUE], "shop", 8000)
    assert (copies_at_once(web), copies_at_once(queue)) == (2, 1)
    assert connection_demand([queue], hosts=1, pool=5, overflow=10)["parts"] == [
        {
            "name": "queue",
            "connections": 15,
            "steady": 15,
            "formula": "1 hosts x 1 instances x 1 workers x (5 pool + 10 overflow)",
        }
    ]


def test_old_and_new_workers_hold_connections_side_by_side_unless_they_may_not_overlap() -> None:
    both = [{"name": "worker", "command": "x", "concurrency": 4}, {"name": "mailer", "command": "x", "overlap": False}]
    worker, mailer = connection_demand(plan(both, "shop", 8000), hosts=1, pool=5, overflow=10)["parts"]
    assert worker["formula"] == "1 hosts x 1 instances x (4 children + 1) x 2 slots"
    assert (worker["connections"], mailer["connections"]) == (10, 2)


def test_requests_wait_for_it_on_connections_of_their_own() -> None:
    web, queue = upstreams(plan([PROCESSES[0], QUEUE], "shop", 8000), ["10.0.0.1"])
    assert queue["blue"] == queue["green"] == ["10.0.0.1:8019"]
    # 30 s to end, 60 s that were in vain, 60 s for the old one to start, 120 s to answer.
    assert (queue["keepalive"], queue["read_timeout"]) == (0, 270)
    assert "keepalive" not in web


def test_a_stop_that_may_take_long_is_waited_for() -> None:
    (queue,) = plan([{**QUEUE, "stop_timeout": 600}], "shop", 8000)
    assert longest_wait(queue) == 840
