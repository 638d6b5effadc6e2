//! An interrupted run goes on where it stopped, as long as what it has done still holds.

use std::sync::Arc;

use causeway_core::Cancel;
use causeway_jobs::StepStatus::{Cancelled, DoneBefore, Failed, NotStarted, Succeeded};
use causeway_jobs::{RunEvent, RunOutcome};
use causeway_lake::Marker;
use causeway_model::{NewRun, NewStep, Parameters, RunId, RunKind, RunState, StepState};
use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;

use crate::lab::{Lab, statuses};

#[tokio::test]
async fn a_failed_run_is_resumed_under_its_own_id() {
    let lab = Lab::new().await;
    lab.pipeline(&[
        ("10_a", "CREATE OR REPLACE TABLE main.a AS SELECT 1 AS x"),
        ("20_b", "CREATE OR REPLACE TABLE main.b AS SELECT a.x FROM main.a AS a JOIN main.outside AS o ON o.x = a.x"),
    ]);
    let first = lab.run().await;
    assert_eq!(statuses(&first), [("10_a", Succeeded), ("20_b", Failed)]);
    lab.execute("CREATE TABLE main.outside AS SELECT 1 AS x").await;
    let second = lab.run().await;
    assert_eq!((&second.run, second.resumed, second.outcome), (&first.run, true, RunOutcome::Succeeded));
    assert_eq!(statuses(&second), [("10_a", DoneBefore), ("20_b", Succeeded)]);
    assert_eq!(lab.n_versions("a").await, 1);
    let third = lab.run().await;
    assert!(third.run != first.run && third.nothing_to_do);
}

#[tokio::test]
async fn a_changed_file_or_step_begins_a_new_run() {
    let lab = Lab::new().await;
    lab.pipeline(&[
        ("10_a", "COPY INTO main.a FROM 'a.csv' WITH (mode => 'overwrite')"),
        ("20_b", "CREATE OR REPLACE TABLE main.b AS SELECT x FROM main.missing"),
    ]);
    lab.write("a.csv", "x\n1\n2\n");
    let first = lab.run().await;
    assert_eq!(statuses(&first), [("10_a", Succeeded), ("20_b", Failed)]);
    lab.write("a.csv", "x\n5\n");
    let second = lab.run().await;
    assert!(!second.resumed && second.run != first.run);
    assert_eq!(statuses(&second), [("10_a", Succeeded), ("20_b", Failed)]);
    assert_eq!(lab.query("SELECT x FROM main.a").await, "5");
    lab.write("20_b.sql", "CREATE OR REPLACE TABLE main.b AS SELECT x FROM main.a");
    let third = lab.run().await;
    assert!(!third.resumed && third.outcome == RunOutcome::Succeeded);
}

#[tokio::test]
async fn a_cancelled_run_stops_and_can_be_resumed() {
    let lab = Lab::new().await;
    lab.pipeline(&[
        ("10_a", "CREATE OR REPLACE TABLE main.a AS SELECT 1 AS x"),
        ("20_b", "CREATE OR REPLACE TABLE main.b AS SELECT x FROM main.a"),
        ("30_c", "CREATE OR REPLACE TABLE main.c AS SELECT x FROM main.b"),
    ]);
    let cancel = Cancel::default();
    let stop = cancel.clone();
    let events = Arc::new(move |event| {
        if matches!(&event, RunEvent::StepProgress { .. } | RunEvent::StepFinished(_)) {
            stop.cancel();
        }
    });
    let runner = lab.runner().with_cancel(cancel).with_events(events);
    let first = runner.run(&lab.load()).await.unwrap();
    assert_eq!(first.outcome, RunOutcome::Cancelled);
    let stopped: Vec<_> = statuses(&first).into_iter().map(|(_, status)| status).collect();
    assert!(matches!(stopped[0], Succeeded | Cancelled) && stopped[1..] == [NotStarted, NotStarted], "{stopped:?}");
    assert_eq!(lab.catalog().run(&first.run).await.unwrap().state, RunState::Failed);
    let second = lab.run().await;
    assert_eq!((&second.run, second.resumed, second.outcome), (&first.run, true, RunOutcome::Succeeded));
}

