//! Steps and their attempts.

use super::fixtures::*;
use crate::{Catalog, CatalogError, NewStep, StepId, StepOutcome, StepState, VersionId};

pub async fn a_step_starts_with_attempt_one(catalog: &dyn Catalog) {
    let step = started(catalog, "load").await;
    assert_eq!((step.state, step.attempt, step.run.clone()), (StepState::Running, 1, run_id(1)));
    assert_eq!((step.kind.as_str(), step.fingerprint.as_str(), step.seed), ("create_table", "f1", 7));
    assert_eq!((step.finished_at.as_ref(), step.duration_ms), (None, None));
    assert_eq!(catalog.step(&run_id(1), "load").await.unwrap(), Some(step));
}

pub async fn an_unknown_step_is_none(catalog: &dyn Catalog) {
    catalog.begin_run(&new_run(1)).await.unwrap();
    assert_eq!(catalog.step(&run_id(1), "none").await.unwrap(), None);
    assert!(catalog.steps(Some(&run_id(1))).await.unwrap().is_empty());
}

pub async fn inputs_are_pinned_in_order(catalog: &dyn Catalog) {
    let a = written(catalog, "a.a", 0, &["x"]).await;
    let b = written(catalog, "a.b", 0, &["x"]).await;
    let step = catalog.begin_step(&NewStep { inputs: vec![b, a], ..new_step(1, "join") }).await.unwrap();
    assert_eq!(step.inputs, [b, a]);
}

pub async fn an_unknown_input_is_not_found(catalog: &dyn Catalog) {
    catalog.begin_run(&new_run(1)).await.unwrap();
    let step = NewStep { inputs: vec![VersionId(99)], ..new_step(1, "s") };
    let error = catalog.begin_step(&step).await.unwrap_err();
    assert!(matches!(error, CatalogError::NotFound { what: "version", .. }), "{error}");
    assert_eq!(catalog.step(&run_id(1), "s").await.unwrap(), None);
}

pub async fn a_failed_step_says_why(catalog: &dyn Catalog) {
    let step = started(catalog, "load").await;
    catalog.fail_step(step.id, 1, "CW0103", "column `age` is missing").await.unwrap();
    let failed = catalog.step(&run_id(1), "load").await.unwrap().unwrap();
    assert_eq!(failed.state, StepState::Failed);
    assert_eq!(failed.error_code.as_deref(), Some("CW0103"));
    assert_eq!(failed.error.as_deref(), Some("column `age` is missing"));
    assert!(failed.finished_at.is_some());
}

pub async fn a_failed_step_gets_its_next_attempt(catalog: &dyn Catalog) {
    let input = written(catalog, "a.a", 0, &["x"]).await;
    let first = started(catalog, "load").await;
    catalog.fail_step(first.id, 1, "CW0103", "no").await.unwrap();
    let changed = NewStep { fingerprint: "f2".into(), inputs: vec![input], ordinal: 4, ..new_step(1, "load") };
    let second = catalog.begin_step(&changed).await.unwrap();
    assert_eq!((second.id, second.attempt, second.state), (first.id, 2, StepState::Running));
    assert_eq!((second.fingerprint.as_str(), second.ordinal, second.inputs), ("f2", 4, vec![input]));
    assert_eq!((second.error_code, second.error, second.finished_at), (None, None, None));
}

pub async fn a_killed_step_gets_its_next_attempt(catalog: &dyn Catalog) {
    let first = started(catalog, "load").await;
    let second = started(catalog, "load").await;
    assert_eq!((second.id, second.attempt), (first.id, 2));
}

pub async fn a_step_that_succeeded_does_not_start_again(catalog: &dyn Catalog) {
    done(catalog, "load", StepOutcome::default()).await;
    let errors = [
        catalog.begin_step(&new_step(1, "load")).await.unwrap_err(),
        catalog.skip_step(&new_step(1, "load"), StepState::UpToDate).await.unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, CatalogError::AlreadyExists { what: "step", .. }), "{error}");
    }
    assert_eq!(catalog.step(&run_id(1), "load").await.unwrap().unwrap().state, StepState::Succeeded);
}

pub async fn a_skipped_step_counts_no_attempt(catalog: &dyn Catalog) {
    catalog.begin_run(&new_run(1)).await.unwrap();
    for (name, state) in [("a", StepState::Blocked), ("b", StepState::UpToDate)] {
        let step = catalog.skip_step(&new_step(1, name), state).await.unwrap();
        assert_eq!((step.state, step.attempt), (state, 0));
        assert!(step.finished_at.is_some());
        assert_eq!(catalog.begin_step(&new_step(1, name)).await.unwrap().attempt, 1);
    }
}

