"""What is asked of the reference application, and what counts as a right answer."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from .clock import now
from .http import Answer, Failed, Request

if TYPE_CHECKING:
    from .posts import Posts
    from .record import Record

UPLOAD_BYTES = 512 * 1024
UPLOAD_PIECES = 44
UPLOAD_PAUSE_S = 0.25
SLOW_MS = 2000


class Job(Protocol):
    kind: str
    timeout_s: float
    request: Request

    def accept(self, answer: Answer) -> None:
        """Raise Failed where the answer isn't the right one."""


@dataclass(slots=True)
class Version:
    record: Record
    kind = "version"
    timeout_s = 30.0
    request = Request("GET", "/version")

    def accept(self, answer: Answer) -> None:
        identity = _json(answer)
        self.record.release(str(identity.get("version")), str(identity.get("slot") or ""), now())


class ReadItem:
    kind = "item"
    timeout_s = 30.0

    def __init__(self, item_id: str) -> None:
        self._id = item_id
        self.request = Request("GET", f"/items/{item_id}")

    def accept(self, answer: Answer) -> None:
        if _json(answer).get("id") != self._id:
            raise Failed("wrong answer", _excerpt(answer))


class Post:
    kind = "post"
    timeout_s = 30.0

    def __init__(self, posts: Posts) -> None:
        self._posts = posts
        self._token = posts.next_token()
        self.request = Request("POST", "/items", json.dumps({"name": self._token}).encode())

    def accept(self, answer: Answer) -> None:
        item = _json(answer)
        if item.get("name") != self._token:
            raise Failed("wrong answer", _excerpt(answer))
        self._posts.answered(self._token, str(item.get("id")))


class Slow:
    kind = "slow"
    timeout_s = 30.0
    request = Request("GET", f"/slow?ms={SLOW_MS}")

    def accept(self, answer: Answer) -> None:
        if _json(answer).get("slept_ms") != SLOW_MS:
            raise Failed("wrong answer", _excerpt(answer))


class Upload:
    """A body that takes 11 s to send: with one every 10 s, one is always on its way."""

    kind = "upload"
    timeout_s = 60.0

    def __init__(self) -> None:
        body = os.urandom(UPLOAD_BYTES)
        self._sha256 = hashlib.sha256(body).hexdigest()
        self.request = Request(
            "POST",
            "/upload",
            body,
            content_type="application/octet-stream",
            piece=-(-UPLOAD_BYTES // UPLOAD_PIECES),
            pause_s=UPLOAD_PAUSE_S,
        )

    def accept(self, answer: Answer) -> None:
        if _json(answer).get("sha256") != self._sha256:
            raise Failed("wrong checksum", _excerpt(answer))


def _json(answer: Answer) -> dict[str, Any]:
    if not 200 <= answer.status < 300:
        raise Failed(f"status {answer.status}", _excerpt(answer))
    try:
        parsed = json.loads(answer.body)
    except ValueError:
        raise Failed("wrong answer", _excerpt(answer)) from None
    if not isinstance(parsed, dict):
        raise Failed("wrong answer", _excerpt(answer))
    return parsed


def _excerpt(answer: Answer) -> str:
    return answer.body[:200].decode(errors="replace")
