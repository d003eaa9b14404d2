# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what units are to what they shall be, in as few steps as possible."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.module_utils import _units as units
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError

DEAD = units.Unit(
    name="web@blue.service",
    load="loaded",
    active="inactive",
    sub="dead",
    enabled="disabled",
    needs_reload=False,
    result="success",
    exit_code="0",
    exit_status="0",
    type="simple",
    conditions_met=True,
    fragment="",
    drop_ins=(),
)
RUNNING = replace(DEAD, active="active", sub="running", enabled="enabled")
CRASHED = replace(DEAD, active="failed", sub="failed", result="exit-code", exit_code="1", exit_status="3")
MISSING = replace(DEAD, load="not-found", enabled="")


def want(state: str | None = None, enabled: bool | None = None) -> units.Wanted:
    return units.Wanted("web@blue.service", state, enabled)


@pytest.mark.parametrize(
    ("unit", "wanted", "verbs"),
    [
        (DEAD, want("started", True), ["enable", "start"]),
        (RUNNING, want("started", True), []),
        (RUNNING, want("stopped", False), ["disable", "stop"]),
        (DEAD, want("stopped", False), []),
        (CRASHED, want("stopped"), []),
        (CRASHED, want("started"), ["start"]),
        (RUNNING, want("restarted"), ["restart"]),
        (DEAD, want("restarted"), ["restart"]),
        (RUNNING, want("reloaded"), ["reload"]),
        (DEAD, want("reloaded"), ["start"]),
        (MISSING, want("stopped", False), []),
        (MISSING, want("started", True), ["enable", "start"]),
        (replace(RUNNING, active="reloading"), want("started"), []),
        (replace(DEAD, active="activating", sub="auto-restart"), want("started"), ["start"]),
        (replace(DEAD, active="activating", sub="auto-restart"), want("stopped"), ["stop"]),
        (replace(DEAD, active="deactivating"), want("stopped"), ["stop"]),
        (replace(DEAD, enabled="static"), want(enabled=True), []),
        (replace(DEAD, enabled="static"), want(enabled=False), []),
        (replace(DEAD, enabled="enabled-runtime"), want(enabled=True), ["enable"]),
        (replace(DEAD, enabled="enabled-runtime"), want(enabled=False), ["disable"]),
        (RUNNING, want(), []),
    ],
)
def test_a_unit_gets_what_it_lacks(unit: units.Unit, wanted: units.Wanted, verbs: list[str]) -> None:
    assert units.actions(wanted, unit) == verbs


def test_units_that_need_the_same_share_one_call() -> None:
    wanted = [units.Wanted(name, "started", True) for name in ("a.service", "b.service")]
    wanted += [units.Wanted("c.service", "stopped", False), units.Wanted("d.service", "restarted", None)]
    now = {"a.service": DEAD, "b.service": DEAD, "c.service": RUNNING, "d.service": RUNNING}
    assert units.steps(wanted, now) == [
        units.Step("enable", ["a.service", "b.service"]),
        units.Step("disable", ["c.service"]),
        units.Step("stop", ["c.service"]),
        units.Step("start", ["a.service", "b.service"]),
        units.Step("restart", ["d.service"]),
    ]


def test_a_unit_that_crashed_too_often_gets_a_new_chance() -> None:
    exhausted = replace(CRASHED, result="start-limit-hit")
    verbs = [step.verb for step in units.steps([want("started")], {DEAD.name: exhausted})]
    assert verbs == ["reset-failed", "start"]
    assert units.steps([want("stopped")], {DEAD.name: exhausted}) == []


@pytest.mark.parametrize(
    "name", ["nginx", "web@.service", "web@blue", "", "../x.service", "a b.service", "--force.exe", "web@a@b.service"]
)
def test_only_full_names_are_taken(name: str) -> None:
    with pytest.raises(StackError, match="isn't the full name of a unit"):
        units.parse_wanted([{"name": name, "state": None, "enabled": None}])


@pytest.mark.parametrize(
    "name", ["nginx.service", "web@blue-2.service", "shop-nightly.timer", "postgresql@15-main.service", "a\\x2db.mount"]
)
def test_real_names_are_taken(name: str) -> None:
    assert units.parse_wanted([{"name": name, "state": None, "enabled": None}])[0].name == name


def test_a_unit_may_be_listed_once() -> None:
    entry = {"name": "a.service", "state": None, "enabled": None}
    with pytest.raises(StackError, match=r"a\.service is listed twice"):
        units.parse_wanted([entry, entry])


