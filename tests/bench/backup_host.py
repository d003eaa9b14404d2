"""On a host: dump and restore a database in three ways, and print what each took as JSON.

backup_host.py ROWS FOLDER PACKAGE: rows of about 1 KB, a folder of its own, and the folder that slipway_backup lies in.
"""

from __future__ import annotations

import glob
import json
import os
import resource
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROWS, FOLDER, PACKAGE = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
BIN = max(glob.glob("/usr/lib/postgresql/*/bin"))
ACCESS = {"PGHOST": str(FOLDER), "PGPORT": "54321", "PGUSER": "postgres", "PGDATABASE": "bench"}
# Like an application's: text that repeats itself in part, numbers, times, and an index or two.
SCHEMA = """
CREATE TABLE events (id bigint PRIMARY KEY, owner uuid, name text, body text, amount numeric(12, 2), at timestamptz);
"""
FILL = """
INSERT INTO events SELECT g, md5((g % 5000)::text)::uuid, 'event of kind ' || g % 40,
  (SELECT string_agg(md5((g * 31 + part)::text) || ' the order was accepted and is on its way ', '') FROM generate_series(1, 11) part),
  g % 9973 / 7.0, timestamptz '2026-01-01' + g * interval '20 seconds' FROM generate_series({}, {}) g
"""
INDEXES = "CREATE INDEX ON events (owner); CREATE INDEX ON events (at); CREATE INDEX ON events (name, amount)"


def sh(script: str, user: str = "") -> str:
    command = (["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--"] if user else []) + [
        "bash",
        "-c",
        script,
    ]
    env = {"PATH": f"{BIN}:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/root", "LANG": "C.UTF-8", **ACCESS}
    done = subprocess.run(command, env=env, check=False, capture_output=True, text=True, cwd="/")
    if done.returncode:
        raise SystemExit(f"{script} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


def sql(statement: str, database: str = "bench") -> None:
    sh(f'psql -qX -v ON_ERROR_STOP=1 -d {database} -c "{statement}"')


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measured(action: Callable[[], Any]) -> tuple[float, float, Any]:
    """Seconds, seconds of CPU of the programs that were started (not of the server), and the result."""
    os.sync()
    before, began = cpu(), time.monotonic()
    result = action()
    return round(time.monotonic() - began, 2), round(cpu() - before, 2), result


def program(*words: str) -> dict[str, Any]:
    script = f"PYTHONPATH={PACKAGE} python3 -m slipway_backup {FOLDER}/backup.json {' '.join(words)}"
    return dict(json.loads(sh(script)))


def settings() -> None:
    values = {
        "name": "bench",
        "repositories": [{"name": "local", "url": f"{FOLDER}/repository"}],
        "passphrase_file": f"{FOLDER}/passphrase",
        "database": ACCESS,
        "owner": {},
        "paths": [],
        "excludes": [],
        "redis": [],
        "keep": {"daily": 30},
        "check": {},
        "test_jobs": 2,
        "test_files": False,
        "test_share": "1%",
        "attempts": 1,
        "pause": 0,
        "alarm": {},
        "tools": f"{FOLDER}",
        "work": f"{FOLDER}/work",
        "metrics": "",
    }
    (FOLDER / "backup.json").write_text(json.dumps(values))
    (FOLDER / "passphrase").write_text(secrets.token_hex(32))
    (FOLDER / "work").mkdir(mode=0o711)
    program("init")


def cluster() -> None:
    FOLDER.mkdir(parents=True)
    shutil.chown(FOLDER, "postgres", "postgres")
    FOLDER.chmod(0o755)
    sh(f"initdb -D {FOLDER}/data -A trust -E UTF8 --no-locale >/dev/null", "postgres")
    options = (
        f"-p 54321 -c listen_addresses= -c unix_socket_directories={FOLDER} -c shared_buffers=512MB -c max_wal_size=4GB"
    )
    sh(f"pg_ctl -D {FOLDER}/data -s -w -l {FOLDER}/log -o '{options}' start", "postgres")


def repository_bytes() -> int:
    return int(sh(f"du -sb {FOLDER}/repository").split()[0])


def change(which: str) -> None:
    sql(f"UPDATE events SET body = reverse(body), amount = amount + 1 WHERE {which}")


def gzip_way() -> dict[str, Any]:
    dump = f"set -o pipefail; pg_dump bench | gzip >{FOLDER}/dump.gz"
    dump_s, cpu_s, _nothing = measured(lambda: sh(dump))
    return {"dump_s": dump_s, "cpu_s": cpu_s, "first_bytes": (FOLDER / "dump.gz").stat().st_size}


def custom_way() -> dict[str, Any]:
    dump_s, cpu_s, _nothing = measured(lambda: sh(f"pg_dump -Fc -f {FOLDER}/dump.custom bench"))
    return {"dump_s": dump_s, "cpu_s": cpu_s, "first_bytes": (FOLDER / "dump.custom").stat().st_size}


def our_way() -> dict[str, Any]:
    before = repository_bytes()
    dump_s, cpu_s, made = measured(lambda: program("backup", "--once"))
    # The checksums for the restore test are another thing than a dump, and shown beside it.
    counted = made["count_seconds"]
    return {
        "dump_s": round(dump_s - counted, 2),
        "cpu_s": cpu_s,
        "first_bytes": repository_bytes() - before,
        "count_s": counted,
    }


def restored(script: str) -> float:
    """Seconds until it is there and the planner knows it."""
    sql("CREATE DATABASE again TEMPLATE template0", "postgres")
    if script:
        seconds = measured(lambda: (sh(script), sql("ANALYZE", "again")))[0]
    else:
        seconds = measured(lambda: program("load", "--database", "again"))[2]["seconds"]
    sql("DROP DATABASE again", "postgres")
    return float(seconds)


def main() -> None:
    cluster()
    try:
        settings()
        sql("CREATE DATABASE bench TEMPLATE template0", "postgres")
        sql(SCHEMA)
        sql(FILL.format(1, ROWS))
        sql(INDEXES)
        # Workers of a vacuum share more memory than a container has.
        sql("VACUUM (PARALLEL 0, ANALYZE)")
        size = int(sh("psql -XAtc 'SELECT pg_database_size(current_database())' bench"))
        floor = measured(lambda: sh("pg_dump -Fc -Z0 bench >/dev/null"))[0]
        ways = {"gzip": gzip_way, "custom": custom_way, "ours": our_way}
        result: dict[str, Any] = {name: way() for name, way in ways.items()}
        result["gzip"]["restore_s"] = restored(
            f"gunzip -c {FOLDER}/dump.gz | psql -qX -v ON_ERROR_STOP=1 again >/dev/null"
        )
        result["custom"]["restore_s"] = restored(f"pg_restore -j2 -d again {FOLDER}/dump.custom")
        result["ours"]["restore_s"] = restored("")
        change(f"id > {ROWS - ROWS // 100}")
        for name, way in ways.items():
            again = way()
            result[name] |= {"second_bytes": again["first_bytes"], "second_dump_s": again["dump_s"]}
        change("id % 100 = 7")
        result["ours"]["scattered_bytes"] = our_way()["first_bytes"]
        print(json.dumps(result | {"database_bytes": size, "floor_s": floor}))
    finally:
        sh(f"pg_ctl -D {FOLDER}/data -s -m immediate stop", "postgres")
        shutil.rmtree(FOLDER)


if __name__ == "__main__":
    main()
