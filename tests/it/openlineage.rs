//! Lineage events from a real run to a file and to an endpoint, checked against the official schemas.

#[path = "../../catalog/openlineage/tests/it/endpoint.rs"]
pub(crate) mod endpoint;
#[path = "../../catalog/openlineage/tests/it/schemas.rs"]
mod schemas;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::product::{Product, repository};
use endpoint::{Answer, Endpoint, Request};
use schemas::event_faults;

/// One statement: a run and its step, each with start and end.
const STATEMENT: &str = "CREATE OR REPLACE TABLE main.t AS SELECT 1 AS n";
const EVENTS_OF_STATEMENT: usize = 4;

fn lake(settings: &str) -> Product {
    let lake = Product::init();
    let mut file = std::fs::OpenOptions::new().append(true).open(lake.folder().join("causeway.toml")).unwrap();
    writeln!(file, "\n[openlineage]\n{settings}").unwrap();
    lake
}

fn to_endpoint(endpoint: &Endpoint, settings: &str) -> Product {
    lake(&format!("url = '{}'\n{settings}", endpoint.url))
}

/// Returns the lines of the lake's file of events; each is valid.
fn told(lake: &Product) -> Vec<Value> {
    let text = std::fs::read_to_string(lake.folder().join("events.ndjson")).unwrap();
    text.lines().map(valid).collect()
}

fn valid(line: &str) -> Value {
    let event: Value = serde_json::from_str(line).unwrap();
    let faults = event_faults(&event);
    assert!(faults.is_empty(), "{}\n{event:#}", faults.join("\n"));
    event
}

fn what(event: &Value) -> (&str, &str) {
    (event["job"]["name"].as_str().unwrap(), event["eventType"].as_str().unwrap())
}

