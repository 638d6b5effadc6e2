//! Runs.

use super::fixtures::*;
use crate::{Catalog, CatalogError, NewRun, RunKind, RunState};

pub async fn a_run_starts_running(catalog: &dyn Catalog) {
    catalog.begin_run(&new_run(1)).await.unwrap();
    let run = catalog.run(&run_id(1)).await.unwrap();
    assert_eq!((run.kind, run.state, run.finished_at), (RunKind::Pipeline, RunState::Running, None));
    assert_eq!((run.pipeline.as_deref(), run.pipeline_digest.as_deref()), (Some(PIPELINE), Some("d1")));
    assert_eq!(run.engine_version, "0.1.0");
}

pub async fn a_run_starts_once(catalog: &dyn Catalog) {
    catalog.begin_run(&new_run(1)).await.unwrap();
    let error = catalog.begin_run(&new_run(1)).await.unwrap_err();
    assert!(matches!(error, CatalogError::AlreadyExists { what: "run", .. }), "{error}");
}

pub async fn an_unknown_run_is_not_found(catalog: &dyn Catalog) {
    let errors = [
        catalog.run(&run_id(9)).await.unwrap_err(),
        catalog.resume_run(&run_id(9)).await.unwrap_err(),
        catalog.finish_run(&run_id(9), RunState::Failed).await.unwrap_err(),
        catalog.begin_step(&new_step(9, "s")).await.unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, CatalogError::NotFound { what: "run", .. }), "{error}");
    }
}

pub async fn a_run_ends(catalog: &dyn Catalog) {
    catalog.begin_run(&new_run(1)).await.unwrap();
    catalog.finish_run(&run_id(1), RunState::Failed).await.unwrap();
    let run = catalog.run(&run_id(1)).await.unwrap();
    assert_eq!(run.state, RunState::Failed);
    assert!(run.finished_at.unwrap() >= run.started_at);
}

pub async fn a_run_does_not_end_as_running(catalog: &dyn Catalog) {
    catalog.begin_run(&new_run(1)).await.unwrap();
    let error = catalog.finish_run(&run_id(1), RunState::Running).await.unwrap_err();
    assert!(matches!(error, CatalogError::Invalid(_)), "{error}");
}

pub async fn a_failed_run_is_resumed(catalog: &dyn Catalog) {
    catalog.begin_run(&new_run(1)).await.unwrap();
    let started = catalog.run(&run_id(1)).await.unwrap();
    catalog.finish_run(&run_id(1), RunState::Failed).await.unwrap();
    catalog.resume_run(&run_id(1)).await.unwrap();
    catalog.resume_run(&run_id(1)).await.unwrap();
    assert_eq!(catalog.run(&run_id(1)).await.unwrap(), started);
    catalog.finish_run(&run_id(1), RunState::Succeeded).await.unwrap();
    catalog.resume_run(&run_id(1)).await.unwrap();
    assert_eq!(catalog.run(&run_id(1)).await.unwrap().state, RunState::Succeeded);
}

pub async fn runs_come_newest_first(catalog: &dyn Catalog) {
    for number in [3, 1, 2] {
        catalog.begin_run(&new_run(number)).await.unwrap();
    }
    let ids = |runs: Vec<crate::Run>| runs.into_iter().map(|run| run.id).collect::<Vec<_>>();
    assert_eq!(ids(catalog.runs(10).await.unwrap()), [run_id(2), run_id(1), run_id(3)]);
    assert_eq!(ids(catalog.runs(1).await.unwrap()), [run_id(2)]);
    assert!(catalog.runs(0).await.unwrap().is_empty());
}

pub async fn the_latest_run_is_of_its_pipeline(catalog: &dyn Catalog) {
    catalog.begin_run(&new_run(1)).await.unwrap();
    catalog.begin_run(&new_run(2)).await.unwrap();
    let other = NewRun { pipeline: Some("other".into()), ..new_run(3) };
    catalog.begin_run(&other).await.unwrap();
    assert_eq!(catalog.latest_run(PIPELINE).await.unwrap().unwrap().id, run_id(2));
    assert_eq!(catalog.latest_run("none").await.unwrap(), None);
}

pub async fn a_statement_has_no_pipeline(catalog: &dyn Catalog) {
    let statement = NewRun { kind: RunKind::Statement, pipeline: None, pipeline_digest: None, ..new_run(1) };
    catalog.begin_run(&statement).await.unwrap();
    let run = catalog.run(&run_id(1)).await.unwrap();
    assert_eq!((run.kind, run.pipeline, run.pipeline_digest), (RunKind::Statement, None, None));
}
