# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stops, what is written and what starts at each stage; nothing is done."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.module_utils import _deployment as deployment
from ansible_collections.slipway.stack.plugins.module_utils._deployment_host import Executor
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError
from ansible_collections.slipway.stack.plugins.module_utils._release import Layout, bundle_path, write_json

BundleOf = Callable[[str], dict[str, Any]]

TIMER_GOES = [{"name": f"shop-retire-green.{kind}", "state": "stopped"} for kind in ("timer", "service")]
GREEN = {each: f"shop-{each}@green.service" for each in ("web", "jobs", "beat")}
BLUE = {each: f"shop-{each}@blue.service" for each in ("web", "jobs", "beat")}


def host(layout: Layout, **running: str) -> deployment.Host:
    """A host where processes of the slot green run, each of the release that is given."""
    releases = {GREEN[process]: release for process, release in running.items()}

    def release_of(names: Iterable[str]) -> dict[str, str]:
        return {name: releases[name] for name in names if name in releases}

    return deployment.Host(layout, release_of)


def gone(name: str) -> dict[str, Any]:
    return {"name": name, "state": "stopped", "enabled": False}


def paths(layout: Layout, files: Iterable[dict[str, Any]], state: str = "file") -> list[str]:
    """Names of the files that are written, or absent."""
    found = [Path(file["path"]) for file in files if file.get("state", "file") == state]
    assert {path.parent for path in found} <= {layout.unit_directory, layout.live.parent}
    return [path.name for path in found]


@pytest.fixture
def two(layout: Layout, bundle_of: BundleOf) -> deployment.Bundle:
    """Release 2, on a host where release 1 is live in blue."""
    one = deployment.Bundle(bundle_of("1"))
    write_json(layout.slot("blue"), one.slot_record("blue"))
    for unit in one.unit_files("blue"):
        (layout.unit_directory / unit["name"]).write_text(unit["content"])
    for file in one.content["live_files"]:
        Path(file["path"]).write_text(file["content"])
    return deployment.Bundle(bundle_of("2"))


def unit_file(layout: Layout, name: str) -> None:
    (layout.unit_directory / name).write_text("[Unit]\nX-Slipway-Application=shop\n")


# --- started


def test_a_slot_is_cleared_for_what_starts_in_it(layout: Layout, two: deployment.Bundle) -> None:
    unit_file(layout, GREEN["web"])
    unit_file(layout, "shop-removed@green-2.service")
    stage = deployment.starting(host(layout), two, "green", anew=False)
    assert stage.stop == [*TIMER_GOES, gone("shop-removed@green-2.service")]
    assert stage.finish == []
    assert paths(layout, stage.files, "absent") == ["shop-removed@green-2.service"]
    assert paths(layout, stage.files) == [*GREEN.values(), "green.json"]
    assert stage.units == [{"name": GREEN["web"], "state": "started", "enabled": True}]


def test_it_is_noted_what_a_slot_holds(layout: Layout, two: deployment.Bundle) -> None:
    record = deployment.starting(host(layout), two, "green", anew=False).files[-1]
    assert json.loads(record["content"]) == {
        "release": "2",
        "version": "v2",
        "revision": "c2",
        "ports": {"web": [8050]},
        "processes": {"routed": [GREEN["web"]], "worker": [GREEN["jobs"]], "singleton": [GREEN["beat"]]},
        "drain": {GREEN["web"]: {"port": 8050, "seconds": 120}},
    }


@pytest.mark.parametrize(
    ("running", "anew", "state"),
    [
        ({}, False, "started"),
        ({}, True, "started"),
        ({"web": "2"}, False, "started"),
        ({"web": "2"}, True, "restarted"),
        ({"web": "1"}, False, "restarted"),
    ],
)
def test_what_runs_another_release_starts_again(
    layout: Layout, two: deployment.Bundle, running: dict[str, str], anew: bool, state: str
) -> None:
    stage = deployment.starting(host(layout, **running), two, "green", anew=anew)
    assert stage.units == [{"name": GREEN["web"], "state": state, "enabled": True}]


