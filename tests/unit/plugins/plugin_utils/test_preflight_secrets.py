# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is a secret, and what only looks like one."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_secrets import (
    environment_problems,
    looks_secret,
    secret_problem,
)

GOOD = "9f3c1e7a5b2d4c6e8f0a1b3d5c7e9f11"


@pytest.mark.parametrize(
    "value",
    [
        "change-me",
        "changeme123456789",
        "your-secret-key-here",
        "dev-secret-key-change-in-production",
        "default-jwt-secret-key",
        "qwerty1",
        "<set me>",
        "xxxxxxxx",
        "password123",
    ],
)
def test_placeholders_are_refused_without_being_shown(value: str) -> None:
    problem = secret_problem("app_secrets.SECRET_KEY", value)
    assert problem is not None
    assert "app_secrets.SECRET_KEY is a placeholder" in problem
    assert value not in problem


@pytest.mark.parametrize(("value", "reason"), [("", "empty"), ("k3Jd9", "5 characters"), ("ab" * 10, "repeats")])
def test_weak_ones_are_refused_with_the_reason(value: str, reason: str) -> None:
    assert reason in (secret_problem("app_database_password", value) or "")


def test_a_random_one_passes() -> None:
    assert secret_problem("app_database_password", GOOD) is None


def test_what_a_service_gives_out_may_be_short() -> None:
    assert environment_problems({}, {"STRIPE_API_KEY": "sk_live_12"}) == []
    assert environment_problems({}, {"SMTP_PASSWORD": "Tr4vel-9"}) == []
    for name in ("JWT_SECRET_KEY", "JWT_SECRET", "FERNET_KEY", "ENCRYPTION_KEY", "SECRET_KEY"):
        assert environment_problems({}, {name: "short"}) != []


def test_a_switch_is_no_secret() -> None:
    assert environment_problems({"REQUIRE_TOKEN": True, "MAX_TOKENS": 4096}, {}) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("SECRET_KEY", True),
        ("DB_PASSWORD", True),
        ("API_KEYS", True),
        ("TOKEN_TTL", False),
        ("PASSWORD_FILE", False),
        ("APP_ENV", False),
        ("ALLOW_PASSWORD_LOGIN", False),
        ("JWT_TOKEN_LOCATION", False),
        ("PASSWORD_HASH_SCHEME", False),
    ],
)
def test_names_tell_secrets(name: str, expected: bool) -> None:
    assert looks_secret(name) is expected


def test_a_placeholder_in_the_plain_environment_is_found() -> None:
    assert len(environment_problems({"SECRET_KEY": "changeme", "APP_ENV": "changeme"}, {})) == 1


def test_of_a_url_only_the_password_is_judged() -> None:
    assert secret_problem("app_secrets.SMTP_URL", "smtp://bob:k3Jd9@mail.example.com:587") is None
    assert secret_problem("app_secrets.SENTRY_DSN", "https://sentry.example.com/default") is None
    assert "placeholder" in (secret_problem("app_secrets.SMTP_URL", "smtp://bob:changeme@mail.acme.net") or "")
