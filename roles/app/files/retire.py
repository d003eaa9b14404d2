"""Stop the slot that is no longer live: each process once no connection to it is left or its time to drain is over.

retire LIVE SLOT: the files that say what is live, and what the slot runs and for how long it may drain.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

ESTABLISHED = "01"


def connections() -> Counter[int]:
    """How many connections somebody holds to each port of this host."""
    found: Counter[int] = Counter()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        path = Path(table)
        for line in path.read_text(encoding="ascii").splitlines()[1:] if path.exists() else []:
            _number, local, _remote, state = line.split()[:4]
            if state == ESTABLISHED:
                found[int(local.rpartition(":")[2], 16)] += 1
    return found


def is_live(live: Path, slot: dict[str, Any], name: str) -> bool:
    record = json.loads(live.read_text(encoding="utf-8"))
    return (record["slot"], record["release"]) == (name, slot["release"])


def stop(release: str, units: dict[str, int]) -> None:
    for unit, held in units.items():
        print(f"stopping {unit} ({release}), which {held} connections still reach.", flush=True)
    subprocess.run(["systemctl", "stop", "--", *units], check=True)


def main() -> None:
    live, slot_path = Path(sys.argv[1]), Path(sys.argv[2])
    slot = json.loads(slot_path.read_text(encoding="utf-8"))
    left: dict[str, dict[str, int]] = dict(slot["drain"])
    began = time.monotonic()
    while left:
        connected = connections()
        held = {unit: connected[promise["port"]] for unit, promise in left.items()}
        seconds = time.monotonic() - began
        over = {unit: held[unit] for unit, promise in left.items() if not held[unit] or seconds >= promise["seconds"]}
        if over and is_live(live, slot, slot_path.stem):
            print(f"{slot_path.stem} is live again, so it goes on.")
            return
        if over:
            stop(slot["release"], over)
        left = {unit: promise for unit, promise in left.items() if unit not in over}
        if left:
            time.sleep(1)


if __name__ == "__main__":
    main()
