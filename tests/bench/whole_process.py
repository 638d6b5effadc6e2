"""Whole-process speed of the release binary beside its peers, same files, same machine, one run.

usage: python tests/bench/whole_process.py BINARY [RESULT_FILE]      (needs duckdb; see tests/bench/run.sh)
Wall time is the best of the runs named in each line; memory is the peak resident size that the
operating system reports for the process.
"""
import os, resource, subprocess, sys, tempfile, time
import duckdb

ROWS = 10_000_000
binary, folder = os.path.abspath(sys.argv[1]), tempfile.mkdtemp(prefix="causeway-bench-")
lines = []


def say(text):
    print(text, flush=True)
    lines.append(text)


def run(*args, runs=1):
    """Runs a command; returns the best wall time, the CPU time of that run and the peak memory."""
    best = None
    for _ in range(runs):
        start = time.perf_counter()
        child = subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=folder)
        error = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - start
        if status != 0:
            sys.exit(f"{args}: {error.decode()}")
        if best is None or wall < best[0]:
            best = wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
    return best


def sql(statement, runs=1):
    return run(binary, "--config", folder, "--no-progress", "sql", "-c", statement, runs=runs)


def fork_duckdb(statements):
    """Runs DuckDB in a process of its own, so that its memory can be told apart."""
    script = f"import duckdb\nc = duckdb.connect()\nc.execute('SET threads TO {os.cpu_count()}')\n" + "".join(
        f"c.execute({statement!r})\n" for statement in statements)
    return run(sys.executable, "-c", script)


subprocess.run([binary, "init", folder], check=True, capture_output=True)
say(f"whole process, {os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}, duckdb {duckdb.__version__}")

wall, cpu, _ = sql("SELECT 1", runs=20)
say(f"causeway sql -c 'SELECT 1': {wall * 1000:.0f} ms (best of 20), {cpu * 1000:.0f} ms of processor time")

duckdb.execute(f"""COPY (SELECT range AS id, (hash(range) % 3650 + 1)::INT AS time, (hash(range + 7) % 10 < 6)::INT AS event,
    round((hash(range + 11) % 1000000) / 997.0, 3) AS value, 'site-' || (hash(range + 13) % 1000) AS site,
    FROM range({ROWS})) TO '{folder}/rows.csv' (HEADER)""")
open(f"{folder}/rows.toml", "w").write("".join(
    f'[[column]]\nname = "{name}"\ntype = "{kind}"\nnullable = false\n' for name, kind in
    [("id", "bigint"), ("time", "int"), ("event", "int"), ("value", "double"), ("site", "text")]))
size = os.path.getsize(f"{folder}/rows.csv") / 1e6
wall, cpu, memory = sql("COPY INTO main.rows FROM 'rows.csv' WITH (contract => 'rows.toml', mode => 'overwrite')")
say(f"CSV -> Delta, {ROWS} rows x 5, {size:.0f} MB: {wall:.2f} s, {cpu:.2f} s of processor time, {memory:.0f} MB resident")
duck_wall, duck_cpu, duck_memory = fork_duckdb([f"COPY (SELECT * FROM read_csv('{folder}/rows.csv')) TO '{folder}/rows.parquet'"])
duck_wall = min(duck_wall, fork_duckdb([f"COPY (SELECT * FROM read_csv('{folder}/rows.csv')) TO '{folder}/rows.parquet'"])[0])
say(f"  DuckDB CSV -> Parquet: {duck_wall:.2f} s, {duck_cpu:.2f} s of processor time, {duck_memory:.0f} MB resident; ratio {wall / duck_wall:.2f}")

wall, cpu, memory = sql("SELECT count(*), min(survival) FROM kaplan_meier((SELECT time, event FROM main.rows))", runs=5)
say(f"kaplan_meier over two columns of Delta, {ROWS} rows: {wall:.2f} s, {cpu:.2f} s of processor time, {memory:.0f} MB resident")

if len(sys.argv) > 2:
    open(sys.argv[2], "w").write("\n".join(lines) + "\n")
subprocess.run(["rm", "-rf", folder])
