"""Reference values that the six bundled sets lack: left entry, weights, strata, more than two groups, errors of means.

usage: python make_extra.py        (writes aids.csv, larynx_stage.csv and golden/extra.json beside itself)
Values come from lifelines where it has the method, otherwise from the plain formulas below in numpy.
"""
import json, os
import numpy as np, pandas as pd, lifelines, scipy
import lifelines.datasets as D
from lifelines import KaplanMeierFitter
from lifelines.statistics import multivariate_logrank_test
from scipy import stats

HERE = os.path.dirname(os.path.abspath(__file__))


def steps(time, event, entry=None):
    """Distinct times with the number at risk (entry < t <= time) and the number of events."""
    time, event = np.asarray(time, float), np.asarray(event, int)
    entry = np.full(len(time), -1.0) if entry is None else np.asarray(entry, float)
    t = np.unique(time)
    n = np.array([((entry < u) & (time >= u)).sum() for u in t], float)
    d = np.array([((time == u) & (event == 1)).sum() for u in t], float)
    return t, n, d


def curve(time, event, entry=None):
    t, n, d = steps(time, event, entry)
    s = np.cumprod(1 - d / n)
    with np.errstate(divide="ignore", invalid="ignore"):
        se = s * np.sqrt(np.cumsum(np.where(d > 0, d / (n * (n - d)), 0)))
    return t, n, d, s, se


def rmst(time, event, tau):
    """Mean up to tau with its standard error (Klein and Moeschberger, 4.5.1 and 4.5.2)."""
    t, n, d, s, _ = curve(time, event)
    edges = np.concatenate([[0.0], t[t < tau], [tau]])
    heights = np.concatenate([[1.0], s[t < tau]])
    pieces = heights * np.diff(edges)
    tail = np.cumsum(pieces[::-1])[::-1]  # area from each edge to tau
    var = sum(tail[i + 1] ** 2 * d[i] / (n[i] * (n[i] - d[i])) for i in range((t < tau).sum()) if n[i] > d[i])
    return pieces.sum(), np.sqrt(var)


def logrank_parts(time, event, group, weight, p=0.0, q=0.0, entry=None):
    time, event, group = np.asarray(time, float), np.asarray(event, int), np.asarray(group)
    entry = np.full(len(time), -1.0) if entry is None else np.asarray(entry, float)
    names = sorted(set(group)); k = len(names)
    O, E, V, s = np.zeros(k), np.zeros(k), np.zeros((k, k)), 1.0
    for u in np.unique(time[event == 1]):
        risk, dead = (entry < u) & (time >= u), (time == u) & (event == 1)
        n, d = risk.sum(), dead.sum()
        nj = np.array([(risk & (group == g)).sum() for g in names], float)
        dj = np.array([(dead & (group == g)).sum() for g in names], float)
        w = {"logrank": 1.0, "wilcoxon": n, "tarone_ware": np.sqrt(n), "fleming_harrington": s**p * (1 - s) ** q}[weight]
        O += w * dj; E += w * d * nj / n
        if n > 1:
            V += w * w * d * (n - d) / (n - 1) * (np.diag(nj / n) - np.outer(nj, nj) / n**2)
        s *= 1 - d / n
    return O, E, V


def test(O, E, V):
    u = (O - E)[:-1]
    chi = float(u @ np.linalg.solve(V[:-1, :-1], u)); df = len(O) - 1
    return {"observed": list(O), "expected": list(E), "variance": list(np.diag(V)), "chi_square": chi,
            "degrees_of_freedom": df, "p_value": float(stats.chi2.sf(chi, df))}


def main():
    out = {"made_by": f"lifelines {lifelines.__version__}, numpy {np.__version__}, scipy {scipy.__version__}"}
    aids = D.load_multicenter_aids_cohort_study()
    aids = pd.DataFrame({"time": aids["T"], "event": aids["D"].astype(int), "entry": aids["W"]})
    aids.to_csv(f"{HERE}/aids.csv", index=False)
    km = KaplanMeierFitter().fit(aids.time, aids.event, entry=aids.entry)
    t, n, d, s, se = curve(aids.time, aids.event, aids.entry)
    peer = km.survival_function_.iloc[:, 0].reindex(t).values
    assert np.allclose(peer, s, atol=1e-12)
    late = (aids.entry > aids.entry.median()).astype(int).values
    out["aids"] = {"time": list(t), "at_risk": list(n), "events": list(d), "survival": list(s),
                   "std_error": [None if np.isnan(x) else x for x in se],
                   "logrank_late_entry": test(*logrank_parts(aids.time, aids.event, late, "logrank", entry=aids.entry))}

    lar = D.load_larynx()
    stage = 1 + lar["Stage_II"] + 2 * lar["Stage_III"] + 3 * lar["Stage_IV"]
    lar = pd.DataFrame({"time": lar["time"], "event": lar["death"].astype(int), "group": stage.astype(int)})
    lar.to_csv(f"{HERE}/larynx_stage.csv", index=False)

    out["log_rank"] = []
    for name in ["lung", "gbsg2", "waltons", "leukemia", "rossi", "larynx_stage"]:
        df = pd.read_csv(f"{HERE}/{name}.csv")
        for weight, p, q, peer_name in [("logrank", 0, 0, None), ("wilcoxon", 0, 0, "wilcoxon"),
                                        ("tarone_ware", 0, 0, "tarone-ware"), ("fleming_harrington", 1, 0, "fleming-harrington"),
                                        ("fleming_harrington", 0, 1, "fleming-harrington"), ("fleming_harrington", 0.5, 2, "fleming-harrington")]:
            r = test(*logrank_parts(df.time, df.event, df.group, weight, p, q))
            extra = {"p": p, "q": q} if weight == "fleming_harrington" else {}
            peer = multivariate_logrank_test(df.time, df.group, df.event, weightings=peer_name, **extra)
            assert abs(peer.test_statistic - r["chi_square"]) < 1e-8 * max(1, r["chi_square"]), (name, weight, peer.test_statistic, r)
            out["log_rank"].append({"data": name, "weights": weight, "p": p, "q": q, **r})

    # lung by sex within halves of the file: any two strata do for checking sums over strata
    lung = pd.read_csv(f"{HERE}/lung.csv"); half = np.arange(len(lung)) < 114
    parts = [logrank_parts(g.time, g.event, g.group, "logrank") for _, g in lung.groupby(half)]
    out["stratified_lung"] = test(*[sum(x) for x in zip(*parts)])

    out["restricted_mean"] = []
    for name, tau in [("lung", 730), ("rossi", 52), ("gbsg2", 1825), ("waltons", 60), ("leukemia", 30), ("larynx", 8)]:
        df = pd.read_csv(f"{HERE}/{name}.csv")
        mean, error = rmst(df.time, df.event, tau)
        out["restricted_mean"].append({"data": name, "horizon": tau, "mean": mean, "std_error": error})

    out["median"] = []
    for name in ["lung", "rossi", "gbsg2", "waltons", "leukemia", "larynx"]:
        df = pd.read_csv(f"{HERE}/{name}.csv")
        for group, part in [("all", df)] + [(str(g), x) for g, x in df.groupby("group")]:
            k = KaplanMeierFitter().fit(part.time, part.event)
            ci = lifelines.utils.median_survival_times(k.confidence_interval_)
            f = lambda x: None if not np.isfinite(x) else float(x)
            out["median"].append({"data": name, "group": group, "median": f(k.median_survival_time_),
                                  "low": f(ci.iloc[0, 0]), "high": f(ci.iloc[0, 1])})
    json.dump(out, open(f"{HERE}/golden/extra.json", "w"), indent=1)


main()