def test_show_asks_for_all_units_in_one_call() -> None:
    calls = []

    def run(words: list[str]) -> tuple[int, str, str]:
        calls.append(words)
        first = "LoadState=loaded\nActiveState=active\nNeedDaemonReload=yes\nDropInPaths=/a.conf /b.conf\n"
        return 0, f"{first}\nLoadState=not-found\nActiveState=inactive\nConditionResult=no\n", ""

    shown = units.show(["a.service", "b.timer"], run)
    assert [words[-2:] for words in calls] == [["a.service", "b.timer"]]
    assert (shown["a.service"].active, shown["a.service"].needs_reload) == ("active", True)
    assert shown["a.service"].drop_ins == ("/a.conf", "/b.conf")
    assert (shown["b.timer"].is_known, shown["b.timer"].conditions_met) == (False, False)


def test_show_passes_on_what_systemd_complains_about() -> None:
    with pytest.raises(StackError, match="not been booted with systemd"):
        units.show(["a.service"], lambda _words: (1, "", "System has not been booted with systemd as init system\n"))


@pytest.mark.parametrize(
    ("unit", "wanted", "words"),
    [
        (MISSING, want("started"), "doesn't exist on this host"),
        (MISSING, want(enabled=True), "doesn't exist on this host"),
        (replace(DEAD, load="masked"), want("started"), "is masked"),
        (replace(DEAD, load="bad-setting"), want("started"), r"can't be loaded \(bad-setting\)"),
    ],
)
def test_what_cannot_start_is_refused(unit: units.Unit, wanted: units.Wanted, words: str) -> None:
    with pytest.raises(StackError, match=words):
        units.refuse_impossible([wanted], {unit.name: unit}, check_mode=False)


def test_a_unit_that_is_still_missing_is_no_error_in_check_mode() -> None:
    units.refuse_impossible([want("started")], {MISSING.name: MISSING}, check_mode=True)
    units.refuse_impossible([want("stopped", False)], {MISSING.name: MISSING}, check_mode=False)
    assert set(units.predict(want("started"), MISSING).values()) == {"unknown"}


@pytest.mark.parametrize(
    ("unit", "wanted", "after"),
    [
        (DEAD, want("started", True), {"active": "active", "enabled": "enabled"}),
        (RUNNING, want("stopped", False), {"active": "inactive", "enabled": "disabled"}),
        (RUNNING, want("restarted"), {"active": "active", "sub": "running"}),
        (replace(DEAD, type="oneshot"), want("started"), {"active": "unknown"}),
        (MISSING, want("stopped"), {"load": "not-found"}),
    ],
)
def test_a_prediction_says_only_what_can_be_known(
    unit: units.Unit, wanted: units.Wanted, after: dict[str, str]
) -> None:
    assert after.items() <= units.predict(wanted, unit).items()


@pytest.fixture
def search_path(tmp_path: Path) -> list[str]:
    paths = [tmp_path / "etc", tmp_path / "lib"]
    for path in paths:
        path.mkdir()
    (tmp_path / "lib/web@.service").touch()
    return [str(path) for path in paths]


def is_outdated(unit: units.Unit, search_path: list[str]) -> bool:
    return units.needs_daemon_reload([want("started")], {unit.name: unit}, search_path)


@pytest.mark.parametrize("directory", ["etc/web@blue.service.d", "etc/web@.service.d", "lib/web@.service.d"])
def test_a_drop_in_that_systemd_has_not_read_is_noticed(tmp_path: Path, search_path: list[str], directory: str) -> None:
    unit = replace(RUNNING, fragment=str(tmp_path / "lib/web@.service"))
    assert not is_outdated(unit, search_path)
    (tmp_path / directory).mkdir()
    (tmp_path / directory / "limits.conf").touch()
    assert is_outdated(unit, search_path)
    assert not is_outdated(replace(unit, drop_ins=(str(tmp_path / directory / "limits.conf"),)), search_path)


def test_a_unit_file_that_overrides_the_loaded_one_is_noticed(tmp_path: Path, search_path: list[str]) -> None:
    unit = replace(RUNNING, fragment=str(tmp_path / "lib/web@.service"))
    (tmp_path / "etc/web@.service").symlink_to(tmp_path / "lib/web@.service")
    assert not is_outdated(unit, search_path), "a link to the loaded file is the same file"
    (tmp_path / "etc/web@blue.service").touch()
    assert is_outdated(unit, search_path)


@pytest.mark.parametrize(
    ("unit", "outdated"),
    [
        (replace(RUNNING, needs_reload=True), True),
        (MISSING, True),
        (replace(DEAD, load="bad-setting"), True),
        (replace(DEAD, load="masked"), False),
        (RUNNING, False),
    ],
)
def test_systemd_reloads_when_it_must(unit: units.Unit, outdated: bool) -> None:
    assert is_outdated(unit, []) is outdated


def test_a_unit_that_shall_be_gone_causes_no_reload() -> None:
    assert not units.needs_daemon_reload([want("stopped", False)], {MISSING.name: MISSING}, [])


