# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups that nobody could read again, or that go nowhere, are refused before anything is changed."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_backup import backup_problems

GOOD = "7c1e5f0a9b3d4826e1f7a0c4d9b85263"
LOCAL = {"name": "local", "url": "/var/backups/shop"}
KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}


def bucket(name: str, **keys: str) -> dict[str, object]:
    return {"name": name, "url": "s3:https://s3.example.com/shop", "environment": KEYS | keys}


def test_what_is_right_passes() -> None:
    assert backup_problems(GOOD, [LOCAL, bucket("offsite"), {"name": "vault", "url": "sftp:b@vault:/srv/shop"}]) == []


@pytest.mark.parametrize(
    ("passphrase", "said"),
    [("", "is empty"), ("changeme-changeme-changeme", "is a placeholder"), ("a1b2c3", "has 6 characters")],
)
def test_a_passphrase_that_protects_nothing_is_refused(passphrase: str, said: str) -> None:
    (problem,) = backup_problems(passphrase, [LOCAL])
    assert problem.startswith(f"backup_passphrase {said}")
    assert problem.endswith("in your vault, and keep it apart from the host too.")


@pytest.mark.parametrize(
    ("repositories", "said"),
    [
        ([], "backup_repositories is empty: name at least one"),
        ([LOCAL, LOCAL], "has the name 'local' twice: give each a name"),
        ([{"name": "Off site", "url": "/a"}], "strange characters: use lower-case"),
        ([{"name": "a", "url": "backups/shop"}], "backup_repositories[a].url is 'backups/shop': give an absolute path"),
        ([{"name": "a", "url": "s3:https://s3.example.com/b"}], "has no key: set AWS_ACCESS_KEY_ID"),
        ([LOCAL | {"ssh_key": "files/key"}], "ssh_key is no private key: give its text"),
        ([bucket("a"), bucket("b", AWS_ACCESS_KEY_ID="c")], "different values of AWS_ACCESS_KEY_ID, which one copy"),
    ],
)
def test_a_repository_that_cannot_be_used_is_refused(repositories: list[dict[str, object]], said: str) -> None:
    (problem,) = backup_problems(GOOD, repositories)
    assert said in problem
