# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The decision is a filter, and its refusals are Ansible's."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.slipway.stack.plugins.filter.rollout_plan import FilterModule

plan = FilterModule().filters()["rollout_plan"]
BARE = {
    "slots": {"blue": {"release": ""}, "green": {"release": ""}},
    "live": {"slot": "", "release": ""},
    "releases": [],
    "release_ids": [],
    "previous_good": "",
}


def test_each_argument_reaches_the_decision() -> None:
    decided = plan(
        {"web1": BARE}, {}, {"version": "v2", "revision": "c2"}, "deploy", "s1", version="v2", inventory_version="v1"
    )
    assert (decided["mode"], decided["version"], decided["slot"]) == ("deploy", "v2", "blue")
    assert decided["wanted"] == {"version": "v1", "settings": "s1"}


def test_a_refusal_is_a_failed_filter() -> None:
    with pytest.raises(AnsibleFilterError, match="Nothing is live, so there is nothing to go back from"):
        plan({"web1": BARE}, {}, {}, "rollback", "", back_to="v1")
