# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge what backups are encrypted with, and where they go."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_secrets import secret_problem

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")

Repository = t.Mapping[str, t.Any]


def backup_problems(passphrase: str, repositories: t.Sequence[Repository]) -> list[str]:
    """Return one sentence for each thing that would keep backups from being made, or from being read again."""
    problem = secret_problem("backup_passphrase", passphrase)
    problems = [f"{problem[:-1]}, and keep it apart from the host too."] if problem else []
    names = [str(repository.get("name", "")) for repository in repositories]
    if not names:
        problems.append("backup_repositories is empty: name at least one, or leave it out for one on the host itself.")
    problems += [
        f"backup_repositories has the name '{name}' twice: give each a name of its own."
        for name in sorted({name for name in names if names.count(name) > 1})
    ]
    for name, repository in zip(names, repositories, strict=True):
        problems += _repository_problems(f"backup_repositories[{name}]", name, repository)
    return problems + list(_clashes(repositories))


def _repository_problems(where: str, name: str, repository: Repository) -> t.Iterator[str]:
    url = str(repository.get("url", ""))
    if not _NAME.fullmatch(name):
        yield f"{where} has a name with strange characters: use lower-case letters, digits, - and _."
    if not (url.startswith("/") or re.match(r"[a-z0-9]+:.", url)):
        yield f"{where}.url is '{url}': give an absolute path, or what restic knows, such as sftp:user@host:/path."
    if url.startswith("s3:") and not {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} <= set(
        repository.get("environment") or {}
    ):
        yield f"{where} has no key: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in its environment."
    key = str(repository.get("ssh_key") or "")
    if key and not _KEY.search(key):
        yield f"{where}.ssh_key is no private key: give its text, such as from a lookup of the file."


def _clashes(repositories: t.Sequence[Repository]) -> t.Iterator[str]:
    """A copy is made by one process, which can't have two values of one variable."""
    if not repositories:
        return
    first = repositories[0]
    for other in repositories[1:]:
        mine, theirs = first.get("environment") or {}, other.get("environment") or {}
        for variable in sorted(set(mine) & set(theirs)):
            if mine[variable] != theirs[variable]:
                yield (
                    f"backup_repositories[{first.get('name')}] and [{other.get('name')}] need different values of {variable}, "
                    "which one copy between them can't have: put a local repository first."
                )
