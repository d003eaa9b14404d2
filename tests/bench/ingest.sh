#!/usr/bin/env bash
# How long visitors wait who store something in File Allocator: its three instances on one host, 100 POSTs a second.
# BENCH_RATE and BENCH_SECONDS say otherwise. Writes build/bench/ingest.json.
set -euo pipefail
cd "$(dirname "$0")/../.."
scenario=tests/testbed/molecule.sh
client=slipway-fileallocator-client
trap '$scenario fileallocator destroy >/dev/null' EXIT

mkdir -p build/bench build/logs
echo "bringing File Allocator up (build/logs/bench-ingest.log)"
for step in create prepare converge; do $scenario fileallocator "$step"; done >build/logs/bench-ingest.log 2>&1
docker cp -q tests/load "$client:/opt/" 2>/dev/null || docker cp tests/load "$client:/opt/"
address=$(docker exec "$client" sh -c "getent ahostsv4 files1 | head -1 | cut -d' ' -f1")
docker exec --workdir /opt "$client" python3 -m load --url https://files.example.com --at "$address" --ingest \
    --rate "${BENCH_RATE:-100}" --seconds "${BENCH_SECONDS:-60}" --websockets 0 --streams 0 --uploads-every 0 --slow-every 0 \
    --out /tmp/ingest.json
docker exec "$client" cat /tmp/ingest.json >build/bench/ingest.json
docker exec "$client" jq -r '.by_kind.post | "ingest: \(.requests) POSTs, \(.failed) failed, " +
    "p50 \(.latency_ms.p50) ms, p95 \(.latency_ms.p95) ms, p99 \(.latency_ms.p99) ms"' /tmp/ingest.json
