"""Interactive IV: this product against DoubleML, same rows, same folds, same machine, one run.

usage: env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE python tests/bench/iv_vs_doubleml.py [RESULT_FILE]
(needs DoubleML 0.11.4 with scikit-learn and pandas). CPU seconds (user and system, all threads) of the estimate alone, from columns
in memory, one thread each: the median of five runs of ours, and of DoubleML three for linear/logit, one for forests. Estimates
must agree before a ratio is printed: linear/logit to 1e-6, forests within one standard error.
"""
import json, os, platform, statistics, subprocess, sys, tempfile, time

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
import doubleml, numpy, pandas, sklearn
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CASES = [("linear", 10_000, 3), ("linear", 100_000, 3), ("forest", 10_000, 1)]


def example(*arguments):
    command = ["cargo", "run", "-q", "--release", "-p", "causeway-causal", "--example", "time_iv_late", "--", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def learners(kind):
    if kind == "linear":
        return LinearRegression(), LogisticRegression(C=numpy.inf, max_iter=1000, tol=1e-9)
    settings = {"n_estimators": 100, "max_depth": 5, "max_features": 1.0, "n_jobs": 1}
    return RandomForestRegressor(**settings), RandomForestClassifier(**settings)


def peer(kind, rows, n_runs):
    numpy.random.seed(0)
    columns = [f"x{i}" for i in range(10)]
    data = doubleml.DoubleMLData(rows, "y", "a", columns, z_cols="z")
    test = [numpy.flatnonzero(rows.fold == fold) for fold in range(5)]
    folds = [[(numpy.flatnonzero(rows.fold != fold), test[fold]) for fold in range(5)]]
    seconds = []
    for _ in range(n_runs):
        mean, share = learners(kind)
        model = doubleml.DoubleMLIIVM(data, mean, share, share, n_folds=5, draw_sample_splitting=False)
        model.set_sample_splitting(folds)
        start = time.process_time()
        model.fit()
        seconds.append(time.process_time() - start)
    return seconds, float(model.coef[0]), float(model.se[0])


def processor():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor()


def main():
    lines = [f"Interactive IV, 10 covariates, 5 folds, {time.strftime('%Y-%m-%d')}, {processor()}, {os.cpu_count()} cores",
             f"DoubleML {doubleml.__version__}, scikit-learn {sklearn.__version__}, numpy {numpy.__version__}",
             f"CPU seconds of one thread, of the estimate alone; median of the runs in brackets; load average {os.getloadavg()[0]:.1f}", ""]
    for kind, n, n_runs in CASES:
        with tempfile.NamedTemporaryFile(suffix=".csv") as file:
            example(kind, n, 1, file.name)
            rows = pandas.read_csv(file.name)
        mine = json.loads(example(kind, n, 5))
        seconds, estimate, error = peer(kind, rows, n_runs)
        difference = abs(mine["estimate"] - estimate)
        assert difference < (1e-6 if kind == "linear" else error), (mine, estimate, error)
        ours, theirs = statistics.median(mine["processor_seconds"]), statistics.median(seconds)
        lines += [f"{kind}, {n:,} rows: {ours:.3f} s {mine['processor_seconds']}, DoubleML {theirs:.2f} s {[round(s, 2) for s in seconds]}, ratio {theirs / ours:.1f}",
                  f"    estimate {mine['estimate']:.6f} (SE {mine['std_error']:.6f}), DoubleML {estimate:.6f} ({error:.6f}), difference {difference:.1e}"]
    text = "\n".join(lines) + "\n"
    print(text)
    if len(sys.argv) > 1:
        open(sys.argv[1], "w").write(text)


main()