class Clock:
    """Time passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def shows(clock: Clock, timeline: dict[float, str]) -> Callable[[list[str]], tuple[int, str, str]]:
    """A systemctl that reports the last of the timeline's states which has begun."""

    def run(_words: list[str]) -> tuple[int, str, str]:
        state = [state for begin, state in timeline.items() if begin <= clock.now][-1]
        return 0, f"LoadState=loaded\nActiveState={state}\nType=notify\n", ""

    return run


@pytest.mark.parametrize(
    ("timeline", "wait", "state", "ends_at"),
    [
        ({0.0: "active"}, 30, "active", 0),
        ({0.0: "activating", 5.0: "active"}, 30, "active", 5),
        ({0.0: "activating", 5.0: "failed"}, 30, "failed", 5),
        ({0.0: "activating"}, 3, "activating", 3),
        ({0.0: "activating", 5.0: "active"}, 0, "activating", 0),
    ],
)
def test_waiting_ends_with_certainty_or_with_the_time(
    timeline: dict[float, str], wait: float, state: str, ends_at: float
) -> None:
    clock = Clock()
    after = units.await_up([want("started")], [DEAD.name], shows(clock, timeline), wait, clock, clock.sleep)
    assert after[DEAD.name].active == state
    assert clock.now == pytest.approx(ends_at, abs=0.3)


def test_nobody_waits_for_what_was_not_started() -> None:
    clock = Clock()
    units.await_up([want(enabled=True)], [], shows(clock, {0.0: "activating"}), 30, clock, clock.sleep)
    assert clock.now == 0


@pytest.mark.parametrize(
    ("unit", "is_up"),
    [
        (RUNNING, True),
        (replace(DEAD, type="oneshot"), True),
        (replace(DEAD, type="oneshot", conditions_met=False), False),
        (replace(CRASHED, type="oneshot"), False),
        (DEAD, False),
        (replace(DEAD, active="activating", sub="auto-restart"), False),
    ],
)
def test_what_counts_as_up(unit: units.Unit, is_up: bool) -> None:
    assert unit.is_up is is_up


@pytest.mark.parametrize(
    ("unit", "sentence"),
    [
        (
            CRASHED,
            "web@blue.service did not start: it is failed (failed), Result=exit-code, "
            "its main process exited with status 3.",
        ),
        (
            replace(CRASHED, result="signal", exit_code="2", exit_status="9"),
            "web@blue.service did not start: it is failed (failed), Result=signal, "
            "its main process was ended by signal 9.",
        ),
        (
            replace(DEAD, conditions_met=False),
            "web@blue.service did not start: it is inactive (dead), Result=success, "
            "a condition in its unit file isn't met.",
        ),
        (RUNNING, "web@blue.service did not start: Job type reload is not applicable"),
    ],
)
def test_a_failure_is_one_sentence(unit: units.Unit, sentence: str) -> None:
    assert units.failure_sentence(unit, "start", "Job type reload is not applicable") == sentence


def journal_of(name: str) -> list[str]:
    return [f"last words of {name}"]


def test_only_the_units_that_failed_are_reported() -> None:
    now = {"a.service": replace(RUNNING, name="a.service"), "b.service": replace(CRASHED, name="b.service")}
    error = units.failure(dict.fromkeys(now, "start"), now, ["Job for b.service failed."], journal_of)
    assert isinstance(error, StackError)
    assert "a.service" not in str(error)
    assert str(error).endswith("\nlast words of b.service")
    expected: list[dict[str, Any]] = [
        {"name": "b.service", "result": "exit-code", "exit_status": "3", "journal": ["last words of b.service"]}
    ]
    assert error.details == {"failed_units": expected}


def test_a_reload_that_failed_is_one_though_the_unit_runs_on() -> None:
    error = units.failure(
        {RUNNING.name: "reload"}, {RUNNING.name: RUNNING}, [f"Job for {RUNNING.name} failed."], journal_of
    )
    assert f"{RUNNING.name} did not reload: Job for" in str(error)


def test_a_complaint_about_no_unit_in_particular_fails_too() -> None:
    error = units.failure({RUNNING.name: "start"}, {RUNNING.name: RUNNING}, ["Connection timed out"], journal_of)
    assert str(error) == "systemctl failed: Connection timed out"
    assert units.failure({RUNNING.name: "start"}, {RUNNING.name: RUNNING}, [], journal_of) is None


@pytest.mark.parametrize("verb", ["enable", "disable", "stop"])
def test_a_step_without_a_result_to_look_up_fails_at_once(verb: str) -> None:
    with pytest.raises(StackError, match=rf"systemctl {verb} a\.service failed: Access denied"):
        units.perform(units.Step(verb, ["a.service"]), lambda _words: (1, "", "Access denied\n"))
