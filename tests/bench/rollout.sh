#!/usr/bin/env bash
# What visitors notice of an upgrade, a rollback and a broken release, beside a plain restart and reload of the same
# service. BENCH_IMAGE chooses debian12 or debian13, BENCH_RATE the requests per second.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PATH=$PWD/.venv/bin:$PATH
exec python3 tests/bench/rollout.py
