# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases come, go live and go back on a host whose systemctl only remembers."""

from __future__ import annotations

import datetime
import grp
import json
import os
import pwd
import stat
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.module_utils import _deployment_host, _turn
from ansible_collections.slipway.stack.plugins.module_utils._release import (
    Layout,
    bundle_path,
    live_targets,
    read_json,
    read_ledger,
    write_json,
)
from ansible_collections.slipway.stack.plugins.modules import deployment

BundleOf = Callable[[str], dict[str, Any]]
ME = {"owner": pwd.getpwuid(os.getuid()).pw_name, "group": grp.getgrgid(os.getgid()).gr_name}
RETIREMENT = "shop-retire-blue.timer"


def units(slot: str, *processes: str) -> set[str]:
    return {f"shop-{process}@{slot}.service" for process in processes or ("web", "jobs", "beat")}


TIMERS = {"shop-watchdog.timer", "shop-nightly.timer"}


class Systemd:
    """Knows a unit once it has read its file, and notes each call that changes something."""

    def __init__(self, directory: Path) -> None:
        self.calls: list[str] = []
        self.active: set[str] = set()
        self.enabled: set[str] = set()
        self.refuses = ""
        self._directory = directory
        self._read: dict[str, str] = {}

    def run(self, words: Sequence[str], **_options: Any) -> tuple[int, str, str]:
        verb = words[1]
        names = [word for word in words[2:] if not word.startswith(("-", "CPU", "IO"))]
        if words[0] == "journalctl":
            return 0, "last words\n", ""
        if verb == "show":
            pid_only = "--value" in words
            return 0, "\n\n".join("0" if pid_only else self._properties(name) for name in names) + "\n", ""
        self.calls.append(" ".join(words))
        if words[0] == self.refuses:
            return 1, "", "Connection timed out\n"
        if words[0] == "systemd-run":
            self.active.add(words[3].removeprefix("--unit=") + ".timer")
        return self._change(verb, names)

    def calls_of(self, verb: str) -> list[str]:
        return [call for call in self.calls if call.split()[1] == verb or call.split()[0] == verb]

    def _change(self, verb: str, names: list[str]) -> tuple[int, str, str]:
        if verb == "daemon-reload":
            self._read = {path.name: path.read_text() for path in self._directory.iterdir()}
        elif verb in ("start", "restart"):
            self.active |= set(names)
        elif verb == "stop":
            self.active -= set(names)
        elif verb == "enable":
            self.enabled |= set(names)
        elif verb == "disable":
            self.enabled -= set(names)
        self.active = {name for name in self.active if "broken" not in self._read.get(name, "")}
        return 0, "", ""

    def _properties(self, name: str) -> str:
        content = self._read.get(name)
        path = self._directory / name
        outdated = content is not None and path.exists() and path.read_text() != content
        return (
            f"LoadState={'not-found' if content is None else 'loaded'}\n"
            f"ActiveState={'active' if name in self.active else 'inactive'}\n"
            f"UnitFileState={'enabled' if name in self.enabled else 'disabled'}\n"
            f"NeedDaemonReload={'yes' if outdated else 'no'}\nType=exec\n"
        )


class Host:
    """The module, with one release after the other."""

    def __init__(self, layout: Layout, bundle_of: BundleOf, run: Callable[..., dict[str, Any]]) -> None:
        self.layout = layout
        self.systemd = Systemd(layout.unit_directory)
        self.bundle_of = bundle_of
        self._run = run

    def build(self, *releases: str) -> None:
        for release in releases:
            self.layout.release(release).mkdir()
            manifest = {"id": release, "version": f"v{release}", "built_at": f"2026-01-0{release}"}
            write_json(self.layout.manifest(release), manifest)

    def run(self, state: str, release: str, slot: str, *, check_mode: bool = False, **more: Any) -> dict[str, Any]:
        parameters = {"name": "shop", "root": str(self.layout.root), "release": release, "slot": slot, "state": state}
        return self._run(deployment, {**parameters, **more}, check_mode=check_mode, diff=True)

    def deploy(self, release: str, slot: str, **more: Any) -> dict[str, Any]:
        self.build(release)
        self.run("started", release, slot, bundle=self.bundle_of(release), anew=True)
        self.run("working", release, slot)
        return self.run("live", release, slot, wanted={"version": f"v{release}", "settings": "s1"}, **more)

    @property
    def live(self) -> dict[str, Any]:
        return read_json(self.layout.live)

    @property
    def ledger(self) -> list[tuple[str, str, str]]:
        return [(entry["outcome"], entry["release"], entry["slot"]) for entry in read_ledger(self.layout)]

    def everything(self) -> dict[str, Any]:
        """Each file and the state of systemd."""
        roots = [self.layout.root, self.layout.configuration, self.layout.state, self.layout.unit_directory]
        files = [path for root in roots for path in sorted(root.rglob("*")) if path.is_file()]
        content: dict[str, Any] = {str(path): path.read_text() for path in files}
        return {**content, "calls": list(self.systemd.calls)}


