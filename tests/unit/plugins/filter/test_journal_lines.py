# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A person follows one request from host to host."""

from __future__ import annotations

import json

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.slipway.stack.plugins.filter.journal_lines import journal_lines


def journal(*entries: tuple[int, object]) -> str:
    return "\n".join(
        json.dumps({"__REALTIME_TIMESTAMP": str(at), "_SYSTEMD_UNIT": "shop-web@blue.service", "MESSAGE": message})
        for at, message in entries
    )


def test_entries_of_several_hosts_are_in_the_order_of_time() -> None:
    first, last = 1795420800250000, 1795420801000000
    lines = journal_lines({"web1": journal((last, "late")), "app10": journal((first, "soon"))})
    assert lines == [
        "2026-11-23T08:00:00.250Z  app10  shop-web@blue  soon",
        "2026-11-23T08:00:01.000Z  web1   shop-web@blue  late",
    ]


def test_the_newest_lines_are_kept() -> None:
    text = journal((1, "a"), (2, "b"), (3, "c"))
    assert [line[-1] for line in journal_lines({"web1": text}, 2)] == ["b", "c"]
    assert [line[-1] for line in journal_lines({"web1": text})] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("message", "shown"),
    [("one\ntwo", "one two"), ("\x1b[31mred", " [31mred"), (list("käse".encode()), "käse"), (None, "")],
)
def test_each_entry_is_one_line(message: object, shown: str) -> None:
    assert journal_lines({"web1": journal((1, message))})[0].endswith(f"shop-web@blue  {shown}")


def test_nothing_was_written() -> None:
    assert journal_lines({"web1": ""}) == []


def test_what_is_no_journal_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="give what journalctl"):
        journal_lines({"web1": "-- No entries --"})