# --- working


def test_workers_change_over(layout: Layout, two: deployment.Bundle) -> None:
    stage = deployment.working(host(layout, jobs="1"), two, "green")
    assert (stage.stop, stage.finish, stage.files) == ([], [BLUE["jobs"]], [])
    assert stage.units == [{"name": GREEN["jobs"], "state": "restarted"}]


def test_the_first_workers_succeed_nobody(layout: Layout, bundle_of: BundleOf) -> None:
    stage = deployment.working(host(layout), deployment.Bundle(bundle_of("1")), "green")
    assert (stage.finish, stage.units) == ([], [{"name": GREEN["jobs"], "state": "started"}])


# --- live


def test_a_singleton_ends_before_its_successor_starts(layout: Layout, two: deployment.Bundle) -> None:
    stage = deployment.serving(host(layout, web="2", jobs="2"), two, "green")
    assert stage.stop == [*TIMER_GOES, gone(BLUE["beat"])]
    assert {"name": GREEN["beat"], "state": "started", "enabled": True} in stage.units


def test_what_is_live_starts_at_boot_and_what_was_does_not(layout: Layout, two: deployment.Bundle) -> None:
    stage = deployment.serving(host(layout, web="2", jobs="2"), two, "green")
    assert stage.finish == [BLUE["jobs"]]
    assert stage.units[:2] == [{"name": BLUE[each], "enabled": False} for each in ("web", "jobs")]
    assert stage.units[2:5] == [{"name": name, "state": "started", "enabled": True} for name in GREEN.values()]


def test_timers_come_and_go_with_the_release(layout: Layout, two: deployment.Bundle) -> None:
    unit_file(layout, "shop-removed.timer")
    unit_file(layout, "shop-removed.service")
    stage = deployment.serving(host(layout), two, "green")
    assert [each["name"] for each in stage.stop[-2:]] == ["shop-removed.service", "shop-removed.timer"]
    assert paths(layout, stage.files, "absent") == ["shop-removed.service", "shop-removed.timer"]
    assert paths(layout, stage.files)[-4:] == [
        *("shop-watchdog.service", "shop-watchdog.timer"),
        *("shop-nightly.timer", "shop-nightly.service"),
    ]
    assert all("singleton" not in file for file in stage.files), "it means nothing to whoever writes them"


def timer_states(stage: deployment.Stage) -> dict[str, str]:
    return {each["name"]: each["state"] for each in stage.units if each["name"].endswith(".timer")}


def test_only_a_timer_that_changes_starts_again(layout: Layout, two: deployment.Bundle) -> None:
    (layout.unit_directory / "shop-nightly.timer").write_text("[Timer]\nOnCalendar=weekly\n")
    states = timer_states(deployment.serving(host(layout), two, "green"))
    assert states == {"shop-watchdog.timer": "started", "shop-nightly.timer": "restarted"}
    (layout.unit_directory / "shop-nightly.timer").unlink()
    assert timer_states(deployment.serving(host(layout), two, "green"))["shop-nightly.timer"] == "started"


def test_only_one_host_runs_singletons(layout: Layout, two: deployment.Bundle) -> None:
    elsewhere = deployment.Bundle(two.content, singletons=False)
    stage = deployment.serving(host(layout), elsewhere, "green")
    named = {each["name"] for each in stage.units}
    assert named & {GREEN["beat"], "shop-nightly.timer"} == set()
    assert "shop-watchdog.timer" in named
    # Another host took them over: what is here from before goes.
    assert [each["name"] for each in stage.stop[2:]] == [BLUE["beat"], "shop-nightly.service", "shop-nightly.timer"]
    assert paths(layout, stage.files) == [
        *(GREEN["web"], GREEN["jobs"], "green.json"),
        *("shop-watchdog.service", "shop-watchdog.timer"),
    ]
    assert elsewhere.slot_record("green")["processes"]["singleton"] == []


# --- stopped


