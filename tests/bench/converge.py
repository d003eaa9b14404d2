"""Measure the site playbook on a bare host and write build/bench/converge.json."""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
BED = ROOT / "tests" / "testbed"
HERE = Path(__file__).resolve().parent
IMAGE = os.environ.get("BENCH_IMAGE", "debian12")
RUNS = int(os.environ.get("BENCH_RUNS", "1"))
RECAP = re.compile(r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)
APPLICATION = ("pyproject.toml", "uv.lock", "app", "README.md", "VERSION")


def run(*command: str, stdin: Any = None, text: str | None = None) -> str:
    """Run a command and return what it printed; its own output explains a failure."""
    done = subprocess.run(command, check=False, capture_output=True, text=True, stdin=stdin, input=text, cwd=ROOT)
    if done.returncode:
        raise SystemExit(
            f"{' '.join(command[:4])} ...: exit {done.returncode}\n{done.stdout[-4000:]}{done.stderr[-2000:]}"
        )
    return done.stdout


class Host:
    """A bare container that is gone when the measurement is over."""

    def __init__(self, name: str) -> None:
        self.name = f"slipway-bench-{name}"

    def __enter__(self) -> Self:
        if self.exists():
            run("docker", "rm", "-f", "-v", self.name)
        run(str(BED / "host.sh"), self.name, IMAGE)
        return self

    def __exit__(self, *_exception: object) -> None:
        run("docker", "rm", "-f", "-v", self.name)

    def exists(self) -> bool:
        return bool(run("docker", "ps", "-aq", "--filter", f"name=^{self.name}$"))

    def sh(self, script: str, *arguments: str, stdin: Any = None, text: str | None = None) -> str:
        return run("docker", "exec", "-i", self.name, "sh", "-c", script, "sh", *arguments, stdin=stdin, text=text)

    def address(self) -> str:
        return run(
            "docker", "inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", self.name
        ).strip()

    def packages(self) -> set[str]:
        return set(self.sh("apt-mark showmanual").split())


def connection_variables(host: Host, connection: str, folder: Path) -> dict[str, Any]:
    """Say how Ansible reaches the host; by ssh as an ordinary user who may use sudo."""
    if connection == "docker":
        return {"ansible_connection": "community.docker.docker", "ansible_host": host.name}
    key = folder / "key"
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
    operator = (ROOT / "molecule" / "shared" / "operator.sh").read_text()
    run(
        "docker",
        "exec",
        "-i",
        host.name,
        "sh",
        "-eu",
        "-s",
        "deploy",
        key.with_suffix(".pub").read_text().strip(),
        text=operator,
    )
    return {
        "ansible_connection": "ssh",
        "ansible_host": host.address(),
        "ansible_user": "deploy",
        "ansible_ssh_private_key_file": str(key),
        "ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
    }


def inventory(host: Host, connection: str, folder: Path) -> Path:
    """Write the demo's inventory for one host and connection."""
    secrets = {"app_database_password": "b" * 4 + "d3f1a7c95e2046", "app_redis_password": "c" * 4 + "d3f1a7c95e2046"}
    variables = secrets | {"app_secrets": {"SECRET_KEY": "5e884898da28047151d0e56f8dc6292773603d0d6aab"}}
    hosts = {host.name: connection_variables(host, connection, folder)}
    groups = {group: {"hosts": hosts} for group in ("app", "nginx", "postgres", "redis")}
    demo = (ROOT / "inventories" / "demo" / "hosts.yml").read_text()
    shared = demo[demo.index("  vars:") : demo.index("  children:")].replace(
        "ansible_connection: community.docker.docker", ""
    )
    shared = shared.replace("{{ inventory_dir }}/../..", str(ROOT))
    path = folder / "hosts.yml"
    path.write_text(f"all:\n{shared}  children: {json.dumps(groups)}\n")
    (folder / "group_vars").mkdir()
    (folder / "group_vars" / "all.yml").write_text(json.dumps(variables))
    return path


def converge(hosts: Path) -> dict[str, Any]:
    """Run the site once; return seconds, tasks that ran, and changes, over all hosts."""
    started = time.monotonic()
    output = run("ansible-playbook", "-i", str(hosts), "playbooks/site.yml")
    seconds = time.monotonic() - started
    recap = [tuple(map(int, row[1:4])) for row in RECAP.findall(output)]
    return {
        "seconds": seconds,
        "tasks": sum(row[0] for row in recap),
        "changed": sum(row[1] for row in recap),
    }


def floor(packages: set[str]) -> float:
    """Run the plain script on a bare host; return its seconds."""
    with Host("floor") as host, tempfile.TemporaryFile() as source:
        subprocess.run(["tar", "-C", str(ROOT / "examples" / "app"), "-c", *APPLICATION], check=True, stdout=source)
        source.seek(0)
        script = (HERE / "floor.sh").read_text()
        started = time.monotonic()
        host.sh(script, *sorted(packages), stdin=source)
        return time.monotonic() - started


def measure(connection: str) -> dict[str, Any]:
    """Converge a bare host twice and run the floor's script, all in one go."""
    with Host(connection) as host, tempfile.TemporaryDirectory() as folder:
        hosts = inventory(host, connection, Path(folder))
        bare = host.packages()
        first, second = converge(hosts), converge(hosts)
        wanted = host.packages() - bare
    return {
        "first_s": round(first["seconds"], 1),
        "floor_s": round(floor(wanted), 1),
        "second_s": round(second["seconds"], 1),
        "second_changed": second["changed"],
        "tasks_first": first["tasks"],
        "tasks_second": second["tasks"],
    }


def median(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {key: statistics.median(row[key] for row in rows) for key in rows[0]}


def main() -> None:
    """Measure each connection, print a table and write it down."""
    result: dict[str, Any] = {}
    print(
        f"{'':8}{'first':>9}{'floor':>9}{'ratio':>8}{'second':>9}{'changed':>9}{'tasks':>12}   ({IMAGE}, {RUNS} runs)"
    )
    for connection in ("ssh", "docker"):
        row = median([measure(connection) for _run in range(RUNS)])
        result[connection] = row
        print(
            f"{connection:8}{row['first_s']:>7} s{row['floor_s']:>7} s{row['first_s'] / row['floor_s']:>8.2f}"
            f"{row['second_s']:>7} s{row['second_changed']:>9}{row['tasks_first']:>6}/{row['tasks_second']:<5}"
        )
    target = ROOT / "build" / "bench" / "converge.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(result, indent=2) + "\n")
    print(f"written to {target.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
