"""CoLiDE: this product against the public code, same rows, same schedule, same machine, one after the other.

usage: python tests/bench/colide_vs_public.py MODEL_FOLDER [RESULT_FILE [COLUMNS:VARIANT ...]]      (needs numpy, scipy, tqdm)
MODEL_FOLDER holds model.py of github.com/SAMiatto/colide (Apache-2.0); it is not part of this repository. The rows are
those of the example `time_colide`: 1000 of a linear system with two expected edges a variable. Both sides run the
same four stages on one thread and count CPU seconds. Edges that only one side finds are counted. TIME_COLIDE names the built example
`time_colide`; without it cargo builds it.
"""
import csv, json, os, subprocess, sys, tempfile, time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CASES = [(100, "ev"), (100, "nv"), (200, "ev"), (200, "nv")]
PUBLISHED = {100: 33, 200: 138}  # CPU seconds of the public code in an earlier run, equal variances


def ours(d, variant, folder):
    rows, edges = os.path.join(folder, "rows.csv"), os.path.join(folder, "edges.csv")
    command = ["cargo", "run", "-q", "--release", "-p", "causeway-causal", "--example", "time_colide", "--"]
    command = [os.environ["TIME_COLIDE"]] if "TIME_COLIDE" in os.environ else command
    run = subprocess.run(command + [str(d), variant, rows, edges], cwd=ROOT, check=True, capture_output=True, text=True)
    with open(edges) as file:
        found = {(int(source), int(target)): float(weight) for source, target, weight in csv.reader(file)}
    return json.loads(run.stdout), np.loadtxt(rows, delimiter=","), found


def public(rows, variant):
    import model
    learner = model.colide_ev() if variant == "ev" else model.colide_nv()
    start = time.process_time()
    weights, _ = learner.fit(rows, lambda1=0.05, T=4, s=[1.0, 0.9, 0.8, 0.7], warm_iter=2e4, max_iter=7e4, lr=3e-4)
    return time.process_time() - start, weights


def main():
    sys.path.insert(0, sys.argv[1])
    cases = [(int(d), variant) for d, variant in (case.split(":") for case in sys.argv[3:])]
    lines = [f"CoLiDE, {os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}, numpy {np.__version__}; CPU seconds of one thread, one run each", ""]
    for d, variant in cases or CASES:
        with tempfile.TemporaryDirectory() as folder:
            mine, rows, edges = ours(d, variant, folder)
        seconds, weights = public(rows, variant)
        theirs = {(i, j): weights[i, j] for i, j in np.argwhere(abs(weights) > 0.3)}
        apart = max(abs(edges[edge] - theirs[edge]) for edge in edges.keys() & theirs.keys())
        lines.append(f"{d} columns, {variant}: {mine['processor_seconds']:.2f} s, public code {seconds:.1f} s, ratio {seconds / mine['processor_seconds']:.1f} "
                     f"({PUBLISHED[d] / mine['processor_seconds']:.1f} against {PUBLISHED[d]} s); {mine['steps']} steps of {mine['ms_a_step']:.3f} ms; "
                     f"{len(edges)} edges, {len(edges.keys() ^ theirs.keys())} found by one side only, weights of the others at most {apart:.1e} apart; products in double precision {mine['product_gflops']:.0f} GFLOP/s")
        print(lines[-1], flush=True)
    if len(sys.argv) > 2:
        open(sys.argv[2], "w").write("\n".join(lines) + "\n")


main()
