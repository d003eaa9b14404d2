#!/usr/bin/env bash
# Seconds, CPU and bytes of a backup and its restore: `pg_dump | gzip`, `pg_dump -Fc`, and the role backup, on one
# database. BENCH_IMAGE chooses debian12 or debian13, BENCH_ROWS the size (1.2 KB each).
set -euo pipefail
cd "$(dirname "$0")/../.."
export PATH=$PWD/.venv/bin:$PATH
exec python3 tests/bench/backup.py
