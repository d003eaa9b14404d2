from __future__ import annotations

from .goaway import Goaway, take_frames

PING = bytes((0, 0, 8, 6, 0, 0, 0, 0, 0)) + b"12345678"
GOAWAY = bytes((0, 0, 10, 7, 0, 0, 0, 0, 0)) + bytes((0, 0, 0, 5)) + bytes((0, 0, 0, 2)) + b"by"


def test_goaway_is_taken_out_of_what_is_passed_on() -> None:
    buffer = bytearray(PING + GOAWAY + PING)
    assert take_frames(buffer) == (PING + PING, Goaway(last_stream=5, error=2))
    assert not buffer


def test_half_a_frame_waits_for_the_rest() -> None:
    buffer = bytearray(PING + GOAWAY[:12])
    assert take_frames(buffer) == (PING, None)
    buffer += GOAWAY[12:]
    assert take_frames(buffer) == (b"", Goaway(last_stream=5, error=2))
