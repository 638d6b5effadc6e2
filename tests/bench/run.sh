#!/usr/bin/env bash
# Every benchmark with its peer, one after the other; results go to tests/bench/results.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-target}
results=tests/bench/results

python3 -m venv "$target/bench-venv"
"$target/bench-venv/bin/pip" install --quiet lifelines==0.30.3 duckdb causal-learn==0.1.4.8 linearmodels==7.1 pyfixest==0.60.0 doubleml==0.11.4 \
    onnx==1.23.2 onnxruntime==1.32.0 pyarrow
python=$target/bench-venv/bin/python

cargo build --release -p causeway --bin causeway
"$python" tests/bench/jobs.py "$target/release/causeway" "$results/jobs.txt"
cargo build --release -p causeway-survival --example time_kaplan_meier
"$python" tests/bench/whole_process.py "$target/release/causeway" "$results/whole_process.txt"
"$python" tests/bench/predict.py "$target/release/causeway" "$results/predict.txt"
"$python" tests/bench/survival_vs_lifelines.py "$results/survival_vs_lifelines.txt"
cargo build --release -p causeway-causal --example time_grn
"$python" tests/bench/grn_vs_causal_learn.py "$results/grn_vs_causal_learn.txt"
if [ -n "${GRN_NUMPY_CODE:-}" ]; then # a folder with grn_ref.py and accuracy.py
  "$python" tests/bench/grn_same_cells.py "$GRN_NUMPY_CODE" "$results/grn_same_cells.txt"
fi
if [ -n "${COLIDE_PUBLIC_CODE:-}" ]; then # a folder with model.py of github.com/SAMiatto/colide
  "$target/bench-venv/bin/pip" install --quiet scipy tqdm
  cargo build --release -p causeway-causal --example time_colide
  "$python" tests/bench/colide_vs_public.py "$COLIDE_PUBLIC_CODE" "$results/colide.txt"
fi
"$python" tests/bench/iv_vs_linearmodels.py "$results/iv_regression.txt"
"$python" tests/bench/iv_from_delta.py "$target/release/causeway" "$results/iv_from_delta.txt"
"$python" tests/bench/private.py "$target/release/causeway" "$results/private.txt"
"$python" tests/bench/iv_vs_doubleml.py "$results/iv_late.txt"
cargo bench -p causeway --bench front_door -- "$results/front_door.txt"
cargo bench -p causeway-survival
cargo bench -p causeway-audit
cargo bench -p causeway-store --bench lineage --bench audit --bench runs --bench writers --bench queue --bench schedules | tee "$results/catalog.txt"
