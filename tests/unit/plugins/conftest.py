# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application on a host: where its files are, and what the role makes a bundle of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.module_utils._release import Layout

BundleOf = Callable[[str], dict[str, Any]]

PROCESSES = {"web": "routed", "jobs": "worker", "beat": "singleton"}
PORTS = {"blue": 8000, "green": 8050}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    found = Layout("shop", tmp_path / "srv", tmp_path / "etc", tmp_path / "state", tmp_path / "units")
    for folder in (found.releases, found.environments, found.server_settings, found.unit_directory):
        folder.mkdir(parents=True)
    return found


@pytest.fixture
def bundle_of(layout: Layout) -> BundleOf:
    """The bundle of a release, in the form of roles/app/vars/main/bundle.yml."""

    def unit(release: str) -> str:
        return f"[Unit]\nX-Slipway-Application=shop\nDescription=shop ({release})\n"

    def live_file(name: str, release: str, **more: bool) -> dict[str, Any]:
        return {"path": str(layout.unit_directory / name), "content": unit(f"{name} of {release}"), **more}

    def slot(name: str, release: str) -> dict[str, Any]:
        names = {process: f"shop-{process}@{name}.service" for process in PROCESSES}
        return {
            "units": [
                {"name": names[each], "kind": kind, "content": unit(release)}
                | ({"port": PORTS[name], "drain": 120} if kind == "routed" else {})
                for each, kind in PROCESSES.items()
            ],
            "ports": {"web": [PORTS[name]]},
            "targets": [{"name": names["web"], "url": f"http://127.0.0.1:{PORTS[name]}/health"}],
            "unit_targets": [{"name": names[each], "url": f"unit://{names[each]}"} for each in ("jobs", "beat")],
        }

    def bundle(release: str) -> dict[str, Any]:
        return {
            "inputs": "i1",
            "release": release,
            "version": f"v{release}",
            "revision": f"c{release}",
            "slots": {name: slot(name, release) for name in PORTS},
            "live_files": [
                live_file("shop-watchdog.service", "any"),
                live_file("shop-watchdog.timer", "any"),
                live_file("shop-nightly.timer", "any", singleton=True),
                live_file("shop-nightly.service", release, singleton=True),
            ],
            "timers": [
                {"name": "shop-watchdog.timer", "singleton": False},
                {"name": "shop-nightly.timer", "singleton": True},
            ],
            "smoke": {"command": "python -m shop.smoke", "paths": []},
            "retire": {"program": "/usr/local/lib/slipway/shop/retire", "warm": 600, "drain": 120},
        }

    return bundle


@pytest.fixture
def queue_of(bundle_of: BundleOf) -> BundleOf:
    """The same with two processes that may not run twice: one has a port, one hasn't."""

    def bundle(release: str) -> dict[str, Any]:
        found = bundle_of(release)
        for name, slot in found["slots"].items():
            mark = "[Unit]\nX-Slipway-Application=shop\n"
            service = f"{mark}Description=shop ({release}, {name})\n"
            slot["units"] += [
                {"name": "shop-queue.service", "kind": "routed", "exclusive": True, "content": service},
                {"name": "shop-queue.socket", "kind": "socket", "exclusive": True, "content": f"{mark}[Socket]\n"},
                {"name": "shop-mailer.service", "kind": "worker", "exclusive": True, "content": service},
            ]
            slot["targets"].append(
                {"name": "shop-queue.service", "unit": "shop-queue.service", "url": "http://127.0.0.1:8019/health"}
            )
        return found

    return bundle