#[tokio::test]
async fn a_step_that_never_landed_is_not_done_by_a_changed_pipeline() {
    let lab = Lab::new().await;
    lab.execute("CREATE TABLE main.t AS SELECT CAST(0 AS BIGINT) AS x").await;
    let run = interrupted_insert(&lab, Some("p")).await;
    lab.pipeline(&[("20_b", "CREATE OR REPLACE TABLE main.b AS SELECT COUNT(*) AS n FROM main.t")]);
    assert_eq!(lab.run().await.outcome, RunOutcome::Succeeded);
    assert_eq!(lab.query("SELECT n FROM main.b").await, "1");
    let left = lab.catalog().step(&run, "insert").await.unwrap().unwrap();
    assert_eq!((left.state, left.error_code.as_deref()), (StepState::Failed, Some("CW0410")));
    assert_eq!(lab.catalog().run(&run).await.unwrap().state, RunState::Failed);
}

#[tokio::test]
async fn a_step_that_landed_is_recorded_by_a_changed_pipeline() {
    let lab = Lab::new().await;
    lab.execute("CREATE TABLE main.t AS SELECT CAST(0 AS BIGINT) AS x").await;
    let run = interrupted_insert(&lab, Some("p")).await;
    land(&lab, &run).await;
    lab.pipeline(&[("20_b", "CREATE OR REPLACE TABLE main.b AS SELECT COUNT(*) AS n FROM main.t")]);
    assert_eq!(lab.run().await.outcome, RunOutcome::Succeeded);
    assert_eq!(lab.query("SELECT n FROM main.b").await, "2");
    assert_recorded(&lab, &run, 2).await;
}

#[tokio::test]
async fn what_a_killed_statement_committed_is_recorded_by_the_next_change() {
    for change in ["UPDATE main.t SET x = x + 10", "INSERT INTO main.t SELECT x + 10 FROM main.t"] {
        let lab = Lab::new().await;
        lab.execute("CREATE TABLE main.t AS SELECT CAST(0 AS BIGINT) AS x").await;
        let run = interrupted_insert(&lab, None).await;
        land(&lab, &run).await;
        assert_eq!(lab.query("SELECT COUNT(*) FROM main.t").await, "1", "what is not recorded is not read");
        lab.execute(change).await;
        assert_eq!(lab.query("SELECT MAX(x) FROM main.t").await, "11", "{change}");
        assert_recorded(&lab, &run, 3).await;
    }
}

#[tokio::test]
async fn what_a_dropped_user_committed_is_recorded_too() {
    let lab = Lab::new().await;
    lab.execute("CREATE TABLE main.t AS SELECT CAST(0 AS BIGINT) AS x").await;
    let run = interrupted_insert_by(&lab, None, "alice").await;
    land(&lab, &run).await;
    lab.execute("UPDATE main.t SET x = x + 10").await;
    assert_eq!(lab.query("SELECT SUM(x) FROM main.t").await, "21");
    assert_recorded(&lab, &run, 3).await;
}

/// A table of two rows, of which `alice` sees one.
async fn policed(lab: &Lab) {
    for sql in [
        "CREATE TABLE main.t AS SELECT x FROM (VALUES (1), (2)) AS v(x)",
        "CREATE USER alice",
        "GRANT SELECT, CREATE ON SCHEMA main TO alice",
        "CREATE POLICY one ON main.t TO alice USING (x = 1)",
    ] {
        lab.execute(sql).await;
    }
}

async fn run_as_alice(lab: &Lab) -> causeway_jobs::RunSummary {
    lab.runner().with_user(Some("alice".to_owned())).run(&lab.load()).await.unwrap()
}

