# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.
"""What proxies are told of the release in each slot: its routes, and where its processes listen.

The site of a release is kept with it: C(addresses) of the hosts, C(processes) as upstreams whose servers are ports alone,
and C(routes). So a slot has the routes of what runs in it, and a release that is gone back to has those that it had.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils._processes import SLOTS

Site = Mapping[str, Any]

_OF_FILES = ("spa", "immutable", "headers")


def proxied_routes(
    own: Sequence[Mapping[str, Any]],
    static: Sequence[Mapping[str, Any]],
    routed: Sequence[Mapping[str, Any]],
    root: str,
) -> list[dict[str, Any]]:
    """The user's routes, and those of the release's static files, of which each slot has its own below root."""
    files = [
        {
            "path": entry["path"],
            "kind": "static",
            "alias": "/".join([root, "$slot", *str(entry["directory"]).strip("/").split("/"), ""]),
        }
        | {key: entry[key] for key in _OF_FILES if key in entry}
        for entry in static
    ]
    covers_all = any(entry["path"] == "/" for entry in static)
    passed_on = [dict(route) for route in own] or ([{"path": "/"}] if routed and not covers_all else [])
    if covers_all and routed:
        passed_on += _way_to_health(passed_on, routed[0])
    return passed_on + files


def _way_to_health(passed_on: Sequence[Mapping[str, Any]], process: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Through a proxy that answers all else with a page, nobody could tell whether the application is healthy."""
    path = str((process.get("health") or {}).get("path") or "/health")
    if any(route.get("match") != "regex" and path.startswith(route["path"]) for route in passed_on):
        return []
    return [{"path": path, "match": "exact", "upstream": process["name"]}]


def digest(routes: object) -> str:
    return hashlib.sha256(json.dumps(routes, sort_keys=True, default=str).encode()).hexdigest()


def recorded(hosts: Mapping[str, Mapping[str, Any]]) -> dict[str, Site]:
    """The site of each release, as any host has it."""
    sites: dict[str, Site] = {}
    for facts in hosts.values():
        sites = {**facts.get("sites", {}), **sites}
    return sites


def of_release(wanted: Site, past: Site | None, *, is_described: bool, keeps_routes: bool) -> Site:
    """The site of the release that is to be live. What isn't built from the inventory listens where it did."""
    if past is None:
        return wanted
    runs = wanted if is_described else _still_there(past, wanted)
    return {
        "addresses": runs["addresses"],
        "processes": runs["processes"],
        "routes": past["routes"] if keeps_routes else wanted["routes"],
    }


def in_slots(slot: str, site: Site, others: Site | None, wanted: Site) -> dict[str, Any]:
    """For each slot what a proxy is to know of it. The other one may have no release of which anything is known."""
    beside = site if others is None else _still_there(others, wanted)
    return {name: _seen(site if name == slot else beside, name, wanted) for name in SLOTS}


def _still_there(site: Site, wanted: Site) -> Site:
    """A site without the hosts that have left the fleet since."""
    addresses = {host: site["addresses"][host] for host in wanted["addresses"] if host in site["addresses"]}
    return {**site, "addresses": addresses or wanted["addresses"]}


def _seen(site: Site, slot: str, wanted: Site) -> dict[str, Any]:
    # A record has lost the order of its hosts.
    addresses = [site["addresses"][host] for host in wanted["addresses"] if host in site["addresses"]]
    hosts = [f"[{address}]" if ":" in address else address for address in addresses]
    upstreams = [
        {key: value for key, value in process.items() if key not in SLOTS}
        | {"servers": [f"{host}{port}" for host in hosts for port in process[slot]]}
        for process in site["processes"]
    ]
    return {"upstreams": upstreams, "routes": list(site["routes"])}