@pytest.fixture
def host(
    layout: Layout,
    bundle_of: BundleOf,
    run_module: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> Host:
    found = Host(layout, bundle_of, run_module)
    monkeypatch.setattr(deployment, "Layout", lambda *_: layout)
    monkeypatch.setattr(_deployment_host, "_FILE_DEFAULTS", {**_deployment_host._FILE_DEFAULTS, **ME})
    monkeypatch.setattr(deployment.AnsibleModule, "run_command", lambda _module, *words, **_: found.systemd.run(*words))
    return found


@pytest.fixture
def upgraded(host: Host) -> Host:
    """Release 2 is live in green, and release 1 is warm in blue."""
    host.deploy("1", "blue")
    host.deploy("2", "green")
    return host


# --- the way to live


def test_a_release_takes_over_step_by_step(host: Host) -> None:
    host.deploy("1", "blue")
    assert host.systemd.active == units("blue") | TIMERS
    assert host.systemd.enabled == host.systemd.active

    host.build("2")
    started = host.run("started", "2", "green", bundle=host.bundle_of("2"))
    assert started["changed"]
    assert started["targets"] == host.bundle_of("2")["slots"]["green"]["targets"]
    assert started["smoke"] == {"command": "python -m shop.smoke", "paths": []}
    assert host.systemd.active == units("blue") | TIMERS | units("green", "web")

    assert host.run("working", "2", "green")["changed"]
    assert host.systemd.active == units("blue", "web", "beat") | TIMERS | units("green", "web", "jobs")
    assert host.live["release"] == "1"

    assert host.run("live", "2", "green")["moved"]
    assert host.systemd.active == units("green") | TIMERS | units("blue", "web") | {RETIREMENT}
    assert host.systemd.enabled == units("green") | TIMERS


@pytest.mark.parametrize("state", ["started", "working", "live"])
def test_each_stage_is_a_change_once(upgraded: Host, state: str) -> None:
    upgraded.build("3")
    upgraded.run("started", "3", "blue", bundle=upgraded.bundle_of("3"))
    upgraded.run(state, "3", "blue")
    upgraded.systemd.calls.clear()
    again = upgraded.run(state, "3", "blue")
    assert (again["changed"], again["diff"]) == (False, [])
    # To say again what a process weighs does no harm.
    assert upgraded.systemd.calls == (upgraded.systemd.calls_of("set-property") if state == "working" else [])


def test_a_singleton_ends_before_its_successor_starts(upgraded: Host) -> None:
    calls = upgraded.systemd.calls
    ends = calls.index("systemctl stop -- shop-beat@blue.service")
    starts = [number for number, call in enumerate(calls) if " start " in call and "shop-beat@green.service" in call]
    assert [number > ends for number in starts] == [True]


def test_workers_are_not_waited_for(upgraded: Host) -> None:
    assert "systemctl stop --no-block -- shop-jobs@blue.service" in upgraded.systemd.calls


def test_a_new_release_weighs_little_until_it_is_healthy(host: Host) -> None:
    host.deploy("1", "blue")
    assert "CPUWeight=20" not in " ".join(host.systemd.calls), "nobody serves beside the first one"
    host.build("2")
    host.run("started", "2", "green", bundle=host.bundle_of("2"), anew=True)
    lowered = "systemctl set-property --runtime shop-web@green.service CPUWeight=20 IOWeight=20"
    assert host.systemd.calls_of("set-property")[-1] == lowered
    assert host.systemd.calls.index(lowered) < len(host.systemd.calls) - 1, "before it starts"
    host.run("working", "2", "green")
    usual = "systemctl set-property --runtime shop-web@green.service CPUWeight= IOWeight="
    assert host.systemd.calls_of("set-property")[-1] == usual


def test_what_is_gone_back_to_has_its_full_weight_at_once(upgraded: Host) -> None:
    upgraded.systemd.calls.clear()
    upgraded.run("started", "1", "blue")
    assert upgraded.systemd.calls_of("set-property") == []


def test_what_is_live_has_its_full_weight_without_the_stage_between(upgraded: Host) -> None:
    upgraded.run("started", "1", "blue", anew=True)
    upgraded.run("live", "1", "blue")
    usual = "systemctl set-property --runtime shop-web@blue.service CPUWeight= IOWeight="
    assert upgraded.systemd.calls_of("set-property")[-1] == usual


def test_a_host_may_leave_singletons_to_another(host: Host) -> None:
    host.build("1")
    host.run("live", "1", "blue", bundle=host.bundle_of("1"), singletons=False)
    assert host.systemd.active == units("blue", "web", "jobs") | {"shop-watchdog.timer"}


# --- what is kept


def test_a_bundle_is_for_root_alone_and_is_shown_once(host: Host) -> None:
    host.build("1")
    result = host.run("started", "1", "blue", bundle=host.bundle_of("1"))
    path = bundle_path(host.layout, "1")
    assert read_json(path) == host.bundle_of("1")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    shown = [part["after_header"].split()[0] for part in result["diff"]]
    assert str(path) not in shown
    assert shown.count(str(host.layout.unit_directory / "shop-web@blue.service")) == 1


@pytest.mark.parametrize("state", ["started", "working", "live"])
def test_a_release_without_its_bundle_can_not_run(host: Host, state: str) -> None:
    result = host.run(state, "9", "blue")
    path = bundle_path(host.layout, "9")
    assert result["failed"]
    assert result["msg"] == f"release 9 can't run on this host, since {path} isn't there."
    assert host.systemd.calls == []


def test_what_is_not_complete_can_not_go_live(host: Host) -> None:
    result = host.run("live", "9", "blue", bundle=host.bundle_of("9"))
    assert result["msg"] == "release 9 isn't complete, so it can't be live: build it first."
    assert host.live == {}


def test_it_is_recorded_what_went_live(upgraded: Host) -> None:
    live = upgraded.live
    assert (live["slot"], live["release"], live["previous"]) == ("green", "2", "1")
    assert live["wanted"] == {"version": "v2", "settings": "s1"}
    assert upgraded.layout.current.resolve() == upgraded.layout.release("2").resolve()
    assert upgraded.ledger == [("live", "1", "blue"), ("live", "2", "green")]
    entry = read_ledger(upgraded.layout)[-1]
    assert (entry["wanted"], entry["before"]["release"]) == ("v2", "1")


def test_another_wish_for_the_same_release_is_recorded(upgraded: Host) -> None:
    since = upgraded.live["previous"]
    result = upgraded.run("live", "2", "green", wanted={"version": "main"})
    assert (result["changed"], result["moved"]) == (True, False)
    assert (upgraded.live["wanted"], upgraded.live["previous"]) == ({"version": "main"}, since)
    assert len(upgraded.ledger) == 2


def test_a_rollback_leaves_the_wish_as_it_is(upgraded: Host) -> None:
    upgraded.run("live", "1", "blue", outcome="rolled back", ledger={"by": "ann"})
    assert (upgraded.live["release"], upgraded.live["wanted"]["version"]) == ("1", "v2")
    assert upgraded.ledger[-1] == ("rolled back", "1", "blue")
    assert read_ledger(upgraded.layout)[-1]["by"] == "ann"


def test_old_releases_go_when_a_new_one_is_live(host: Host) -> None:
    host.build("1", "2", "3")
    assert host.deploy("4", "blue", keep=2)["removed"] == ["1", "2"]
    assert not host.layout.release("1").exists()


# --- the other slot


def test_the_host_itself_stops_the_other_slot_later(upgraded: Host) -> None:
    assert upgraded.systemd.calls_of("systemd-run") == [
        "systemd-run --quiet --collect --unit=shop-retire-blue --on-active=600 --timer-property=AccuracySec=1s "
        "--property=SyslogIdentifier=shop-retire /usr/bin/python3 /usr/local/lib/slipway/shop/retire "
        f"{upgraded.layout.live} {upgraded.layout.slot('blue')}"
    ]


def test_a_run_that_was_killed_before_it_scheduled_this_is_made_up_for(host: Host) -> None:
    host.deploy("1", "blue")
    host.systemd.refuses = "systemd-run"
    assert "systemd-run --quiet" in host.deploy("2", "green")["msg"]
    host.systemd.refuses = ""
    assert host.run("live", "2", "green")["changed"]
    assert RETIREMENT in host.systemd.active
    assert host.ledger == [("live", "1", "blue"), ("live", "2", "green")]


@pytest.mark.parametrize("kind", ["timer", "service"])
def test_a_slot_that_waits_or_drains_goes_on_so(upgraded: Host, kind: str) -> None:
    upgraded.systemd.active.remove(RETIREMENT)
    upgraded.systemd.active.add(f"shop-retire-blue.{kind}")
    upgraded.systemd.calls.clear()
    assert not upgraded.run("live", "2", "green")["changed"]
    assert upgraded.systemd.calls == []


def test_a_slot_that_has_stopped_is_left_alone(upgraded: Host) -> None:
    upgraded.systemd.active -= {RETIREMENT, *units("blue")}
    assert upgraded.run("live", "2", "green")["changed"] is False
    assert len(upgraded.systemd.calls_of("systemd-run")) == 1


def test_a_slot_that_is_wanted_again_is_not_stopped(upgraded: Host) -> None:
    upgraded.run("started", "1", "blue")
    assert RETIREMENT not in upgraded.systemd.active


@pytest.mark.parametrize(("warm", "seconds"), [(300, 300), (0, 120)])
def test_another_time_to_stay_warm_replaces_the_first_and_is_enough_for_a_request(
    upgraded: Host, warm: int, seconds: int
) -> None:
    assert upgraded.run("live", "2", "green", warm=warm)["changed"]
    assert f"--on-active={seconds} " in upgraded.systemd.calls_of("systemd-run")[-1]


# --- visitors who were left in the slot a moment ago


@pytest.fixture
def waits(host: Host, monkeypatch: pytest.MonkeyPatch) -> list[tuple[set[int], float]]:
    """For which ports it was waited, and how long at most."""
    found: list[tuple[set[int], float]] = []

    def wait(ports: set[int], seconds: float) -> None:
        assert host.systemd.calls == [], "nothing was done to the slot before"
        found.append((ports, seconds))

    monkeypatch.setattr(_deployment_host._drain, "wait", wait)
    return found


def left(host: Host, seconds: float) -> None:
    """The other slot was left so long ago."""
    since = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=seconds)
    write_json(host.layout.live, {**host.live, "since": since.isoformat()})


