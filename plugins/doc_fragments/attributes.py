# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and report what it would change, without changing it.
  diff_mode:
    description: Returns what changed, or would change, when the task runs in diff mode.
  platform:
    description: The hosts that the module runs on.
    platforms: debian
    support: full
"""
