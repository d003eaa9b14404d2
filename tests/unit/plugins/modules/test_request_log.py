# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is counted is what nginx wrote, wherever in whichever file it is, and whatever else is there."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.module_utils import _request_log as logic
from ansible_collections.slipway.stack.plugins.modules import request_log

Count = Callable[..., dict[str, Any]]

SITE = Path(__file__).parents[4] / "roles/nginx/templates/sites-available/site.conf.j2"
NOON = 1_795_435_200.0
VALUES = {
    "time_iso8601": "2026-11-23T12:00:00+00:00",
    "remote_addr": "192.0.2.7",
    "request_method": "GET",
    "host": "shop.example",
    "request_uri": r"/cart?name=\"caf\u00e9\"",
    "server_protocol": "HTTP/2.0",
    "ssl_protocol": "TLSv1.3",
    "request_length": "123",
    "bytes_sent": "4567",
    "upstream_addr": "10.0.0.11:8000, 10.0.0.12:8000",
    "upstream_status": "502, 200",
    "upstream_connect_time": "0.000, 0.001",
    "upstream_header_time": "-, 0.011",
    "upstream_response_time": "0.000, 0.012",
}


def log_format() -> str:
    """What nginx is told to write for each request, from the role's template."""
    found = re.search(
        r"^log_format .*? escape=json\n(.*?);\n", SITE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    assert found
    return "".join(re.findall(r"'([^']*)'", found[1]))


FORMAT = log_format()


def line(at: float, status: str = "200", slot: str = "blue", seconds: float = 0.012, **more: str) -> str:
    """What nginx writes for one request."""
    known = {"msec": f"{NOON + at:.3f}", "slipway_status": status, "slot": slot, "request_time": f"{seconds:.3f}"}
    values = {**VALUES, **known, **more}
    return re.sub(r"\{\{ v \}\}_\w+|\$(\w+)", lambda name: values.get(name[1], ""), FORMAT) + "\n"


def write(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(lines), encoding="utf-8")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "access.log"


@pytest.fixture
def older(tmp_path: Path) -> Path:
    return tmp_path / "access.log.1"


@pytest.fixture
def count(run_module: Callable[..., dict[str, Any]], log: Path) -> Count:
    def run(since: float = 0, until: float | None = None, *, check_mode: bool = False, **more: Any) -> dict[str, Any]:
        end = {} if until is None else {"until": NOON + until}
        return run_module(request_log, {"path": str(log), "since": NOON + since, **end, **more}, check_mode=check_mode)

    return run


def test_how_requests_ended(count: Count, log: Path) -> None:
    statuses = ["200", "200", "101", "301", "404", "429", "429", "499", "0", "500", "502", "503", "504"]
    write(log, [line(number, status) for number, status in enumerate(statuses)])
    result = count(check_mode=True)
    assert (result["changed"], result["complete"], result["unread"]) == (False, True, 0)
    assert (
        result["total"]["requests"],
        result["total"]["failed"],
        result["total"]["gone"],
        result["total"]["limited"],
    ) == (13, 4, 2, 2)
    # Ansible would take a key of this name at the top for its own, and the task for failed.
    assert "failed" not in result
    assert result["by_status"] == {status: statuses.count(status) for status in statuses}
    assert result["files"] == [str(log)]


def test_each_slot_has_its_own_counts(count: Count, log: Path) -> None:
    blue = [line(number, seconds=number / 1000) for number in range(1, 201)]
    green = [line(200, "502", "green", 2.5), line(201, "200", "green", 0.001)]
    write(log, [*blue, *green, line(202, "400", "")])
    result = count()
    assert result["by_slot"] == {
        "blue": {"requests": 200, "failed": 0, "gone": 0, "limited": 0, "p50_ms": 100, "p95_ms": 190, "p99_ms": 198},
        "green": {"requests": 2, "failed": 1, "gone": 0, "limited": 0, "p50_ms": 1, "p95_ms": 2500, "p99_ms": 2500},
    }
    assert (result["total"]["requests"], result["total"]["failed"], result["total"]["p99_ms"]) == (203, 1, 199)
    alone = count(slot="green")
    assert (alone["total"]["requests"], alone["by_status"], alone["by_slot"]["blue"]["requests"]) == (
        2,
        {"200": 1, "502": 1},
        0,
    )


def test_no_request_has_no_times(count: Count, log: Path) -> None:
    write(log, [])
    result = count()
    assert (result["total"]["requests"], result["total"]["p50_ms"], result["by_slot"]["green"]["p99_ms"]) == (
        0,
        None,
        None,
    )
    assert result["complete"] is True


def test_a_websocket_counts_but_not_how_long_it_was_open(count: Count, log: Path) -> None:
    write(log, [line(1, "101", seconds=7200), line(2, seconds=0.02)])
    result = count()
    assert (result["total"]["requests"], result["total"]["p50_ms"], result["total"]["p99_ms"]) == (2, 20, 20)


def test_periods_that_follow_each_other_share_no_request(count: Count, log: Path) -> None:
    write(log, [line(number / 2) for number in range(20)])
    assert [count(*period)["total"]["requests"] for period in ((0, 3), (3, 5), (5,), (3, 3))] == [6, 4, 10, 0]


def test_a_period_that_ends_before_it_begins_is_refused(count: Count) -> None:
    assert "a period ends after it begins" in count(3, 2)["msg"]


def test_lines_out_of_order_are_found(count: Count, log: Path) -> None:
    write(log, [line(0), line(5), line(4.2), line(9.9), line(6), line(5.5), line(12), line(8.9)])
    assert count(5, 9)["total"]["requests"] == 4


@pytest.mark.parametrize(
    "rubbish",
    [
        "",
        "not json",
        "{",
        "[1, 2]",
        "null",
        '"msec"',
        "\0" * 5000,
        '{"msec":1795435201.0}',
        '{"msec":"soon","status":200,"request_time":0.1}',
        '{"msec":NaN,"status":200,"request_time":0.1}',
        '{"msec":1795435201.0,"status":"-","request_time":0.1}',
        '{"msec":1795435201.0,"status":200,"request_time":""}',
        '{"msec":1795435201.0,"status":Infinity,"request_time":0.1}',
        "[" * 100_000,
    ],
)
def test_what_can_not_be_read_is_counted_and_breaks_nothing(count: Count, log: Path, rubbish: str) -> None:
    lines = [line(-5), rubbish, line(1), rubbish, line(2), rubbish, line(35), rubbish, line(50), rubbish]
    write(log, [each.rstrip("\n") + "\n" for each in lines])
    result = count(0, 30)
    assert (result["total"]["requests"], result["unread"], result["complete"]) == (2, 2, True)


def test_bytes_that_are_no_text_are_read(count: Count, log: Path) -> None:
    log.write_bytes(line(1, request_uri="/caf\xe9").encode("latin-1"))
    result = count()
    assert (result["total"]["requests"], result["unread"]) == (1, 0)


def test_numbers_written_as_text_are_read(count: Count, log: Path) -> None:
    write(log, ['{"msec":"1795435201.500","status":"502","request_time":"0.250","slot":"green"}\n'])
    result = count(slot="green")
    assert (result["total"]["requests"], result["total"]["failed"], result["total"]["p50_ms"]) == (1, 1, 250)


def test_a_line_that_is_being_written_is_left_alone(count: Count, log: Path) -> None:
    write(log, [line(1), line(2)[:-40]])
    assert (count()["total"]["requests"], count()["unread"]) == (1, 0)
    write(log, [line(1), line(2).rstrip("\n")])
    assert (count()["total"]["requests"], count()["unread"]) == (2, 0)


def test_the_log_before_is_read_where_the_period_began_in_it(count: Count, log: Path, older: Path) -> None:
    write(older, [line(number, slot="green") for number in range(-100, 50)])
    write(log, [line(number) for number in range(50, 100)])
    result = count(40)
    assert (result["total"]["requests"], result["by_slot"]["green"]["requests"]) == (60, 10)
    assert (result["files"], result["complete"]) == ([str(older), str(log)], True)
    late = count(90)
    assert (late["total"]["requests"], late["files"]) == (10, [str(log)])


@pytest.mark.parametrize("new", ["empty", "not there yet"])
def test_a_log_that_was_just_rotated_loses_nothing(count: Count, log: Path, older: Path, new: str) -> None:
    write(older, [line(number) for number in range(30)])
    if new == "empty":
        write(log, [])
    result = count(10)
    assert (result["total"]["requests"], result["complete"]) == (20, True)


def test_what_was_rotated_away_is_not_passed_over(count: Count, log: Path, older: Path) -> None:
    write(older, [line(number) for number in range(50, 80)])
    write(log, [line(number) for number in range(80, 100)])
    assert (count(10)["total"]["requests"], count(10)["complete"]) == (50, True)
    older.with_name("access.log.2.gz").touch()
    assert (count(10)["total"]["requests"], count(10)["complete"]) == (50, False)
    assert count(60)["complete"] is True


def test_no_log_is_no_evidence(count: Count) -> None:
    result = count()
    assert (result["total"]["requests"], result["files"], result["complete"]) == (0, [], False)


def test_a_log_that_is_no_file_is_named(count: Count, log: Path) -> None:
    log.mkdir()
    assert count()["msg"] == f"{log}: Is a directory"


@pytest.mark.parametrize("moment", ["before", "while"])
def test_a_rotation_while_the_logs_are_opened_counts_nothing_twice(
    count: Count, log: Path, older: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    write(log, [line(number) for number in range(30)])
    open_log, opened = logic._open, []

    def rotate_meanwhile(path: str, stack: Any) -> Any:
        opened.append(path)
        if len(opened) == 2 and moment == "before":
            log.rename(older)
        found = open_log(path, stack)
        if len(opened) == 2 and moment == "while":
            log.rename(older)
            write(log, [line(30)])
        return found

    monkeypatch.setattr(logic, "_open", rotate_meanwhile)
    assert count(0)["total"]["requests"] == {"before": 30, "while": 31}[moment]


def bytes_read() -> int:
    """What this process has read so far, as the kernel counts it."""
    return int(Path(f"/proc/{os.getpid()}/io").read_text(encoding="ascii").split()[1])


@pytest.mark.parametrize(("since", "until"), [(599, None), (300, 301), (0, 1), (700, None)])
def test_a_large_log_costs_little(count: Count, log: Path, since: float, until: float | None) -> None:
    head, tail = line(0).split(f"{NOON:.3f}")
    write(log, (f"{head}{NOON + number / 100:.3f}{tail}" for number in range(60_000)))
    assert log.stat().st_size > 30_000_000
    before = bytes_read()
    assert count(since, until)["total"]["requests"] == (0 if since == 700 else 100)
    # The period of one second, and ten seconds on each side for lines that are out of order, take 1.4 MB.
    assert bytes_read() - before < 4_000_000
