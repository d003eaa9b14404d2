# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.
"""What has to be on a host, and what has to run, at each stage of a deployment.

A release leaves a bundle beside it: everything that the host needs to run it in either slot. So going back to it asks
neither the inventory nor a build.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError
from ansible_collections.slipway.stack.plugins.module_utils._release import (
    Layout,
    bundle_path,
    own_units,
    read_json,
    slot_of,
)
from ansible_collections.slipway.stack.plugins.module_utils._rollout import other

ROUTED, WORKER, SINGLETON = "routed", "worker", "singleton"
# The port of a routed process that may not run twice, which systemd holds while nothing runs.
SOCKET = "socket"
ReleaseOf = Callable[[Iterable[str]], dict[str, str]]


@dataclass(frozen=True)
class Bundle:
    """What a host needs to run one release, and whether this is the host that runs singletons and timers."""

    content: Mapping[str, Any]
    singletons: bool = True

    @property
    def release(self) -> str:
        return str(self.content["release"])

    def in_slot(self, slot: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.content["slots"][slot]
        return found

    def units(self, slot: str, *kinds: str) -> list[str]:
        return [unit["name"] for unit in self.unit_files(slot) if not kinds or unit["kind"] in kinds]

    def unit_files(self, slot: str) -> list[Mapping[str, Any]]:
        """Units of which each slot has its own."""
        return [
            unit
            for unit in self.in_slot(slot)["units"]
            if not unit.get("exclusive") and (self.singletons or unit["kind"] != SINGLETON)
        ]

    def exclusive_files(self, slot: str, *kinds: str) -> list[Mapping[str, Any]]:
        """Units of what may not run twice, of which a host has one."""
        units = [unit for unit in self.in_slot(slot)["units"] if unit.get("exclusive")]
        return [unit for unit in units if not kinds or unit["kind"] in kinds]

    def exclusive(self, slot: str, *kinds: str) -> list[str]:
        return [unit["name"] for unit in self.exclusive_files(slot, *kinds)]

    def targets(self, slot: str, *, exclusive: bool) -> list[dict[str, Any]]:
        """What health_check looks at, of what may not run twice or of the rest."""
        names = self.exclusive(slot)
        return [target for target in self.in_slot(slot)["targets"] if (target["name"] in names) == exclusive]

    def slot_record(self, slot: str) -> dict[str, Any]:
        """What is noted of a slot, for people and for later runs."""
        exclusive = self.exclusive(slot, ROUTED, WORKER)
        return {
            "release": self.release,
            "version": self.content["version"],
            "revision": self.content["revision"],
            "ports": self.in_slot(slot)["ports"],
            "processes": {kind: self.units(slot, kind) for kind in (ROUTED, WORKER, SINGLETON)}
            | ({"exclusive": exclusive} if exclusive else {}),
            # What its visitors are promised once it is left.
            "drain": {
                unit["name"]: {"port": unit["port"], "seconds": unit["drain"]}
                for unit in self.unit_files(slot)
                if unit["kind"] == ROUTED and not unit.get("exclusive")
            },
        }

    @property
    def live_files(self) -> list[dict[str, Any]]:
        files = [file for file in self.content["live_files"] if self.singletons or not file.get("singleton")]
        return [{key: value for key, value in file.items() if key != "singleton"} for file in files]

    @property
    def timers(self) -> list[str]:
        return [str(timer["name"]) for timer in self.content["timers"] if self.singletons or not timer["singleton"]]


def read_bundle(layout: Layout, release: str, *, singletons: bool) -> Bundle:
    content = read_json(bundle_path(layout, release))
    if not content:
        raise StackError(f"release {release} can't run on this host, since {bundle_path(layout, release)} isn't there.")
    return Bundle(content, singletons)


@dataclass
class Stage:
    """One stage: units that stop first, then files, then units that start."""

    stop: list[dict[str, Any]] = field(default_factory=list)
    # Told to finish, and not waited for.
    finish: list[str] = field(default_factory=list)
    files: list[dict[str, Any]] = field(default_factory=list)
    units: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Host:
    """Where an application is on this host, and which release each running unit is of."""

    layout: Layout
    release_of: ReleaseOf

    def units_in(self, slot: str) -> list[str]:
        return [name for name in own_units(self.layout) if slot_of(name) == slot]

    def units_in_no_slot(self) -> list[str]:
        return [name for name in own_units(self.layout) if "@" not in name]

    def exclusive_units(self, slot: str) -> list[str]:
        """Units of what may not run twice, as noted when the slot was filled, with their sockets."""
        noted = read_json(self.layout.slot(slot)).get("processes", {}).get("exclusive", [])
        return [name for name in self.units_in_no_slot() if service_of(name) in noted]

    def units_in_slots_of(self, services: Iterable[str]) -> list[str]:
        """Units of processes that ran in slots, and may not run twice any more."""
        names = set(services)
        return [name for name in own_units(self.layout) if "@" in name and f"{name.partition('@')[0]}.service" in names]

    def processes(self, slot: str) -> dict[str, list[str]]:
        """The units of a slot by their kind, as noted when they were started."""
        noted = read_json(self.layout.slot(slot)).get("processes", {})
        return {kind: list(noted.get(kind, [])) for kind in (ROUTED, WORKER, SINGLETON)}

    def unit_path(self, name: str) -> str:
        return str(self.layout.unit_directory / name)

    def started(self, names: Iterable[str], release: str, *, anew: bool = False, **more: Any) -> list[dict[str, Any]]:
        """Units to start, or to restart where they run another release or shall be started anew."""
        names = list(names)
        running = self.release_of(names)
        stale = {name for name, found in running.items() if anew or found != release}
        return [{"name": name, "state": "restarted" if name in stale else "started", **more} for name in names]


def service_of(unit: str) -> str:
    return f"{unit.rpartition('.')[0]}.service"


def retirement(name: str, slot: str) -> str:
    return f"{name}-retire-{slot}"


def unretired(name: str, slot: str) -> list[dict[str, Any]]:
    """The service goes too: one that still drains would stop whatever runs in the slot by then."""
    return [{"name": f"{retirement(name, slot)}.{kind}", "state": "stopped"} for kind in ("timer", "service")]


def absent(path: str) -> dict[str, Any]:
    return {"path": path, "state": "absent"}


def _prepared(host: Host, bundle: Bundle, slot: str) -> Stage:
    """The slot has the release's unit files and no others."""
    wanted = bundle.units(slot)
    obsolete = [unit for unit in host.units_in(slot) if unit not in wanted]
    record = json.dumps(bundle.slot_record(slot), indent=2, sort_keys=True) + "\n"
    return Stage(
        stop=unretired(host.layout.name, slot)
        + [{"name": name, "state": "stopped", "enabled": False} for name in obsolete],
        files=[absent(host.unit_path(name)) for name in obsolete]
        + [{"path": host.unit_path(unit["name"]), "content": unit["content"]} for unit in bundle.unit_files(slot)]
        + [{"path": str(host.layout.slot(slot)), "content": record}]
        + _static_files(host, bundle, slot),
    )


