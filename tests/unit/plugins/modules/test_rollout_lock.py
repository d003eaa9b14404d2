# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run has the lock, whoever else asks for it, and a dead one loses it to the next."""

from __future__ import annotations

import datetime
import functools
import json
import multiprocessing
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.slipway.stack.plugins.module_utils import _rollout_lock as logic
from ansible_collections.slipway.stack.plugins.module_utils import _turn
from ansible_collections.slipway.stack.plugins.modules import rollout_lock

RunLock = Callable[..., dict[str, Any]]

CONTROLLER = {"hostname": "deploy1", "boot_id": "b1", "pid_namespace": "pid:[1]", "pid": 4711, "started": 99}
NOON = datetime.datetime(2026, 11, 23, 12, 0, 5, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
RACERS = 12


@pytest.fixture
def run_lock(run_module: Callable[..., dict[str, Any]], tmp_path: Path) -> RunLock:
    def run(state: str, run: str = "first", *, check_mode: bool = False, **more: Any) -> dict[str, Any]:
        owner = {"first": "alice@deploy1", "second": "bob@deploy2"}[run]
        arguments = {"name": "shop", "state": state, "run": run, "owner": owner, "directory": str(tmp_path / "lib")}
        return run_module(rollout_lock, {**arguments, **more}, check_mode=check_mode)

    return run


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "lib/shop/rollout.lock"


@pytest.fixture
def expired(lock: Path) -> dict[str, Any]:
    """A lock whose lease ended an hour ago."""
    logic.hold(lock, logic.Claim("old", "eve@ci", "upgrade to v1", controller=CONTROLLER), logic.now() - 2 * HOUR)
    content: dict[str, Any] = json.loads(lock.read_text())
    return content


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Where a warning goes otherwise depends on what else the process has imported."""
    messages: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _self, message: messages.append(message))
    return messages


def test_a_free_lock_is_taken(run_lock: RunLock, lock: Path) -> None:
    previous = os.umask(0o077)
    try:
        result = run_lock("held", purpose="upgrade to v1.4.3", controller=CONTROLLER)
    finally:
        os.umask(previous)
    assert (result["changed"], result["held"], result["taken_over"]) == (False, True, "")
    content = json.loads(lock.read_text())
    assert result["holder"] == content
    assert (content["run"], content["owner"]) == ("first", "alice@deploy1")
    assert (content["purpose"], content["controller"]) == ("upgrade to v1.4.3", CONTROLLER)
    since, expires = (datetime.datetime.fromisoformat(content[each]) for each in ("since", "expires"))
    assert abs(since - logic.now()) < datetime.timedelta(seconds=10)
    assert expires - since == HOUR
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (lock, lock.parent, lock.parent.parent)]
    assert modes == [0o644, 0o755, 0o755]
    assert list(lock.parent.iterdir()) == [lock]


def test_another_run_is_told_who_has_it(run_lock: RunLock, lock: Path) -> None:
    run_lock("held", purpose="upgrade to v1.4.3", controller=CONTROLLER)
    before = lock.read_bytes()
    result = run_lock("held", "second")
    assert result["failed"]
    assert result["holder"]["run"] == "first"
    assert result["msg"].startswith(
        "another rollout of shop is under way: alice@deploy1 (process 4711 there) has held its lock for"
    )
    assert ", for upgrade to v1.4.3, and its lease lasts until " in result["msg"]
    assert result["msg"].endswith(f"or, if you know that it is dead, remove {lock} on this host.")
    assert lock.read_bytes() == before


def test_what_a_refusal_says() -> None:
    holder = logic.Claim("first", "alice@deploy1", minutes=90).holder(NOON)
    said = logic.refusal(Path("/var/lib/slipway/shop/rollout.lock"), holder, NOON + datetime.timedelta(minutes=4))
    assert said == (
        "another rollout of shop is under way: alice@deploy1 has held its lock for 4 min, since 2026-11-23 12:00:05 "
        "UTC, and its lease lasts until 2026-11-23 13:30:05 UTC, 1 h 26 min from now: wait until that run ends, or, if "
        "you know that it is dead, remove /var/lib/slipway/shop/rollout.lock on this host."
    )


def test_the_same_run_renews_its_lease(lock: Path) -> None:
    claim = logic.Claim("first", minutes=10)
    logic.hold(lock, claim, NOON)
    logic.hold(lock, claim, NOON + 2 * HOUR)
    holder = logic.read(lock)
    assert holder
    assert (holder.since, holder.expires) == ("2026-11-23T12:00:05+00:00", "2026-11-23T14:10:05+00:00")


def test_a_lease_ends_when_it_says_so(lock: Path) -> None:
    logic.hold(lock, logic.Claim("first", minutes=10), NOON)
    second = logic.Claim("second", minutes=10)
    assert logic.hold(lock, second, NOON + datetime.timedelta(minutes=10, seconds=-1)).after is None
    assert logic.hold(lock, second, NOON + datetime.timedelta(minutes=10)).after == logic.read(lock)


def test_an_expired_lock_is_taken_over_and_it_says_so(
    run_lock: RunLock, expired: dict[str, Any], lock: Path, warned: list[str]
) -> None:
    result = run_lock("held", "second")
    assert result["taken_over"].startswith("eve@ci (process 4711 there) since ")
    assert " for upgrade to v1: its lease ended at " in result["taken_over"]
    assert warned == [f"The lock of shop was held by {result['taken_over']}, so this run takes it over."]
    assert json.loads(lock.read_text())["run"] == "second"


def test_the_lock_of_an_ended_process_is_taken_over(run_lock: RunLock, lock: Path) -> None:
    run_lock("held", controller=CONTROLLER)
    someone_else = {**CONTROLLER, "pid": 12}
    assert run_lock("held", "second", ended=someone_else)["failed"]
    result = run_lock("held", "second", ended=CONTROLLER)
    assert result["taken_over"].endswith(": the ansible-playbook that took it has ended")
    assert json.loads(lock.read_text())["run"] == "second"


def test_a_holder_without_an_identity_is_not_ended(run_lock: RunLock) -> None:
    run_lock("held")
    assert run_lock("held", "second", ended={})["failed"]


def test_who_lost_the_lock_is_told(run_lock: RunLock, expired: dict[str, Any], lock: Path) -> None:
    run_lock("held", "second")
    renewal = logic.hold(lock, logic.Claim("old"), logic.now())
    assert (renewal.after, renewal.before) == (None, logic.read(lock))


def test_a_host_knows_the_newest_run(run_lock: RunLock, tmp_path: Path) -> None:
    entered = run_lock("entered")
    assert (entered["changed"], "failed" in entered) == (False, False)
    run_lock("entered", "second", check_mode=True)
    with _turn.turn(tmp_path / "lib/shop", "first"):
        pass


def test_release(run_lock: RunLock, lock: Path) -> None:
    run_lock("held")
    result = run_lock("released")
    assert (result["changed"], result["released"], result["holder"]) == (False, True, {})
    assert list(lock.parent.iterdir()) == []
    assert run_lock("released")["released"] is False


def test_nothing_to_release_on_a_bare_host(run_lock: RunLock, tmp_path: Path) -> None:
    assert run_lock("released")["released"] is False
    assert list(tmp_path.iterdir()) == []


def test_another_run_releases_nothing(run_lock: RunLock, lock: Path) -> None:
    run_lock("held", purpose="rollback")
    before = lock.read_bytes()
    result = run_lock("released", "second")
    assert (result["released"], result["holder"]["run"]) == (False, "first")
    assert result["msg"].startswith(
        "Nothing was released: the lock of shop belongs to another run, that of alice@deploy1 since "
    )
    assert lock.read_bytes() == before


def test_query_tells_who_has_it(run_lock: RunLock, tmp_path: Path) -> None:
    nobody = run_lock("query")
    assert (nobody["holder"], nobody["dead"]) == ({}, "")
    assert list(tmp_path.iterdir()) == []
    run_lock("held", controller=CONTROLLER)
    somebody = run_lock("query", "second")
    assert (somebody["holder"]["run"], somebody["dead"]) == ("first", "")
    assert run_lock("query", ended=CONTROLLER)["dead"] == "the ansible-playbook that took it has ended"


def test_check_mode_writes_nothing_on_a_bare_host(run_lock: RunLock, tmp_path: Path) -> None:
    result = run_lock("held", check_mode=True)
    assert (result["held"], result["holder"]) == (True, {})
    assert list(tmp_path.iterdir()) == []


def test_check_mode_tells_who_holds_it(run_lock: RunLock, lock: Path, warned: list[str]) -> None:
    run_lock("held")
    before = lock.read_bytes()
    result = run_lock("held", "second", check_mode=True)
    assert (result["held"], result["holder"]["run"]) == (False, "first")
    assert warned[0].startswith("another rollout of shop is under way: alice@deploy1")
    assert run_lock("released", "second", check_mode=True)["released"] is False
    assert run_lock("released", check_mode=True)["released"] is True
    assert lock.read_bytes() == before


def test_check_mode_would_take_over_too(run_lock: RunLock, expired: dict[str, Any], lock: Path) -> None:
    result = run_lock("held", "second", check_mode=True)
    assert (result["held"], result["holder"]["run"]) == (True, "old")
    assert ": its lease ended at " in result["taken_over"]
    assert json.loads(lock.read_text()) == expired


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"run": "first"}',
        json.dumps({"run": "r", "owner": "o", "purpose": "", "since": "noon", "expires": "one", "controller": {}}),
    ],
)
def test_a_file_that_is_no_lock_is_neither_taken_nor_overwritten(run_lock: RunLock, lock: Path, content: str) -> None:
    lock.parent.mkdir(parents=True)
    lock.write_text(content)
    result = run_lock("held")
    assert f"{lock} can't be read as a lock" in result["msg"]
    assert lock.read_text() == content


@pytest.mark.parametrize("name", ["../shop", "", "a/b", ".hidden"])
def test_a_name_can_not_lead_elsewhere(run_lock: RunLock, name: str) -> None:
    assert "can't name a folder" in run_lock("query", name=name)["msg"]


def test_a_lease_without_length_is_refused(run_lock: RunLock) -> None:
    assert "minutes is 0" in run_lock("held", minutes=0)["msg"]


def test_a_directory_that_is_a_file_is_named(run_lock: RunLock, tmp_path: Path) -> None:
    (tmp_path / "lib").write_text("")
    assert run_lock("held")["msg"].startswith(f"{tmp_path / 'lib'}")


def race(lock: Path, ended: dict[str, Any]) -> list[str]:
    """The runs that believe they have the lock, after all of them asked for it at once."""
    context = multiprocessing.get_context("fork")
    start = context.Barrier(RACERS)
    winners = context.SimpleQueue()

    def ask(run: str) -> None:
        start.wait()
        if logic.hold(lock, logic.Claim(run, ended=ended), logic.now()).after:
            winners.put(run)

    in_processes([functools.partial(ask, f"run-{number}") for number in range(RACERS)])
    return [winners.get() for _winner in iter(winners.empty, True)]


def in_processes(targets: list[Callable[[], None]]) -> None:
    """Run each in a process of its own, all at once; none may fail or hang."""
    processes = [multiprocessing.get_context("fork").Process(target=target, daemon=True) for target in targets]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0] * len(targets)


@pytest.mark.parametrize("before", ["free", "expired", "ended"])
def test_one_of_many_processes_wins(tmp_path: Path, before: str) -> None:
    for lap in range(15):
        lock = tmp_path / str(lap) / "rollout.lock"
        if before != "free":
            age = 2 * HOUR if before == "expired" else 0 * HOUR
            logic.hold(lock, logic.Claim("old", controller=CONTROLLER), logic.now() - age)
        won = race(lock, CONTROLLER if before == "ended" else {})
        holder = logic.read(lock)
        assert holder
        assert won == [holder.run]


def test_a_lock_that_changes_hands_has_one_holder_at_a_time(tmp_path: Path) -> None:
    lock, witness = tmp_path / "shop/rollout.lock", tmp_path / "witness"
    rounds = 20

    def work(run: str) -> None:
        for _round in range(rounds):
            while logic.hold(lock, logic.Claim(run), logic.now()).after is None:
                os.sched_yield()
            # Fails when another process is between these two lines.
            os.close(os.open(witness, os.O_CREAT | os.O_EXCL))
            witness.unlink()
            logic.release(lock, run)

    in_processes([functools.partial(work, f"run-{number}") for number in range(3)])
    assert not lock.exists()


def test_a_process_killed_while_it_writes_leaves_no_lock_behind(tmp_path: Path) -> None:
    lock = tmp_path / "shop/rollout.lock"
    lock.parent.mkdir()
    context = multiprocessing.get_context("fork")
    inside = context.Event()

    def hang() -> None:
        with logic._alone(lock.parent):
            inside.set()
            context.Event().wait()

    hanging = context.Process(target=hang, daemon=True)
    hanging.start()
    assert inside.wait(10)
    waiting = context.Process(target=logic.hold, args=(lock, logic.Claim("next"), logic.now()), daemon=True)
    waiting.start()
    waiting.join(0.3)
    assert waiting.is_alive()
    hanging.kill()
    waiting.join(10)
    holder = logic.read(lock)
    hanging.join()
    assert holder
    assert (waiting.exitcode, holder.run) == (0, "next")


def test_who_enters_a_host_is_told_what_it_holds(run_lock: RunLock, tmp_path: Path) -> None:
    entered = run_lock("entered", proxy=True, application={"root": str(tmp_path / "srv")})
    assert (entered["slot"]["before"], entered["slot"]["configured"], entered["slot"]["at"] > 0) == (
        "blue",
        False,
        True,
    )
    assert (entered["facts"]["live"]["slot"], entered["facts"]["ledger"]) == ("", [])
    assert (run_lock("entered")["slot"], run_lock("entered")["facts"]) == ({}, {})
