#!/usr/bin/env bash
# Runs every test of the workspace and prints the totals.
set -uo pipefail
cd "$(dirname "$0")/../.."

log=$(mktemp)
trap 'rm -f "$log"' EXIT
cargo test --workspace --features causeway-model/contract-tests,causeway/failpoints --no-fail-fast 2>&1 | tee "$log"
status=${PIPESTATUS[0]}

awk '
    /^test result:/ { passed += $4; failed += $6; ignored += $8 }
    END {
        printf "\n%d passed, %d failed, %d ignored\n", passed, failed, ignored
        if (passed == 0) exit 1
    }' "$log" || status=1
exit "$status"
