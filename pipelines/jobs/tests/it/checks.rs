//! Checks hold the data to what they say.

use causeway_jobs::RunOutcome;
use causeway_jobs::StepStatus::{Blocked, DoneBefore, Failed, Succeeded};
use causeway_model::StepState;

use crate::lab::{Lab, statuses, step};

#[tokio::test]
async fn a_failed_check_fails_its_step_until_it_holds() {
    let lab = Lab::new().await;
    lab.execute("CREATE TABLE main.wanted AS SELECT 2 AS n").await;
    lab.pipeline(&[
        (
            "10_a",
            "-- check: SELECT COUNT(*) = (SELECT MAX(n) FROM main.wanted) FROM main.a\n\
                  CREATE OR REPLACE TABLE main.a AS SELECT 1 AS x",
        ),
        ("20_b", "CREATE OR REPLACE TABLE main.b AS SELECT x FROM main.a"),
    ]);
    for _ in 0..2 {
        let summary = lab.run().await;
        assert_eq!((summary.outcome, summary.totals.n_checks_failed), (RunOutcome::Failed, 1));
        assert_eq!(statuses(&summary), [("10_a", Failed), ("20_b", Blocked)]);
        let error = step(&summary, "10_a").error.clone().unwrap();
        assert_eq!(error.code, "CW0608");
        assert!(error.message.starts_with("check 1 is false: SELECT COUNT(*)"), "{}", error.message);
        assert_eq!(lab.n_versions("a").await, 1, "the statement is not run again for its check");
    }
    lab.execute("CREATE OR REPLACE TABLE main.wanted AS SELECT 1 AS n").await;
    let summary = lab.run().await;
    assert_eq!((summary.outcome, summary.totals.n_checks_passed), (RunOutcome::Succeeded, 1));
    assert_eq!(statuses(&summary), [("10_a", DoneBefore), ("20_b", Succeeded)]);
    let check = lab.catalog().step(&summary.run, "10_a check 1").await.unwrap().unwrap();
    assert_eq!((check.state, check.inputs.len(), check.attempt), (StepState::Succeeded, 2, 3));
}

#[tokio::test]
async fn a_check_runs_though_its_step_is_up_to_date() {
    let lab = Lab::new().await;
    lab.execute("CREATE TABLE main.wanted AS SELECT 1 AS n").await;
    lab.pipeline(&[(
        "10_a",
        "-- check: SELECT COUNT(*) = (SELECT MAX(n) FROM main.wanted) FROM main.a\n\
         CREATE OR REPLACE TABLE main.a AS SELECT 1 AS x",
    )]);
    assert_eq!(lab.run().await.outcome, RunOutcome::Succeeded);
    assert!(lab.run().await.nothing_to_do);
    lab.execute("CREATE OR REPLACE TABLE main.wanted AS SELECT 2 AS n").await;
    assert_eq!(lab.run().await.outcome, RunOutcome::Failed);
    assert_eq!(lab.n_versions("a").await, 1);
}

#[tokio::test]
async fn a_failed_warning_check_is_recorded_and_the_run_goes_on() {
    let lab = Lab::new().await;
    lab.pipeline(&[
        ("10_a", "-- check warn: SELECT NULL::BOOLEAN\nCREATE OR REPLACE TABLE main.a AS SELECT 1 AS x"),
        ("20_b", "CREATE OR REPLACE TABLE main.b AS SELECT x FROM main.a"),
    ]);
    let summary = lab.run().await;
    assert_eq!(summary.outcome, RunOutcome::Succeeded);
    assert_eq!(statuses(&summary), [("10_a", Succeeded), ("20_b", Succeeded)]);
    assert_eq!(step(&summary, "10_a").warnings, ["check 1 is null: SELECT NULL::BOOLEAN"]);
    let check = lab.catalog().step(&summary.run, "10_a check 1").await.unwrap().unwrap();
    assert_eq!((check.state, check.error_code.as_deref()), (StepState::Failed, Some("CW0608")));
}

#[tokio::test]
async fn a_check_that_gives_no_answer_fails_its_step() {
    for (check, found) in [
        ("SELECT 1", "a column of type Int64"),
        ("SELECT true AS a, true AS b", "2 columns"),
        ("SELECT true WHERE false", "no row"),
        ("SELECT true FROM (VALUES (1), (2)) AS t(x)", "several rows"),
    ] {
        let lab = Lab::new().await;
        lab.pipeline(&[("10_a", &format!("-- check: {check}\nCREATE OR REPLACE TABLE main.a AS SELECT 1 AS x"))]);
        let summary = lab.run().await;
        let error = step(&summary, "10_a").error.clone().unwrap();
        assert_eq!(error.code, "CW0609", "{check}");
        assert!(error.message.ends_with(found), "{check}: {}", error.message);
    }
}
