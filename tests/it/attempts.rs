//! What is told of attempts and of pipelines, and what attempts may use.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::openlineage::endpoint::{Answer, Endpoint};
use crate::product::{Product, within};

/// Sorts more than fits into little memory.
const SORTS: &str = "CREATE OR REPLACE TABLE a.sorted AS SELECT value, md5(CAST(value AS VARCHAR)) AS digest \
                     FROM generate_series(1, 400000) ORDER BY digest";

/// Works for some seconds.
const SLOW: &str = "CREATE OR REPLACE TABLE a.slow AS SELECT count(*) AS n FROM generate_series(1, 6000) a \
                    JOIN generate_series(1, 6000) b ON a.value < b.value";

fn lake() -> Product {
    let lake = Product::init();
    lake.ok(&["sql", "-c", "CREATE SCHEMA a; CREATE TABLE a.t AS SELECT CAST(0 AS BIGINT) AS n"]);
    lake
}

fn configure(lake: &Product, text: &str) {
    let mut file = std::fs::OpenOptions::new().append(true).open(lake.folder().join("causeway.toml")).unwrap();
    writeln!(file, "\n{text}").unwrap();
}

/// Adds a line to the section of limits that each lake has.
fn limit(lake: &Product, line: &str) {
    let file = lake.folder().join("causeway.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("[limits]", &format!("[limits]\n{line}"), 1)).unwrap();
}

fn write_pipeline(lake: &Product, manifest: &str, steps: &[(&str, &str)]) -> String {
    let folder = lake.folder().join("nightly");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("pipeline.toml"), format!("name = \"nightly\"\n{manifest}")).unwrap();
    for (step, sql) in steps {
        std::fs::write(folder.join(format!("{step}.sql")), format!("{sql};\n")).unwrap();
    }
    folder.to_str().unwrap().to_owned()
}

fn submit(lake: &Product, args: &[&str]) -> i64 {
    let job: Value = serde_json::from_str(&lake.ok(&[&["submit", "--json"], args].concat())).unwrap();
    job["job"].as_i64().unwrap()
}

fn job(lake: &Product, id: i64) -> Value {
    let jobs: Value = serde_json::from_str(&lake.ok(&["jobs", "-n", "500", "--json"])).unwrap();
    jobs.as_array().unwrap().iter().find(|job| job["job"] == id).unwrap().clone()
}

fn kill(child: &mut Child, signal: &str) {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    child.wait().unwrap();
}

