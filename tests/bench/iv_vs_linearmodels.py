"""Linear regression with instruments: this product against linearmodels, pyfixest and ten lines of numpy.

usage: python tests/bench/iv_vs_linearmodels.py [RESULT_FILE]     (needs linearmodels 7.1, pyfixest 0.60, numpy, pandas)
1,000,000 rows, ten covariates, one treatment, two instruments, in memory on both sides; CPU seconds (user + system) of the
estimate alone, median of five runs of a process each (ours), best of three calls (peers). Estimates and standard errors must agree
before a ratio is printed.
"""
import json, os, platform, resource, subprocess, sys, tempfile, time

for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(name, None)
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = os.environ["NUMBA_NUM_THREADS"] = "1"
import numpy as np, pandas as pd

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
N = 1_000_000
X = [f"x{i}" for i in range(10)]
NAMES = X + ["z1", "z2", "d", "y", "g"]


def ours(kind, *more):
    command = ["cargo", "run", "-q", "--release", "-p", "causeway-causal", "--example", "time_iv_regression", "--"]
    command += [str(N), kind, "kept", *more]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)


def cpu():
    use = resource.getrusage(resource.RUSAGE_SELF)
    return use.ru_utime + use.ru_stime


def timed(call, n=3):
    best = None
    for _ in range(n):
        start = cpu()
        estimate, error = call()
        seconds = cpu() - start
        best = seconds if best is None else min(best, seconds)
    return best, float(estimate), float(error)


def main():
    with tempfile.TemporaryDirectory() as folder:
        ours("hc0", folder)
        data = pd.DataFrame({name: np.fromfile(f"{folder}/{name}.f64") for name in NAMES})
    data["const"] = 1.0
    data["g"] = data["g"].astype(int)
    y, d, z, x = data["y"], data[["d"]], data[["z1", "z2"]], data[["const"] + X]
    matrix = data[["const"] + X + ["z1", "z2", "d", "y"]].to_numpy()

    def ten_lines():
        m = matrix.T @ matrix
        w, q = list(range(13)), list(range(11)) + [13]
        pi = np.linalg.solve(m[np.ix_(w, w)], m[np.ix_(w, q)])
        bread = np.linalg.inv(pi.T @ m[np.ix_(w, q)])
        b = bread @ pi.T @ m[w, 14]
        e = matrix[:, 14] - matrix[:, q] @ b
        scores = matrix[:, w] * e[:, None]
        v = bread @ pi.T @ (scores.T @ scores) @ pi @ bread
        return b[-1], np.sqrt(v[-1, -1])

    from linearmodels.iv import IV2SLS, IVLIML, IVGMM
    import pyfixest

    def model(kind, **cov):
        def call():
            fit = kind(y, x, d, z).fit(**cov)
            return fit.params["d"], fit.std_errors["d"]
        return call


    def fixest(vcov, absorbed=False):
        def call():
            fml = "y ~ " + " + ".join(X) + (" | g" if absorbed else "") + " | d ~ z1 + z2"
            fit = pyfixest.feols(fml, data, vcov=vcov)
            return fit.coef()["d"], fit.se()["d"]
        return call

    robust = dict(cov_type="robust")
    cluster = dict(cov_type="clustered", clusters=data["g"], debiased=True)
    cases = [
        ("2SLS, robust", "hc0", [("linearmodels", model(IV2SLS, **robust)), ("pyfixest", fixest("hetero")), ("numpy, ten lines", ten_lines)]),
        ("2SLS, 1000 clusters", "cluster", [("linearmodels", model(IV2SLS, **cluster))]),
        ("LIML, robust", "liml", [("linearmodels", model(IVLIML, **robust))]),
        ("GMM, robust", "gmm", [("linearmodels", model(IVGMM))]),
        ("2SLS, 1000 absorbed effects", "absorb", [("pyfixest", fixest("hetero", True))]),
    ]
    import linearmodels
    cpu_name = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    lines = [
        f"iv_regression, {N:,} rows, 10 covariates, 2 instruments; {cpu_name}, {os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}",
        f"linearmodels {linearmodels.__version__}, pyfixest {pyfixest.__version__}, numpy {np.__version__}; CPU seconds, one thread; load {os.getloadavg()[0]:.1f}",
        "",
    ]
    for title, kind, peers in cases:
        runs = [ours(kind) for _ in range(5)]
        mine = sorted(run["processor_seconds"] for run in runs)[2]
        lines.append(f"{title}: {mine:.3f} s (best {min(run['processor_seconds'] for run in runs):.3f})")
        for name, call in peers:
            try:
                seconds, estimate, error = timed(call)
            except Exception as failure:  # a peer that lacks the case
                lines.append(f"  {name}: not run ({type(failure).__name__})")
                continue
            gap = abs(estimate - runs[0]["estimate"]) / abs(estimate)
            error_gap = abs(error - runs[0]["std_error"]) / error
            assert gap < 1e-6 and error_gap < 1e-3, (title, name, runs[0], estimate, error)
            lines.append(f"  {name}: {seconds:.2f} s, ratio {seconds / mine:.0f} (estimates differ by {gap:.0e}, errors by {error_gap:.0e})")
    text = "\n".join(lines) + "\n"
    print(text)
    if len(sys.argv) > 1:
        open(sys.argv[1], "w").write(text)


main()
