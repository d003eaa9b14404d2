# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an application's processes are: kind, ports, units and connections.

One place for the arithmetic that wiring, preflight and the app role share.
"""

from __future__ import annotations

import typing as t

from ansible_collections.slipway.stack.plugins.module_utils._load import load_profile
from ansible_collections.slipway.stack.plugins.module_utils._told_workers import (
    Environment,
    told_seconds,
    told_workers,
)

SLOTS = ("blue", "green")
PROCESS_STRIDE = 10
GREEN_OFFSET = 50
PORT_RANGE = 100
MAX_INSTANCES = 10
# So many processes have ten ports in each slot. As many more have the second halves of these tens, since no port of the
# first ones may move.
PROCESSES_OF_TEN = GREEN_OFFSET // PROCESS_STRIDE
SECOND_HALF = PROCESS_STRIDE // 2
# The last of a process' ten ports. A process that may not run twice has it in both slots, and both slots' own ports are
# free for one that may: so it can become the other kind beside what runs.
HELD_PORT_OFFSET = PROCESS_STRIDE - 1
# gunicorn's min(2 * cores + 1, 4) is 4 on every host with two cores or more: the arithmetic takes the upper bound,
# so that it needs no facts of hosts that are outside a run. A load has a bound of its own.
MAX_DEFAULT_WORKERS = int(load_profile("")["workers"])
# For psql, backups, monitoring and the superuser's reserve.
RESERVED_CONNECTIONS = 10
WITH_LEASE = "1 + 1 lease"

DEFAULTS: dict[str, t.Any] = {
    "module": "",
    "factory": False,
    "command": "",
    "server": "gunicorn",
    "routed": False,
    "singleton": False,
    "schedule": "",
    "count": 1,
    "worker_class": "uvicorn_worker.UvicornWorker",
    "threads": 1,
    "timeout": 120,
    "graceful_timeout": 30,
    "drain_timeout": 0,
    "max_requests": 0,
    "max_requests_jitter": 0,
    "preload": False,
    "keepalive": 75,
    "concurrency": 1,
    "health": {},
    "liveness": {},
    "environment": {},
    "directory": "",
    "memory_max": "",
    "memory_low": "",
    "cpu_quota": "",
    "open_files": 16384,
    "kill_mode": "",
    "stop_timeout": 0,
    "start_timeout": 60,
    "relax": [],
    "overlap": True,
    "takes_socket": False,
    "lease": True,
}


# For how many seconds nginx keeps an idle connection to a process (nginx_upstream_keepalive_timeout).
PROXY_KEEPALIVE = 60
_TOLD_SECONDS = {"GUNICORN_TIMEOUT": "timeout", "GUNICORN_KEEPALIVE": "keepalive"}


def kind_of(process: t.Mapping[str, t.Any]) -> str:
    """Tell what a process is: C(routed), C(worker), C(singleton) or C(timer)."""
    if process.get("schedule"):
        return "timer"
    if process.get("singleton"):
        return "singleton"
    if process.get("module") or process.get("routed"):
        return "routed"
    return "worker"


def _instances(slot: str, count: int) -> list[str]:
    return [slot if number == 1 else f"{slot}-{number}" for number in range(1, count + 1)]


def _refuse_to_run_twice(process: t.Mapping[str, t.Any]) -> None:
    """Raise ValueError where a process that may not overlap with itself would."""
    name, count, workers = process["name"], int(process["count"]), int(process.get("workers") or 1)
    if count != 1:
        raise ValueError(
            f"app_processes[{name}].count is {count}, but with overlap: false it may not run twice: leave count out"
        )
    if process["module"] and workers != 1:
        raise ValueError(
            f"app_processes[{name}].workers is {workers}, and each is the application once more, but with overlap: false "
            "it may not run twice: leave workers out"
        )
    if process["kind"] == "routed" and process["command"] and not process["takes_socket"]:
        raise ValueError(
            f"app_processes[{name}] has overlap: false, so systemd holds its port while nothing runs, but its command "
            "opens a port itself: give its module in place of the command, or let the command serve on the socket that "
            "it is handed (file descriptor 3) and set takes_socket: true"
        )


def _refuse_endless_health(process: t.Mapping[str, t.Any]) -> None:
    """Raise ValueError where there is no time for as many good answers as are asked for."""
    successes, most = int((process["health"] or {}).get("successes", 1)), int(process["start_timeout"])
    if not 1 <= successes <= most:
        raise ValueError(
            f"app_processes[{process['name']}].health.successes is {successes}: set it from 1 to {most}, as many as fit into "
            "half of its start_timeout"
        )


def _units(process: t.Mapping[str, t.Any], app_name: str) -> dict[str, list[str]]:
    """The systemd units of a process in both slots: one and the same where it may not run twice."""
    name = f"{app_name}-{process['name']}"
    if process["kind"] == "timer":
        return {slot: [f"{name}.timer"] for slot in SLOTS}
    if process["exclusive"]:
        return {slot: [f"{name}.service"] for slot in SLOTS}
    return {slot: [f"{name}@{number}.service" for number in _instances(slot, int(process["count"]))] for slot in SLOTS}


def _ports(process: t.Mapping[str, t.Any], number: int, app_port: int) -> dict[str, list[int]]:
    """The ports of a routed process in both slots, by how many routed ones stand before it."""
    half, ten = divmod(number, PROCESSES_OF_TEN)
    if half > 1 and not process.get("port"):
        raise ValueError(
            f"app_processes[{process['name']}] is the {number + 1}th routed one, and a range of {PORT_RANGE} ports has room "
            f"for {2 * PROCESSES_OF_TEN}: give it a port of its own, which leads to the one {GREEN_OFFSET} above in slot green"
        )
    if process["exclusive"]:
        first = int(process.get("port") or app_port + PROCESS_STRIDE * ten + GREEN_OFFSET * half)
        return {slot: [first + HELD_PORT_OFFSET] for slot in SLOTS}
    first = int(process.get("port") or app_port + PROCESS_STRIDE * ten + SECOND_HALF * half)
    return {
        slot: [first + offset + instance for instance in range(int(process["count"]))]
        for slot, offset in zip(SLOTS, (0, GREEN_OFFSET), strict=True)
    }


def _refuse_shared_ports(planned: t.Sequence[t.Mapping[str, t.Any]]) -> None:
    """Raise ValueError where two processes would listen on one port, in whichever slots."""
    owners: dict[int, str] = {}
    for process in planned:
        for port in sorted({port for ports in process["ports"].values() for port in ports}):
            owner = owners.setdefault(port, process["name"])
            if owner != process["name"]:
                raise ValueError(
                    f"app_processes[{owner}] and app_processes[{process['name']}] would both listen on port {port}: lower "
                    f"their count, or give {process['name']} another port, which leads to the one {GREEN_OFFSET} above in "
                    "slot green"
                )


def _told(process: t.Mapping[str, t.Any], environment: Environment) -> dict[str, int]:
    """What the environment outvotes; what it says nothing of is left out, since a release's name is made of its processes."""
    seconds = {key: told_seconds(process, environment, variable) for variable, key in _TOLD_SECONDS.items()}
    workers = told_workers(process, environment)
    return {key: told for key, told in seconds.items() if told is not None} | (
        {"told_workers": workers} if workers else {}
    )