@pytest.mark.parametrize(("ago", "rest"), [(20, 100), (119, 1), (3600, -3480)])
def test_they_keep_their_connections_for_as_long_as_they_were_promised(
    upgraded: Host, waits: list[tuple[set[int], float]], ago: float, rest: float
) -> None:
    left(upgraded, ago)
    upgraded.build("3")
    upgraded.systemd.calls.clear()
    upgraded.run("started", "3", "blue", bundle=upgraded.bundle_of("3"), anew=True)
    assert waits == [({8000}, pytest.approx(rest, abs=2))]


def test_who_was_left_by_a_run_that_ended_before_its_record_has_the_whole_time(
    upgraded: Host, waits: list[tuple[set[int], float]]
) -> None:
    left(upgraded, 3600)
    upgraded.build("3")
    upgraded.systemd.calls.clear()
    upgraded.run("started", "3", "green", bundle=upgraded.bundle_of("3"), anew=True)
    assert waits == [({8050}, 120)]


def test_nobody_is_waited_for_without_need(host: Host, waits: list[tuple[set[int], float]]) -> None:
    host.deploy("1", "blue")
    assert waits == [], "nothing was there before"
    host.deploy("2", "green")
    assert waits == [], "the slot was empty"
    host.run("started", "1", "blue")
    assert waits == [], "it is the warm release itself that is wanted"
    host.run("started", "2", "green", anew=True)
    assert waits == [], "it is the live slot"
    host.run("started", "3", "blue", bundle=host.bundle_of("3"), anew=True, check_mode=True)
    assert waits == [], "it is a check"