def _static_files(host: Host, bundle: Bundle, slot: str) -> list[dict[str, Any]]:
    """A proxy on this host finds the release's static files by the slot of a request."""
    link, files = host.layout.static / slot, bundle.content.get("static")
    if not files:
        return _without_static_files(host, slot)
    target = os.path.join("..", "releases", bundle.release, files["below"])
    return [
        {"path": str(link.parent), "state": "directory"},
        {"path": str(link), "state": "link", "target": target},
    ]


def _without_static_files(host: Host, slot: str) -> list[dict[str, Any]]:
    link = host.layout.static / slot
    return [absent(str(link))] if link.is_symlink() else []


def starting(host: Host, bundle: Bundle, slot: str, *, anew: bool) -> Stage:
    """The routed processes of a release run in their slot. Nothing that is live is touched.

    Both slots start at boot until the hand-over: nginx's flag outlives a reboot, and may lead to either by then.
    """
    stage = _prepared(host, bundle, slot)
    stage.units = host.started(bundle.units(slot, ROUTED), bundle.release, anew=anew, enabled=True)
    return stage


def working(host: Host, bundle: Bundle, slot: str, *, anew: bool = False) -> Stage:
    """The release's workers run, and the old ones finish the jobs that they have and take no more."""
    stage = _replaced(host, bundle, slot, WORKER, anew=anew)
    stage.finish = host.processes(other(slot))[WORKER]
    stage.units += host.started(bundle.units(slot, WORKER), bundle.release, anew=anew)
    return stage