def plan(
    processes: t.Sequence[t.Mapping[str, t.Any]],
    app_name: str,
    app_port: int,
    environment: Environment | None = None,
    load: str = "",
) -> list[dict[str, t.Any]]:
    """Complete each process with its defaults, kind, units and (where routed) ports for both slots.

    The environment is what all processes are told: it may say how many workers a server starts; else the load says how
    many gunicorn starts at most. Raises ValueError, naming the entry, where the list contradicts itself.
    """
    most_workers = int(load_profile(load)["workers"])
    planned: list[dict[str, t.Any]] = []
    routed_so_far = 0
    for process in processes:
        item = {**DEFAULTS, **process, "kind": kind_of(process)}
        name, count = item["name"], int(item["count"])
        if not 1 <= count <= MAX_INSTANCES:
            raise ValueError(f"app_processes[{name}].count is {count}: set it from 1 to {MAX_INSTANCES}")
        if item["kind"] in ("singleton", "timer") and count != 1:
            raise ValueError(f"app_processes[{name}].count is {count}, but a {item['kind']} runs once: leave count out")
        # Nobody knows for how long a command keeps idle connections: uvicorn does for 5 s, and gunicorn for 2.
        if item["command"] and "keepalive" not in process:
            item["keepalive"] = 0
        item["exclusive"] = not item["overlap"] and item["kind"] in ("routed", "worker")
        if item["exclusive"]:
            _refuse_to_run_twice(item)
            item["workers"] = 1
        item["units"] = _units(item, app_name)
        item["ports"] = {slot: [] for slot in SLOTS}
        if item["kind"] == "routed":
            _refuse_endless_health(item)
            item["ports"] = _ports(item, routed_so_far, app_port)
            routed_so_far += 1
            item |= _told(item, environment or {})
            if most_workers != MAX_DEFAULT_WORKERS:
                item["most_workers"] = most_workers
        planned.append(item)
    _refuse_shared_ports(planned)
    return planned


