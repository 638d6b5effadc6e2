//! Jobs and workers, as separate processes over one catalog.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use causeway_cluster::Cluster;
use rand::{Rng, SeedableRng};
use serde_json::Value;

use crate::product::{Product, within};

/// Never ends by itself.
const ENDLESS: &str = "CREATE TABLE a.endless AS SELECT count(*) AS n FROM generate_series(1, 1000000) a \
                       JOIN generate_series(1, 1000000) b ON a.value < b.value";

/// Works for some seconds, then writes one.
const SLOW: &str = "INSERT INTO a.t SELECT count(*) FROM generate_series(1, 6000) a \
                    JOIN generate_series(1, 6000) b ON a.value < b.value";

/// A worker, killed at the end of its test.
struct Worker(Child);

impl Worker {
    fn start(lake: &Product, options: &[&str]) -> Self {
        Self(lake.start(&[&["worker"], options].concat()))
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.0.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    fn has_ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }

    /// Waits for the end of the process and returns its exit code.
    fn wait(&mut self) -> Option<i32> {
        within("the worker ends", || self.has_ended());
        self.0.wait().unwrap().code()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _: std::io::Result<()> = self.0.kill();
        let _: std::io::Result<std::process::ExitStatus> = self.0.wait();
    }
}

fn lake() -> Product {
    with_table(Product::init())
}

fn with_table(lake: Product) -> Product {
    lake.ok(&["sql", "-c", "CREATE SCHEMA a; CREATE TABLE a.t AS SELECT CAST(0 AS BIGINT) AS n"]);
    lake
}

fn submit(lake: &Product, args: &[&str]) -> i64 {
    let job: Value = serde_json::from_str(&lake.ok(&[&["submit", "--json"], args].concat())).unwrap();
    job["job"].as_i64().unwrap()
}

fn job(lake: &Product, id: i64) -> Value {
    let jobs: Value = serde_json::from_str(&lake.ok(&["jobs", "--json"])).unwrap();
    jobs.as_array().unwrap().iter().find(|job| job["job"] == id).unwrap().clone()
}

fn is_running(lake: &Product, id: i64) -> bool {
    job(lake, id)["state"] == "running"
}

/// The commit is known to the catalog as it is in the lake, and there is no other.
fn assert_versions(lake: &Product, table: &str, versions: usize) {
    let log = lake.folder().join("lake/a").join(table).join("_delta_log");
    let commits = std::fs::read_dir(log).unwrap().filter_map(Result::ok);
    let commits = commits.filter(|entry| entry.file_name().to_string_lossy().ends_with(".json"));
    assert_eq!(commits.count(), versions, "commits of {table}");
    let known = lake
        .query(&format!("SELECT count(*) AS n FROM system.dataset_versions WHERE schema = 'a' AND name = '{table}'"));
    assert_eq!(known[0]["n"], versions, "versions of {table}");
}

fn outcomes(lake: &Product, id: i64) -> Vec<String> {
    let rows = lake.query(&format!("SELECT outcome FROM system.attempts WHERE job = {id} ORDER BY attempt"));
    rows.iter().map(|row| row["outcome"].as_str().unwrap_or("none").to_owned()).collect()
}

#[test]
fn a_worker_does_what_was_submitted() {
    let lake = lake();
    let id = submit(&lake, &["INSERT INTO a.t SELECT 7"]);
    assert_eq!(job(&lake, id)["state"], "queued");
    let done = lake.ok(&["worker", "--drain"]);
    assert!(done.starts_with("1 jobs done"), "{done}");
    let job = job(&lake, id);
    assert_eq!((&job["state"], &job["attempt"], &job["actor"]), (&"succeeded".into(), &1.into(), &"admin".into()));
    assert_versions(&lake, "t", 2);
    let run = lake.query("SELECT r.state, s.state AS step FROM system.runs r JOIN system.steps s ON s.run = r.run JOIN system.jobs j ON j.run = r.run");
    assert_eq!((&run[0]["state"], &run[0]["step"], run.len()), (&"succeeded".into(), &"succeeded".into(), 1));
    assert!(lake.ok(&["audit", "verify"]).contains("records"));
    let recorded = lake.query("SELECT facts FROM system.audit WHERE action = 'job' ORDER BY sequence");
    assert_eq!(recorded.len(), 2, "{recorded:?}");
}

