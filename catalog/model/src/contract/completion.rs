//! All that a step leaves behind, or nothing.

use serde_json::json;

use super::fixtures::*;
use crate::{
    Catalog, CatalogError, DatasetKind, EdgeKind, OperatorUse, OutputVersion, StepOutcome, StepState, TableName,
    VersionId,
};

pub async fn a_completed_step_has_its_numbers(catalog: &dyn Catalog) {
    let step = started(catalog, "load").await;
    let outcome = StepOutcome {
        rows_in: Some(12),
        rows_out: Some(10),
        rows_quarantined: Some(2),
        duration_ms: 345,
        ..StepOutcome::default()
    };
    catalog.complete_step(step.id, 1, &outcome).await.unwrap();
    let step = catalog.step(&run_id(1), "load").await.unwrap().unwrap();
    assert_eq!((step.state, step.duration_ms), (StepState::Succeeded, Some(345)));
    assert_eq!((step.rows_in, step.rows_out, step.rows_quarantined), (Some(12), Some(10), Some(2)));
    assert!(step.finished_at.is_some());
}

pub async fn outputs_come_in_the_order_given(catalog: &dyn Catalog) {
    let outputs = vec![table("b.second", 0, &["x"]), view("a.first", "SELECT 1", &["y"]), table("c.third", 5, &["z"])];
    let ids = done(catalog, "three", writes(outputs)).await;
    for (id, dotted) in ids.iter().zip(["b.second", "a.first", "c.third"]) {
        assert_eq!(latest(catalog, dotted).await.id, *id);
    }
    assert_eq!(catalog.step(&run_id(1), "three").await.unwrap().unwrap().outputs, ids);
}

pub async fn a_version_knows_its_step(catalog: &dyn Catalog) {
    let id = written(catalog, "a.t", 0, &["x"]).await;
    let step = catalog.step(&run_id(1), "a.t@0").await.unwrap().unwrap();
    assert_eq!(catalog.version_by_id(id).await.unwrap().step, Some(step.id));
    assert_eq!(Some(catalog.version_by_id(id).await.unwrap().committed_at), step.finished_at);
}

pub async fn two_versions_of_one_table_in_one_step(catalog: &dyn Catalog) {
    let ids = done(catalog, "merge", writes(vec![table("a.t", 0, &["x"]), table("a.t", 1, &["x"])])).await;
    assert_eq!(ids.len(), 2);
    assert_eq!(latest(catalog, "a.t").await.id, ids[1]);
}

pub async fn completing_twice_is_stale(catalog: &dyn Catalog) {
    let step = started(catalog, "load").await;
    catalog.complete_step(step.id, 1, &writes(vec![table("a.t", 0, &["x"])])).await.unwrap();
    let again = writes(vec![table("a.t", 1, &["x"])]);
    let error = catalog.complete_step(step.id, 1, &again).await.unwrap_err();
    assert!(matches!(error, CatalogError::Stale { attempt: 1, .. }), "{error}");
    assert_eq!(latest(catalog, "a.t").await.version, 0);
}

pub async fn an_older_attempt_is_stale(catalog: &dyn Catalog) {
    let step = started(catalog, "load").await;
    started(catalog, "load").await;
    let outcome = writes(vec![table("a.t", 0, &["x"])]);
    let error = catalog.complete_step(step.id, 1, &outcome).await.unwrap_err();
    assert!(matches!(error, CatalogError::Stale { attempt: 1, .. }), "{error}");
    assert!(catalog.datasets(true).await.unwrap().is_empty());
    catalog.complete_step(step.id, 2, &outcome).await.unwrap();
}

pub async fn a_failed_step_cannot_complete(catalog: &dyn Catalog) {
    let step = started(catalog, "load").await;
    catalog.fail_step(step.id, 1, "CW0000", "no").await.unwrap();
    let error = catalog.complete_step(step.id, 1, &StepOutcome::default()).await.unwrap_err();
    assert!(matches!(error, CatalogError::Stale { .. }), "{error}");
}

/// An outcome that touches everything and fails at its last part.
async fn broken(catalog: &dyn Catalog) -> StepOutcome {
    let source = written(catalog, "a.source", 0, &["x"]).await;
    let doomed = live(catalog, "a.source").await.id;
    let good_file = catalog.register_file(&file("a.csv", "aa")).await.unwrap();
    StepOutcome {
        schemas: vec!["made".into()],
        dropped: vec![doomed],
        lineage: vec![edge("x", source, "x", EdgeKind::Identity)],
        operators: vec![OperatorUse { operator: "o".into(), version: 1, options: json!({}), report: json!({}) }],
        ingested: vec![ingested("a.new", "aa", good_file), ingested("a.absent", "aa", good_file)],
        ..writes(vec![table("a.new", 0, &["x"])])
    }
}

