"""Load one application, and tell what its visitors would have noticed.

python3 -m load --url https://NAME --at ADDRESS[,ADDRESS] --seconds 30 --rate 100 --out result.json

Exit code 0: measured, whatever failed; 2: bad arguments, or nothing answers there. It ends after --seconds, with
SIGTERM or SIGINT, or when --stop-file appears; what is in flight then may still be answered.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from . import text
from .run import Plan, Run, Unreachable
from .target import Target


def positive(value: str) -> float:
    number = float(value)
    if math.isnan(number) or number <= 0:
        raise ValueError(value)
    return number


def not_negative(value: str) -> float:
    number = float(value)
    if math.isnan(number) or number < 0:
        raise ValueError(value)
    return number


def count(value: str) -> int:
    return int(not_negative(value))


def parser() -> argparse.ArgumentParser:
    summary, usage, *more = (__doc__ or "").split("\n\n")
    options = argparse.ArgumentParser(
        prog="python3 -m load",
        description=summary,
        epilog="\n".join([usage, "", *more]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = options.add_argument
    add("--url", required=True, help="scheme and name that are asked for, and a prefix where there is one")
    add("--at", default="", metavar="ADDRESS[,ADDRESS]", help="where to connect to, in turn (default: the name)")
    add("--port", type=int, help="of all addresses (default: the URL's)")
    add("--seconds", type=positive, help="how long (default: until told to stop)")
    add("--rate", type=positive, default=100, help="quick requests a second (default: %(default)s)")
    add("--out", type=Path, required=True, help="the result, as JSON; there when the run is over")
    add("--events", type=Path, help="each outcome as a line of JSON")
    add("--marks", type=Path, help="lines `<name> <epoch seconds>`, which others append; figures between them")
    add("--stop-file", type=Path, help="stop when this file appears")
    add("--websockets", type=count, default=10, help="to hold open (default: %(default)s)")
    add("--streams", type=count, default=5, help="of events, to hold open (default: %(default)s)")
    add(
        "--uploads-every",
        type=not_negative,
        default=10,
        help="seconds; each takes 11 s; 0: none (default: %(default)s)",
    )
    add("--slow-every", type=not_negative, default=1, help="seconds; each takes 2 s; 0: none (default: %(default)s)")
    add("--ingest", action="store_true", help="let each quick request be a POST")
    return options


async def measure(options: argparse.Namespace, target: Target) -> dict[str, Any]:
    with ExitStack() as stack:
        plan = Plan(
            target=target,
            rate=options.rate,
            seconds=options.seconds,
            stop_file=options.stop_file,
            marks=options.marks,
            events=stack.enter_context(options.events.open("w")) if options.events else None,
            websockets=options.websockets,
            streams=options.streams,
            uploads_every=options.uploads_every,
            slow_every=options.slow_every,
            ingest=options.ingest,
        )
        return await Run(plan).measure()


def write(path: Path, result: dict[str, Any]) -> None:
    """Others may wait for the file, so it appears when it is complete."""
    draft = path.with_name(f".{path.name}.part")
    draft.write_text(json.dumps(result, indent=2) + "\n")
    draft.rename(path)


def main() -> int:
    options = parser().parse_args()
    try:
        target = Target(options.url, [part for part in options.at.split(",") if part], options.port)
    except ValueError as error:
        parser().error(str(error))
    if not options.out.parent.is_dir():
        parser().error(f"{options.out.parent} is no directory to write the result to")
    try:
        result = asyncio.run(measure(options, target))
    except (Unreachable, OSError) as error:
        print(f"load: {error}", file=sys.stderr)
        return 2
    write(options.out, result)
    print("\n".join(text.lines(result)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