#[test]
fn a_pipeline_is_a_job_too() {
    let lake = lake();
    let folder = lake.folder().join("pipeline");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("pipeline.toml"), "name = \"two\"\n").unwrap();
    std::fs::write(folder.join("1_first.sql"), "CREATE OR REPLACE TABLE a.first AS SELECT n + 1 AS n FROM a.t;\n")
        .unwrap();
    std::fs::write(
        folder.join("2_second.sql"),
        "CREATE OR REPLACE TABLE a.second AS SELECT n + 1 AS n FROM a.first;\n",
    )
    .unwrap();
    let id = submit(&lake, &["--pipeline", folder.to_str().unwrap()]);
    lake.ok(&["worker", "--drain"]);
    let job = job(&lake, id);
    assert_eq!(job["state"], "succeeded", "{job}");
    assert_eq!(lake.query("SELECT n FROM a.second")[0]["n"], 2);
    let runs = lake.query("SELECT run, state FROM system.runs WHERE pipeline = 'two'");
    assert_eq!((&runs[0]["run"], &runs[0]["state"], runs.len()), (&job["run"], &"succeeded".into(), 1));
    std::fs::write(
        folder.join("2_second.sql"),
        "CREATE OR REPLACE TABLE a.second AS SELECT 1 / (n - 1) AS n FROM a.first;\n",
    )
    .unwrap();
    let failing = submit(&lake, &["--pipeline", folder.to_str().unwrap()]);
    lake.ok(&["worker", "--drain"]);
    let dead = self::job(&lake, failing);
    assert_eq!((&dead["state"], &dead["error_code"]), (&"dead".into(), &"CW0201".into()), "{dead}");
    assert!(dead["error"].as_str().unwrap().starts_with("step 2_second: "), "{dead}");
    std::fs::write(folder.join("2_second.sql"), "CREATE OR REPLACE TABLE a.second AS SELECT n FROM a.first;\n")
        .unwrap();
    lake.ok(&["retry", &failing.to_string()]);
    lake.ok(&["worker", "--drain"]);
    assert_eq!(self::job(&lake, failing)["state"], "succeeded");
    assert_eq!(lake.query("SELECT n FROM a.second")[0]["n"], 1);
}

#[test]
fn what_cannot_be_a_job_is_refused_at_once() {
    let lake = lake();
    for (sql, code) in
        [("SELECT 1", "CW0610"), ("DELETE FROM a.t; DELETE FROM a.t", "CW0610"), ("DELET FROM a.t", "CW0101")]
    {
        let refused = lake.run(&["submit", sql]);
        assert_eq!(refused.status.code(), Some(1), "{sql}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains(code), "{sql}: {refused:?}");
    }
    assert_eq!(lake.run(&["submit"]).status.code(), Some(2));
    assert_eq!(lake.ok(&["jobs", "--json"]), "[]\n");
}

#[test]
fn a_statement_that_stays_wrong_is_dead_and_says_why() {
    let lake = lake();
    let mut worker = Worker::start(&lake, &[]);
    let waited = lake.run(&["submit", "--wait", "INSERT INTO a.nowhere SELECT 1"]);
    assert_eq!(waited.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&waited.stderr).contains("error[CW0103]"), "{waited:?}");
    assert!(String::from_utf8_lossy(&waited.stdout).contains("is dead"), "{waited:?}");
    lake.ok(&["sql", "-c", "CREATE TABLE a.nowhere (n BIGINT)"]);
    assert_eq!(outcomes(&lake, 1), ["failed"]);
    lake.ok(&["retry", "1"]);
    within("the job succeeds", || job(&lake, 1)["state"] == "succeeded");
    assert_eq!(lake.query("SELECT n FROM a.nowhere")[0]["n"], 1);
    let waited = lake.ok(&["submit", "--wait", "INSERT INTO a.t SELECT 5"]);
    assert!(waited.contains("is succeeded"), "{waited}");
    worker.signal("TERM");
    assert_eq!(worker.wait(), Some(0));
}

