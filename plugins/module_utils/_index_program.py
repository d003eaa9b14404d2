# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.
"""Programs that no distribution has, from the index that the host's pip uses."""

from __future__ import annotations

import glob
import os
import shutil
import tempfile
from pathlib import Path

from ansible_collections.slipway.stack.plugins.module_utils._command import run_bounded
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError
from ansible_collections.slipway.stack.plugins.module_utils._release_run import last_lines

_SYSTEM_PYTHON = "/usr/bin/python3"
_PIP_WHEELS = "/usr/share/python-wheels/pip-*.whl"
_INSTALL_SECONDS = 600


def install_program(home: Path, program: str, package: str, version: str) -> Path:
    """pip comes from the distribution's wheel, which needs no environment of its own."""
    folder = home / version
    path = folder / "bin" / program
    if path.exists():
        return path
    wheels = sorted(glob.glob(_PIP_WHEELS))
    if not wheels:
        raise StackError(
            "pip's wheel is missing: install the package python3-pip-whl, or let the role install packages."
        )
    home.mkdir(parents=True, exist_ok=True)
    scratch = tempfile.mkdtemp(prefix=f".{program}-", dir=home)
    os.chmod(scratch, 0o755)
    options = ["--quiet", "--no-deps", "--no-compile", "--disable-pip-version-check", "--root-user-action=ignore"]
    command = [_SYSTEM_PYTHON, "-m", "pip", "install", *options, "--target", scratch, f"{package}=={version}"]
    environment = {**os.environ, "PYTHONPATH": wheels[-1], "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = run_bounded(command, env=environment, capture_output=True, text=True, timeout=_INSTALL_SECONDS)
        if done.returncode != 0:
            raise StackError(
                f"{program} {version} can't be installed from the host's package index:\n{last_lines(done.stderr)}"
            )
        _replace_directory(scratch, folder, path)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return path


def _replace_directory(scratch: str, target: Path, program: Path) -> None:
    try:
        os.rename(scratch, target)
    except OSError:
        # Another application's run was faster.
        if not program.exists():
            raise