# --- steps that nobody waits for any more


def test_a_step_of_a_run_that_another_has_followed_does_nothing(upgraded: Host) -> None:
    upgraded.build("3")
    _turn.enter(upgraded.layout.state / "shop", "new")
    before = upgraded.everything()
    late = upgraded.run("started", "3", "blue", bundle=upgraded.bundle_of("3"), anew=True, run="old")
    assert late["msg"].startswith("another run has taken over the rollout of shop")
    assert upgraded.everything() == before
    assert upgraded.run("started", "3", "blue", bundle=upgraded.bundle_of("3"), anew=True, run="new")["changed"]


def test_a_step_that_drained_while_another_run_came_does_nothing(
    upgraded: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        _deployment_host._drain, "wait", lambda *_: _turn.enter(upgraded.layout.state / "shop", "new", 0)
    )
    upgraded.build("3")
    upgraded.systemd.calls.clear()
    late = upgraded.run("started", "3", "blue", bundle=upgraded.bundle_of("3"), anew=True, run="old")
    assert late["failed"]
    assert upgraded.systemd.calls == []


# --- when it fails


def test_a_unit_that_fails_is_quoted(host: Host) -> None:
    host.build("1")
    bundle = host.bundle_of("1")
    bundle["slots"]["blue"]["units"][0]["content"] += "# broken\n"
    result = host.run("started", "1", "blue", bundle=bundle)
    assert result["msg"].startswith("shop-web@blue.service did not start: it is inactive")
    assert result["msg"].endswith("\nlast words")
    assert [unit["name"] for unit in result["failed_units"]] == ["shop-web@blue.service"]


