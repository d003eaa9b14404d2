# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The units module against a systemctl that keeps its states in files."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.modules import units

RunModule = Callable[..., dict[str, Any]]

SYSTEMCTL = r"""#!/bin/sh
# One file a unit: its properties as `systemctl show` prints them.
cd "$(dirname "$0")/units" || exit 1
verb=$1
status=0
shift
[ "$verb" = show ] || echo "$verb${*:+ $*}" | sed 's/ --//' >> ../calls
for name; do
    case $verb,$name in
        *,-*) continue ;;
        show,*)
            if [ -e "$name" ]; then cat "$name"; else printf 'LoadState=not-found\nActiveState=inactive\n'; fi
            echo
            ;;
        enable,*) sed -i 's/^UnitFileState=.*/UnitFileState=enabled/' "$name" ;;
        disable,*) sed -i 's/^UnitFileState=.*/UnitFileState=disabled/' "$name" ;;
        stop,*) sed -i 's/^ActiveState=.*/ActiveState=inactive/' "$name" ;;
        start,broken* | restart,broken*)
            sed -i 's/^ActiveState=.*/ActiveState=failed/; s/^Result=.*/Result=exit-code/' "$name"
            echo "Job for $name failed." >&2
            status=1
            ;;
        start,* | restart,*) sed -i 's/^ActiveState=.*/ActiveState=active/' "$name" ;;
    esac
done
exit $status
"""
JOURNALCTL = """#!/bin/sh
echo "last words: $*"
"""


class Systemd:
    def __init__(self, root: Path) -> None:
        self._root = root
        (root / "units").mkdir()
        for name, script in (("systemctl", SYSTEMCTL), ("journalctl", JOURNALCTL)):
            (root / name).write_text(script)
            (root / name).chmod(stat.S_IRWXU)

    def add(self, name: str, active: str = "inactive", enabled: str = "disabled", reload: str = "no") -> None:
        (self._root / "units" / name).write_text(
            f"LoadState=loaded\nActiveState={active}\nUnitFileState={enabled}\nNeedDaemonReload={reload}\n"
            "Result=success\nExecMainCode=1\nExecMainStatus=3\nType=notify\n"
        )

    @property
    def calls(self) -> list[str]:
        calls = self._root / "calls"
        return calls.read_text().splitlines() if calls.exists() else []


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Systemd:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return Systemd(tmp_path)


WANTED = [
    {"name": "web.service", "state": "started", "enabled": True},
    {"name": "worker.service", "state": "started", "enabled": True},
    {"name": "old.service", "state": "stopped", "enabled": False},
]


@pytest.fixture
def three(systemd: Systemd) -> Systemd:
    systemd.add("web.service")
    systemd.add("worker.service")
    systemd.add("old.service", "active", "enabled")
    return systemd


def test_many_units_take_few_calls_once(run_module: RunModule, three: Systemd) -> None:
    result = run_module(units, {"units": WANTED}, diff=True)
    assert three.calls == [
        "enable web.service worker.service",
        "disable old.service",
        "stop old.service",
        "start web.service worker.service",
    ]
    assert [each["after"]["active"] for each in result["units"]] == ["active", "active", "inactive"]
    assert [part["after_header"] for part in result["diff"]] == ["web.service", "worker.service", "old.service"]
    again = run_module(units, {"units": WANTED}, diff=True)
    assert not again["changed"]
    assert again["diff"] == []
    assert len(three.calls) == 4


def test_check_mode_foresees_and_touches_nothing(run_module: RunModule, three: Systemd) -> None:
    foreseen = run_module(units, {"units": WANTED}, check_mode=True)
    assert three.calls == []
    done = run_module(units, {"units": WANTED})
    for before, after in zip(foreseen["units"], done["units"], strict=True):
        assert (before["actions"], before["changed"]) == (after["actions"], after["changed"])
        for key in ("active", "enabled"):
            assert before["after"][key] == after["after"][key]


def test_what_is_not_installed_is_unknowable_in_check_mode_only(run_module: RunModule, systemd: Systemd) -> None:
    wanted = [{"name": "web.service", "state": "started"}, {"name": "old.service", "state": "stopped"}]
    foreseen = run_module(units, {"units": wanted}, check_mode=True)
    assert foreseen["changed"]
    assert foreseen["unknown_units"] == ["web.service"]
    assert "web.service doesn't exist" in run_module(units, {"units": wanted})["msg"]
    assert systemd.calls == ["daemon-reload"], "it may only not have been read yet"


@pytest.mark.parametrize(
    ("choice", "outdated", "reloaded"),
    [("auto", "yes", True), ("auto", "no", False), ("always", "no", True), ("never", "yes", False)],
)
def test_the_manager_reloads_as_asked(
    run_module: RunModule, systemd: Systemd, choice: str, outdated: str, reloaded: bool
) -> None:
    systemd.add("web.service", "active", reload=outdated)
    parameters = {"units": [{"name": "web.service", "state": "started"}], "daemon_reload": choice}
    assert run_module(units, parameters, check_mode=True)["daemon_reloaded"] is reloaded
    assert systemd.calls == []
    result = run_module(units, parameters)
    assert result["daemon_reloaded"] is reloaded
    assert not result["changed"]
    assert systemd.calls == ["daemon-reload"] * reloaded


def test_a_unit_that_fails_is_quoted(run_module: RunModule, systemd: Systemd) -> None:
    systemd.add("web.service")
    systemd.add("broken.service")
    wanted = [{"name": name, "state": "started"} for name in ("broken.service", "web.service")]
    result = run_module(units, {"units": wanted, "journal_lines": 7})
    assert result["failed"]
    sentence, journal = result["msg"].splitlines()
    assert sentence.startswith("broken.service did not start: it is failed")
    assert "--lines=7 --unit=broken.service" in journal
    assert [each["name"] for each in result["failed_units"]] == ["broken.service"]


def test_no_units_are_no_work(run_module: RunModule, systemd: Systemd) -> None:
    assert not run_module(units, {"units": []})["changed"]


def test_a_host_without_systemd_is_told_so(
    run_module: RunModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(units.AnsibleModule, "run_command", raise_not_found)
    result = run_module(units, {"units": WANTED})
    assert result["msg"] == "systemctl: No such file or directory"


def raise_not_found(*_arguments: Any, **_more: Any) -> None:
    raise FileNotFoundError(2, "No such file or directory", "systemctl")
