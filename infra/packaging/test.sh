#!/usr/bin/env bash
# Runs every test of the workspace and prints the totals.
set -uo pipefail
cd "$(dirname "$0")/../.."

features=causeway-model/contract-tests,causeway/failpoints
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Many tests wait for a lease or a clock, so twice as many run as there are cores.
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-$((2 * $(nproc)))}
# Examples are for `make bench` and `make study-*`; `make lint` compiles them.
cargo test --workspace --features "$features" --no-fail-fast --lib --bins --tests 2>&1 | tee "$log"
status=${PIPESTATUS[0]}
cargo test --workspace --features "$features" --no-fail-fast --doc 2>&1 | tee -a "$log"
status=$((status | PIPESTATUS[0]))

awk '
    /^test result:/ { passed += $4; failed += $6; ignored += $8 }
    END {
        printf "\n%d passed, %d failed, %d ignored\n", passed, failed, ignored
        if (passed == 0) exit 1
    }' "$log" || status=1
exit "$status"
