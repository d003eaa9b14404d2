# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which revisions a state of Alembic's means."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.module_utils._migrate_alembic import Revisions, wanted
from ansible_collections.slipway.stack.plugins.module_utils._migrate_trouble import Trouble


def history(*links: tuple[str, Any]) -> Revisions:
    """Without Alembic: each revision and what it stands on, the oldest first."""
    found = Revisions.__new__(Revisions)
    found.all = [
        SimpleNamespace(revision=name, down_revision=down, dependencies=None) for name, down in reversed(links)
    ]
    found.by_id = {step.revision: step for step in found.all}
    found.heads = found.tips(set(found.by_id))
    return found


LINE = history(("a1", None), ("b2", "a1"), ("c3", "b2"))
FORK = history(("a1", None), ("b2", "a1"), ("x9", "a1"))
MERGED = history(("a1", None), ("b2", "a1"), ("x9", "a1"), ("m5", ("b2", "x9")))


@pytest.mark.parametrize(
    ("state", "applied", "meant"),
    [
        ("head", set(), {"a1", "b2", "c3"}),
        ("b2", set(), {"a1", "b2"}),
        ("b", {"a1"}, {"a1", "b2"}),
        ("+1", {"a1"}, {"a1", "b2"}),
        ("-1", {"a1", "b2", "c3"}, {"a1", "b2"}),
        ("-2", {"a1", "b2", "c3"}, {"a1"}),
        ("a1", {"a1", "b2", "c3"}, {"a1"}),
        ("base", {"a1", "b2"}, set()),
    ],
)
def test_a_state_means_revisions(state: str, applied: set[str], meant: set[str]) -> None:
    assert wanted(LINE, state, applied) == meant


def test_two_heads_are_named() -> None:
    with pytest.raises(Trouble, match="b2, x9") as caught:
        wanted(FORK, "head", set())
    assert caught.value.kind == "heads"
    assert wanted(FORK, "heads", set()) == {"a1", "b2", "x9"}
    assert wanted(FORK, "b2,x9", set()) == {"a1", "b2", "x9"}
    assert wanted(MERGED, "head", set()) == {"a1", "b2", "x9", "m5"}


def test_an_unknown_or_ambiguous_revision_is_named() -> None:
    for name in ("nothing", ""):
        with pytest.raises(Trouble):
            LINE.resolved(name)


def test_what_is_left_after_a_merge_was_taken_back_has_two_tips() -> None:
    left = wanted(MERGED, "-1", {"a1", "b2", "x9", "m5"})
    assert MERGED.tips(left) == ["b2", "x9"]
