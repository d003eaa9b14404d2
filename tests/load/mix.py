"""Which request comes when, and which way it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .client import Way
from .jobs import Job, Post, ReadItem, Slow, Upload, Version

if TYPE_CHECKING:
    from .posts import Posts
    from .record import Record

# The lengths have no common divisor, so that every kind of request goes every way.
KINDS = (Version, Post, ReadItem, Version, Post, ReadItem, Version)
WAYS = (
    *(Way.NEW, Way.KEPT, Way.MULTIPLEXED, Way.KEPT, Way.KEPT),
    *(Way.NEW, Way.MULTIPLEXED, Way.KEPT, Way.KEPT, Way.MULTIPLEXED),
)
LONG_WAYS = (Way.NEW, Way.MULTIPLEXED)


class Mix:
    def __init__(self, record: Record, posts: Posts, *, ingest: bool = False) -> None:
        self._record = record
        self._posts = posts
        self._kinds = (Post,) if ingest else KINDS

    def quick(self, number: int) -> tuple[Job, Way]:
        return self._quick_job(number), WAYS[number % len(WAYS)]

    def slow(self, number: int) -> tuple[Job, Way]:
        return Slow(), LONG_WAYS[number % len(LONG_WAYS)]

    def upload(self, number: int) -> tuple[Job, Way]:
        return Upload(), LONG_WAYS[number % len(LONG_WAYS)]

    def _quick_job(self, number: int) -> Job:
        kind = self._kinds[number % len(self._kinds)]
        if kind is Post:
            return Post(self._posts)
        if kind is ReadItem and (item_id := self._posts.some_id(number)):
            return ReadItem(item_id)
        return Version(self._record)
