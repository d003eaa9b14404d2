# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which revisions run when, and which failures are worth another try."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError
from ansible_collections.slipway.stack.plugins.module_utils._migrate_plan import (
    in_phase,
    is_lock_wait,
    may_retry,
    pause,
    read_steps,
)


def found(revision: str, text: str = "", *parents: str, **more: Any) -> dict[str, Any]:
    """A step as a tool describes it."""
    described = {"revision": revision, "parents": list(parents), "text": text, "back": False, "transactional": True}
    return {**described, "sql": "", "sql_problem": "", **more}


EXPAND = found("e1", "add a note")
CONTRACT = found("c1", "contract: drop the code", "e1")


def names(steps: Any) -> list[str]:
    return [step.revision for step in steps]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("add a note", "expand"),
        ("contract: drop the code", "contract"),
        ("\nContract : drop the code\n\nlong story", "contract"),
        ("contracts of customers", "expand"),
        ("add a note\n\ncontract: not the first line", "expand"),
        ("", "expand"),
    ],
)
def test_the_first_line_of_the_docstring_marks_a_contract_revision(text: str, kind: str) -> None:
    assert read_steps([found("r", text)])[0].kind == kind


def test_a_list_marks_them_too() -> None:
    assert read_steps([found("r", "add a note")], ["r"])[0].kind == "contract"


def test_a_label_marks_them_too() -> None:
    assert read_steps([found("r", "add a note", contract=True)])[0].kind == "contract"


def test_each_phase_gets_its_revisions() -> None:
    steps = read_steps([EXPAND, CONTRACT])
    assert names(in_phase(steps, "expand")) == ["e1"]
    assert names(in_phase(steps, "all")) == ["e1", "c1"]
    assert names(in_phase(steps[1:], "contract")) == ["c1"]
    assert in_phase([], "contract") == []


def test_an_expand_revision_on_a_contract_one_is_refused() -> None:
    steps = read_steps([CONTRACT, found("e2", "add more", "c1"), found("e3", "and more", "e2")])
    with pytest.raises(StackError, match="expand revision e2 comes after the contract revision c1"):
        in_phase(steps, "expand")
    assert names(in_phase(steps, "all")) == ["c1", "e2", "e3"]


def test_a_contract_revision_of_another_branch_is_in_nobodys_way() -> None:
    steps = read_steps([CONTRACT, found("other.e2", "add more", "other.e1")])
    assert names(in_phase(steps, "expand")) == ["other.e2"]


def test_contracting_waits_for_what_was_never_released() -> None:
    with pytest.raises(StackError, match="e1 must be released first"):
        in_phase(read_steps([EXPAND, CONTRACT]), "contract")


def test_a_downgrade_has_no_phases() -> None:
    steps = read_steps([{**CONTRACT, "back": True}, {**EXPAND, "back": True}])
    assert names(in_phase(steps, "expand")) == ["c1", "e1"]


def test_an_exception_has_a_reason() -> None:
    text = "drop it\n\nsquawk-ignore ban-drop-column, ban-drop-table: nobody reads them\n"
    assert read_steps([found("r", text)])[0].exceptions == {
        "ban-drop-column": "nobody reads them",
        "ban-drop-table": "nobody reads them",
    }
    with pytest.raises(StackError, match="revision r says squawk-ignore ban-drop-column but not why"):
        read_steps([found("r", "drop it\n\nsquawk-ignore ban-drop-column\n")])


@pytest.mark.parametrize(
    ("error", "output", "waited"),
    [
        ({"sqlstate": "55P03"}, "", True),
        ({"sqlstate": "23502"}, "canceling statement due to lock timeout", False),
        ({"sqlstate": "57014"}, "", False),
        ({"sqlstate": ""}, "psycopg2.errors.LockNotAvailable: canceling statement due to lock timeout\n", True),
        ({}, "relation is locked by somebody", False),
    ],
)
def test_only_a_lock_that_was_not_granted_is_tried_again(error: dict[str, str], output: str, waited: bool) -> None:
    assert is_lock_wait(error, output) is waited


def test_nothing_is_tried_again_over_what_an_attempt_may_have_left_behind() -> None:
    steps = read_steps([EXPAND, found("i1", "an index", "e1", transactional=False), found("e2", "more", "i1")])
    assert may_retry(steps, ["e1", "i1", "e2"])
    assert not may_retry(steps, ["i1", "e2"])
    assert may_retry(steps, ["e2"])
    assert not may_retry(steps, [])


def test_pauses_grow_up_to_a_limit() -> None:
    assert [pause(attempt) for attempt in (1, 2, 3, 9)] == [2, 4, 8, 30]
