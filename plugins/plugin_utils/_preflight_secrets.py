# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell a secret from a placeholder."""

from __future__ import annotations

import re
import typing as t
from urllib.parse import urlsplit

MINIMUM_LENGTH = 16
_PLACEHOLDER = re.compile(
    r"change|place[-_ ]?holder|insecure|default|your[-_ ]|example|to[-_ ]?do\b|fix[-_ ]?me|^(dev|test|local)[-_]"
    r"|^(secret|password|passwd|test|dev|admin|none|null|postgres|redis|letmein|qwerty)[-_ ]?(key|token|secret|password|\d*)$"
    r"|^<.*>$|^x{3,}$|^\.{3,}$",
    re.IGNORECASE,
)
# What a name ends with: PASSWORD_MIN_LENGTH and ALLOW_PASSWORD_LOGIN hold none.
_SECRET_NAME = re.compile(
    r"(SECRET|PASSWORD|PASSWD|TOKEN|API_?KEY|PRIVATE_?KEY|FERNET|ENCRYPTION_?KEY)(_?KEY)?S?$", re.IGNORECASE
)
# A key that signs or encrypts must be long; what an outside service gives out is as long as it is.
_KEY_NAME = re.compile(r"(SECRET|FERNET|ENCRYPTION|JWT|SIGNING)(_?(SECRET|KEY))*S?$", re.IGNORECASE)

MEND = "set a random one, for instance from 'openssl rand -hex 32', in your vault"


def looks_secret(name: str) -> bool:
    """Tell whether a variable of this name holds a secret."""
    return bool(_SECRET_NAME.search(name))


def secret_problem(name: str, value: t.Any, must_be_long: bool = True) -> str | None:
    """Say what is wrong with a secret, never showing it; None when nothing is."""
    text = str(value)
    if "://" in text:  # of a URL only the password is secret, and what a service gave out is as long as it is
        text, must_be_long = urlsplit(text).password or "none needed", False
    if not text:
        return f"{name} is empty: {MEND}."
    if _PLACEHOLDER.search(text):
        return f"{name} is a placeholder: {MEND}."
    if must_be_long and len(text) < MINIMUM_LENGTH:
        return f"{name} has {len(text)} characters and needs at least {MINIMUM_LENGTH}: {MEND}."
    if must_be_long and len(set(text)) < 5:
        return f"{name} repeats the same few characters: {MEND}."
    return None


def environment_problems(environment: t.Mapping[str, t.Any], secrets: t.Mapping[str, t.Any]) -> list[str]:
    """Judge the application's environment and its secrets."""
    problems = [
        secret_problem(f"app_secrets.{name}", value, bool(_KEY_NAME.search(name))) for name, value in secrets.items()
    ]
    problems += [
        secret_problem(f"app_environment.{name}", value, bool(_KEY_NAME.search(name)))
        for name, value in environment.items()
        if looks_secret(name) and not isinstance(value, (bool, int, float))
    ]
    return [problem for problem in problems if problem]