#[tokio::test]
async fn a_run_is_resumed_by_its_own_actor_only() {
    let lab = Lab::new().await;
    policed(&lab).await;
    lab.pipeline(&[
        ("10_a", "CREATE OR REPLACE TABLE main.a AS SELECT COUNT(*) AS n FROM main.t"),
        ("20_b", "CREATE OR REPLACE TABLE main.b AS SELECT x FROM main.missing"),
    ]);
    let hers = run_as_alice(&lab).await;
    assert_eq!(statuses(&hers), [("10_a", Succeeded), ("20_b", Failed)]);
    assert_eq!(lab.query("SELECT n FROM main.a").await, "1");
    let theirs = lab.run().await;
    assert!(!theirs.resumed && theirs.run != hers.run);
    assert_eq!(statuses(&theirs), [("10_a", Succeeded), ("20_b", Failed)]);
    assert_eq!(lab.query("SELECT n FROM main.a").await, "2");
}

#[tokio::test]
async fn what_narrowed_rights_made_is_not_up_to_date_for_others() {
    let lab = Lab::new().await;
    policed(&lab).await;
    lab.pipeline(&[("10_a", "CREATE OR REPLACE TABLE main.a AS SELECT COUNT(*) AS n FROM main.t")]);
    assert_eq!(statuses(&run_as_alice(&lab).await), [("10_a", Succeeded)]);
    assert!(run_as_alice(&lab).await.nothing_to_do);
    assert_eq!(statuses(&lab.run().await), [("10_a", Succeeded)]);
    assert_eq!(lab.query("SELECT n FROM main.a").await, "2");
}

/// Leaves what a process leaves that is killed while it inserts a row into `main.t`.
async fn interrupted_insert(lab: &Lab, pipeline: Option<&str>) -> RunId {
    interrupted_insert_by(lab, pipeline, "admin").await
}

async fn interrupted_insert_by(lab: &Lab, pipeline: Option<&str>, actor: &str) -> RunId {
    let run = RunId("00000000-0000-7000-8000-000000000000".to_owned());
    let new = NewRun {
        id: run.clone(),
        kind: if pipeline.is_some() { RunKind::Pipeline } else { RunKind::Statement },
        pipeline: pipeline.map(str::to_owned),
        pipeline_digest: pipeline.map(|_| "another".to_owned()),
        engine_version: "test".to_owned(),
        actor: actor.to_owned(),
        parameters: Parameters::default(),
    };
    lab.catalog().begin_run(&new).await.unwrap();
    let step = NewStep {
        run: run.clone(),
        ordinal: 0,
        name: "insert".to_owned(),
        kind: "insert".to_owned(),
        sql: "INSERT INTO main.t SELECT CAST(1 AS BIGINT)".to_owned(),
        fingerprint: "f".to_owned(),
        seed: 0,
        inputs: Vec::new(),
        lease: None,
    };
    lab.catalog().begin_step(&step).await.unwrap();
    run
}

/// Commits the row of the interrupted insert.
async fn land(lab: &Lab, run: &RunId) {
    let rows = RecordBatch::try_from_iter([("x", Arc::new(Int64Array::from(vec![1])) as ArrayRef)]).unwrap();
    let stream = RecordBatchStreamAdapter::new(rows.schema(), futures::stream::iter([Ok(rows)]));
    let marker = Marker(format!("causeway/{run}/insert"));
    lab.engine.lake().append("main/t", vec![Box::pin(stream)], &marker).await.unwrap();
}

async fn assert_recorded(lab: &Lab, run: &RunId, n_versions: usize) {
    let step = lab.catalog().step(run, "insert").await.unwrap().unwrap();
    assert_eq!((step.state, step.outputs.len()), (StepState::Succeeded, 1));
    assert_eq!(lab.n_versions("t").await, n_versions);
}
