#!/usr/bin/env bash
# Seconds and tasks from a bare host to a serving one, and of a second run, beside a plain shell script that does the
# same installs. BENCH_IMAGE chooses debian12 or debian13, BENCH_RUNS how often (the median counts).
set -euo pipefail
cd "$(dirname "$0")/../.."
export PATH=$PWD/.venv/bin:$PATH
exec python3 tests/bench/converge.py
