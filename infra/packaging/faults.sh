#!/usr/bin/env bash
# Runs the tests of tests/faults, each FAULT_ROUNDS times (20), and those of schedulers under wrong clocks and zones, and prints what happened and how it ended.
set -uo pipefail
cd "$(dirname "$0")/../.."

export FAULT_ROUNDS=${FAULT_ROUNDS:-20}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
SECONDS=0
# The packages and features of `make test`, or cargo would choose other features of their libraries and build all anew.
cargo test --workspace --test it --features causeway-model/contract-tests,causeway/failpoints --no-fail-fast -- \
    --show-output faults:: schedulers:: 2>&1 | tee "$log"
status=${PIPESTATUS[0]}

printf '\n%s cores, %s, %s rounds, %s s\n' "$(nproc)" "$(date -u +%F)" "$FAULT_ROUNDS" "$SECONDS"
sed -n 's/^faults: /  /p' "$log" | sort
awk '
    /^test result:/ { passed += $4; failed += $6 }
    END {
        printf "%d passed, %d failed\n", passed, failed
        if (passed == 0) exit 1
    }' "$log" || status=1
exit "$status"
