# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.
"""Where the releases of an application are on a host, and what is known of them."""

from __future__ import annotations

import contextlib
import datetime
import glob
import json
import os
import pwd
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils._atomic import sync_directory, write_atomically
from ansible_collections.slipway.stack.plugins.module_utils._drain import held_for_long
from ansible_collections.slipway.stack.plugins.module_utils._processes import SLOTS
from ansible_collections.slipway.stack.plugins.module_utils._turn import alone

_PREFERRED_UID = 1000
_UNIT_MARK = "X-Slipway-Application="
_MINOR_PYTHON = re.compile(r"python(3\.\d+)")


def now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


@dataclass(frozen=True)
class Layout:
    """The paths of one application."""

    name: str
    root: Path
    configuration: Path = field(default=Path("/etc/slipway"))
    state: Path = field(default=Path("/var/lib/slipway"))
    unit_directory: Path = field(default=Path("/etc/systemd/system"))

    @property
    def releases(self) -> Path:
        return self.root / "releases"

    @property
    def current(self) -> Path:
        return self.root / "current"

    @property
    def environments(self) -> Path:
        return self.configuration / self.name / "releases"

    @property
    def server_settings(self) -> Path:
        return self.configuration / self.name / "gunicorn"

    @property
    def ledger(self) -> Path:
        return self.state / self.name / "ledger.jsonl"

    @property
    def live(self) -> Path:
        return self.configuration / self.name / "live.json"

    @property
    def static(self) -> Path:
        return self.root / "static"

    def slot(self, name: str) -> Path:
        return self.configuration / self.name / f"{name}.json"

    def release(self, release_id: str) -> Path:
        return self.releases / release_id

    def manifest(self, release_id: str) -> Path:
        return self.release(release_id) / "release.json"

    @contextlib.contextmanager
    def locked(self, seconds: float) -> Iterator[int]:
        """Keep a second build out, also one that outlived its controller. Yields a descriptor for child processes."""
        folder = self.state / self.name
        folder.mkdir(parents=True, exist_ok=True)
        complaint = (
            f"another build of {self.name} has been running on this host for more than {seconds:.0f} s: "
            f"wait for it, or end it (systemctl stop 'slipway-build-{self.name}-*.scope')."
        )
        with alone(folder / "build.lock", seconds, complaint) as descriptor:
            yield descriptor


def read_json(path: Path) -> dict[str, Any]:
    """What a file holds; nothing where it is missing or was cut short."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
        return {}
    return content if isinstance(content, dict) else {}


def write_json(path: Path, content: dict[str, Any], mode: int = 0o644) -> None:
    text = json.dumps(content, indent=2, sort_keys=True) + "\n"
    write_atomically(str(path), text.encode(), mode=mode)
    sync_directory(str(path.parent))


def complete_releases(layout: Layout) -> list[dict[str, Any]]:
    """What is known of each release that was built to its end, the newest first."""
    manifests = [read_json(path) for path in layout.releases.glob("*/release.json")]
    found = [manifest for manifest in manifests if manifest.get("id")]
    return sorted(found, key=lambda manifest: (manifest.get("built_at", ""), manifest["id"]), reverse=True)


def own_units(layout: Layout) -> list[str]:
    """Unit files that bear this application's mark: names alone can't tell `shop` from `shop-admin`."""
    mark = f"{_UNIT_MARK}{layout.name}\n"
    files = glob.glob(f"{glob.escape(str(layout.unit_directory))}/{glob.escape(layout.name)}-*")
    return sorted(os.path.basename(path) for path in files if os.path.isfile(path) and mark in _text_of(path))


def _text_of(path: str) -> str:
    return Path(path).read_text(encoding="utf-8", errors="replace")


def slot_of(unit: str) -> str:
    """The slot in a unit's name; empty for a timer and whatever else has none."""
    instance = unit.partition("@")[2].rpartition(".")[0]
    slot = instance.partition("-")[0]
    return slot if slot in SLOTS else ""


