"""Moments that another process named while the load went on: lines `<name> <epoch seconds>` in a file."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True, slots=True)
class Mark:
    name: str
    at: float


@dataclass(frozen=True, slots=True)
class Interval:
    begins: Mark
    ends: Mark

    def holds(self, moment: float) -> bool:
        return self.begins.at <= moment < self.ends.at


def parse(lines: Iterable[str]) -> tuple[list[Mark], list[str]]:
    """Return the marks, and the lines that are none."""
    marks, others = [], []
    for line in filter(None, map(str.strip, lines)):
        name, _space, moment = line.rpartition(" ")
        try:
            marks.append(Mark(name.strip() or "unnamed", float(moment)))
        except ValueError:
            others.append(line)
    return marks, others


def intervals(marks: Iterable[Mark], start: float, end: float) -> Iterator[Interval]:
    """From the start to the first mark, between the marks, and to the end; marks outside of it bound nothing."""
    inside = sorted((mark for mark in marks if start < mark.at < end), key=lambda mark: mark.at)
    bounds = [Mark("start", start), *inside, Mark("end", end)]
    for begins, ends in pairwise(bounds):
        yield Interval(begins, ends)
