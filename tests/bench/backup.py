"""Measure a backup and a restore in three ways on one database, and write build/bench/backup.json."""

from __future__ import annotations

import json
import os

from converge import IMAGE, ROOT, Host, run

ROWS = int(os.environ.get("BENCH_ROWS", "900000"))
PACKAGES = "postgresql restic python3-psycopg2 gzip"
COLUMNS = ("dump_s", "cpu_s", "first_bytes", "second_bytes", "restore_s")
MOST = {"dump_s": 0.8, "restore_s": 0.6}


def main() -> None:
    """Measure, print a table and write it down."""
    with Host("backup") as host:
        host.sh(
            f"apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends {PACKAGES}"
        )
        host.sh("systemctl stop 'postgresql*'")
        run("docker", "cp", str(ROOT / "roles" / "backup" / "files"), f"{host.name}:/opt/backup")
        run("docker", "cp", str(ROOT / "tests" / "bench" / "backup_host.py"), f"{host.name}:/opt/backup_host.py")
        rows = json.loads(host.sh(f"python3 /opt/backup_host.py {ROWS} /var/bench /opt/backup"))
    print(f"{IMAGE}, a database of {rows['database_bytes'] >> 20} MB; pg_dump to nowhere takes {rows['floor_s']} s")
    print(f"{'':8}" + "".join(f"{column:>14}" for column in COLUMNS))
    for name in ("gzip", "custom", "ours"):
        print(f"{name:8}" + "".join(f"{rows[name][column]:>14}" for column in COLUMNS))
    print(
        "the second backup is after the newest 1 % of rows changed; "
        f"where the 1 % is scattered, ours grows by {rows['ours']['scattered_bytes']} bytes"
    )
    print(f"checksums for the restore test, not counted: {rows['ours']['count_s']} s")
    for column, most in MOST.items():
        share = rows["ours"][column] / rows["gzip"][column]
        print(f"{column} of ours is {share:.2f} of gzip's; the aim is {most} or less")
    target = ROOT / "build" / "bench" / "backup.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(rows, indent=2) + "\n")
    print(f"written to {target.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