def interpreters(folders: Iterable[str] = ("/usr/bin", "/usr/local/bin")) -> list[str]:
    names = (name for folder in folders if os.path.isdir(folder) for name in os.listdir(folder))
    return sorted({match[1] for name in names if (match := _MINOR_PYTHON.fullmatch(name))})


def user_facts(user: str, uid: int) -> dict[str, Any]:
    """The user's number: the one that it has, else the one that it shall get (0: whichever the system chooses)."""
    try:
        known = pwd.getpwnam(user)
    except KeyError:
        return {"name": user, "exists": False, "uid": uid or _free_preferred_uid()}
    return {"name": user, "exists": True, "uid": known.pw_uid}


def _free_preferred_uid() -> int:
    try:
        pwd.getpwuid(_PREFERRED_UID)
    except KeyError:
        return _PREFERRED_UID
    return 0


def gather(layout: Layout, user: str, uid: int) -> dict[str, Any]:
    units = own_units(layout)
    live = read_json(layout.live)
    complete = complete_releases(layout)
    bundles = {each["id"]: read_json(bundle_path(layout, each["id"])) for each in complete}
    return {
        "releases": complete,
        "release_ids": [manifest["id"] for manifest in complete],
        "slots": {
            slot: {
                "release": "",
                **read_json(layout.slot(slot)),
                "units": [name for name in units if slot_of(name) == slot],
            }
            for slot in SLOTS
        },
        "live": {"slot": "", "release": "", **live},
        "draining": draining(layout, live),
        "previous_good": previous_good(read_ledger(layout), live.get("release", ""), {each["id"] for each in complete}),
        "sites": {release: bundle["site"] for release, bundle in bundles.items() if bundle.get("site")},
        "static_releases": [release for release, bundle in bundles.items() if bundle.get("static")],
        "live_inputs": _live_bundle(layout, live).get("inputs", ""),
        "live_targets": live_targets(layout, live),
        "units": units,
        "user": user_facts(user, uid),
        "interpreters": interpreters(),
    }


def look(layout: Layout, user: str, uid: int, entries: int) -> dict[str, Any]:
    """Everything that the module release_facts tells, with so many of the ledger's last entries."""
    return {**gather(layout, user, uid), "ledger": read_ledger(layout)[-entries:] if entries else []}


def draining(layout: Layout, live: Mapping[str, Any]) -> dict[str, Any]:
    """Who still keeps the slot that isn't live, for longer than a rollout waits."""
    left = next((read_json(layout.slot(slot)) for slot in SLOTS if live and slot != live.get("slot")), {})
    if not left:
        return {}
    waits = read_json(bundle_path(layout, left["release"])).get("retire", {}).get("drain", 0)
    return held_for_long(left.get("drain", {}), live["since"], waits, datetime.datetime.now(datetime.UTC))


def bundle_path(layout: Layout, release: str) -> Path:
    """Everything that the host needs to run a release in either slot."""
    return layout.environments / f"{release}.json"


def _live_bundle(layout: Layout, live: Mapping[str, Any]) -> dict[str, Any]:
    return read_json(bundle_path(layout, live["release"])) if live.get("release") else {}