#[test]
fn a_killed_worker_s_job_is_done_once_by_another() {
    let database = Cluster::shared().database();
    for lake in [lake(), with_table(Product::init_on(database.url()))] {
        killed_and_finished(&lake);
    }
}

fn killed_and_finished(lake: &Product) {
    let id = submit(lake, &[SLOW]);
    let mut first = Worker::start(lake, &["--lease-seconds", "2"]);
    within("the job runs", || is_running(lake, id));
    first.signal("KILL");
    first.wait();
    assert!(is_running(lake, id), "the worker was killed in the middle");
    lake.ok(&["worker", "--drain"]);
    assert_eq!(outcomes(lake, id), ["lost", "succeeded"]);
    assert_eq!(job(lake, id)["state"], "succeeded");
    assert_versions(lake, "t", 2);
    lake.ok(&["audit", "verify"]);
}

#[test]
fn a_killed_pipeline_goes_on_in_its_own_run() {
    let lake = lake();
    let folder = lake.folder().join("pipeline");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("pipeline.toml"), "name = \"three\"\n").unwrap();
    std::fs::write(folder.join("1_first.sql"), "CREATE TABLE a.first AS SELECT n FROM a.t;\n").unwrap();
    std::fs::write(folder.join("2_slow.sql"), format!("{};\n", SLOW.replace("a.t", "a.first"))).unwrap();
    std::fs::write(folder.join("3_last.sql"), "CREATE TABLE a.last AS SELECT count(*) AS n FROM a.first;\n").unwrap();
    let id = submit(&lake, &["--pipeline", folder.to_str().unwrap()]);
    let mut first = Worker::start(&lake, &["--lease-seconds", "2"]);
    let slow_runs =
        || !lake.query("SELECT 1 AS n FROM system.steps WHERE step = '2_slow' AND state = 'running'").is_empty();
    within("the second step runs", slow_runs);
    first.signal("KILL");
    first.wait();
    assert!(slow_runs(), "the worker was killed in the middle");
    lake.ok(&["worker", "--drain"]);
    assert_eq!(outcomes(&lake, id), ["lost", "succeeded"]);
    let runs = lake.query("SELECT run, state FROM system.runs WHERE pipeline = 'three'");
    assert_eq!((&runs[0]["run"], &runs[0]["state"], runs.len()), (&job(&lake, id)["run"], &"succeeded".into(), 1));
    for (table, versions) in [("first", 2), ("last", 1)] {
        assert_versions(&lake, table, versions);
    }
    let attempts =
        lake.query("SELECT s.attempt FROM system.steps s JOIN system.jobs j ON j.run = s.run ORDER BY ordinal");
    let attempts: Vec<_> = attempts.iter().map(|step| step["attempt"].as_i64().unwrap()).collect();
    assert_eq!(attempts, [1, 2, 1]);
}

#[test]
fn workers_that_are_killed_again_and_again_do_each_job_once() {
    killed_again_and_again(&lake());
}

#[test]
fn workers_on_postgres_that_are_killed_again_and_again_do_each_job_once() {
    let database = Cluster::shared().database();
    killed_again_and_again(&with_table(Product::init_on(database.url())));
}

