# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.
"""Compiled code for a release: a service can't write to its release, so each start would compile again.

Compiling the packages is most of a build, and the release before has mostly the same ones. uv links the files of both to
those in its cache, so where a file is the very same, what was compiled of it is linked too. Python corrects the path in it.
"""

from __future__ import annotations

# Runs in the release's Python: PROGRAM ENVIRONMENT SOURCE ENVIRONMENT-BEFORE. A file that doesn't compile may be a template or
# a test fixture: importing it is what would fail.
PROGRAM = r"""
import compileall, contextlib, os, re, sys

environment, source, before = (os.path.join(path, below) for path, below in zip(sys.argv[1:], ("lib", "", "lib")))

def borrow(folder, folder_before):
    compiled, compiled_before = (os.path.join(path, "__pycache__") for path in (folder, folder_before))
    for name in os.listdir(compiled_before) if os.path.isdir(compiled_before) else []:
        module = name.partition(".")[0] + ".py"
        with contextlib.suppress(OSError):
            if os.path.samefile(os.path.join(folder, module), os.path.join(folder_before, module)):
                os.makedirs(compiled, exist_ok=True)
                os.link(os.path.join(compiled_before, name), os.path.join(compiled, name))

for folder, _folders, _names in os.walk(environment):
    borrow(folder, os.path.join(before, os.path.relpath(folder, environment)))
compileall.compile_dir(environment, quiet=2, workers=0)
compileall.compile_dir(source, quiet=2, workers=0, rx=re.compile(r"/(node_modules|\.git)/"))
"""
