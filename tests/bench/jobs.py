"""How many jobs a second one process does, and how long a job waits for an idle one.

usage: python tests/bench/jobs.py BINARY [RESULT_FILE]
A no-op job is a statement that finds nothing to do (`CREATE SCHEMA IF NOT EXISTS` of one that exists):
it is queued, claimed, planned, run as a step of a run of its own, recorded in catalog and audit log,
and ended. Times are those of the catalog's own record.
"""
import json, os, signal, subprocess, sys, tempfile, time
from datetime import datetime

JOBS, SLOTS, SINGLE = 2_000, 16, 100
binary, lines = os.path.abspath(sys.argv[1]), []
lake = tempfile.mkdtemp(prefix="causeway-bench-")


def say(text):
    print(text, flush=True)
    lines.append(text)


def causeway(*args):
    done = subprocess.run([binary, "--config", lake, *args], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{args[:2]}: {done.stderr}")
    return done.stdout


def query(sql):
    return json.loads(causeway("sql", "--format", "json", "-c", sql))


def instant(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def throughput():
    script = os.path.join(lake, "submit.sql")
    with open(script, "w") as file:
        file.writelines("CALL submit_job('CREATE SCHEMA IF NOT EXISTS a');\n" for _ in range(JOBS))
    causeway("sql", "-f", script)
    causeway("worker", "--drain", "--slots", str(SLOTS))
    rows = query("SELECT started_at, finished_at, outcome FROM system.attempts")
    assert len(rows) == JOBS and all(row["outcome"] == "succeeded" for row in rows)
    begun = min(instant(row["started_at"]) for row in rows)
    ended = max(instant(row["finished_at"]) for row in rows)
    say(f"{JOBS} no-op jobs, one worker of {SLOTS} slots on SQLite: {JOBS / (ended - begun):.0f} jobs a second")


def latency():
    serve = subprocess.Popen([binary, "--config", lake, "serve", "--listen", "127.0.0.1:0", "--slots", "1"],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for number in range(SINGLE):
            causeway("submit", "CREATE SCHEMA IF NOT EXISTS a")
            time.sleep(0.05 + 0.0007 * number)  # so that the moments spread over the worker's looks
    finally:
        time.sleep(1)
        serve.send_signal(signal.SIGTERM)
        serve.wait()
    rows = query("SELECT j.submitted_at, a.started_at FROM system.jobs j JOIN system.attempts a ON a.job = j.job "
                 f"WHERE j.job > {JOBS} ORDER BY j.job OFFSET 10")
    waits = sorted(instant(row["started_at"]) - instant(row["submitted_at"]) for row in rows)
    p95 = waits[len(waits) * 95 // 100]
    say(f"{len(waits)} jobs submitted one by one to `causeway serve` with one slot: from submission to start "
        f"median {waits[len(waits) // 2] * 1e3:.0f} ms, p95 {p95 * 1e3:.0f} ms")


say(f"jobs, {os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}")
causeway("init")
causeway("sql", "-c", "CREATE SCHEMA a")
throughput()
latency()
if len(sys.argv) > 2:
    with open(sys.argv[2], "w") as file:
        file.write("\n".join(lines) + "\n")
