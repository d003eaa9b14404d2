# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.
"""Makes uv use the index and the certificates that the host's pip was told to use."""

from __future__ import annotations

import configparser
from collections.abc import Iterable, Mapping
from pathlib import Path

PIP_FILES = (Path("/etc/xdg/pip/pip.conf"), Path("/etc/pip.conf"))
UV_FILES = (Path("/etc/uv/uv.toml"), Path("/etc/xdg/uv/uv.toml"))

# uv reads neither pip's files nor its environment.
_TRANSLATED = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "find-links": "UV_FIND_LINKS",
    "cert": "SSL_CERT_FILE",
}


def index_environment(
    given: Mapping[str, str], pip_files: Iterable[Path] = PIP_FILES, uv_files: Iterable[Path] = UV_FILES
) -> dict[str, str]:
    """Variables for uv, unless the host tells uv itself."""
    environment = {"UV_SYSTEM_CERTS": "1"}
    if any(path.exists() for path in uv_files):
        return environment
    settings = _pip_settings(pip_files)
    for option, variable in _TRANSLATED.items():
        value = given.get(f"PIP_{option.upper().replace('-', '_')}") or settings.get(option)
        if value and variable not in given:
            environment[variable] = " ".join(value.split())
    return environment


def _pip_settings(files: Iterable[Path]) -> dict[str, str]:
    settings: dict[str, str] = {}
    for path in files:
        parser = configparser.RawConfigParser()
        parser.read(path, encoding="utf-8")
        for section in ("global", "install"):
            if parser.has_section(section):
                settings.update(parser.items(section))
    return settings
