"""Gene networks with test-wise deletion: this product against causal-learn, same cells, same machine, one run.

usage: python tests/bench/grn_vs_causal_learn.py [RESULT_FILE]      (needs causal-learn 0.1.4.8, numpy)
Both sides run PC in its stable form with Fisher's z in the cells without a zero in S, alpha 0.01, on one thread, and
count CPU seconds. causal-learn has no deletion: its test here cuts out the columns of the test before it drops cells.
The skeletons must agree before a ratio is printed. Then 1000 genes by Fisher's z, and the default test, which causal-learn lacks.
TIME_GRN names the built example `time_grn`; without it cargo builds it.
"""
import json, math, os, subprocess, sys, tempfile, time, warnings

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
import numpy as np
from causallearn.search.ConstraintBased.PC import pc
from causallearn.utils.cit import CIT_Base, NO_SPECIFIED_PARAMETERS_MSG, register_ci_test

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CASES = [(20, 10_000), (50, 10_000), (100, 10_000)]
EPS = float(np.finfo(float).eps)


def cells(p, n):
    """A random linear model of mean degree 2, normal noise, dropout logistic in the value."""
    rng = np.random.default_rng(1000 + p)
    order, values = rng.permutation(p), np.zeros((n, p))
    pairs = [(a, b) for a in range(p) for b in range(a + 1, p)]
    edges = [pairs[k] for k in rng.choice(len(pairs), size=p, replace=False)]
    for b in range(p):
        values[:, order[b]] = rng.normal(rng.uniform(-1, 1), rng.uniform(1, 2), n)
        for a in (a for a, c in edges if c == b):
            values[:, order[b]] += rng.uniform(0.25, 1) * rng.choice([-1, 1]) * values[:, order[a]]
    return np.where(rng.random((n, p)) < 1 / (1 + np.exp(0.5 + 1.5 * values)), 0.0, values)


class Deletion(CIT_Base):
    """Fisher's z in the cells without a zero in S."""

    def __init__(self, data, **options):
        super().__init__(data, **options)
        self.check_cache_method_consistent("deletion", NO_SPECIFIED_PARAMETERS_MSG)
        self.nonzero = data != 0

    def __call__(self, x, y, given=None):
        xs, ys, given, key = self.get_formatted_XYZ_and_cachekey(x, y, given)
        if key not in self.pvalue_cache:
            self.pvalue_cache[key] = self.p_value(xs + ys + given, given)
        return self.pvalue_cache[key]

    def p_value(self, columns, given):
        rows = self.data[:, columns]
        if given:
            rows = rows[self.nonzero[:, given].all(1)]
        if len(rows) <= len(given) + 3:
            return 1.0
        inverse = np.linalg.pinv(np.corrcoef(rows.T))
        r = -inverse[0, 1] / math.sqrt(abs(inverse[0, 0] * inverse[1, 1]))
        return math.erfc(math.sqrt(len(rows) - len(given) - 3) * abs(math.atanh(max(-1 + EPS, min(1 - EPS, r)))) / math.sqrt(2))


register_ci_test("deletion", Deletion)


def peer(data):
    warnings.filterwarnings("ignore")
    start = time.process_time()
    graph = pc(data, 0.01, "deletion", stable=True, uc_rule=0, uc_priority=2, show_progress=False).G.graph
    return time.process_time() - start, {(i, j) for i in range(len(graph)) for j in range(i) if graph[i, j] != 0}


def ours(data, threads, deletion="cond", test="fisher_z"):
    with tempfile.NamedTemporaryFile(suffix=".f64") as file:
        file.write(np.asfortranarray(data).tobytes(order="F"))
        file.flush()
        command = ["cargo", "run", "-q", "--release", "-p", "causeway-causal", "--example", "time_grn", "--"]
        command = [os.environ["TIME_GRN"]] if "TIME_GRN" in os.environ else command
        sizes = [str(data.shape[1]), str(data.shape[0]), str(threads), deletion, file.name, test]
        return json.loads(subprocess.run(command + sizes, cwd=ROOT, check=True, capture_output=True, text=True).stdout)


def main():
    import importlib.metadata
    version = importlib.metadata.version("causal-learn")
    lines = [f"Gene networks under dropout, {os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}, causal-learn {version}, numpy {np.__version__}",
             "CPU seconds of one thread: best of 5 runs (ours), one run (causal-learn); wall: ours on 1 and 2 threads", ""]
    for p, n in CASES:
        data = cells(p, n)
        one, two = ours(data, 1), ours(data, 2)
        seconds, skeleton = peer(data)
        gene = lambda name: int(name[1:])
        mine = {tuple(sorted((gene(edge.split()[0]), gene(edge.split()[2])), reverse=True)) for edge in one["edges"]}
        assert mine == skeleton, (p, mine ^ skeleton)
        assert one["edges"] == two["edges"]
        lines.append(f"{p} genes, {n} cells: {one['cpu_s']:.4f} s, causal-learn {seconds:.2f} s, ratio {seconds / one['cpu_s']:.0f}; {one['n_tests']} tests; "
                     f"wall {one['wall_s']:.4f} s and {two['wall_s']:.4f} s ({one['wall_s'] / two['wall_s']:.2f} times)")
        print(lines[-1], flush=True)
    lines.append("")
    for p, test, deletion in [(1000, "fisher_z", "cond"), (100, "gcm", "all"), (100, "gcm", "cond"), (1000, "gcm", "all")]:
        found = ours(cells(p, 10_000), 2, deletion, test)
        lines.append(f"{p} genes, 10000 cells, {test} with {deletion}, two threads: wall {found['wall_s']:.2f} s, {found['cpu_s']:.2f} CPU seconds, "
                     f"{found['peak_memory_mib']:.0f} MiB; {found['n_tests']} tests, {found['n_edges']} edges")
        print(lines[-1], flush=True)
    text = "\n".join(lines) + "\n"
    if len(sys.argv) > 1:
        open(sys.argv[1], "w").write(text)


main()