pub async fn a_failing_outcome_leaves_nothing(catalog: &dyn Catalog) {
    let outcome = broken(catalog).await;
    let before = (catalog.datasets(true).await.unwrap(), catalog.versions(None).await.unwrap());
    let step = started(catalog, "doomed").await;
    catalog.complete_step(step.id, 1, &outcome).await.unwrap_err();
    assert_eq!((catalog.datasets(true).await.unwrap(), catalog.versions(None).await.unwrap()), before);
    assert_eq!(catalog.schemas().await.unwrap(), ["a"]);
    assert!(catalog.operators(step.id).await.unwrap().is_empty());
    assert!(!catalog.is_ingested(&name("a.new"), "aa", "c1").await.unwrap());
    assert!(downstream(catalog, latest(catalog, "a.source").await.id, None).await.is_empty());
    assert_eq!(catalog.step(&run_id(1), "doomed").await.unwrap(), Some(step));
}

pub async fn after_a_failing_outcome_the_attempt_may_still_complete(catalog: &dyn Catalog) {
    let mut outcome = broken(catalog).await;
    let step = started(catalog, "doomed").await;
    catalog.complete_step(step.id, 1, &outcome).await.unwrap_err();
    outcome.ingested.pop();
    catalog.complete_step(step.id, 1, &outcome).await.unwrap();
    assert!(catalog.is_ingested(&name("a.new"), "aa", "c1").await.unwrap());
    assert_eq!(catalog.schemas().await.unwrap(), ["a", "made"]);
}

pub async fn operators_keep_options_and_report(catalog: &dyn Catalog) {
    let used = |operator: &str| OperatorUse {
        operator: operator.into(),
        version: 2,
        options: json!({"by": "sex", "confidence": 0.95}),
        report: json!({"converged": true, "notes": [1, null]}),
    };
    let operators = vec![used("kaplan_meier"), used("log_rank"), used("kaplan_meier")];
    let step = started(catalog, "s").await;
    let outcome = StepOutcome { operators: operators.clone(), ..StepOutcome::default() };
    catalog.complete_step(step.id, 1, &outcome).await.unwrap();
    assert_eq!(catalog.operators(step.id).await.unwrap(), operators);
    let all: Vec<_> = operators.into_iter().map(|used| (step.id, used)).collect();
    assert_eq!(catalog.all_operators().await.unwrap(), all);
}

pub async fn an_exported_file_is_an_output_of_the_schema_file(catalog: &dyn Catalog) {
    let step = started(catalog, "s").await;
    let elsewhere = OutputVersion { kind: DatasetKind::File, ..table("a.t", 0, &["x"]) };
    let error = catalog.complete_step(step.id, 1, &writes(vec![elsewhere.clone()])).await.unwrap_err();
    assert!(matches!(error, CatalogError::Invalid(_)), "{error}");
    let export = OutputVersion { name: TableName::new("file", "out/x.csv"), ..elsewhere };
    catalog.complete_step(step.id, 1, &writes(vec![export.clone()])).await.unwrap();
    let dataset = catalog.dataset(&export.name).await.unwrap().unwrap();
    assert_eq!(catalog.latest_version(dataset.id).await.unwrap().unwrap().step, Some(step.id));
}

pub async fn the_previous_version_is_of_the_same_table(catalog: &dyn Catalog) {
    let other = written(catalog, "a.other", 0, &["x"]).await;
    written(catalog, "a.t", 0, &["x"]).await;
    let step = started(catalog, "s").await;
    let after = |previous| OutputVersion { previous: Some(previous), ..table("a.t", 1, &["x"]) };
    let error = catalog.complete_step(step.id, 1, &writes(vec![after(other)])).await.unwrap_err();
    assert!(matches!(error, CatalogError::Invalid(_)), "{error}");
    let error = catalog.complete_step(step.id, 1, &writes(vec![after(VersionId(99))])).await.unwrap_err();
    assert!(matches!(error, CatalogError::NotFound { what: "version", .. }), "{error}");
}

pub async fn the_check_counts_what_there_is(catalog: &dyn Catalog) {
    written(catalog, "a.t", 0, &["x"]).await;
    written(catalog, "a.t", 1, &["x"]).await;
    let report = catalog.check().await.unwrap();
    assert!(report.contains("1 datasets, 2 versions, 1 runs"), "{report}");
}
