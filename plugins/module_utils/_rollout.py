# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.
"""Which release a fleet is to run, and in which slot: one answer for all hosts."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils import _sites
from ansible_collections.slipway.stack.plugins.module_utils._processes import SLOTS

_ID_LENGTH = 12


class UndecidedError(ValueError):
    """Why nothing can be chosen, in one sentence with the mend."""


@dataclass(frozen=True)
class Wish:
    """What the user asks for.

    mode is deploy, keep (deploy only what the inventory changed since), rollback, or restart (what is live, once more).
    """

    mode: str
    settings: str
    version: str = ""
    # What the inventory says, where -e says something else.
    inventory_version: str = ""
    back_to: str = ""
    # Whether connections that were promised hours may be ended.
    cut: bool = False
    # What proxies are to be told of it; empty where nobody asks.
    site: Mapping[str, Any] = field(default_factory=dict)
    has_files: bool = False

    @property
    def recalls(self) -> bool:
        """Whether it is for a release that is there, as it was deployed."""
        return self.mode in ("rollback", "restart")


def release_id(revision: str, settings: str) -> str:
    return hashlib.sha256(f"{revision}\n{settings}".encode()).hexdigest()[:_ID_LENGTH]


def other(slot: str) -> str:
    return SLOTS[1] if slot == SLOTS[0] else SLOTS[0]


def choose(
    hosts: Mapping[str, Mapping[str, Any]],
    proxies: Mapping[str, Mapping[str, Any]],
    source: Mapping[str, Any],
    wish: Wish,
) -> dict[str, Any]:
    """Decide from what release_facts found on each host and the module slot on each proxy.

    Raises UndecidedError.
    """
    live_slot = _live_slot(hosts, proxies)
    live = _live_record(hosts, live_slot)
    # A directory or an archive has no version of its own but what it holds.
    wanted = {"version": wish.inventory_version or source.get("revision", ""), "settings": wish.settings}
    if wish.site:
        wanted["routes"] = _sites.digest(wish.site["routes"])
    release, version, revision, note = _release(hosts, live, source, wish, wanted)
    outdated = [name for name, facts in hosts.items() if _held(facts, live_slot) not in ("", release)]
    moves = bool(outdated) or not live_slot or wish.mode == "restart"
    slot = other(live_slot) if live_slot and moves else live_slot or SLOTS[0]
    strays = [name for name, proxy in proxies.items() if live_slot and _known(proxy) and _strays(proxy, live_slot)]
    if moves and live_slot and wish.mode != "rollback" and not wish.cut:
        _refuse_to_cut(hosts, slot)
    lacking = [name for name, facts in hosts.items() if release not in facts["release_ids"]]
    described = release == release_id(revision, wish.settings) and wish.mode != "restart"
    if lacking and not described:
        raise UndecidedError(
            f"Release {release} ({version}) isn't on {', '.join(lacking)}, and can't be built from the inventory as it "
            "is now. Run slipway.stack.upgrade: it brings all hosts to one release."
        )
    is_built_anew = described and not wish.recalls
    beside = live.get("previous" if slot == live_slot else "release", "")
    return {
        "mode": wish.mode,
        "release": release,
        "version": version,
        "revision": revision,
        "slot": slot,
        "live_slot": live_slot,
        "before": {key: live.get(key, "") for key in ("slot", "release", "version")},
        "described": described,
        "moves": moves,
        "strays": strays,
        "wanted": wanted,
        "note": note,
        **_told_to_proxies(hosts, live, wish, wanted, (release, slot, beside), is_built_anew=is_built_anew),
        "files": _with_files(hosts, wish, {slot: release, other(slot): beside}, release if is_built_anew else ""),
    }


def _refuse_to_cut(hosts: Mapping[str, Mapping[str, Any]], slot: str) -> None:
    """The release needs the slot for itself. To go back is urgent, so it isn't asked then."""
    held = {name: facts["draining"] for name, facts in hosts.items() if facts.get("draining")}
    if held:
        total = sum(each["connections"] for each in held.values())
        units = sorted({unit for each in held.values() for unit in each["units"]})
        until = max(datetime.datetime.fromisoformat(each["until"]) for each in held.values())
        raise UndecidedError(
            f"Slot {slot} still holds {total} connections to {', '.join(units)} on {', '.join(held)}, which drain_timeout "
            f"lets last until {until.astimezone(datetime.UTC):%Y-%m-%d %H:%M} UTC: wait for them, or end them with "
            "-e app_cut_connections=true."
        )


def _told_to_proxies(
    hosts: Mapping[str, Mapping[str, Any]],
    live: Mapping[str, Any],
    wish: Wish,
    wanted: Mapping[str, str],
    placed: tuple[str, str, str],
    *,
    is_built_anew: bool,
) -> dict[str, Any]:
    """The site of the release, and for each slot what proxies are to know of it; empty where it can't be known."""
    release, slot, beside = placed
    past = _sites.recorded(hosts)
    if not wish.site or (wish.recalls and not {release, beside} <= past.keys()):
        return {"site": {}, "sites": {}}
    is_kept = wish.mode == "keep" and release == live.get("release")
    unchanged = live.get("wanted", {}).get("routes") == wanted["routes"]
    site = _sites.of_release(
        wish.site,
        past.get(release),
        is_described=is_built_anew,
        keeps_routes=wish.recalls or (is_kept and unchanged),
    )
    return {"site": site, "sites": _sites.in_slots(slot, site, past.get(beside), wish.site)}


