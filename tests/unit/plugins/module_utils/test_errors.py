# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module ends with its result or with one sentence, never with a traceback for what can be foreseen."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest

from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError, conclude


class End(Exception):
    """How the module ended."""


class Module:
    """Ends as AnsibleModule does."""

    def fail_json(self, **result: Any) -> NoReturn:
        raise End({"failed": True, **result})

    def exit_json(self, **result: Any) -> NoReturn:
        raise End(result)


def ended_with(outcome: dict[str, Any] | Exception) -> dict[str, Any]:
    def run(_module: Any) -> dict[str, Any]:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    with pytest.raises(End) as end:
        conclude(Module(), run)  # type: ignore[arg-type]
    result: dict[str, Any] = end.value.args[0]
    return result


def test_a_result_is_what_it_ends_with() -> None:
    assert ended_with({"changed": True}) == {"changed": True}


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (StackError("That is missing: add it.", lines=["x"]), {"msg": "That is missing: add it.", "lines": ["x"]}),
        (FileNotFoundError(2, "No such file or directory", "/etc/x"), {"msg": "/etc/x: No such file or directory"}),
        (OSError(28, "No space left on device"), {"msg": "[Errno 28] No space left on device"}),
    ],
)
def test_what_can_be_foreseen_is_told_in_one_sentence(error: Exception, result: dict[str, Any]) -> None:
    assert ended_with(error) == {"failed": True, **result}


def test_a_mistake_of_its_own_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        conclude(Module(), lambda _module: {"changed": 1 / 0})  # type: ignore[arg-type]