def test_nothing_is_left_of_a_slot(layout: Layout, two: deployment.Bundle) -> None:
    for name in GREEN.values():
        unit_file(layout, name)
    stage = deployment.stopping(host(layout), "green")
    assert stage.stop == [*TIMER_GOES, *(gone(name) for name in sorted(GREEN.values()))]
    assert paths(layout, stage.files, "absent") == [*sorted(GREEN.values()), "green.json"]
    assert (stage.finish, stage.units) == ([], [])


# --- what is asked of the host


def test_a_stored_bundle_is_the_one_that_was_given(layout: Layout, bundle_of: BundleOf) -> None:
    write_json(bundle_path(layout, "1"), bundle_of("1"))
    assert deployment.read_bundle(layout, "1", singletons=False) == deployment.Bundle(bundle_of("1"), singletons=False)
    with pytest.raises(StackError, match=r"release 2 can't run on this host, since .*/2\.json isn't there"):
        deployment.read_bundle(layout, "2", singletons=True)


def test_a_process_tells_its_release_itself(layout: Layout) -> None:
    processes = [subprocess.Popen(["sleep", "60"], env={**os.environ, **more}) for more in ({"APP_RELEASE": "abc"}, {})]
    pids = [str(process.pid) for process in processes]
    names = ["mine.service", "other.service", "dead.service", "gone.service"]
    try:
        answer = "\n\n".join([*pids, "0", str(2**22 + 1)])
        executor = Executor(layout, lambda _words: (0, f"{answer}\n", ""), 0, check_mode=False, diff=False)
        assert executor.release_of(names) == {"mine.service": "abc"}
    finally:
        for process in processes:
            process.kill()
            process.wait()


# --- what may not run twice

QUEUE, SOCKET, MAILER = "shop-queue.service", "shop-queue.socket", "shop-mailer.service"


@pytest.fixture
def queues(layout: Layout, queue_of: BundleOf) -> deployment.Bundle:
    """Release 2, on a host where release 1 is live in blue."""
    one = deployment.Bundle(queue_of("1"))
    write_json(layout.slot("blue"), one.slot_record("blue"))
    write_json(layout.live, {"slot": "blue", "release": "1"})
    for unit in one.unit_files("blue") + one.exclusive_files("blue"):
        (layout.unit_directory / unit["name"]).write_text(unit["content"])
    return deployment.Bundle(queue_of("2"))


def running_one(layout: Layout) -> deployment.Host:
    return deployment.Host(layout, lambda names: {name: "1" for name in names if name in (QUEUE, MAILER)})


def test_it_is_not_touched_when_the_slot_is_filled(layout: Layout, queues: deployment.Bundle) -> None:
    stage = deployment.starting(running_one(layout), queues, "green", anew=True)
    touched = {each["name"] for each in stage.stop + stage.units} | {Path(each["path"]).name for each in stage.files}
    assert not touched & {QUEUE, SOCKET, MAILER}


def test_it_is_noted_beside_what_the_slot_holds(queues: deployment.Bundle) -> None:
    record = queues.slot_record("green")
    assert record["processes"]["exclusive"] == [QUEUE, MAILER]
    assert QUEUE not in record["processes"]["routed"], "which is stopped when the slot retires"
    assert record["ports"] == {"web": [8050]}, "which are waited for when the slot is left"


def test_it_is_replaced_by_one_restart(layout: Layout, queues: deployment.Bundle) -> None:
    stage = deployment.replacing(running_one(layout), queues, "green")
    assert (stage.stop, stage.finish) == ([], [])
    assert paths(layout, stage.files) == [QUEUE, SOCKET]
    assert stage.units == [
        {"name": SOCKET, "state": "started", "enabled": True},
        {"name": QUEUE, "state": "restarted", "enabled": True},
    ]


def test_its_worker_is_replaced_with_the_workers(layout: Layout, queues: deployment.Bundle) -> None:
    stage = deployment.working(running_one(layout), queues, "green")
    assert paths(layout, stage.files) == [MAILER]
    assert stage.finish == [BLUE["jobs"]]
    assert stage.units == [
        {"name": MAILER, "state": "restarted", "enabled": True},
        {"name": GREEN["jobs"], "state": "started"},
    ]


