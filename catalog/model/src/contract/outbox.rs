//! The outbox: what is recorded to be told, and how the telling is kept.

use super::fixtures::*;
use crate::{Catalog, Change, Failure, OutboxStatus, RunState, StepOutcome, StepState};

fn failure(message: &str) -> Failure {
    Failure { code: "CW0904".into(), message: message.into() }
}

/// `run-number step-name attempt TRANSITION` of all that waits.
async fn waiting(catalog: &dyn Catalog) -> Vec<String> {
    let mut lines = Vec::new();
    for change in catalog.pending_changes(100).await.unwrap() {
        let step = match change.step {
            Some(step) => catalog.step_by_id(step).await.unwrap().name,
            None => "-".into(),
        };
        let run = &change.run.0[change.run.0.len() - 1..];
        lines.push(format!("{run} {step} {} {}", change.attempt, change.transition.name()));
    }
    lines
}

async fn pending(catalog: &dyn Catalog) -> Vec<Change> {
    catalog.pending_changes(100).await.unwrap()
}

pub async fn a_fresh_outbox_is_empty(catalog: &dyn Catalog) {
    assert!(pending(catalog).await.is_empty());
    assert!(catalog.changes(None).await.unwrap().is_empty());
    assert_eq!(catalog.outbox_status().await.unwrap(), OutboxStatus::default());
}

pub async fn every_transition_waits_in_its_order(catalog: &dyn Catalog) {
    done(catalog, "load", writes(vec![table("a.t", 0, &["x"])])).await;
    let failing = started(catalog, "curve").await;
    catalog.fail_step(failing.id, 1, "CW0202", "too much").await.unwrap();
    catalog.skip_step(&new_step(1, "plot"), StepState::Blocked).await.unwrap();
    catalog.skip_step(&new_step(1, "same"), StepState::UpToDate).await.unwrap();
    catalog.finish_run(&run_id(1), RunState::Failed).await.unwrap();
    catalog.resume_run(&run_id(1)).await.unwrap();
    done(catalog, "curve", StepOutcome::default()).await;
    catalog.finish_run(&run_id(1), RunState::Succeeded).await.unwrap();
    assert_eq!(
        waiting(catalog).await,
        [
            "1 - 0 START",
            "1 load 1 START",
            "1 load 1 COMPLETE",
            "1 curve 1 START",
            "1 curve 1 FAIL",
            "1 plot 0 ABORT",
            "1 - 0 FAIL",
            "1 - 0 START",
            "1 curve 2 START",
            "1 curve 2 COMPLETE",
            "1 - 0 COMPLETE",
        ]
    );
}

pub async fn a_change_carries_time_and_reason_of_its_transition(catalog: &dyn Catalog) {
    let step = started(catalog, "load").await;
    catalog.fail_step(step.id, 1, "CW0202", "too much").await.unwrap();
    let failed = catalog.step_by_id(step.id).await.unwrap();
    started(catalog, "load").await;
    let changes = pending(catalog).await;
    assert_eq!(changes[0].at, catalog.run(&run_id(1)).await.unwrap().started_at);
    assert_eq!((&changes[1].at, &changes[1].failure), (&step.started_at, &None));
    assert_eq!(Some(&changes[2].at), failed.finished_at.as_ref());
    let why = changes[2].failure.as_ref().unwrap();
    assert_eq!((why.code.as_str(), why.message.as_str()), ("CW0202", "too much"));
    assert!(changes.is_sorted_by_key(|change| change.id));
}

pub async fn a_cancelled_attempt_is_aborted(catalog: &dyn Catalog) {
    let step = started(catalog, "load").await;
    catalog.fail_step(step.id, 1, "CW0204", "cancelled").await.unwrap();
    assert_eq!(waiting(catalog).await.pop().unwrap(), "1 load 1 ABORT");
}

pub async fn a_killed_attempt_is_aborted_when_it_is_found(catalog: &dyn Catalog) {
    started(catalog, "load").await;
    started(catalog, "load").await;
    catalog.skip_step(&new_step(1, "load"), StepState::Blocked).await.unwrap();
    assert_eq!(
        waiting(catalog).await[1..],
        ["1 load 1 START", "1 load 1 ABORT", "1 load 2 START", "1 load 2 ABORT", "1 load 0 ABORT"]
    );
}

pub async fn resuming_an_open_run_is_no_change(catalog: &dyn Catalog) {
    catalog.begin_run(&new_run(1)).await.unwrap();
    catalog.resume_run(&run_id(1)).await.unwrap();
    assert_eq!(waiting(catalog).await, ["1 - 0 START"]);
}

pub async fn what_is_refused_leaves_no_change(catalog: &dyn Catalog) {
    let step = started(catalog, "load").await;
    let before = waiting(catalog).await;
    catalog.begin_run(&new_run(1)).await.unwrap_err();
    catalog.finish_run(&run_id(9), RunState::Failed).await.unwrap_err();
    catalog.resume_run(&run_id(9)).await.unwrap_err();
    catalog.fail_step(step.id, 7, "CW0000", "late").await.unwrap_err();
    catalog.complete_step(step.id, 7, &StepOutcome::default()).await.unwrap_err();
    let unknown_origin = edge("x", crate::VersionId(99), "x", crate::EdgeKind::Identity);
    let outcome = StepOutcome { lineage: vec![unknown_origin], ..writes(vec![table("a.t", 0, &["x"])]) };
    catalog.complete_step(step.id, 1, &outcome).await.unwrap_err();
    assert_eq!(waiting(catalog).await, before);
}

