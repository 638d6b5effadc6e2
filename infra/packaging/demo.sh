#!/usr/bin/env bash
# The five-minute demo: a nightly pipeline over real clinical, genomic and traffic tables, in a lake
# that is removed afterwards (KEEP=dir keeps it there).
set -euo pipefail
cd "$(dirname "$0")/../.."
project=$PWD

say() {
    if [ -t 1 ]; then printf '\n\033[1m$ %s\033[0m\n' "$*"; else printf '\n$ %s\n' "$*"; fi
}
causeway() {
    say causeway "$@"
    "$binary" --config "$lake" "$@"
}

echo "building causeway (the first build takes about ten minutes on two cores)"
cargo build --quiet -p causeway --bin causeway
binary=${CARGO_TARGET_DIR:-target}/debug/causeway

if [ -n "${KEEP:-}" ]; then
    lake=$KEEP
else
    parent=$(mktemp -d)
    trap 'rm -rf "$parent"' EXIT
    lake=$parent/demo
fi
say causeway init demo --read .
"$binary" init "$lake" --read "$project"

causeway run pipelines/recipes/nightly

causeway sql -c "SELECT sex, time, at_risk, events, round(survival, 4) AS survival, round(survival_low, 4) AS low,
       round(survival_high, 4) AS high
FROM clinical.survival_by_sex WHERE time IN (0, 92, 183, 269, 310, 426, 533, 731) ORDER BY sex, time"
causeway sql -c "SELECT sex, n_rows, n_events, round(expected, 4) AS expected, round(chi_square, 4) AS chi_square,
       round(p_value, 6) AS p_value FROM clinical.log_rank_by_sex"
causeway sql -c "SELECT \"column\", reason, count(*) AS n_rows FROM clinical.lung_nutrition_quarantine GROUP BY 1, 2 ORDER BY 1, 2"
causeway sql -c "SELECT * FROM nightly.overview ORDER BY domain"
causeway lineage clinical.survival_by_sex --upstream --columns
causeway reproduce clinical.survival_by_sex@0

echo
echo "a second run finds everything up to date:"
causeway run pipelines/recipes/nightly