fn status(lake: &Product) -> Value {
    serde_json::from_str(&lake.ok(&["openlineage", "status", "--json"])).unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_pipeline_is_told_to_a_file_and_every_line_is_valid() {
    let lake = lake("url = 'file://events.ndjson'");
    lake.ok(&["run", repository("pipelines/recipes/clinical").to_str().unwrap()]);
    let events = told(&lake);
    let first = what(&events[0]);
    assert_eq!((first.1, what(events.last().unwrap())), ("START", (first.0, "COMPLETE")));
    let recorded = lake.query("SELECT type, event FROM system.openlineage WHERE delivered_at IS NOT NULL ORDER BY id");
    let recorded: Vec<Value> = recorded.iter().map(|row| valid(row["event"].as_str().unwrap())).collect();
    let without_inputs =
        |events: &[Value]| -> Vec<String> { events.iter().map(|event| event["run"].to_string()).collect() };
    assert_eq!(without_inputs(&recorded), without_inputs(&events));
    let curve = events.iter().find(|event| what(event).1 == "COMPLETE" && !event["outputs"][0].is_null());
    assert!(curve.is_some_and(|event| event["outputs"][0]["facets"]["columnLineage"].is_object()));
    let read = events.iter().flat_map(|event| event["inputs"].as_array().unwrap());
    let paths: Vec<&str> =
        read.map(|input| input["name"].as_str().unwrap()).filter(|path| path.ends_with(".csv")).collect();
    assert!(!paths.is_empty() && paths.iter().all(|path| std::path::Path::new(path).is_file()), "{paths:?}");
    let runs: BTreeSet<&str> = events.iter().filter_map(|event| event["run"]["runId"].as_str()).collect();
    for run in runs {
        let of_run = events.iter().filter(|event| event["run"]["runId"] == run).map(|event| what(event).1);
        assert_eq!(of_run.collect::<Vec<_>>(), ["START", "COMPLETE"]);
    }
    let n_events = events.len();
    lake.ok(&["sql", "-c", "SELECT 1"]);
    assert_eq!(told(&lake).len(), n_events);
    let failed =
        lake.run(&["sql", "-c", "CREATE TABLE main.u AS SELECT CAST('x' || v AS INT) AS n FROM (VALUES (1)) AS t(v)"]);
    assert!(!failed.status.success());
    let events = told(&lake);
    let types: Vec<&str> = events[n_events..].iter().map(|event| what(event).1).collect();
    assert_eq!(types, ["START", "START", "FAIL", "FAIL"]);
    let message = events[n_events + 2]["run"]["facets"]["errorMessage"]["message"].as_str().unwrap();
    assert!(message.starts_with("CW"), "{message}");
}

#[test]
fn an_endpoint_that_fails_twice_gets_every_event_once_it_answers() {
    let endpoint = Endpoint::answering(&[Answer::Status(503, ""), Answer::Hang]);
    let lake = to_endpoint(&endpoint, "namespace = 'north'\nsend_sql = false\ndeadline_ms = 60000");
    let output = lake.command(&["sql", "-c", STATEMENT]).env("CAUSEWAY_OPENLINEAGE_TOKEN", "s3cret").output().unwrap();
    assert!(output.status.success() && !said(&output).contains("warning"), "{}", said(&output));
    let requests = endpoint.requests();
    assert_eq!(requests.len(), 2 + EVENTS_OF_STATEMENT);
    let key = |request: &Request| request.header("idempotency-key").unwrap().to_owned();
    assert!(requests[..3].iter().all(|request| key(request) == key(&requests[0])));
    let keys: BTreeSet<String> = requests.iter().map(key).collect();
    assert_eq!(keys.len(), EVENTS_OF_STATEMENT);
    for request in &requests {
        assert_eq!(request.line, "POST /api/v1/lineage HTTP/1.1");
        assert_eq!(request.header("authorization"), Some("Bearer s3cret"));
        let event = valid(&request.body);
        assert_eq!((&event["job"]["namespace"], event["job"]["facets"].get("sql")), (&Value::from("north"), None));
    }
    assert_eq!(status(&lake)["waiting"], 0);
    assert!(!said(&output).contains("s3cret"));
}

#[test]
fn a_receiver_that_is_down_fails_no_command_and_gets_all_later() {
    let lake = lake("url = 'http://127.0.0.1:9/api'\nmax_attempts = 1");
    let output = lake.run(&["sql", "-c", STATEMENT]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("warning: lineage events wait: "), "{}", said(&output));
    let shown = status(&lake);
    assert_eq!((&shown["waiting"], &shown["held"]), (&Value::from(EVENTS_OF_STATEMENT), &Value::Array(Vec::new())));
    assert_eq!(shown["last_failure"]["code"], "CW0904");
    let checks: Value = serde_json::from_str(&lake.ok(&["doctor", "--json"])).unwrap();
    let check = checks.as_array().unwrap().iter().find(|check| check["check"] == "lineage events").unwrap();
    assert_eq!(check["verdict"], "warn");
    assert!(check["found"].as_str().unwrap().contains("no connection"), "{check}");
    assert_eq!(lake.run(&["openlineage", "deliver"]).status.code(), Some(1));
    let endpoint = Endpoint::answering(&[]);
    let deliver = || {
        let mut command = lake.command(&["openlineage", "deliver", "--json"]);
        serde_json::from_slice::<Value>(
            &command.env("CAUSEWAY_OPENLINEAGE_URL", &endpoint.url).output().unwrap().stdout,
        )
    };
    assert_eq!(deliver().unwrap()["delivered"], EVENTS_OF_STATEMENT);
    assert_eq!(deliver().unwrap()["delivered"], 0);
    let types: Vec<Value> =
        endpoint.requests().iter().map(|request| valid(&request.body)["eventType"].clone()).collect();
    assert_eq!(types, ["START", "START", "COMPLETE", "COMPLETE"]);
    assert!(lake.ok(&["openlineage", "forget"]).starts_with("0 "));
    assert!(lake.ok(&["openlineage", "forget", "--days", "0"]).starts_with("4 "));
    assert_eq!(lake.query("SELECT * FROM system.openlineage").len(), 0);
}

#[test]
fn old_events_are_kept_in_a_table_before_they_go() {
    let lake = Product::init();
    lake.ok(&["sql", "-c", STATEMENT]);
    let forget = ["openlineage", "forget", "--days", "0", "--waiting", "--archive", "old.events"];
    let told = lake.ok(&forget);
    assert!(told.starts_with("4 lineage events archived\n4 lineage events deleted"), "{told}");
    let rows = lake.query("SELECT type, event FROM old.events ORDER BY id");
    assert_eq!(
        rows.iter().map(|row| row["type"].as_str().unwrap()).collect::<Vec<_>>(),
        ["START", "START", "COMPLETE", "COMPLETE"]
    );
    valid(rows[0]["event"].as_str().unwrap());
    lake.ok(&["sql", "-c", STATEMENT]);
    lake.ok(&forget);
    let ids = lake.query("SELECT count(*) AS n, count(DISTINCT id) AS ids FROM old.events");
    assert_eq!(ids[0]["n"], ids[0]["ids"]);
    assert!(ids[0]["n"].as_i64().unwrap() >= 8);
    assert_eq!(lake.run(&["openlineage", "forget", "--archive", "old"]).status.code(), Some(2));
    lake.ok(&["audit", "verify"]);
}

#[test]
fn a_process_killed_between_sending_and_recording_sends_the_same_event_again() {
    let silent = Endpoint::answering(&[Answer::Silence(Duration::from_secs(60))]);
    let lake = to_endpoint(&silent, "timeout_ms = 1000\nmax_attempts = 1\ndeadline_ms = 0");
    lake.ok(&["sql", "-c", STATEMENT]);
    assert!(silent.requests().is_empty(), "deadline_ms = 0 leaves delivery to the command");
    let mut child = lake.start(&["openlineage", "deliver"]);
    let started = Instant::now();
    while silent.requests().is_empty() {
        assert!(started.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let endpoint = Endpoint::answering(&[]);
    let output =
        lake.command(&["openlineage", "deliver"]).env("CAUSEWAY_OPENLINEAGE_URL", &endpoint.url).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "4 lineage events delivered, 0 wait\n", "{}", said(&output));
    let (first, again) = (silent.requests().remove(0), endpoint.requests().remove(0));
    assert_eq!(first.header("idempotency-key"), again.header("idempotency-key"));
    assert_eq!(first.body, again.body);
}

#[test]
fn a_refused_event_holds_its_run_until_somebody_has_looked() {
    let endpoint = Endpoint::answering(&[Answer::Status(422, "")]);
    let lake = to_endpoint(&endpoint, "");
    let output = lake.run(&["sql", "-c", STATEMENT]);
    assert!(output.status.success() && said(&output).contains("events of 1 runs are held back"), "{}", said(&output));
    lake.ok(&["sql", "-c", STATEMENT]);
    assert_eq!(endpoint.requests().len(), 1 + EVENTS_OF_STATEMENT);
    assert_eq!(status(&lake)["held"].as_array().unwrap().len(), 1);
    let rows = lake.query("SELECT error_code, n_failures FROM system.openlineage WHERE held");
    assert_eq!((rows.len(), &rows[0]["error_code"]), (1, &Value::from("CW0905")));
    assert_eq!(lake.run(&["openlineage", "deliver"]).status.code(), Some(1));
    lake.ok(&["openlineage", "deliver", "--held"]);
    assert_eq!(status(&lake)["waiting"], 0);
}

#[test]
fn the_file_of_events_and_the_token_are_closed_to_statements() {
    let lake = lake("url = 'file://events.ndjson'\ntoken_file = 'token.csv'");
    std::fs::write(lake.folder().join("token.csv"), "s3cret\n").unwrap();
    lake.ok(&["sql", "-c", STATEMENT]);
    for sql in ["SELECT * FROM read_json('events.ndjson')", "SELECT * FROM read_csv('token.csv')"] {
        let refused = lake.command(&["sql", "-c", sql]).current_dir(lake.folder()).output().unwrap();
        assert!(said(&refused).contains("CW0107") && !said(&refused).contains("s3cret"), "{}", said(&refused));
    }
}

#[test]
fn events_are_not_shown_to_those_who_may_not_see_the_whole_record() {
    let lake = Product::init();
    lake.ok(&["sql", "-c", "CREATE USER alice"]);
    let rows = "SELECT count(*) AS n FROM system.openlineage";
    assert_eq!(lake.query(rows)[0]["n"], EVENTS_OF_STATEMENT);
    assert_eq!(lake.ok(&["--user", "alice", "sql", "--format", "csv", "-c", rows]), "n\n0\n");
    assert_eq!(lake.run(&["--user", "alice", "openlineage", "status"]).status.code(), Some(2));
}
