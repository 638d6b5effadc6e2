//! What runs, what is passed over, what is stopped.

use causeway_jobs::StepStatus::{Blocked, Failed, Succeeded, UpToDate};
use causeway_jobs::{Change, JobsError, Plan, RunOutcome};
use causeway_model::{RunState, StepState};

use crate::lab::{Lab, statuses, step};

const THREE: [(&str, &str); 3] = [
    ("10_one", "CREATE OR REPLACE TABLE main.one AS SELECT 1 AS x"),
    ("20_two", "CREATE OR REPLACE TABLE main.two AS SELECT x + 1 AS x FROM main.one"),
    ("30_other", "CREATE OR REPLACE TABLE main.other AS SELECT 7 AS y"),
];

#[tokio::test]
async fn a_second_run_does_nothing_and_says_so() {
    let lab = Lab::new().await;
    lab.pipeline(&THREE);
    let first = lab.run().await;
    assert_eq!((first.outcome, first.nothing_to_do, first.totals.n_succeeded), (RunOutcome::Succeeded, false, 3));
    assert_eq!(lab.query("SELECT x FROM main.two").await, "2");
    let second = lab.run().await;
    assert!(second.nothing_to_do && second.outcome == RunOutcome::Succeeded);
    assert_eq!(step(&second, "20_two").outputs, step(&first, "20_two").outputs);
    assert_eq!(lab.n_versions("two").await, 1);
}

#[tokio::test]
async fn a_changed_step_runs_with_those_that_read_it_and_no_others() {
    let lab = Lab::new().await;
    lab.pipeline(&THREE);
    lab.run().await;
    lab.write("10_one.sql", "CREATE OR REPLACE TABLE main.one AS SELECT 10 AS x");
    let summary = lab.run().await;
    assert_eq!(statuses(&summary), [("10_one", Succeeded), ("20_two", Succeeded), ("30_other", UpToDate)]);
    assert_eq!(lab.query("SELECT x FROM main.two").await, "11");
}

#[tokio::test]
async fn a_failed_step_stops_its_descendants_only() {
    let lab = Lab::new().await;
    lab.pipeline(&[
        ("10_bad", "CREATE OR REPLACE TABLE main.bad AS SELECT x FROM main.missing"),
        ("20_child", "CREATE OR REPLACE TABLE main.child AS SELECT x FROM main.bad"),
        ("30_grandchild", "CREATE OR REPLACE TABLE main.grandchild AS SELECT x FROM main.child"),
        ("40_other", "CREATE OR REPLACE TABLE main.other AS SELECT 7 AS y"),
    ]);
    let summary = lab.run().await;
    assert_eq!(summary.outcome, RunOutcome::Failed);
    let expected = [("10_bad", Failed), ("20_child", Blocked), ("30_grandchild", Blocked), ("40_other", Succeeded)];
    assert_eq!(statuses(&summary), expected);
    assert_eq!(step(&summary, "30_grandchild").blocked_by, ["10_bad"]);
    assert_eq!(step(&summary, "10_bad").error.as_ref().unwrap().code, "CW0103");
    let recorded = lab.catalog().steps(Some(&summary.run)).await.unwrap();
    let states: Vec<StepState> = recorded.iter().map(|step| step.state).collect();
    assert_eq!(states, [StepState::Failed, StepState::Blocked, StepState::Blocked, StepState::Succeeded]);
    assert_eq!(lab.catalog().run(&summary.run).await.unwrap().state, RunState::Failed);
}

#[tokio::test]
async fn a_change_runs_again_when_its_table_was_made_anew() {
    let lab = Lab::new().await;
    lab.pipeline(&[
        ("10_make", "CREATE OR REPLACE TABLE main.t AS SELECT 1 AS x"),
        ("20_add", "INSERT INTO main.t SELECT CAST(2 AS BIGINT)"),
    ]);
    lab.run().await;
    assert!(lab.run().await.nothing_to_do);
    lab.write("10_make.sql", "CREATE OR REPLACE TABLE main.t AS SELECT 5 AS x");
    let summary = lab.run().await;
    assert_eq!(statuses(&summary), [("10_make", Succeeded), ("20_add", Succeeded)]);
    assert_eq!(lab.query("SELECT x FROM main.t ORDER BY x").await, "2\n5");
    assert!(lab.run().await.nothing_to_do);
}

#[tokio::test]
async fn a_pipeline_that_runs_elsewhere_is_refused() {
    let lab = Lab::new().await;
    lab.pipeline(&THREE);
    lab.run().await;
    let lock = std::fs::File::open(lab.path("state/.locks/p.lock")).unwrap();
    lock.try_lock().unwrap();
    let refused = lab.runner().run(&lab.load()).await.unwrap_err();
    assert!(matches!(refused, JobsError::Locked { .. }), "{refused}");
    drop(lock);
    lab.run().await;
}

#[tokio::test]
async fn a_plan_shows_order_inputs_and_what_changed() {
    let lab = Lab::new().await;
    lab.execute("CREATE TABLE main.outside AS SELECT 1 AS x").await;
    lab.pipeline(&THREE);
    lab.run().await;
    lab.write("10_one.sql", "CREATE OR REPLACE TABLE main.one AS SELECT 3 AS x");
    lab.write("05_new.sql", "-- check: SELECT true\nCREATE OR REPLACE TABLE main.new AS SELECT x FROM main.outside");
    let plan = Plan::new(&lab.load(), &lab.engine, None).await.unwrap();
    let changes: Vec<(&str, Change)> = plan.steps.iter().map(|step| (step.name.as_str(), step.change)).collect();
    let expected =
        [("05_new", Change::New), ("10_one", Change::Changed), ("20_two", Change::Same), ("30_other", Change::Same)];
    assert_eq!(changes, expected);
    assert_eq!(plan.inputs, ["main.outside"]);
    let text = plan.to_string();
    assert!(text.contains("  1. 05_new [create_table] new\n       reads  main.outside\n"), "{text}");
    assert!(text.contains("       after  10_one\n"), "{text}");
    let json = serde_json::to_value(&plan).unwrap();
    assert_eq!(json["steps"][0]["n_checks"], 1);
}

#[tokio::test]
async fn a_plan_tells_of_runs_that_its_user_may_see() {
    let lab = Lab::new().await;
    lab.pipeline(&THREE);
    lab.run().await;
    for sql in ["CREATE USER alice", "CREATE USER olga", "GRANT operator TO olga"] {
        lab.execute(sql).await;
    }
    let pipeline = lab.load();
    for (user, change) in [("alice", Change::New), ("olga", Change::Same)] {
        let plan = Plan::new(&pipeline, &lab.engine, Some(user)).await.unwrap();
        assert!(plan.steps.iter().all(|step| step.change == change), "{user}: {plan}");
    }
    assert!(Plan::new(&pipeline, &lab.engine, Some("mallory")).await.is_err());
}
