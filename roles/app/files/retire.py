"""Stop the slot that is no longer live, once no connection to it is left or its time to drain is over.

retire LIVE SLOT SECONDS: the files that say what is live and what the slot runs, and the longest drain.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ESTABLISHED = "01"


def connections(ports: set[int]) -> int:
    """Connections that somebody holds to one of these ports of this host."""
    found = 0
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        path = Path(table)
        for line in path.read_text(encoding="ascii").splitlines()[1:] if path.exists() else []:
            _number, local, _remote, state = line.split()[:4]
            found += state == ESTABLISHED and int(local.rpartition(":")[2], 16) in ports
    return found


def is_live(live: Path, slot: dict[str, Any], name: str) -> bool:
    record = json.loads(live.read_text(encoding="utf-8"))
    return (record["slot"], record["release"]) == (name, slot["release"])


def main() -> None:
    live, slot_path, seconds = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
    slot = json.loads(slot_path.read_text(encoding="utf-8"))
    ports = {port for instances in slot["ports"].values() for port in instances}
    deadline = time.monotonic() + seconds
    while (held := connections(ports)) and time.monotonic() < deadline:
        time.sleep(1)
    if is_live(live, slot, slot_path.stem):
        print(f"{slot_path.stem} is live again, so it goes on.")
        return
    print(f"stopping {slot_path.stem} ({slot['release']}), which {held} connections still reach.")
    subprocess.run(["systemctl", "stop", "--", *slot["processes"]["routed"]], check=True)


if __name__ == "__main__":
    main()