def test_a_restart_restarts_it_too(layout: Layout, queues: deployment.Bundle) -> None:
    runs_already = deployment.Host(layout, lambda names: dict.fromkeys(names, queues.release))
    assert deployment.replacing(runs_already, queues, "green").units[1]["state"] == "started"
    assert deployment.replacing(runs_already, queues, "green", anew=True).units[1]["state"] == "restarted"
    stage = deployment.working(runs_already, queues, "green", anew=True)
    assert [unit["state"] for unit in stage.units] == ["restarted", "restarted"]


def test_what_ran_in_slots_ends_before_it_starts_outside_of_them(
    layout: Layout, two: deployment.Bundle, queues: deployment.Bundle
) -> None:
    unit_file(layout, "shop-queue@blue.service")
    unit_file(layout, "shop-queue-more@blue.service")
    stage = deployment.replacing(host(layout), queues, "green")
    assert stage.stop == [gone("shop-queue@blue.service")]


def test_a_port_that_moves_is_given_up(layout: Layout, queues: deployment.Bundle) -> None:
    unit_file(layout, SOCKET)
    stage = deployment.replacing(running_one(layout), queues, "green")
    assert stage.stop == [{"name": name, "state": "stopped"} for name in (QUEUE, SOCKET)]


def test_the_way_back_replaces_it_again(layout: Layout, queues: deployment.Bundle, queue_of: BundleOf) -> None:
    two_runs = deployment.Host(layout, lambda names: {name: "2" for name in names if name in (QUEUE, MAILER)})
    stage = deployment.serving(two_runs, deployment.Bundle(queue_of("1")), "blue")
    assert {QUEUE, SOCKET, MAILER} <= set(paths(layout, stage.files))
    assert {"name": QUEUE, "state": "restarted", "enabled": True} in stage.units
    assert {"name": MAILER, "state": "restarted", "enabled": True} in stage.units
    assert not {QUEUE, SOCKET, MAILER} & {each["name"] for each in stage.stop}


def test_a_release_without_it_ends_it(layout: Layout, queues: deployment.Bundle, bundle_of: BundleOf) -> None:
    unit_file(layout, QUEUE)
    stage = deployment.serving(running_one(layout), deployment.Bundle(bundle_of("3")), "green")
    assert {QUEUE, SOCKET, MAILER} <= {each["name"] for each in stage.stop}
    assert {QUEUE, SOCKET, MAILER} <= set(paths(layout, stage.files, "absent"))


def test_it_outlives_the_slot_but_for_a_first_release(layout: Layout, queues: deployment.Bundle) -> None:
    write_json(layout.slot("green"), queues.slot_record("green"))
    assert QUEUE not in {each["name"] for each in deployment.stopping(host(layout), "green").stop}
    layout.live.unlink()
    assert {QUEUE, SOCKET, MAILER} <= {each["name"] for each in deployment.stopping(host(layout), "green").stop}


# --- static files


def test_a_slot_has_the_static_files_of_its_release(layout: Layout, bundle_of: BundleOf) -> None:
    files = {"below": "source/server", "folders": ["static"]}
    stage = deployment.starting(
        host(layout), deployment.Bundle(bundle_of("1") | {"static": files}), "green", anew=False
    )
    assert stage.files[-2:] == [
        {"path": str(layout.static), "state": "directory"},
        {"path": str(layout.static / "green"), "state": "link", "target": "../releases/1/source/server"},
    ]


def test_files_that_a_release_does_not_have_are_gone(layout: Layout, bundle_of: BundleOf) -> None:
    layout.static.mkdir(parents=True)
    (layout.static / "green").symlink_to("../releases/0/source")
    gone_link = {"path": str(layout.static / "green"), "state": "absent"}
    assert (
        deployment.starting(host(layout), deployment.Bundle(bundle_of("1")), "green", anew=False).files[-1] == gone_link
    )
    assert deployment.stopping(host(layout), "green").files[-1] == gone_link
