"""Gene networks under dropout: this product's search and plain numpy code on the very same cells, graph by graph.

usage: python tests/bench/grn_same_cells.py NUMPY_CODE [RESULT_FILE]     (needs numpy)
NUMPY_CODE is a folder with grn_ref.py and accuracy.py, the code that the figures 'earlier' of study_grn.md come from. Its own seeds make
the graphs and cells again; both sides search them: Fisher's z, alpha 0.05, before dropout (oracle), and after it without deletion
(full), without the zeros of S (cond), without those of X, Y and S (all). F1 of the skeleton and distance between the CPDAGs are compared
one by one. STUDY_GRN names the built example `study_grn`; without it cargo builds it.
"""
import gzip, os, subprocess, sys, tempfile, time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"
sys.path.insert(0, sys.argv[1])
import numpy as np
import accuracy, grn_ref

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
N, ALPHA, DEGREE = 10_000, 0.05, 2
lines = []


def program():
    if "STUDY_GRN" in os.environ:
        return os.environ["STUDY_GRN"]
    subprocess.run(["cargo", "build", "-q", "--release", "-p", "causeway-causal", "--example", "study_grn"], cwd=ROOT, check=True)
    return os.path.join(os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target")), "release", "examples", "study_grn")


def ours(cells, dag, folder):
    """F1 and distance by rule of deletion."""
    names = [f"g{k:02}" for k in range(cells.shape[1])]
    with gzip.open(f"{folder}/cells.csv.gz", "wt", compresslevel=1) as file:
        file.write(",".join(names) + "\n")
        file.writelines(",".join(map(repr, row)) + "\n" for row in cells.tolist())
    with open(f"{folder}/edges.csv", "w") as file:
        file.write("source,target\n")
        file.writelines(f"{names[a]},{names[b]}\n" for a, b in np.argwhere(dag))
    out = subprocess.run([study, "given", f"{folder}/cells.csv.gz", f"{folder}/edges.csv"], check=True, capture_output=True, text=True).stdout
    return {rule: (float(f1), int(shd)) for rule, f1, shd in (line.split() for line in out.splitlines())}


def numpy_code(test, truth):
    row = accuracy.run(test, len(truth), truth, ALPHA)
    return row["f1"], row["shd"]


def say(text):
    print(text, flush=True)
    lines.append(text)


study = program()
say(f"Fisher's z on the same cells, {N:,} a graph, alpha {ALPHA}, numpy {np.__version__}, {time.strftime('%Y-%m-%d')}")
say("F1 of the skeleton / distance of the CPDAG, means over the graphs; 'same' counts graphs where both agree to the last digit")
say("")
say("| genes | latent | mechanism | search | here | numpy code | same |")
say("|---|---|---|---|---|---|---|")
n_same = n_all = 0
with tempfile.TemporaryDirectory() as folder:
    for p, n_graphs in [(10, 5), (30, 3)]:
        for form in ("gaussian", "lognormal"):
            found = {}
            for seed in range(n_graphs):
                rng = np.random.default_rng([seed, p, DEGREE])
                dag = grn_ref.er_dag(p, DEGREE, rng)
                latent, _ = grn_ref.simulate(dag, N, rng, form)
                truth = grn_ref.cpdag_of(dag)
                pair = ours(latent, dag, folder)["none"], numpy_code(accuracy.fast_none(latent), truth)
                found.setdefault(("-", "oracle"), []).append(pair)
                for mechanism in ("fixed", "logistic", "truncate"):
                    cells = grn_ref.dropout(latent, mechanism, np.random.default_rng([seed, p, DEGREE, 7]), form)
                    mine = ours(cells, dag, folder)
                    tests = [("full", "none", accuracy.fast_none(cells)), ("cond", "cond", accuracy.fast_cond(cells, "cond")),
                             ("all", "all", accuracy.fast_cond(cells, "all"))]
                    for name, rule, test in tests:
                        found.setdefault((mechanism, name), []).append((mine[rule], numpy_code(test, truth)))
            for (mechanism, name), pairs in found.items():
                mean = lambda side, part: sum(pair[side][part] for pair in pairs) / len(pairs)
                same = sum(pair[0] == pair[1] for pair in pairs)
                n_same, n_all = n_same + same, n_all + len(pairs)
                say(f"| {p} | {form} | {mechanism} | {name} | {mean(0, 0):.3f} / {mean(0, 1):.1f} | {mean(1, 0):.3f} / {mean(1, 1):.1f} | {same} of {len(pairs)} |")
say("")
say(f"{n_same} of {n_all} searches agree to the last digit.")
if len(sys.argv) > 2:
    with open(sys.argv[2], "w") as file:
        file.write("\n".join(lines) + "\n")
