from __future__ import annotations

from .marks import Mark, intervals, parse


def test_a_line_is_a_name_and_a_moment() -> None:
    assert parse(["switch 12.5", "", "old slot stopped 13"]) == (
        [Mark("switch", 12.5), Mark("old slot stopped", 13)],
        [],
    )


def test_other_lines_are_handed_back() -> None:
    assert parse(["half a line"]) == ([], ["half a line"])


def test_marks_cut_the_time_without_a_rest() -> None:
    cut = intervals([Mark("b", 15), Mark("a", 12)], 10, 20)
    assert [(i.begins.name, i.begins.at, i.ends.name, i.ends.at) for i in cut] == [
        ("start", 10, "a", 12),
        ("a", 12, "b", 15),
        ("b", 15, "end", 20),
    ]


def test_marks_outside_of_the_time_bound_nothing() -> None:
    assert len(list(intervals([Mark("before", 9), Mark("after", 21)], 10, 20))) == 1