def replacing(host: Host, bundle: Bundle, slot: str, *, anew: bool = False) -> Stage:
    """The release's routed processes that may not run twice run in place of the old ones."""
    return _replaced(host, bundle, slot, ROUTED, SOCKET, anew=anew)


def _replaced(host: Host, bundle: Bundle, slot: str, *kinds: str, anew: bool = False) -> Stage:
    """There is one unit of what may not run twice, which systemd doesn't start again before the old process has ended."""
    units = bundle.exclusive_files(slot, *kinds)
    files = [{"path": host.unit_path(unit["name"]), "content": unit["content"]} for unit in units]
    sockets = [unit["name"] for unit in units if unit["kind"] == SOCKET]
    services = [unit["name"] for unit in units if unit["kind"] != SOCKET]
    # systemd doesn't move a socket to another port while somebody uses it.
    moved = [name for name in sockets if _differs(host, files, name)]
    return Stage(
        stop=[{"name": name, "state": "stopped", "enabled": False} for name in host.units_in_slots_of(services)]
        + [{"name": name, "state": "stopped"} for socket in moved for name in (service_of(socket), socket)],
        files=files,
        units=[{"name": name, "state": "started", "enabled": True} for name in sockets]
        + host.started(services, bundle.release, anew=anew, enabled=True),
    )


def serving(host: Host, bundle: Bundle, slot: str) -> Stage:
    """Everything that only the live release does: its singletons, timers, and the start at boot."""
    stage = _prepared(host, bundle, slot)
    replaced = _replaced(host, bundle, slot, ROUTED, WORKER, SOCKET)
    old = host.processes(other(slot))
    live_files = bundle.live_files
    names = {os.path.basename(file["path"]) for file in live_files + replaced.files}
    obsolete = [name for name in host.units_in_no_slot() if name not in names]
    # A singleton never runs twice, so the old one has ended before the new one starts.
    ending = [{"name": name, "state": "stopped", "enabled": False} for name in old[SINGLETON] + obsolete]
    stage.stop = _each_once(stage.stop + replaced.stop + ending)
    stage.finish = old[WORKER]
    stage.files += replaced.files + live_files + [absent(host.unit_path(name)) for name in obsolete]
    stage.units = [{"name": name, "enabled": False} for name in old[ROUTED] + old[WORKER]]
    stage.units += host.started(bundle.units(slot), bundle.release, enabled=True) + replaced.units
    stage.units += [
        {"name": name, "state": "restarted" if _differs(host, live_files, name) else "started", "enabled": True}
        for name in bundle.timers
    ]
    return stage


def _each_once(entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({entry["name"]: entry for entry in entries}.values())


def _differs(host: Host, files: Iterable[Mapping[str, Any]], name: str) -> bool:
    """Whether a unit file that is there isn't what it shall be."""
    path = Path(host.unit_path(name))
    wanted = next(file["content"] for file in files if file["path"] == str(path))
    return path.exists() and path.read_text(encoding="utf-8") != wanted


def stopping(host: Host, slot: str) -> Stage:
    """Nothing of a slot runs, now or after a boot, and nothing is left of it."""
    # What may not run twice is the live release's again after this; where nothing is live, it goes too.
    names = host.units_in(slot) + ([] if host.layout.live.exists() else host.exclusive_units(slot))
    return Stage(
        stop=unretired(host.layout.name, slot)
        + [{"name": name, "state": "stopped", "enabled": False} for name in names],
        files=[absent(path) for path in [*map(host.unit_path, names), str(host.layout.slot(slot))]]
        + _without_static_files(host, slot),
    )
