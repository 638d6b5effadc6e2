//! Parameters of statements, pipelines and jobs, through the binary.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::product::Product;

fn lake() -> Product {
    let lake = Product::init();
    lake.ok(&[
        "sql",
        "-c",
        "CREATE SCHEMA a; CREATE TABLE a.t AS SELECT * FROM (VALUES (1, 'x'), (2, 'y')) AS v(n, name)",
    ]);
    lake
}

/// Writes a pipeline and returns its folder.
fn pipeline(lake: &Product, manifest: &str, steps: &[(&str, &str)]) -> String {
    let folder: PathBuf = lake.folder().join("pipeline");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("pipeline.toml"), manifest).unwrap();
    for (name, text) in steps {
        std::fs::write(folder.join(format!("{name}.sql")), text).unwrap();
    }
    folder.to_str().unwrap().to_owned()
}

fn refused(lake: &Product, args: &[&str]) -> String {
    let output = lake.run(args);
    assert!(!output.status.success(), "{args:?}: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// Runs a pipeline and returns the state of each step.
fn run(lake: &Product, folder: &str, params: &[&str]) -> Vec<String> {
    let params = params.iter().flat_map(|param| ["--param", param]);
    let args: Vec<&str> = ["run", folder, "--json"].into_iter().chain(params).collect();
    let summary: Value = serde_json::from_str(&lake.ok(&args)).unwrap();
    summary["steps"].as_array().unwrap().iter().map(|step| step["status"].as_str().unwrap().to_owned()).collect()
}

fn last_runs(lake: &Product) -> Vec<String> {
    let runs = lake.query("SELECT run FROM system.runs WHERE pipeline IS NOT NULL ORDER BY run DESC");
    runs.iter().map(|run| run["run"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_statement_takes_values_and_all_of_them() {
    let lake = lake();
    let rows = lake.ok(&["sql", "--format", "csv", "-c", "SELECT name FROM a.t WHERE n = :n", "--param", "n=2"]);
    assert_eq!(rows, "name\ny\n");
    let hostile = "name=x'; DROP TABLE a.t; --";
    let rows = lake.ok(&["sql", "--format", "csv", "-c", "SELECT :name AS given", "--param", hostile]);
    assert_eq!(rows, "given\nx'; DROP TABLE a.t; --\n");
    assert_eq!(lake.query("SELECT count(*) AS n FROM a.t")[0]["n"], 2);
    let target = lake.folder().join("exports/one.csv");
    let copy = format!("COPY (SELECT n FROM a.t WHERE n = :n) TO '{}'", target.display());
    lake.ok(&["sql", "-c", &copy, "--param", "n=2"]);
    assert_eq!(std::fs::read_to_string(target).unwrap(), "n\n2\n");
    let error = refused(&lake, &["sql", "-c", "SELECT 1 FROM a.t WHERE n = :n", "--param", "m=2", "--param", "n=1"]);
    assert!(error.contains("CW0110") && error.contains("nothing uses parameter `m`"), "{error}");
    for (given, expected) in [
        ("n=2026-02-30", "a date is a day of the calendar"),
        ("n=99999999999999999999", "a bigint is a whole number"),
        ("n:double=NaN", "finite"),
        ("n:datum=1", "there is no type `datum`"),
    ] {
        let error = refused(&lake, &["sql", "-c", "SELECT :n", "--param", given]);
        assert!(error.contains("CW0110") && error.contains(expected), "{given}: {error}");
    }
}

#[test]
fn a_job_keeps_its_values_and_its_run_records_them() {
    let lake = lake();
    let insert = "INSERT INTO a.t VALUES (:n, :name)";
    let name = "name=it's; DROP";
    lake.ok(&["submit", insert, "--param", "n=7", "--param", name, "--key", "k"]);
    lake.ok(&["submit", insert, "--param", "n=7", "--param", name, "--key", "k"]);
    let error = refused(&lake, &["submit", insert, "--param", "n=8", "--param", name, "--key", "k"]);
    assert!(error.contains("CW0402"), "the same key for other values: {error}");
    for params in [&["n=7"][..], &["n=7", name, "x=1"]] {
        let params = params.iter().flat_map(|param| ["--param", param]);
        let args: Vec<&str> = ["submit", insert].into_iter().chain(params).collect();
        assert!(refused(&lake, &args).contains("CW0110"), "{args:?}");
    }
    lake.ok(&["worker", "--drain"]);
    assert_eq!(lake.query("SELECT name FROM a.t WHERE n = 7"), [json!({"name": "it's; DROP"})]);
    let jobs: Value = serde_json::from_str(&lake.ok(&["jobs", "--json"])).unwrap();
    assert_eq!(jobs.as_array().unwrap().len(), 1);
    let expected = json!({"n": {"bigint": 7}, "name": {"text": "it's; DROP"}});
    assert_eq!((&jobs[0]["parameters"], &jobs[0]["state"]), (&expected, &"succeeded".into()));
    let recorded = lake.query(
        "SELECT j.parameters AS job, r.parameters AS run FROM system.jobs j JOIN system.runs r ON r.run = j.run",
    );
    let parse = |value: &Value| serde_json::from_str::<Value>(value.as_str().unwrap()).unwrap();
    assert_eq!((parse(&recorded[0]["job"]), parse(&recorded[0]["run"])), (expected.clone(), expected));
    let steps = lake.query("SELECT sql FROM system.steps WHERE step = 'statement'");
    assert_eq!(steps[0]["sql"], insert, "the record holds the statement as written");
}

#[test]
fn a_pipeline_does_again_what_another_value_changes() {
    let lake = lake();
    let steps = [
        (
            "1_day",
            "-- check: SELECT count(*) = 1 FROM a.day WHERE day = :day\nCREATE OR REPLACE TABLE a.day AS SELECT :day AS day;",
        ),
        ("2_other", "CREATE OR REPLACE TABLE a.other AS SELECT count(*) AS n FROM a.t WHERE n > :least;"),
    ];
    let folder = pipeline(&lake, "name = \"days\"\n", &steps);
    let error = refused(&lake, &["run", &folder, "--param", "day=2026-01-01"]);
    assert!(error.contains("CW0110") && error.contains(":least"), "{error}");
    let first = ["day=2026-01-01", "least=1"];
    assert_eq!(run(&lake, &folder, &first), ["succeeded", "succeeded"]);
    assert_eq!(run(&lake, &folder, &first), ["up_to_date", "up_to_date"]);
    assert_eq!(run(&lake, &folder, &["day=2026-01-02", "least=1"]), ["succeeded", "up_to_date"]);
    assert_eq!(
        run(&lake, &folder, &["day:text=2026-01-02", "least=1"]),
        ["succeeded", "up_to_date"],
        "the type counts"
    );
    assert_eq!(run(&lake, &folder, &first), ["succeeded", "up_to_date"]);
    assert_eq!(lake.query("SELECT CAST(day AS TEXT) AS day FROM a.day")[0]["day"], "2026-01-01");
    let runs = last_runs(&lake);
    let reproduced = lake.ok(&["reproduce", &runs[2]]);
    assert!(reproduced.contains("1_day"), "{reproduced}");
    let differences = String::from_utf8(lake.run(&["diff", &runs[2], &runs[0]]).stdout).unwrap();
    assert!(differences.contains("parameter :day"), "{differences}");
    assert!(lake.ok(&["plan", &folder]).contains("needs  :day"));
}

#[test]
fn a_schedule_gives_its_slot() {
    let lake = lake();
    let step =
        [("1_slot", "CREATE OR REPLACE TABLE a.slot AS SELECT :slot_start AS s, :slot_end AS e, :run_date AS d;")];
    let folder = pipeline(&lake, "name = \"slots\"\n", &step);
    assert!(refused(&lake, &["run", &folder]).contains("a schedule gives it"));
    let error = refused(&lake, &["run", &folder, "--param", "slot_start=2026-01-01T00:00:00Z"]);
    assert!(error.contains(":slot_end"), "{error}");
    let manifest = "name = \"slots\"\n[schedule]\ncron = \"0 0 1 1 *\"\nzone = \"Asia/Kolkata\"\n";
    let folder = pipeline(&lake, manifest, &step);
    assert_eq!(run(&lake, &folder, &[]), ["succeeded"]);
    assert_eq!(run(&lake, &folder, &[]), ["up_to_date"], "the slot is the same until the next one ends");
    let rows = lake.query("SELECT e > s + INTERVAL '364 days' AS year, date_part('doy', d) AS day FROM a.slot");
    assert_eq!((&rows[0]["year"], &rows[0]["day"]), (&true.into(), &1.into()));
    let given = ["slot_start=2025-12-31T18:30:00Z", "slot_end=2026-01-01T18:30:00Z"];
    assert_eq!(run(&lake, &folder, &given), ["succeeded"]);
    assert_eq!(lake.query("SELECT CAST(d AS TEXT) AS d FROM a.slot")[0]["d"], "2026-01-01", "in the schedule's zone");
    lake.ok(&["submit", "--pipeline", &folder]);
    lake.ok(&["worker", "--drain"]);
    let jobs: Value = serde_json::from_str(&lake.ok(&["jobs", "--json"])).unwrap();
    assert_eq!(jobs[0]["state"], "succeeded");
    assert!(jobs[0]["parameters"]["slot_end"]["timestamp"].as_str().unwrap().ends_with("18:30:00Z"), "{jobs}");
}

#[test]
fn a_manifest_gives_values_that_nobody_gives() {
    let lake = lake();
    let step =
        [("1_step", "CREATE OR REPLACE TABLE a.given AS SELECT :site AS site, :name AS name, :run_date AS day;")];
    let values = "[parameters]\nsite = 3\nname = \"it's; DROP\"\n";
    let rule = "[schedule]\ncron = \"0 0 * * *\"\n";
    let bare = pipeline(&lake, &format!("name = \"given\"\n{rule}"), &step);
    let error = refused(&lake, &["schedule", "add", &bare]);
    assert!(error.contains("CW0605") && error.contains("[parameters]"), "{error}");
    let unused = pipeline(&lake, &format!("name = \"given\"\n{values}sit = 4\n{rule}"), &step);
    let error = refused(&lake, &["run", &unused]);
    assert!(error.contains("CW0601") && error.contains("did you mean `site`?"), "{error}");
    let folder = pipeline(&lake, &format!("name = \"given\"\n{values}{rule}"), &step);
    let given = || lake.query("SELECT site, name FROM a.given").remove(0);
    assert_eq!(run(&lake, &folder, &["site=4"]), ["succeeded"]);
    assert_eq!(given(), json!({"site": 4, "name": "it's; DROP"}), "what is given goes before the manifest");
    lake.ok(&["schedule", "add", &folder]);
    lake.ok(&["backfill", "given", "--from", "2026-01-01", "--to", "2026-01-01"]);
    assert_eq!(lake.ok(&["scheduler", "--once"]), "1 jobs queued\n");
    lake.ok(&["worker", "--drain"]);
    assert_eq!(given(), json!({"site": 3, "name": "it's; DROP"}));
    let recorded = lake.query("SELECT r.parameters AS p FROM system.jobs j JOIN system.runs r ON r.run = j.run");
    assert!(recorded[0]["p"].as_str().unwrap().contains(r#""site":{"bigint":3}"#), "{recorded:?}");
}
