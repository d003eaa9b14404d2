# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which packages someone wanted."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.slipway.stack.plugins.module_utils._packages import wanted_packages

DPKG = """\
Package: nginx
Status: install ok installed
Description: small, powerful web server
 Package: of lines that begin with a space, nothing counts
Conffiles:
 /etc/nginx/nginx.conf 0123

Package: nginx-common
Status: install ok installed

Package: redis-server
Status: deinstall ok config-files

Package: ufw
Status: install ok half-configured

Package: sudo
Status: hold ok installed
"""
APT = """\
Package: nginx-common
Architecture: amd64
Auto-Installed: 1

Package: sudo
Architecture: amd64
Auto-Installed: 0
"""


def test_only_what_is_installed_for_its_own_sake_counts(tmp_path: Path) -> None:
    dpkg, apt = tmp_path / "status", tmp_path / "extended_states"
    dpkg.write_text(DPKG)
    assert wanted_packages(dpkg, apt) == ["nginx", "nginx-common", "sudo"]
    apt.write_text(APT)
    assert wanted_packages(dpkg, apt) == ["nginx", "sudo"]


def test_a_host_without_dpkg_has_none(tmp_path: Path) -> None:
    assert wanted_packages(tmp_path / "status", tmp_path / "extended_states") == []