#[test]
fn a_log_is_followed_while_the_job_runs_and_quotes_nothing() {
    let lake = lake();
    let check =
        "-- check warn: SELECT count(*) = 198403 FROM a.first\nCREATE OR REPLACE TABLE a.first AS SELECT 198403 AS n";
    let folder = write_pipeline(
        &lake,
        "",
        &[("1_first", check), ("2_slow", SLOW), ("3_fails", "INSERT INTO a.t SELECT CAST('x198403' AS BIGINT)")],
    );
    let id = submit(&lake, &["--pipeline", &folder]);
    let mut worker = lake.start(&["worker", "--drain"]);
    within("the job runs", || job(&lake, id)["state"] == "running");
    let mut follower = lake
        .command(&["logs", "--follow", &id.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut told: Vec<String> = Vec::new();
    while !told.iter().any(|line| line.contains("2_slow: started")) {
        told.push(lines.next().expect("the log ends too early"));
    }
    assert_eq!(job(&lake, id)["state"], "running", "told while it runs");
    told.extend(lines);
    assert!(follower.wait().unwrap().success());
    worker.wait().unwrap();
    let text = told.join("\n");
    for part in [
        "attempt 1 started at",
        "begins a run of 3 steps",
        "1_first: check 1 does not hold",
        "1_first: done",
        "2_slow: done",
        "3_fails: failed with CW0201",
        "failed (permanent): CW0201",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let run = job(&lake, id)["run"].as_str().unwrap().to_owned();
    let again = lake.ok(&["logs", &run[..30], "--json", "--attempt", "1"]);
    let facts: Vec<Value> = again.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&facts[0]["event"], &facts.last().unwrap()["event"]), (&"started".into(), &"ended".into()));
    assert_eq!(facts.len(), told.len());
    assert!(!again.contains("198403") && !text.contains("198403"), "{text}");
    assert_eq!(lake.ok(&["logs", &id.to_string(), "--attempt", "2"]), "");
    assert!(!lake.run(&["logs", "nothing"]).status.success());
    lake.ok(&["sql", "-c", "CREATE USER bob"]);
    assert!(!lake.run(&["--user", "bob", "logs", &id.to_string()]).status.success(), "it is not his");
    assert!(!lake.run(&["--user", "bob", "workers"]).status.success());
}

#[test]
fn who_waits_hears_what_the_steps_do() {
    let lake = lake();
    let folder = write_pipeline(&lake, "", &[("1_first", "CREATE OR REPLACE TABLE a.first AS SELECT 1 AS n")]);
    let mut worker = lake.start(&["worker"]);
    let waited = lake.run(&["submit", "--wait", "--pipeline", &folder]);
    let said = String::from_utf8_lossy(&waited.stderr).into_owned();
    assert!(waited.status.success() && said.contains("1_first: done"), "{said}");
    kill(&mut worker, "-TERM");
}

#[test]
fn a_pipeline_that_fails_again_and_again_and_recovers_is_told_twice() {
    let endpoint = Endpoint::answering(&[Answer::Status(503, "")]);
    let lake = lake();
    let told = lake.folder().join("told.ndjson");
    configure(
        &lake,
        &format!(
            "[alerts]\ndefault = ['hook']\n[alerts.receivers.hook]\nwebhook = '{}'\n[alerts.receivers.file]\ncommand = ['tee', '-a', '{}']",
            endpoint.url,
            told.display()
        ),
    );
    let fails = [("1_first", "INSERT INTO a.nowhere SELECT 1")];
    let folder = write_pipeline(&lake, "", &fails);
    for _ in 0..3 {
        submit(&lake, &["--pipeline", &folder]);
    }
    let mut workers = [lake.start(&["worker"]), lake.start(&["worker"])];
    // The receiver refuses the first request; the alert comes again, under the same key.
    within("the failure is told", || endpoint.requests().len() == 2);
    write_pipeline(
        &lake,
        "[[alert]]\non = ['recovered']\nto = ['hook', 'file']\n",
        &[("1_first", "INSERT INTO a.t SELECT 1")],
    );
    for _ in 0..2 {
        lake.ok(&["submit", "--wait", "--pipeline", &folder]);
    }
    within("the recovery is told", || endpoint.requests().len() >= 3 && told.is_file());
    std::thread::sleep(Duration::from_secs(3));
    let requests = endpoint.requests();
    let bodies: Vec<Value> = requests.iter().map(|request| serde_json::from_str(&request.body).unwrap()).collect();
    let transitions: Vec<&str> = bodies.iter().map(|body| body["transition"].as_str().unwrap()).collect();
    assert_eq!(transitions, ["failed", "failed", "recovered"]);
    assert_eq!(requests[0].header("Idempotency-Key"), requests[1].header("Idempotency-Key"));
    assert_eq!((&bodies[0]["pipeline"], &bodies[0]["error_code"]), (&"nightly".into(), &"CW0103".into()));
    assert!(!requests[0].body.contains("nowhere"), "no statement is quoted");
    assert_eq!(std::fs::read_to_string(&told).unwrap().lines().count(), 1);
    for worker in &mut workers {
        kill(worker, "-TERM");
    }
}

#[test]
fn a_slot_whose_job_does_not_start_in_time_is_told_once() {
    let endpoint = Endpoint::answering(&[]);
    let lake = lake();
    configure(&lake, &format!("[alerts]\ndefault = ['hook']\n[alerts.receivers.hook]\nwebhook = '{}'", endpoint.url));
    let manifest = "[[trigger]]\ntable = \"a.t\"\n[job]\nstart_within_seconds = 1\n";
    let folder = write_pipeline(&lake, manifest, &[("1_first", "CREATE OR REPLACE TABLE a.u AS SELECT 1 AS n")]);
    lake.ok(&["schedule", "add", &folder]);
    lake.ok(&["sql", "-c", "INSERT INTO a.t SELECT 1"]);
    assert_eq!(lake.ok(&["scheduler", "--once"]), "1 jobs queued\n");
    // Workers of another group leave the job alone and look for what is late.
    let mut workers = [lake.start(&["worker", "--groups", "none"]), lake.start(&["worker", "--groups", "none"])];
    within("the late job is told", || !endpoint.requests().is_empty());
    std::thread::sleep(Duration::from_secs(12));
    let requests = endpoint.requests();
    assert_eq!(requests.len(), 1, "once, whoever looks and however often");
    let body: Value = serde_json::from_str(&requests[0].body).unwrap();
    assert_eq!((&body["transition"], &body["pipeline"]), (&"late".into(), &"nightly".into()));
    let late = lake.query("SELECT late FROM system.slots");
    assert_eq!(late[0]["late"], "not_started");
    for worker in &mut workers {
        kill(worker, "-TERM");
    }
}

fn entries(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).into_iter().flatten();
    names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

fn has_spilled(folder: &Path) -> bool {
    let is_full = |path: std::path::PathBuf| match path.is_dir() {
        true => has_spilled(&path),
        false => path.metadata().is_ok_and(|data| data.len() > 0),
    };
    entries(folder).iter().map(|name| folder.join(name)).any(is_full)
}

#[test]
fn a_job_with_little_memory_spills_to_a_folder_that_goes_with_it_even_if_it_is_killed() {
    let lake = lake();
    let spill = lake.folder().join("spill");
    limit(&lake, "spill_dir = 'spill'");
    let id = submit(&lake, &[SORTS, "--memory-limit-bytes", "16777216"]);
    let mut first = lake.start(&["worker", "--lease-seconds", "1"]);
    within("the job spills", || has_spilled(&spill));
    kill(&mut first, "-KILL");
    assert!(has_spilled(&spill), "the killed worker has left its folder");
    lake.ok(&["worker", "--drain"]);
    let done = job(&lake, id);
    assert_eq!((&done["state"], &done["attempt"]), (&"succeeded".into(), &2.into()), "{done}");
    assert_eq!(entries(&spill), Vec::<String>::new());
    assert_eq!(lake.query("SELECT count(*) AS n FROM a.sorted")[0]["n"], 400_000);
}

/// What is deep and passes the gate ends its job, well or not; what is deeper is refused.
#[test]
fn deep_statements_end_their_job_and_not_the_worker() {
    let lake = lake();
    limit(&lake, "max_depth = 128");
    let nested = |depth: usize, open: &str, close: &str| {
        format!("CREATE OR REPLACE TABLE a.deep AS SELECT {}1{} AS n", open.repeat(depth), close.repeat(depth))
    };
    let shapes = [("abs(", ")"), ("CASE WHEN true THEN ", " END"), ("- ", "")];
    for (open, close) in shapes {
        submit(&lake, &[&nested(80, open, close)]);
        let refused = lake.run(&["submit", &nested(1_000, open, close)]);
        let error = String::from_utf8_lossy(&refused.stderr);
        let is_told = refused.status.code().is_some_and(|code| code != 0) && error.contains("CW0102");
        assert!(is_told, "{open}: {:?} {error}", refused.status);
    }
    let drained = lake.run(&["worker", "--drain", "--slots", "2"]);
    assert_eq!(drained.status.code(), Some(0), "{}", String::from_utf8_lossy(&drained.stderr));
    let outcomes = lake.query("SELECT outcome FROM system.attempts WHERE outcome NOT IN ('succeeded', 'failed')");
    assert!(outcomes.is_empty(), "{outcomes:?}");
    submit(&lake, &["INSERT INTO a.t SELECT 1"]);
    lake.ok(&["worker", "--drain"]);
    assert_eq!(lake.query("SELECT count(*) AS n FROM a.t")[0]["n"], 2);
}
