"""Kaplan-Meier: this product against lifelines, same durations, same machine, one run.

usage: python tests/bench/survival_vs_lifelines.py [RESULT_FILE]      (needs lifelines 0.30.3, numpy, pandas)
Both sides time the estimate alone, on columns in memory. The curves must agree before a ratio is printed.
"""
import json, os, subprocess, sys, time
import lifelines, numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CASES = [("days", 10_000_000, "10 M rows, whole days"), ("groups", 10_000_000, "10 M rows, whole days, two groups of text"),
         ("float", 1_000_000, "1 M rows, broken times")]


def unit(n, stream):
    """SplitMix64 of the row number, as in examples/time_kaplan_meier.rs."""
    with np.errstate(over="ignore"):
        z = (np.arange(n, dtype=np.uint64) * np.uint64(3) + np.uint64(stream + 1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(11)).astype(float) / 2.0**53


def ours(kind, n):
    command = ["cargo", "run", "-q", "--release", "-p", "causeway-survival", "--example", "time_kaplan_meier", "--", kind, str(n)]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)


def peer(kind, n):
    duration = unit(n, 0) * 3650
    duration = np.floor(duration) + 1 if kind != "float" else duration
    event = unit(n, 1) < 0.6
    parts = [np.ones(n, bool)]
    if kind == "groups":
        treated = np.where(unit(n, 2) < 0.5, "control", "treated") == "treated"
        parts = [~treated, treated]
    start = time.perf_counter()
    for part in parts:
        curve = lifelines.KaplanMeierFitter().fit(duration[part], event[part]).survival_function_
    return time.perf_counter() - start, float(curve.iloc[-1, 0])


def main():
    lines = [f"Kaplan-Meier, {os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}, lifelines {lifelines.__version__}, numpy {np.__version__}",
             "seconds: median of 5 runs (ours), one run (lifelines)", ""]
    for kind, n, title in CASES:
        mine = ours(kind, n)
        seconds, last = peer(kind, n)
        assert abs(mine["last_survival"] - last) < 1e-9, (mine, last)
        median = sorted(mine["seconds"])[len(mine["seconds"]) // 2]
        lines.append(f"{title}: {median:.3f} s (best {min(mine['seconds']):.3f}), lifelines {seconds:.2f} s, ratio {seconds / median:.0f}")
    text = "\n".join(lines) + "\n"
    print(text)
    if len(sys.argv) > 1:
        open(sys.argv[1], "w").write(text)


main()
