"""Private releases of the whole product: a curve of ten million rows, and what ledger and gate add to a query.

usage: python tests/bench/private.py BINARY [RESULT_FILE]
The curve: `dp_kaplan_meier` of a Delta table of 10,000,000 rows (days as BIGINT, event as BOOLEAN), the whole process less
its start, CPU seconds (user + system, all threads), medians of five with a new epsilon each time, since a question asked again
is answered from the catalog. Ledger and gate: many different `dp_count`s of a table of 1,000 patients in one script, by a user
who may make private releases alone, less as many plain counts of the same rows by somebody who may read it; the table made in
one step, and through 100 versions. Wall seconds by query: an upper bound, since the mechanism's own work is in it.
"""
import os, platform, resource, subprocess, sys, tempfile, time

CURVE_BAR, QUERY_BAR, N, QUERIES = 1.2, 0.015, 10_000_000, 200
binary, lake, lines = os.path.abspath(sys.argv[1]), tempfile.mkdtemp(prefix="causeway-bench-"), []


def say(text):
    print(text, flush=True)
    lines.append(text)


def run(*args, user=None):
    who = ["--user", user] if user else []
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run([binary, "--config", lake, "--no-progress", *who, *args], capture_output=True, text=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def sql(statement, user=None):
    return run("sql", "-c", statement, user=user)


def median(values):
    return sorted(values)[len(values) // 2]


def curves(table):
    statement = ("SELECT * FROM dp_kaplan_meier({}, time => 'days', event => 'died', epsilon => {}, horizon => 1000, bins => 100)")
    measured = [sql(statement.format(table, 1 + number / 1000)) for number in range(5)]
    return median([cpu for cpu, _ in measured]), median([wall for _, wall in measured])


def script(name, statements, user=None):
    path = os.path.join(lake, name)
    with open(path, "w") as file:
        file.writelines(statement + ";\n" for statement in statements)
    return run("sql", "-f", path, user=user)[1]


def added_by_query(table):
    private = [f"SELECT * FROM dp_count((SELECT patient FROM {table} WHERE age > {number / 7}), epsilon => 0.0001, unit => 'patient')"
               for number in range(QUERIES)]
    plain = [f"SELECT count(DISTINCT patient) FROM {table} WHERE age > {number / 7}" for number in range(QUERIES)]
    name = table.replace(".", "_")
    script(f"{name}_warm.sql", plain)
    without = script(f"{name}_plain.sql", plain)
    return (script(f"{name}_private.sql", private, user="ann") - without) / QUERIES


subprocess.run([binary, "init", lake], check=True, capture_output=True)
cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
say(f"private releases; {cpu}, {os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}; load {os.getloadavg()[0]:.1f}")
rows = "SELECT CAST(random() * 1200 AS BIGINT) AS days, random() < 0.4 AS died FROM generate_series(1, {})"
for table, n in [("main.cohort", N), ("main.few", 100)]:
    sql(f"CREATE TABLE {table} AS {rows.format(n)}")
(few_cpu, few_wall), (cpu_s, wall_s) = curves("main.few"), curves("main.cohort")
say(f"dp_kaplan_meier from Delta, {N:,} rows: {cpu_s:.3f} CPU-s, {wall_s:.3f} s wall; on 100 rows {few_cpu:.3f} and {few_wall:.3f}")
say(f"  so reading and releasing: {cpu_s - few_cpu:.3f} CPU-s, {wall_s - few_wall:.3f} s wall (bar: {CURVE_BAR} s, whole process)")
patients = "SELECT value AS patient, CAST(value % 90 AS DOUBLE) AS age FROM generate_series(1, 1000)"
sql(f"CREATE SCHEMA a; CREATE TABLE a.one AS {patients}; CREATE TABLE a.grown AS {patients}; CREATE USER ann; "
    "GRANT EXECUTE ON OPERATOR dp_count TO ann")
script("grow.sql", [f"INSERT INTO a.grown SELECT {1000 + number}, 50.0" for number in range(99)])
worst = 0
for table, versions in [("a.one", 1), ("a.grown", 100)]:
    sql(f"ALTER TABLE {table} SET (protected = true); GRANT RELEASE ON {table} TO ann; "
        f"CALL set_privacy_budget('{table}', epsilon => 4.0, unit => 'patient')")
    added = added_by_query(table)
    worst = max(worst, added)
    say(f"ledger, gate and mechanism, table of {versions} versions: {added * 1e3:.1f} ms a query (bar: {QUERY_BAR * 1e3:.0f} ms)")
if len(sys.argv) > 2:
    with open(sys.argv[2], "w") as file:
        file.write("\n".join(lines) + "\n")
if wall_s > CURVE_BAR or worst > QUERY_BAR:
    sys.exit("a bar is not kept")