pub async fn only_two_states_skip(catalog: &dyn Catalog) {
    catalog.begin_run(&new_run(1)).await.unwrap();
    for state in [StepState::Running, StepState::Succeeded, StepState::Failed] {
        let error = catalog.skip_step(&new_step(1, "a"), state).await.unwrap_err();
        assert!(matches!(error, CatalogError::Invalid(_)), "{error}");
    }
}

pub async fn a_step_blocked_on_resume_refuses_its_old_attempt(catalog: &dyn Catalog) {
    let step = started(catalog, "load").await;
    catalog.skip_step(&new_step(1, "load"), StepState::Blocked).await.unwrap();
    let error = catalog.complete_step(step.id, 1, &StepOutcome::default()).await.unwrap_err();
    assert!(matches!(error, CatalogError::Stale { attempt: 1, .. }), "{error}");
}

pub async fn steps_come_in_order(catalog: &dyn Catalog) {
    for run in [1, 2] {
        catalog.begin_run(&new_run(run)).await.unwrap();
        for (ordinal, name) in [(2, "c"), (0, "a"), (1, "b")] {
            catalog.begin_step(&NewStep { ordinal, ..new_step(run, name) }).await.unwrap();
        }
    }
    let names = |steps: Vec<crate::Step>| steps.into_iter().map(|step| step.name).collect::<String>();
    assert_eq!(names(catalog.steps(Some(&run_id(2))).await.unwrap()), "abc");
    assert_eq!(names(catalog.steps(None).await.unwrap()), "abcabc");
}

pub async fn the_last_success_is_of_any_run(catalog: &dyn Catalog) {
    assert_eq!(catalog.last_success(PIPELINE, "load").await.unwrap(), None);
    let outputs = done(catalog, "load", writes(vec![table("a.t", 0, &["x"])])).await;
    catalog.begin_run(&new_run(2)).await.unwrap();
    let failed = catalog.begin_step(&new_step(2, "load")).await.unwrap();
    catalog.fail_step(failed.id, 1, "CW0000", "no").await.unwrap();
    catalog.begin_run(&new_run(3)).await.unwrap();
    catalog.skip_step(&new_step(3, "load"), StepState::UpToDate).await.unwrap();
    let last = catalog.last_success(PIPELINE, "load").await.unwrap().unwrap();
    assert_eq!((last.run, last.outputs), (run_id(1), outputs));
    assert_eq!(catalog.last_success("other", "load").await.unwrap(), None);
    assert_eq!(catalog.last_success(PIPELINE, "other").await.unwrap(), None);
}

pub async fn the_newer_success_is_the_last(catalog: &dyn Catalog) {
    for run in [1, 2] {
        catalog.begin_run(&new_run(run)).await.unwrap();
        let step = catalog.begin_step(&new_step(run, "load")).await.unwrap();
        catalog.complete_step(step.id, 1, &StepOutcome::default()).await.unwrap();
    }
    assert_eq!(catalog.last_success(PIPELINE, "load").await.unwrap().unwrap().run, run_id(2));
}

pub async fn failing_needs_the_running_attempt(catalog: &dyn Catalog) {
    let step = started(catalog, "load").await;
    started(catalog, "load").await;
    let error = catalog.fail_step(step.id, 1, "CW0000", "late").await.unwrap_err();
    assert!(matches!(error, CatalogError::Stale { attempt: 1, .. }), "{error}");
    catalog.fail_step(step.id, 2, "CW0000", "in time").await.unwrap();
    let error = catalog.fail_step(step.id, 2, "CW0000", "twice").await.unwrap_err();
    assert!(matches!(error, CatalogError::Stale { attempt: 2, .. }), "{error}");
}

pub async fn an_unknown_step_id_is_not_found(catalog: &dyn Catalog) {
    let error = catalog.fail_step(StepId(5), 1, "CW0000", "no").await.unwrap_err();
    assert!(matches!(error, CatalogError::NotFound { what: "step", .. }), "{error}");
    let error = catalog.complete_step(StepId(5), 1, &StepOutcome::default()).await.unwrap_err();
    assert!(matches!(error, CatalogError::NotFound { what: "step", .. }), "{error}");
}
