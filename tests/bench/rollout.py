"""Measure what visitors notice of rollouts, beside a plain restart and reload, and write build/bench/rollout.json."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from converge import IMAGE, ROOT, Host, inventory, run

RATE = int(os.environ.get("BENCH_RATE", "100"))
QUIET_S = 15
AFTER_S = 5
# An upload takes 11 s, and one that began before the switch reaches the old slot as late as that.
LATE_UPLOAD_S = 12
# The controller stands for a machine of its own, so it gets what hosts and visitors leave of this one.
CONTROLLER = ("nice", "-n", "10")
# As when the warm time of the rollout before is over.
COLD = ("rollback_cold", "broken_release")
CLIENT = "slipway-bench-client"
RELEASES = {"v1": [], "v2": [], "broken": ["--with", "crash_at_import"]}
# Visitors of all kinds, and none of them is limited.
ROUTES = [{"path": "/"}, {"path": "/ws", "kind": "websocket"}, {"path": "/events", "kind": "sse"}]
# What a plain restart and a reload cost is there to compare with.
OURS = ("upgrade", "rollback_warm", "rollback_cold", "broken_release")
SECONDS_TO_SWITCH = {"upgrade": 12, "rollback_warm": 3, "rollback_cold": 15}
SWITCH = re.compile(r"([\d.]+)\s+s\s+of\s+them\s+to\s+the\s+switch")


def make_releases(folder: Path) -> Path:
    """Commit and tag the releases; return the repository."""
    repository = folder / "app.git"
    for version, defects in RELEASES.items():
        make = str(ROOT / "examples" / "app" / "make_release.py")
        run("python3", make, str(repository), "--git", "--version", version, *defects)
    return repository


def write_inventory(host: Host, folder: Path) -> Path:
    """Write the demo's inventory, with a repository to take releases from and both slots' limits as shipped."""
    path = inventory(host, "ssh", folder)
    text = re.sub(r"app_directory: .*", f"app_repository: {make_releases(folder)}", path.read_text())
    text = re.sub(r"app_version: .*", f"app_version: v1\n    nginx_routes: {json.dumps(ROUTES)}", text)
    path.write_text(text)
    return path


@contextmanager
def visitors(host: Host) -> Iterator[Callable[[str], None]]:
    """Load on the host from a container while the block runs; gives a function that sets a mark."""
    if run("docker", "ps", "-aq", "--filter", f"name=^{CLIENT}$"):
        run("docker", "rm", "-f", CLIENT)
    network = run(
        "docker", "inspect", "-f", "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}}{{end}}", host.name
    )
    run("docker", "run", "-d", "--name", CLIENT, "--network", network.strip(), "slipway-client:latest")
    try:
        run("docker", "cp", str(ROOT / "tests" / "load"), f"{CLIENT}:/opt/")
        options = f"--url https://localhost --at {host.address()} --rate {RATE} --seconds 1800"
        files = "--stop-file /tmp/stop --marks /tmp/marks --out /tmp/result.json"
        script = f"touch /tmp/marks; python3 -m load {options} {files} >/tmp/log 2>&1"
        run("docker", "exec", "-d", "-w", "/opt", CLIENT, "sh", "-c", script)
        in_client("until grep -q 'load: started' /tmp/log; do sleep 0.2; done")
        yield lambda name: in_client(f"echo {name} {time.time()} >>/tmp/marks")
        in_client("touch /tmp/stop; until [ -e /tmp/result.json ]; do sleep 0.2; done")
    except BaseException:
        run("docker", "rm", "-f", CLIENT)
        raise


def in_client(script: str) -> None:
    run("docker", "exec", CLIENT, "timeout", "120", "sh", "-c", script)


def play(hosts: Path, playbook: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [*CONTROLLER, "ansible-playbook", "-i", str(hosts), f"playbooks/{playbook}.yml", *options]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)


def live_slot(host: Host) -> str:
    return str(json.loads(host.sh("cat /etc/slipway/demo/live.json"))["slot"])


def cool_down(host: Host) -> None:
    """Stop the old slot, once no request is on its way to it."""
    time.sleep(LATE_UPLOAD_S)
    old = "green" if live_slot(host) == "blue" else "blue"
    host.sh(f"systemctl stop demo-retire-{old}.timer demo-web@{old}.service")


def operations(host: Host, hosts: Path) -> dict[str, Callable[[], str]]:
    """What is measured, in this order; each returns what it said."""

    def rollout(playbook: str, *options: str, fails: bool = False) -> Callable[[], str]:
        def do() -> str:
            done = play(hosts, playbook, *options)
            if bool(done.returncode) != fails:
                raise SystemExit(f"{playbook} {options} ended with {done.returncode}\n{done.stdout[-4000:]}")
            return done.stdout

        return do

    return {
        "upgrade": rollout("upgrade", "-e", "app_version=v2"),
        "rollback_warm": rollout("rollback"),
        "rollback_cold": rollout("rollback", "-e", "app_release=v2"),
        "broken_release": rollout("upgrade", "-e", "app_version=broken", fails=True),
        "restart": lambda: host.sh(f"systemctl restart demo-web@{live_slot(host)}.service"),
        "reload": lambda: host.sh(f"systemctl kill --kill-whom=main -s HUP demo-web@{live_slot(host)}.service"),
    }


def measure() -> dict[str, dict[str, Any]]:
    """Run each operation under load; return what visitors met during it."""
    with Host("rollout") as host, tempfile.TemporaryDirectory() as name:
        hosts = write_inventory(host, Path(name))
        first = play(hosts, "site")
        if first.returncode:
            raise SystemExit(first.stdout[-4000:])
        took: dict[str, dict[str, Any]] = {}
        with visitors(host) as mark:
            for operation, do in operations(host, hosts).items():
                if operation in COLD:
                    cool_down(host)
                mark(f"before_{operation}")
                time.sleep(QUIET_S)
                mark(operation)
                started = time.monotonic()
                said = do()
                took[operation] = {
                    "wall_s": round(time.monotonic() - started, 1),
                    "to_switch_s": seconds_to_switch(said),
                }
                time.sleep(AFTER_S)
                mark(f"after_{operation}")
        result = json.loads(run("docker", "exec", CLIENT, "cat", "/tmp/result.json"))
        run("docker", "rm", "-f", CLIENT)
    return summarise(result, took)


def seconds_to_switch(said: str) -> float | None:
    found = SWITCH.search(said)
    return float(found[1]) if found else None


def summarise(result: dict[str, Any], took: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    intervals = {interval["from"]: interval for interval in result["intervals"]}
    return {
        operation: {
            "requests": intervals[operation]["requests"],
            "failed": intervals[operation]["failed"],
            "gap_s": intervals[operation]["gap_s"],
            "p99_before_ms": intervals[f"before_{operation}"]["latency_ms"]["p99"],
            "p99_during_ms": intervals[operation]["latency_ms"]["p99"],
            "websockets_cut": intervals[operation]["websockets_cut"],
            **times,
        }
        for operation, times in took.items()
    }


def aim(operation: str, column: str, row: dict[str, Any]) -> float | None:
    """The most that it should be."""
    if operation not in OURS:
        return None
    limits = {"failed": 0, "gap_s": 0.1, "p99_during_ms": 2 * row["p99_before_ms"], "websockets_cut": 0}
    return {**limits, "to_switch_s": SECONDS_TO_SWITCH.get(operation)}.get(column)


def cell(operation: str, column: str, row: dict[str, Any]) -> str:
    """A value, with its aim beside it."""
    limit = aim(operation, column, row)
    value = "-" if row[column] is None else f"{row[column]:g}"
    return value if limit is None else f"{value} (<={limit:g})"


def main() -> None:
    """Measure, print a table and write it down."""
    rows = measure()
    columns = (
        "requests",
        "failed",
        "gap_s",
        "p99_before_ms",
        "p99_during_ms",
        "websockets_cut",
        "wall_s",
        "to_switch_s",
    )
    print(f"{IMAGE}, {RATE} requests/s, over ssh")
    print("In brackets: what it should be at most.")
    print(f"{'':16}" + "".join(f"{column:>18}" for column in columns))
    for operation, row in rows.items():
        print(f"{operation:16}" + "".join(f"{cell(operation, column, row):>18}" for column in columns))
    target = ROOT / "build" / "bench" / "rollout.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(rows, indent=2) + "\n")
    print(f"written to {target.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
