#!/usr/bin/env bash
# The product on an object store that speaks S3: a private moto server on a free port, then tables,
# changes, time travel, two processes writing at once, and a second process reading it all.
# usage: tests/s3/run.sh [BINARY]
set -euo pipefail
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-target}
binary=$(realpath "${1:-$target/debug/causeway}")

python3 -m venv "$target/s3-venv"
"$target/s3-venv/bin/pip" install --quiet 'moto[server,s3]==5.1.*' boto3
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
work=$(mktemp -d)
"$target/s3-venv/bin/moto_server" -H 127.0.0.1 -p "$port" >"$work/server.log" 2>&1 &
server=$!
trap 'kill "$server"; rm -rf "$work"' EXIT

export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=us-east-1
export AWS_ENDPOINT_URL=http://127.0.0.1:$port AWS_ALLOW_HTTP=true
"$target/s3-venv/bin/python" - <<'PYTHON'
import time, boto3
for attempt in range(100):
    try:
        boto3.client("s3").create_bucket(Bucket="lake")
        break
    except Exception:
        if attempt == 99:
            raise
        time.sleep(0.1)
PYTHON

"$binary" init "$work/project" --read . 2>/dev/null
export CAUSEWAY_LAKE_URL=s3://lake/tables
sql() { "$binary" --config "$work/project" --no-progress sql --format csv -c "$1"; }
expect() {
    local found
    found=$(sql "$1" | tail -n +2 | tr '\n' ' ')
    [ "$found" = "$2 " ] || { echo "FAILED: $1"; echo "  expected $2, found $found"; exit 1; }
    echo "ok: $1 -> $2"
}

sql "CREATE SCHEMA clinical"
sql "COPY INTO clinical.lung FROM 'tests/data/clinical/lung.csv' WITH (contract => 'pipelines/recipes/clinical/contracts/lung.toml')"
expect "SELECT count(*) FROM clinical.lung" 228
sql "UPDATE clinical.lung SET age = age + 1 WHERE sex = 2"
sql "DELETE FROM clinical.lung WHERE age > 80"
expect "SELECT count(*) FROM as_of(clinical.lung, version => 0)" 228
expect "SELECT round(max(chi_square), 4) FROM log_rank((SELECT time, status = 1 AS event, sex FROM as_of(clinical.lung, version => 0)), by => 'sex')" 10.3267

sql "CREATE TABLE main.counter AS SELECT 0 AS process, 0 AS round"
for process in 1 2; do
    (for round in 1 2 3 4 5; do sql "INSERT INTO main.counter SELECT $process, $round" >/dev/null; done) &
    writers[process]=$!
done
for writer in "${writers[@]}"; do wait "$writer"; done
expect "SELECT count(*) || ' rows, ' || count(DISTINCT process * 10 + round) || ' different' FROM main.counter" "\"11 rows, 11 different\""
expect "SELECT count(*) FROM system.dataset_versions WHERE name = 'counter'" 11
objects=$("$target/s3-venv/bin/python" -c 'import boto3; print(len(boto3.client("s3").list_objects_v2(Bucket="lake", Prefix="tables/main/counter/_delta_log/")["Contents"]))')
echo "ok: main.counter has $objects objects in its log"
if ls "$work/project/lake/main" 2>/dev/null; then echo "FAILED: tables lie on the local disk"; exit 1; fi
echo "S3: all checks passed"