def live_targets(layout: Layout, live: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What health_check looks at to tell whether the live release is healthy, its workers included."""
    slot = _live_bundle(layout, live).get("slots", {}).get(live.get("slot"), {})
    running = read_json(layout.slot(live["slot"])).get("processes", {}) if slot else {}
    names = {name for units in running.values() for name in units}
    return [target for target in slot.get("targets", []) + slot.get("unit_targets", []) if target["name"] in names]


def previous_release(live: Mapping[str, Any], release_id: str) -> str:
    """The release before this one, by what is recorded as live before or after this one is."""
    return str(live.get("previous" if live.get("release") == release_id else "release", ""))


def prunable(layout: Layout, keep: int, slot: str, release_id: str) -> list[str]:
    """What goes once this release is live in this slot: all but the newest and what may still be wanted at once."""
    newest = [manifest["id"] for manifest in complete_releases(layout)]
    if release_id not in newest:
        # In a check it isn't built.
        newest.insert(0, release_id)
    held = {name: read_json(layout.slot(name)).get("release") for name in SLOTS} | {slot: release_id}
    kept = {*newest[:keep], *held.values(), release_id, previous_release(read_json(layout.live), release_id)}
    folders = [path.name for path in layout.releases.iterdir() if path.is_dir()] if layout.releases.is_dir() else []
    return sorted(name for name in folders if name not in kept)


def remove_release(layout: Layout, release_id: str) -> None:
    """The manifest goes first, so that a half-removed release is never taken for a complete one."""
    layout.manifest(release_id).unlink(missing_ok=True)
    shutil.rmtree(layout.release(release_id), ignore_errors=True)
    for folder in (layout.environments, layout.server_settings):
        for path in glob.glob(f"{glob.escape(str(folder / release_id))}[.-]*"):
            os.unlink(path)


def append_to_ledger(layout: Layout, entry: dict[str, Any]) -> None:
    layout.ledger.parent.mkdir(parents=True, exist_ok=True)
    # Not sorted: the steps of a rollout are in their order.
    line = json.dumps({"at": now(), **entry}) + "\n"
    descriptor = os.open(layout.ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
    try:
        os.write(descriptor, line.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_ledger(layout: Layout) -> list[dict[str, Any]]:
    """Every line that was written whole, the oldest first."""
    try:
        lines = layout.ledger.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    entries = []
    for line in lines:
        with contextlib.suppress(json.JSONDecodeError):
            entries.append(json.loads(line))
    return [entry for entry in entries if isinstance(entry, dict)]


def previous_good(ledger: Iterable[Mapping[str, Any]], live: str, complete: Iterable[str]) -> str:
    """The release that was live before this one was deployed, and is still there; empty where there's none.

    A rollback deploys nothing: what it left isn't good, and what was before it is found before its release's own entry. Who
    goes back to a release that was left deploys it again.
    """
    on_disk = set(complete)
    deployed: list[str] = []
    undone: list[list[str]] = []
    for entry in ledger:
        release, outcome = entry.get("release", ""), entry.get("outcome")
        if outcome == "live" and release:
            undone.append(deployed)
            deployed = [each for each in deployed if each != release] + [release]
        elif outcome == "restarted":
            undone.append(deployed)
        elif outcome == "rolled back" and release:
            undone.append(deployed)
            known = deployed.index(release) if release in deployed else len(deployed)
            deployed = [*deployed[:known], release]
        elif outcome == "failed" and undone and _was_live(entry):
            # It was live on this host already when another host failed.
            deployed = undone.pop()
    before = deployed[: deployed.index(live)] if live in deployed else []
    return next((each for each in reversed(before) if each in on_disk), "")


def _was_live(failed: Mapping[str, Any]) -> bool:
    """A release that is restarted was live too, but in the other slot."""
    before = failed.get("before", {})
    return (before.get("release"), before.get("slot")) == (failed.get("release", ""), failed.get("slot"))


def make_live(layout: Layout, slot: str, release_id: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Record which slot is live and what the inventory wanted then, and let `current` show the release to people."""
    manifest = read_json(layout.manifest(release_id))
    before = read_json(layout.live)
    live = {
        "slot": slot,
        "release": release_id,
        "version": manifest.get("version", ""),
        "revision": manifest.get("revision", ""),
        "previous": previous_release(before, release_id),
        "since": now(),
        "wanted": dict(wanted),
    }
    write_json(layout.live, live)
    scratch = layout.current.with_name(f".current-{os.getpid()}")
    scratch.symlink_to(Path("releases") / release_id)
    os.replace(scratch, layout.current)
    return live
