"""GOAWAY, taken out of the frames before h2 sees it.

For h2 it ends the connection, but by RFC 9113, 6.8 the streams below the last one that it names go on: a reload of
nginx would look like failures that no browser has.
"""

from __future__ import annotations

from dataclasses import dataclass

HEADER = 9
GOAWAY = 7


@dataclass(frozen=True, slots=True)
class Goaway:
    last_stream: int
    error: int


def take_frames(buffer: bytearray) -> tuple[bytes, Goaway | None]:
    """Remove the complete frames from the buffer; return all but GOAWAY, and the last GOAWAY."""
    passed, goaway, start = bytearray(), None, 0
    while len(buffer) - start >= HEADER:
        end = start + HEADER + int.from_bytes(buffer[start : start + 3], "big")
        if end > len(buffer):
            break
        if buffer[start + 3] == GOAWAY:
            goaway = _parse(bytes(buffer[start + HEADER : end]))
        else:
            passed += buffer[start:end]
        start = end
    del buffer[:start]
    return bytes(passed), goaway


def _parse(payload: bytes) -> Goaway:
    return Goaway(int.from_bytes(payload[:4], "big") & 0x7FFF_FFFF, int.from_bytes(payload[4:8], "big"))