FAILURE = {"release": "2", "slot": "green", "reason": "it fell over"}


def test_an_undo_before_the_switch_leaves_what_was(host: Host) -> None:
    host.deploy("1", "blue")
    before, running = host.live, set(host.systemd.active)
    host.build("2")
    host.run("started", "2", "green", bundle=host.bundle_of("2"))
    host.run("working", "2", "green")
    assert host.run("stopped", "2", "green", remove=True)["removed"] == ["2"]
    result = host.run("live", "1", "blue", outcome="failed", warm=0, ledger=FAILURE)
    assert result["moved"] is False
    assert (host.live, host.systemd.active) == (before, running)
    assert host.ledger == [("live", "1", "blue"), ("failed", "2", "green")]
    assert read_ledger(host.layout)[-1]["reason"] == "it fell over"


def test_an_undo_after_the_hand_over_goes_back(upgraded: Host) -> None:
    result = upgraded.run("live", "1", "blue", outcome="failed", warm=0, ledger=FAILURE)
    assert result["moved"]
    assert upgraded.systemd.active == units("blue") | TIMERS | units("green", "web") | {"shop-retire-green.timer"}
    assert upgraded.systemd.enabled == units("blue") | TIMERS
    assert (upgraded.live["slot"], upgraded.live["release"]) == ("blue", "1")
    assert upgraded.ledger[-1] == ("failed", "2", "green")


def test_what_never_was_live_leaves_nothing(host: Host) -> None:
    host.deploy("1", "blue")
    host.build("2")
    before = set(host.systemd.active)
    host.run("started", "2", "green", bundle=host.bundle_of("2"))
    result = host.run("stopped", "2", "green", remove=True, ledger={"reason": "it fell over"})
    assert (result["changed"], result["removed"], result["targets"]) == (True, ["2"], [])
    assert not host.layout.release("2").exists()
    assert not bundle_path(host.layout, "2").exists()
    assert not host.layout.slot("green").exists()
    assert list(host.layout.unit_directory.glob("*@green*")) == []
    assert host.systemd.active == before
    assert host.ledger[-1] == ("failed", "2", "green")
    again = host.run("stopped", "2", "green", remove=True)
    assert (again["changed"], again["removed"], len(host.ledger)) == (False, [], 2)


def test_what_failed_is_kept_where_that_is_wanted(host: Host) -> None:
    host.build("1")
    assert host.run("stopped", "1", "blue")["removed"] == []
    assert host.layout.manifest("1").exists()
    assert host.ledger == []


def test_what_was_live_once_is_never_removed(upgraded: Host) -> None:
    result = upgraded.run("stopped", "1", "blue", remove=True)
    assert (result["changed"], result["removed"]) == (True, [])
    assert upgraded.layout.manifest("1").exists()
    assert bundle_path(upgraded.layout, "1").exists()


# --- what may not run twice

QUEUE, SOCKET = "shop-queue.service", "shop-queue.socket"


class Answers:
    """Stands for the first answer of each process that is waited for."""

    def __init__(self, target: dict[str, Any], _call: object) -> None:
        self.unit = target["name"]

    def wait(self) -> float:
        return time.monotonic() + 1.5


