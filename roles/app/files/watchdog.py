"""Kill routed processes that run but have stopped to answer, so that systemd starts them again.

Any answer will do, whatever its status: a process that says it is degraded is alive. It is dead when it gave none,
several times in a row.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

State = dict[str, dict[str, Any]]


def answers(target: dict[str, Any]) -> bool:
    connection = http.client.HTTPConnection(target["host"], target["port"], timeout=target["timeout"])
    try:
        headers = {"Host": target["host_header"], "X-Forwarded-Proto": "https", "User-Agent": "slipway-watchdog"}
        connection.request("GET", target["path"], headers=headers)
        connection.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def running_since(units: list[str]) -> dict[str, tuple[str, float]]:
    """The main process of each unit that runs, and for how many seconds it has."""
    command = ["systemctl", "show", "--property=Id,ActiveState,MainPID,ActiveEnterTimestampMonotonic", "--", *units]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = {}
    for block in done.stdout.strip().split("\n\n"):
        properties = dict(line.partition("=")[::2] for line in block.splitlines())
        if properties.get("ActiveState") == "active":
            seconds = time.monotonic() - int(properties["ActiveEnterTimestampMonotonic"]) / 1_000_000
            found[properties["Id"]] = (properties["MainPID"], seconds)
    return found


def judge(target: dict[str, Any], process: str, alive: bool, before: State) -> int:
    """How often in a row this very process has given no answer."""
    if alive:
        return 0
    known = before.get(target["unit"], {})
    return (known["failures"] if known.get("process") == process else 0) + 1


def watch(targets: list[dict[str, Any]], before: State) -> State:
    running = running_since([target["unit"] for target in targets])
    grown_up = [t for t in targets if t["unit"] in running and running[t["unit"]][1] >= t["grace"]]
    with ThreadPoolExecutor(max_workers=16) as pool:
        alive = list(pool.map(answers, grown_up))
    after: State = {}
    for target, is_alive in zip(grown_up, alive, strict=True):
        unit, process = target["unit"], running[target["unit"]][0]
        failures = judge(target, process, is_alive, before)
        if failures >= target["failures"]:
            restart(target, failures)
        elif failures:
            after[unit] = {"process": process, "failures": failures}
    return after


def restart(target: dict[str, Any], failures: int) -> None:
    unit = target["unit"]
    # <4> is the level that systemd reads: a warning.
    print(
        f"<4>{unit} gave no answer on {target['path']} {failures} times in a row: killing it, so that it is started again.",
        flush=True,
    )
    # Who no longer answers won't end in good order either, and would hold the port for as long as it is asked to.
    subprocess.run(["systemctl", "kill", "--signal=SIGKILL", unit], check=True)


def main() -> None:
    targets = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    memory = Path(os.environ["RUNTIME_DIRECTORY"]) / "failures.json"
    before = json.loads(memory.read_text(encoding="utf-8")) if memory.exists() else {}
    memory.write_text(json.dumps(watch(targets, before)), encoding="utf-8")


if __name__ == "__main__":
    main()