fn killed_again_and_again(lake: &Product) {
    const JOBS: usize = 50;
    for number in 1..=JOBS {
        submit(lake, &[&format!("INSERT INTO a.t SELECT {number}"), "--attempts", "100"]);
    }
    let options = ["--slots", "2", "--lease-seconds", "1"];
    let mut workers = [Worker::start(lake, &options), Worker::start(lake, &options)];
    let seed = std::env::var("KILL_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_124);
    let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
    let mut n_kills = 0;
    loop {
        let asked = Instant::now();
        if open_jobs(lake) == 0 {
            break;
        }
        // A worker lives for as long as a command takes, to five times that: on a busy machine nobody would get to work.
        let pace = asked.elapsed().max(Duration::from_millis(100));
        std::thread::sleep(pace.mul_f64(rng.random_range(1.0..5.0)));
        let victim = &mut workers[n_kills % 2];
        victim.signal("KILL");
        victim.wait();
        *victim = Worker::start(lake, &options);
        n_kills += 1;
        assert!(n_kills < 300, "the queue does not drain: {}", lake.ok(&["jobs"]));
    }
    let lost = lake.query("SELECT count(*) AS n FROM system.attempts WHERE outcome = 'lost'");
    println!("seed {seed}: {n_kills} kills, {} attempts lost", lost[0]["n"]);
    assert!(lost[0]["n"].as_u64().unwrap() > 0, "no kill hit a job; the test proves nothing");
    let done = lake.query("SELECT count(*) AS n FROM system.jobs WHERE state = 'succeeded'");
    let why = "SELECT j.job, a.outcome, a.error_code, count(*) AS n FROM system.attempts AS a \
               JOIN system.jobs AS j ON j.job = a.job WHERE j.state <> 'succeeded' GROUP BY 1, 2, 3";
    assert_eq!(done[0]["n"], JOBS, "{:?}", lake.query(why));
    let rows = lake.query("SELECT count(*) AS n, count(DISTINCT n) AS distinct_n, sum(n) AS total FROM a.t");
    assert_eq!((&rows[0]["n"], &rows[0]["distinct_n"]), (&(JOBS + 1).into(), &(JOBS + 1).into()), "{rows:?}");
    assert_eq!(rows[0]["total"], JOBS * (JOBS + 1) / 2);
    assert_versions(lake, "t", JOBS + 1);
    lake.ok(&["audit", "verify"]);
}

fn open_jobs(lake: &Product) -> u64 {
    let open = lake.query("SELECT count(*) AS n FROM system.jobs WHERE state IN ('queued', 'running')");
    open[0]["n"].as_u64().unwrap()
}

#[test]
fn two_workers_on_postgres_do_fifty_jobs_once_each() {
    let database = Cluster::shared().database();
    let lake = with_table(Product::init_on(database.url()));
    for number in 1..=50 {
        submit(&lake, &[&format!("INSERT INTO a.t SELECT {number}")]);
    }
    let mut workers =
        [Worker::start(&lake, &["--drain", "--name", "w1"]), Worker::start(&lake, &["--drain", "--name", "w2"])];
    for worker in &mut workers {
        assert_eq!(worker.wait(), Some(0));
    }
    let rows = lake.query("SELECT count(*) AS n, count(DISTINCT n) AS distinct_n FROM a.t");
    assert_eq!((&rows[0]["n"], &rows[0]["distinct_n"]), (&51.into(), &51.into()), "{}", lake.ok(&["jobs", "-n", "9"]));
    let attempts = lake.query(
        "SELECT worker, count(*) AS n FROM system.attempts WHERE outcome = 'succeeded' GROUP BY worker ORDER BY 1",
    );
    let total: u64 = attempts.iter().map(|row| row["n"].as_u64().unwrap()).sum();
    assert_eq!((total, attempts.len()), (50, 2), "{attempts:?}");
    assert_versions(&lake, "t", 51);
}

#[test]
fn a_running_job_is_cancelled_within_two_seconds() {
    let lake = lake();
    let mut worker = Worker::start(&lake, &[]);
    let id = submit(&lake, &[ENDLESS]);
    within("the job runs", || is_running(&lake, id));
    std::thread::sleep(Duration::from_millis(500));
    lake.ok(&["cancel", &id.to_string()]);
    within("the job is cancelled", || job(&lake, id)["state"] == "cancelled");
    let took = lake.query("SELECT a.outcome, date_part('epoch', a.finished_at) - date_part('epoch', r.time) AS seconds FROM system.attempts a \
        JOIN system.jobs j ON j.job = a.job JOIN system.audit r ON r.run = j.run \
        WHERE r.action = 'job' AND r.facts LIKE '%cancel_requested%'");
    let seconds = took[0]["seconds"].as_f64().unwrap();
    assert!(took[0]["outcome"] == "cancelled" && (0.0..2.0).contains(&seconds), "{took:?}");
    let next = submit(&lake, &["INSERT INTO a.t SELECT 1"]);
    within("the worker goes on", || job(&lake, next)["state"] == "succeeded");
    let waiting = submit(&lake, &["INSERT INTO a.t SELECT 2", "--group", "g"]);
    worker.signal("TERM");
    worker.wait();
    let again = lake.run(&["cancel", &next.to_string()]);
    assert!(String::from_utf8_lossy(&again.stderr).contains("CW0408"), "{again:?}");
    assert!(
        job(&lake, waiting)["state"] == "succeeded" || lake.ok(&["cancel", &waiting.to_string()]).contains("cancelled")
    );
}

#[test]
fn a_job_that_takes_too_long_is_dead() {
    let lake = lake();
    let id = submit(&lake, &[ENDLESS, "--timeout-seconds", "1"]);
    let mut worker = Worker::start(&lake, &["--drain"]);
    assert_eq!(worker.wait(), Some(0));
    let dead = job(&lake, id);
    assert_eq!((&dead["state"], &dead["error_code"], &dead["attempt"]), (&"dead".into(), &"CW0611".into(), &1.into()));
}

#[test]
fn a_worker_that_is_stopped_ends_its_job_first() {
    let lake = lake();
    let id = submit(&lake, &[SLOW]);
    let next = submit(&lake, &["INSERT INTO a.t SELECT 1"]);
    let mut worker = Worker::start(&lake, &["--slots", "1"]);
    within("the job runs", || is_running(&lake, id));
    worker.signal("TERM");
    assert_eq!(worker.wait(), Some(0));
    assert_eq!(outcomes(&lake, id), ["succeeded"]);
    assert_eq!(job(&lake, next)["state"], "queued");
    lake.ok(&["worker", "--once"]);
    assert_eq!(job(&lake, next)["state"], "succeeded");
}

#[test]
fn a_key_makes_one_job_and_a_job_keeps_its_submitters_rights() {
    let lake = lake();
    lake.ok(&["sql", "-c", "CREATE USER ann; CREATE USER bob; CREATE USER olga; GRANT operator TO olga; GRANT SELECT, INSERT ON a.t TO ann"]);
    let submit_as = |user: &str, args: &[&str]| {
        let job: Value =
            serde_json::from_str(&lake.ok(&[&["--user", user, "submit", "--json"], args].concat())).unwrap();
        job["job"].as_i64().unwrap()
    };
    let first = submit_as("ann", &["--key", "once", "INSERT INTO a.t SELECT 1"]);
    assert_eq!(submit_as("ann", &["--key", "once", "INSERT INTO a.t SELECT 1"]), first);
    let other = lake.run(&["--user", "ann", "submit", "--key", "once", "INSERT INTO a.t SELECT 2"]);
    assert!(String::from_utf8_lossy(&other.stderr).contains("CW0402"), "{other:?}");
    let hers = submit_as("bob", &["INSERT INTO a.t SELECT 3"]);
    let refused = |args: &[&str], code: &str| {
        let output = lake.run(args);
        assert!(
            !output.status.success() && String::from_utf8_lossy(&output.stderr).contains(code),
            "{args:?}: {output:?}"
        );
    };
    refused(&["--user", "bob", "cancel", &first.to_string()], "CW0401");
    refused(&["--user", "bob", "worker", "--drain"], "CW0109");
    refused(&["--user", "nobody", "submit", "DELETE FROM a.t"], "CW0109");
    lake.ok(&["--user", "olga", "worker", "--drain"]);
    let (done, denied) = (job(&lake, first), job(&lake, hers));
    assert_eq!((&done["state"], &done["attempt"]), (&"succeeded".into(), &1.into()));
    assert_eq!(denied["state"], "dead", "bob may not insert: {denied}");
    let seen: Value = serde_json::from_str(&lake.ok(&["--user", "bob", "jobs", "--json"])).unwrap();
    assert_eq!(seen.as_array().unwrap().len(), 1);
    let rows = lake.ok(&["--user", "bob", "sql", "--format", "csv", "-c", "SELECT job FROM system.jobs"]);
    assert_eq!(rows, format!("job\n{hers}\n"));
    let rows =
        lake.ok(&["--user", "olga", "sql", "--format", "csv", "-c", "SELECT count(*) AS n FROM system.attempts"]);
    assert_eq!(rows, "n\n2\n");
    lake.ok(&["--user", "olga", "retry", &hers.to_string()]);
}