@pytest.fixture
def queued(host: Host, queue_of: BundleOf, monkeypatch: pytest.MonkeyPatch) -> Host:
    """Release 1 is live in blue, and release 2 is in green, but for what may not run twice."""
    host.bundle_of = queue_of
    releases: dict[str, str] = {}
    monkeypatch.setattr(
        _deployment_host.Executor, "release_of", lambda _host, names: {n: releases[n] for n in names if n in releases}
    )
    monkeypatch.setattr(_deployment_host, "FirstAnswer", Answers)
    host.deploy("1", "blue")
    releases |= {QUEUE: "1", "shop-mailer.service": "1"}
    host.build("2")
    host.run("started", "2", "green", bundle=queue_of("2"))
    return host


def test_it_is_asked_for_when_it_was_replaced(queued: Host) -> None:
    result = queued.run("started", "2", "green")
    assert [target["name"] for target in result["targets"]] == ["shop-web@green.service"]
    assert [target["name"] for target in result["replaced_targets"]] == [QUEUE]


def test_what_is_gone_back_to_has_answered_once(upgraded: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Noted(Answers):
        def wait(self) -> float:
            asked.append(self.unit)
            return super().wait()

    monkeypatch.setattr(_deployment_host, "FirstAnswer", Noted)
    upgraded.run("started", "1", "blue", answers=True, check_mode=True)
    upgraded.run("started", "1", "blue")
    assert asked == []
    upgraded.run("started", "1", "blue", answers=True)
    assert asked == ["shop-web@blue.service"]


def test_it_is_told_for_how_long_nobody_answered(queued: Host) -> None:
    queued.systemd.calls.clear()
    result = queued.run("replaced", "2", "green")
    assert result["changed"]
    assert [(pause["name"], pause["seconds"] >= 1.5) for pause in result["pauses"]] == [(QUEUE, True)]
    assert queued.systemd.calls == ["systemctl daemon-reload", f"systemctl restart -- {QUEUE}"]


def test_the_first_one_lets_nobody_wait(host: Host, queue_of: BundleOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_deployment_host, "FirstAnswer", Answers)
    host.build("1")
    host.run("started", "1", "blue", bundle=queue_of("1"))
    assert not {QUEUE, SOCKET} & host.systemd.active
    assert host.run("replaced", "1", "blue")["pauses"] == []
    assert {QUEUE, SOCKET} <= host.systemd.active & host.systemd.enabled


def test_its_health_is_looked_at_with_what_is_live(queued: Host) -> None:
    names = {target["name"] for target in live_targets(queued.layout, queued.live)}
    assert {QUEUE, "shop-web@blue.service"} <= names


def test_a_check_foresees_the_replacement_and_does_nothing(queued: Host) -> None:
    before = json.dumps(queued.everything())
    foreseen = queued.run("replaced", "2", "green", check_mode=True)
    assert (foreseen["changed"], foreseen["pauses"]) == (True, [])
    assert json.dumps(queued.everything()) == before


# --- check mode


@pytest.mark.parametrize(
    ("state", "release", "slot", "more"),
    [
        ("started", "3", "blue", {}),
        ("working", "3", "blue", {}),
        ("live", "3", "blue", {"keep": 1, "warm": 0}),
        ("live", "1", "blue", {"outcome": "failed", "ledger": FAILURE}),
        ("stopped", "3", "green", {"remove": True, "ledger": FAILURE}),
    ],
)
def test_a_check_touches_nothing(upgraded: Host, state: str, release: str, slot: str, more: dict[str, Any]) -> None:
    upgraded.build("3")
    given = {} if state == "stopped" else {"bundle": upgraded.bundle_of(release)}
    before = json.dumps(upgraded.everything())
    foreseen = upgraded.run(state, release, slot, check_mode=True, **given, **more)
    assert foreseen["changed"]
    assert json.dumps(upgraded.everything()) == before
    done = upgraded.run(state, release, slot, **given, **more)
    told = ("changed", "moved", "removed")
    assert [foreseen.get(key) for key in told] == [done.get(key) for key in told]


def test_a_check_needs_no_files_on_a_bare_host(host: Host) -> None:
    for folder in (host.layout.environments, host.layout.unit_directory):
        folder.rmdir()
    for state in ("started", "live"):
        assert host.run(state, "1", "blue", check_mode=True, bundle=host.bundle_of("1"))["changed"]
    assert host.systemd.calls == []
