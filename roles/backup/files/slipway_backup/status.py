"""What became of each job: a file for health checks and reports, and metrics for Prometheus."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

Status = dict[str, dict[str, Any]]

JOBS = ("backup", "prune", "test")
METRICS = {
    "slipway_backup_last_success_timestamp_seconds": ("When the newest whole backup was begun.", ("backup", "time")),
    "slipway_backup_duration_seconds": ("How long it took.", ("backup", "seconds")),
    "slipway_backup_dump_bytes": ("The size of its dump before compression.", ("backup", "dump_bytes")),
    "slipway_backup_added_bytes": ("What it added to the repository.", ("backup", "added_bytes")),
    "slipway_backup_repository_bytes": ("The size of the first repository.", ("prune", "repository_bytes")),
    "slipway_backup_kept": ("The backups that are kept there.", ("prune", "kept")),
    "slipway_backup_proven_timestamp_seconds": ("When the backup was begun that was last restored.", ("test", "time")),
    "slipway_backup_proof_timestamp_seconds": ("When it was restored.", ("test", "ended")),
    "slipway_backup_rto_seconds": ("How long it took to restore it.", ("test", "seconds")),
}


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """Replace a file in one step."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text, encoding="utf-8")
    beside.chmod(mode)
    beside.replace(path)


class Record:
    """The status of one application's backups, on disk."""

    def __init__(self, name: str, work: Path, metrics: Path | None) -> None:
        self._name = name
        self._path = work / "status.json"
        self._metrics = metrics / f"slipway_backup_{name}.prom" if metrics else None

    def read(self) -> Status:
        try:
            return dict(json.loads(self._path.read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError):
            return {}

    def begin(self, job: str) -> None:
        self._change(job, state="running", began=time.time())

    def succeed(self, job: str, result: dict[str, Any]) -> None:
        self._change(job, state="ok", error="", ended=time.time(), success=result | {"ended": time.time()})

    def fail(self, job: str, error: str) -> None:
        self._change(job, state="failed", error=error, ended=time.time())

    def _change(self, job: str, **values: Any) -> None:
        status = self.read()
        status[job] = status.get(job, {}) | values
        write(self._path, json.dumps(status, indent=2, sort_keys=True) + "\n")
        if self._metrics:
            write(self._metrics, "\n".join(lines(self._name, status)) + "\n")


def lines(name: str, status: Status) -> list[str]:
    """The status in Prometheus' text format."""
    found = ["# HELP slipway_backup_failed Whether the last run of a job failed.", "# TYPE slipway_backup_failed gauge"]
    found += [
        f'slipway_backup_failed{{application="{name}",job_name="{job}"}} {int(status[job]["state"] == "failed")}'
        for job in JOBS
        if job in status
    ]
    for metric, (text, (job, key)) in METRICS.items():
        value = status.get(job, {}).get("success", {}).get(key)
        if value is not None:
            labelled = f'{metric}{{application="{name}"}} {value}'
            found += [f"# HELP {metric} {text}", f"# TYPE {metric} gauge", labelled]
    return found