pub async fn what_was_told_waits_no_more_and_stays(catalog: &dyn Catalog) {
    done(catalog, "load", StepOutcome::default()).await;
    let ids: Vec<i64> = pending(catalog).await.iter().map(|change| change.id).collect();
    catalog.changes_delivered(&ids[..2]).await.unwrap();
    catalog.changes_delivered(&ids[..1]).await.unwrap();
    catalog.changes_delivered(&[]).await.unwrap();
    assert_eq!(waiting(catalog).await, ["1 load 1 COMPLETE"]);
    let all = catalog.changes(None).await.unwrap();
    let told: Vec<bool> = all.iter().map(|record| record.delivered_at.is_some()).collect();
    assert_eq!(told, [true, true, false]);
    let steps: Vec<Option<&str>> = all.iter().map(|record| record.step.as_deref()).collect();
    assert_eq!(steps, [None, Some("load"), Some("load")]);
}

pub async fn a_limit_takes_the_oldest(catalog: &dyn Catalog) {
    for run in [1, 2, 3] {
        catalog.begin_run(&new_run(run)).await.unwrap();
    }
    let runs: Vec<_> = catalog.pending_changes(2).await.unwrap().into_iter().map(|change| change.run).collect();
    assert_eq!(runs, [run_id(1), run_id(2)]);
    assert!(catalog.pending_changes(0).await.unwrap().is_empty());
}

pub async fn a_failure_is_kept_and_the_change_waits(catalog: &dyn Catalog) {
    catalog.begin_run(&new_run(1)).await.unwrap();
    let id = pending(catalog).await[0].id;
    catalog.change_failed(id, &failure("down"), false).await.unwrap();
    catalog.change_failed(id, &failure("down again"), false).await.unwrap();
    assert_eq!(pending(catalog).await[0].id, id);
    let record = catalog.changes(Some(&run_id(1))).await.unwrap().remove(0);
    assert_eq!((record.n_failures, record.last_failure, record.held), (2, Some(failure("down again")), false));
    let status = catalog.outbox_status().await.unwrap();
    assert_eq!((status.n_waiting, status.last_failure), (1, Some(failure("down again"))));
    assert_eq!(status.oldest, Some(record.change.at));
    catalog.changes_delivered(&[id]).await.unwrap();
    assert_eq!(catalog.outbox_status().await.unwrap(), OutboxStatus::default());
}

pub async fn a_held_change_keeps_back_its_run_alone(catalog: &dyn Catalog) {
    for run in [1, 2] {
        catalog.begin_run(&new_run(run)).await.unwrap();
    }
    let id = pending(catalog).await[0].id;
    catalog.change_failed(id, &failure("refused"), true).await.unwrap();
    catalog.finish_run(&run_id(1), RunState::Failed).await.unwrap();
    catalog.finish_run(&run_id(2), RunState::Failed).await.unwrap();
    assert_eq!(waiting(catalog).await, ["2 - 0 START", "2 - 0 FAIL"]);
    let status = catalog.outbox_status().await.unwrap();
    assert_eq!((status.n_waiting, status.held), (4, vec![run_id(1)]));
    assert_eq!(catalog.release_changes().await.unwrap(), 1);
    assert_eq!(catalog.release_changes().await.unwrap(), 0);
    assert_eq!(waiting(catalog).await, ["1 - 0 START", "2 - 0 START", "1 - 0 FAIL", "2 - 0 FAIL"]);
}

pub async fn changes_are_listed_by_run(catalog: &dyn Catalog) {
    for run in [1, 2] {
        catalog.begin_run(&new_run(run)).await.unwrap();
        catalog.begin_step(&new_step(run, "load")).await.unwrap();
    }
    assert_eq!(catalog.changes(None).await.unwrap().len(), 4);
    let of_two = catalog.changes(Some(&run_id(2))).await.unwrap();
    assert_eq!(of_two.len(), 2);
    assert!(of_two.iter().all(|record| record.change.run == run_id(2)));
    assert!(catalog.changes(Some(&run_id(9))).await.unwrap().is_empty());
}

pub async fn old_changes_are_forgotten_once_told(catalog: &dyn Catalog) {
    done(catalog, "load", StepOutcome::default()).await;
    let ids: Vec<i64> = pending(catalog).await.iter().map(|change| change.id).collect();
    catalog.changes_delivered(&ids[..2]).await.unwrap();
    assert_eq!(catalog.forget_changes(1, true, None, 100).await.unwrap(), 0);
    assert_eq!(catalog.forget_changes(0, false, None, 1).await.unwrap(), 1);
    assert_eq!(catalog.forget_changes(0, true, Some(1), 100).await.unwrap(), 0);
    assert_eq!(catalog.forget_changes(0, false, None, 100).await.unwrap(), 1);
    assert_eq!(catalog.changes(None).await.unwrap().len(), 1);
    assert_eq!(catalog.forget_changes(0, true, None, 100).await.unwrap(), 1);
    assert_eq!(catalog.outbox_status().await.unwrap(), OutboxStatus::default());
    assert_eq!(catalog.step(&run_id(1), "load").await.unwrap().unwrap().state, StepState::Succeeded);
}

pub async fn the_outbox_has_one_holder(catalog: &dyn Catalog) {
    assert!(catalog.claim_outbox("a", 60).await.unwrap());
    assert!(catalog.claim_outbox("a", 60).await.unwrap());
    assert!(!catalog.claim_outbox("b", 60).await.unwrap());
    catalog.yield_outbox("b").await.unwrap();
    assert!(!catalog.claim_outbox("b", 60).await.unwrap());
    catalog.yield_outbox("a").await.unwrap();
    assert!(catalog.claim_outbox("b", 0).await.unwrap());
    assert!(catalog.claim_outbox("a", 60).await.unwrap(), "the time of b is over");
}
