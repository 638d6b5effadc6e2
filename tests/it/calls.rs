//! `CALL` on the queue of jobs, through the binary.

use serde_json::Value;

use crate::product::Product;

fn lake() -> Product {
    let lake = Product::init();
    lake.ok(&["sql", "-c", "CREATE SCHEMA a; CREATE TABLE a.t AS SELECT CAST(0 AS BIGINT) AS n"]);
    lake
}

fn called(lake: &Product, sql: &str) -> Value {
    lake.query(sql).remove(0)
}

fn jobs(lake: &Product) -> Vec<Value> {
    lake.query("SELECT job, state, key FROM system.jobs ORDER BY job")
}

#[test]
fn a_job_is_queued_and_run_again_from_sql() {
    let lake = lake();
    let row = called(&lake, "CALL submit_job('INSERT INTO a.t SELECT :n', params => ARRAY['n=7'], priority => 3)");
    assert_eq!((&row["job"], &row["state"]), (&1.into(), &"queued".into()));
    assert_eq!(called(&lake, "CALL cancel_job(1)")["state"], "cancelled");
    assert_eq!(called(&lake, "CALL retry_job(1)")["state"], "queued");
    lake.ok(&["worker", "--drain"]);
    assert_eq!(lake.query("SELECT n FROM a.t WHERE n = 7").len(), 1);
    let refused = lake.run(&["sql", "-c", "CALL retry_job(1)"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("only a dead or cancelled one"), "{refused:?}");
    let recorded = lake.query("SELECT count(*) AS n FROM system.audit WHERE action = 'job'");
    assert_eq!(recorded[0]["n"], 5, "submitted, stopped with its end, run again, ended");
}

#[test]
fn a_step_queues_one_job_however_often_it_is_tried() {
    let lake = lake();
    let folder = lake.folder().join("pipeline");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("pipeline.toml"), "name = \"calls\"\n").unwrap();
    std::fs::write(folder.join("1_fill.sql"), "CREATE OR REPLACE TABLE a.filled AS SELECT 1 AS n;\n").unwrap();
    std::fs::write(folder.join("2_call.sql"), "CALL submit_job('INSERT INTO a.t SELECT 7');\n").unwrap();
    let check =
        "-- check: SELECT count(*) > 0 FROM a.t WHERE n = 7\nCREATE OR REPLACE TABLE a.last AS SELECT 1 AS n;\n";
    std::fs::write(folder.join("3_after.sql"), check).unwrap();
    let run = |succeeds: bool| {
        let output = lake.run(&["run", folder.to_str().unwrap()]);
        assert_eq!(output.status.success(), succeeds, "{output:?}");
    };
    run(false);
    assert_eq!(jobs(&lake).len(), 1);
    run(false);
    assert_eq!(jobs(&lake).len(), 1, "the same run goes on, the step is done");
    lake.ok(&["worker", "--drain"]);
    run(true);
    assert_eq!(jobs(&lake).len(), 1);
    run(true);
    let jobs = jobs(&lake);
    assert_eq!(jobs.len(), 2, "another run asks for another job: {jobs:?}");
    assert_ne!(jobs[0]["key"], jobs[1]["key"]);
    let plan: Value = serde_json::from_str(&lake.ok(&["plan", folder.to_str().unwrap(), "--json"])).unwrap();
    assert_eq!(plan["steps"][1]["after"], serde_json::json!(["1_fill"]), "a call follows what is named before it");
}

#[test]
fn a_pipeline_outside_the_allowed_folders_is_not_read() {
    let lake = lake();
    let other = tempfile::tempdir().unwrap();
    std::fs::write(other.path().join("pipeline.toml"), "secret").unwrap();
    let refused = lake.run(&["sql", "-c", &format!("CALL submit_job(pipeline => '{}')", other.path().display())]);
    let error = String::from_utf8_lossy(&refused.stderr);
    assert!(error.contains("CW0502") && !error.contains("secret"), "{error}");
}

/// The last job's terms.
fn terms(lake: &Product) -> Value {
    let row = lake.query("SELECT * FROM system.jobs ORDER BY job DESC LIMIT 1").remove(0);
    let terms = ["priority", "concurrency_group", "group_limit", "max_attempts", "timeout_ms", "memory_limit_bytes"];
    terms.iter().map(|term| row[term].clone()).collect()
}

#[test]
fn terms_are_those_of_the_call_then_of_the_pipeline_then_the_usual() {
    let lake = lake();
    let folder = lake.folder().join("pipeline");
    std::fs::create_dir_all(&folder).unwrap();
    let manifest = "name = \"fill\"\n[job]\nattempts = 7\npriority = 60\ntimeout_seconds = 9\n";
    std::fs::write(folder.join("pipeline.toml"), manifest).unwrap();
    std::fs::write(folder.join("1_fill.sql"), "CREATE OR REPLACE TABLE a.filled AS SELECT 1 AS n;\n").unwrap();
    let folder = folder.display();
    called(&lake, "CALL submit_job('INSERT INTO a.t SELECT 1')");
    assert_eq!(terms(&lake), serde_json::json!([0, null, null, 3, null, null]));
    called(
        &lake,
        &format!(
            "CALL submit_job(pipeline => '{folder}', group => 'site', group_limit => 2, attempts => 1, \
             memory_limit_bytes => 67108864)"
        ),
    );
    assert_eq!(terms(&lake), serde_json::json!([60, "site", 2, 1, 9000, 67_108_864]));
    lake.ok(&["submit", "--pipeline", &folder.to_string()]);
    assert_eq!(terms(&lake), serde_json::json!([60, "pipeline fill", 1, 7, 9000, null]));
    for (option, said) in [
        ("attempts => 0", "attempts must be at least 1 and at most 100"),
        ("memory_limit_bytes => 5", "memory_limit_bytes must be at least 16777216"),
        ("timeout_seconds => -1", "timeout_seconds must be at least 1"),
        ("group_limit => 2", "group_limit needs a group"),
        ("atempts => 2", "did you mean `attempts`"),
    ] {
        let refused = lake.run(&["sql", "-c", &format!("CALL submit_job('INSERT INTO a.t SELECT 1', {option})")]);
        let error = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && error.contains(said), "{option}: {error}");
    }
}
