from __future__ import annotations

import pytest

from .posts import Posts


@pytest.fixture
def posts() -> Posts:
    posts = Posts()
    for _number in range(3):
        posts.answered(posts.next_token(), "an id")
    return posts


def test_what_is_stored_once_is_right(posts: Posts) -> None:
    stored = {f"{posts.prefix}{number}": 1 for number in range(3)}
    verdict = posts.judge(stored)
    assert (verdict["answered"], verdict["stored"], verdict["lost"], verdict["doubled"]) == (3, 3, 0, 0)


def test_what_was_answered_and_is_not_stored_is_lost(posts: Posts) -> None:
    verdict = posts.judge({f"{posts.prefix}0": 1, f"{posts.prefix}2": 1})
    assert (verdict["lost"], verdict["examples"]) == (1, [f"{posts.prefix}1"])


def test_what_failed_may_be_stored_but_only_once(posts: Posts) -> None:
    failed = posts.next_token()
    stored = {f"{posts.prefix}{number}": 1 for number in range(3)}
    assert posts.judge(stored | {failed: 1})["doubled"] == 0
    assert posts.judge(stored | {failed: 2})["doubled"] == 1