def worker_processes(process: t.Mapping[str, t.Any], cores: int | None = None) -> int:
    """Count the operating-system processes of one routed instance that open a connection pool each."""
    workers = process.get("told_workers") or process.get("workers")
    if workers:
        return int(workers)
    if not process.get("module"):
        return 1
    if process.get("server") == "uvicorn":
        return 1
    most = int(process.get("most_workers", MAX_DEFAULT_WORKERS))
    return min(2 * cores + 1, most) if cores else most


def copies_at_once(process: t.Mapping[str, t.Any]) -> int:
    """Count how often a process runs on a host while two slots do."""
    return len(SLOTS) if process["kind"] in ("routed", "worker") and not process["exclusive"] else 1


def longest_wait(process: t.Mapping[str, t.Any]) -> int:
    """For how many seconds a request may wait for a process that may not run twice.

    The old one ends, the new one doesn't start, the old one starts again and answers.
    """
    return (
        int(process["stop_timeout"] or process["graceful_timeout"])
        + 2 * int(process["start_timeout"])
        + int(process["timeout"])
    )


def connection_demand(
    planned: t.Sequence[t.Mapping[str, t.Any]], hosts: int, pool: int, overflow: int, shared: int = 0, read: int = 0
) -> dict[str, t.Any]:
    """Sum the database connections that an application may hold while two slots run side by side.

    Returns C(total), C(steady) for when only one runs, and C(parts), a list of C({name, connections, steady, formula}).
    C(shared) above 0 is how many a pooler opens for all clients together. Then C(clients) is what these may open to it.
    C(read) is what each worker opens beside, to read.
    """
    parts: list[dict[str, t.Any]] = []
    pools = f"{pool} pool + {overflow} overflow" + (f" + {read} read" if read else "")
    for process in planned:
        count, copies = int(process["count"]), copies_at_once(process)
        both = f" x {copies} slots" if copies > 1 else ""
        if process["kind"] == "routed":
            workers = worker_processes(process)
            connections = hosts * count * workers * (pool + overflow + read) * copies
            formula = f"{hosts} hosts x {count} instances x {workers} workers x ({pools}){both}"
        elif process["kind"] == "worker":
            children = int(process["concurrency"])
            connections = hosts * count * (children + 1) * copies
            formula = f"{hosts} hosts x {count} instances x ({children} children + 1){both}"
        elif process["kind"] == "singleton" and process["lease"]:
            connections, formula = 2, WITH_LEASE
        else:
            connections, formula = 1, "1"
        steady = connections // copies
        parts.append({"name": process["name"], "connections": connections, "steady": steady, "formula": formula})
    return _summed(_behind_a_pooler(parts, shared)) if shared else _summed({"parts": parts})


def _behind_a_pooler(parts: t.Sequence[t.Mapping[str, t.Any]], shared: int) -> dict[str, t.Any]:
    """Turn what an application opens into what a pooler opens for it; a lease belongs to a session, so it goes past it."""
    leases = sum(part["formula"] == WITH_LEASE for part in parts)
    opened = [
        {**part, "connections": 1, "steady": 1, "formula": "1"} if part["formula"] == WITH_LEASE else part
        for part in parts
    ]
    most, steady = (sum(part[state] for part in opened) for state in ("connections", "steady"))
    pooled = [
        {
            "name": "pooler",
            "connections": min(most, shared),
            "steady": min(steady, shared),
            "formula": f"{most} clients share {shared}",
        }
    ]
    past = [{"name": "leases", "connections": leases, "steady": leases, "formula": "past it"}] if leases else []
    clients = {
        "clients": most + RESERVED_CONNECTIONS,
        "clients_steady": steady + RESERVED_CONNECTIONS,
        "opened": opened,
    }
    return {"parts": pooled + past, "shared": shared, **clients}


def _summed(demand: dict[str, t.Any]) -> dict[str, t.Any]:
    return {
        "total": sum(part["connections"] for part in demand["parts"]) + RESERVED_CONNECTIONS,
        "steady": sum(part["steady"] for part in demand["parts"]) + RESERVED_CONNECTIONS,
        "reserved": RESERVED_CONNECTIONS,
        **demand,
    }


def upstreams(planned: t.Sequence[t.Mapping[str, t.Any]], addresses: t.Sequence[str]) -> list[dict[str, t.Any]]:
    """Pair the ports of routed processes with the addresses of their hosts, for both slots."""
    hosts = [f"[{address}]" if ":" in address else address for address in addresses]
    return [
        {"name": process["name"]}
        | {slot: [f"{host}:{port}" for host in hosts for port in process["ports"][slot]] for slot in SLOTS}
        # A connection that idles when the process ends, or closes it, may be closed while a request is on its way.
        | ({"keepalive": 0} if process["exclusive"] or int(process["keepalive"]) <= PROXY_KEEPALIVE else {})
        | ({"read_timeout": longest_wait(process)} if process["exclusive"] else {})
        for process in planned
        if process["kind"] == "routed"
    ]
