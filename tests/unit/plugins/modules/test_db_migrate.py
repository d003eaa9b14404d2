# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module hides of what it is given."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from ansible_collections.slipway.stack.plugins.modules import db_migrate


def test_a_short_value_is_shown_since_numbers_have_it_too() -> None:
    module: Any = SimpleNamespace(no_log_values={"5", "production", "correct horse"})
    db_migrate.show_what_is_short(module)
    assert module.no_log_values == {"production", "correct horse"}


def test_a_password_is_hidden_in_each_of_its_spellings() -> None:
    module: Any = SimpleNamespace(no_log_values=set())
    db_migrate.hide_password(module, "postgresql://shop:a%2Fb+cdef@127.0.0.1/shop")
    assert {"a%2Fb+cdef", "a/b+cdef"} <= module.no_log_values