def _with_files(
    hosts: Mapping[str, Mapping[str, Any]], wish: Wish, slots: Mapping[str, str], built_anew: str
) -> dict[str, str]:
    """The slots whose releases have static files."""
    known = {release for facts in hosts.values() for release in facts.get("static_releases", [])} - {built_anew}
    if wish.has_files:
        known.add(built_anew)
    return {slot: release for slot, release in slots.items() if release and release in known}


def _known(proxy: Mapping[str, Any]) -> bool:
    """A proxy that serves the site already; one that joins later has no say."""
    return bool(proxy.get("configured"))


def _strays(proxy: Mapping[str, Any], live_slot: str) -> bool:
    """Whether a run that was killed left some or all requests of a proxy on their way to the other slot."""
    return proxy["after"] != live_slot or bool(proxy.get("canary"))


def _live_slot(hosts: Mapping[str, Mapping[str, Any]], proxies: Mapping[str, Mapping[str, Any]]) -> str:
    recorded = {facts["live"]["slot"] for facts in hosts.values() if facts["live"]["slot"]}
    if not recorded and not any(_held(facts, slot) for facts in hosts.values() for slot in SLOTS):
        return ""
    said = {proxy["after"] for proxy in proxies.values() if _known(proxy)}
    if len(said) == 1:
        slot = said.pop()
        return str(slot) if any(_held(facts, slot) for facts in hosts.values()) else ""
    if len(recorded) == 1:
        # Without proxies, or where a run ended in the middle of its switch: what is recorded is what was live before.
        return str(recorded.pop())
    if not said and not recorded:
        return ""
    flags = {name: proxy["after"] for name, proxy in proxies.items()}
    records = {name: facts["live"]["slot"] for name, facts in hosts.items()}
    raise UndecidedError(
        f"Neither the proxies nor the hosts agree on which slot is live ({flags}, {records}): "
        "make the proxies agree with the module "
        "slipway.stack.slot, then run this again."
    )


def _held(facts: Mapping[str, Any], slot: str) -> str:
    return facts["slots"][slot]["release"] if slot else ""


def _live_record(hosts: Mapping[str, Mapping[str, Any]], slot: str) -> dict[str, Any]:
    if not slot:
        return {}
    for facts in hosts.values():
        if facts["live"]["slot"] == slot and facts["live"]["release"] == _held(facts, slot):
            return dict(facts["live"])
    # A run that ended between its switch and its hand-over has recorded nothing yet.
    for facts in hosts.values():
        if release := _held(facts, slot):
            manifests = {manifest["id"]: manifest for manifest in facts["releases"]}
            return {**manifests.get(release, {}), "slot": slot, "release": release, "wanted": {}}
    return {}


def _release(
    hosts: Mapping[str, Mapping[str, Any]],
    live: Mapping[str, Any],
    source: Mapping[str, Any],
    wish: Wish,
    wanted: Mapping[str, str],
) -> tuple[str, str, str, str]:
    if wish.mode == "rollback":
        return _release_to_go_back_to(hosts, live, wish.back_to)
    if wish.mode == "restart":
        if not live:
            raise UndecidedError("Nothing is live, so there is nothing to restart: run slipway.stack.site.")
        return live["release"], live.get("version", ""), live.get("revision", ""), ""
    # Nothing is noted where a run ended before it could: what it made live stays.
    before = live.get("wanted") or wanted
    unchanged = before.get("version") == wanted["version"] and wish.version == wish.inventory_version
    if wish.mode != "keep" or not unchanged or not live.get("revision"):
        revision = source["revision"]
        return release_id(revision, wish.settings), source["version"], revision, ""
    revision, version = live["revision"], live.get("version", "")
    moved = revision != source.get("revision", revision)
    note = f"{version} stays, since the inventory's version is what it was when {version} went live." if moved else ""
    if before.get("settings") == wanted["settings"]:
        release = live["release"]
        if release != release_id(revision, wish.settings):
            note = f"Release {release} ({version}) stays, since the inventory is what it was when that went live."
        return release, version, revision, note
    return release_id(revision, wish.settings), version, revision, note


def _release_to_go_back_to(
    hosts: Mapping[str, Mapping[str, Any]], live: Mapping[str, Any], back_to: str
) -> tuple[str, str, str, str]:
    if not live:
        raise UndecidedError("Nothing is live, so there is nothing to go back from.")
    on_all = _releases_on_all(hosts)
    choices = ", ".join(f"{manifest['id']} ({manifest.get('version', '')})" for manifest in on_all)
    if not back_to:
        # Where a run ended between its switch and its hand-over, what is recorded is what was before: a way back is
        # gone to its end, and anything else is gone back from.
        recorded = [(facts["live"]["release"], facts["previous_good"]) for facts in hosts.values()]
        previous = {before if live["release"] in {release, before} else release for release, before in recorded} - {""}
        if len(previous) != 1:
            raise UndecidedError(
                f"The ledger knows no release before {live['release']} ({live.get('version', '')}) that is still on all "
                f"hosts: name one of {choices} by -e app_release=."
            )
        back_to = previous.pop()
    found = [manifest for manifest in on_all if manifest["id"] == back_to or manifest.get("version") == back_to]
    if not found:
        raise UndecidedError(f"No release {back_to} is on all hosts: name one of {choices} by -e app_release=.")
    manifest = found[0]
    return manifest["id"], manifest.get("version", ""), manifest.get("revision", ""), ""


def _releases_on_all(hosts: Mapping[str, Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    everywhere = set.intersection(*(set(facts["release_ids"]) for facts in hosts.values()))
    first: Mapping[str, Any] = next(iter(hosts.values()))
    return [manifest for manifest in first["releases"] if manifest["id"] in everywhere]
