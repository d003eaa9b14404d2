from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--url", "ftp://load.test", "--out", "result.json"], "is no http or https URL"),
        (["--url", "https://load.test", "--out", "result.json", "--rate", "0"], "invalid positive value"),
        (["--url", "https://load.test", "--out", "/not/there/result.json"], "is no directory"),
    ],
)
def test_bad_arguments_end_with_2_and_the_reason(arguments: list[str], reason: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "load", *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    assert done.returncode == 2
    assert reason in done.stderr
