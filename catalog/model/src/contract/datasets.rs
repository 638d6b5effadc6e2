//! Names, kinds, drops.

use super::fixtures::*;
use crate::{Catalog, CatalogError, DatasetId, DatasetKind, DatasetPolicy, Declared, OutputVersion, StepOutcome};

pub async fn a_fresh_catalog_is_empty(catalog: &dyn Catalog) {
    assert!(catalog.schemas().await.unwrap().is_empty());
    assert!(catalog.datasets(true).await.unwrap().is_empty());
    assert!(catalog.versions(None).await.unwrap().is_empty());
}

pub async fn an_unknown_name_is_none(catalog: &dyn Catalog) {
    assert_eq!(catalog.dataset(&name("clinical.lung")).await.unwrap(), None);
}

pub async fn an_unknown_id_is_not_found(catalog: &dyn Catalog) {
    let error = catalog.dataset_by_id(DatasetId(77)).await.unwrap_err();
    assert!(matches!(error, CatalogError::NotFound { what: "dataset", .. }), "{error}");
}

pub async fn an_output_makes_its_table(catalog: &dyn Catalog) {
    written(catalog, "clinical.lung", 0, &["time"]).await;
    let dataset = live(catalog, "clinical.lung").await;
    assert_eq!((dataset.kind, dataset.location.as_str()), (DatasetKind::Table, "clinical/lung"));
    assert_eq!((dataset.view_sql, dataset.dropped_at), (None, None));
    assert_eq!(dataset.policy, DatasetPolicy::default());
}

pub async fn a_dataset_is_found_by_id(catalog: &dyn Catalog) {
    written(catalog, "clinical.lung", 0, &["time"]).await;
    let dataset = live(catalog, "clinical.lung").await;
    assert_eq!(catalog.dataset_by_id(dataset.id).await.unwrap(), dataset);
}

pub async fn names_keep_case_and_quotes(catalog: &dyn Catalog) {
    written(catalog, "clinical.Lung \"2\"; --", 0, &["time"]).await;
    assert!(catalog.dataset(&name("clinical.lung \"2\"; --")).await.unwrap().is_none());
    assert_eq!(live(catalog, "clinical.Lung \"2\"; --").await.name.table, "Lung \"2\"; --");
}

pub async fn one_table_name_in_two_schemas(catalog: &dyn Catalog) {
    written(catalog, "clinical.t", 0, &["a"]).await;
    written(catalog, "traffic.t", 0, &["b"]).await;
    assert_ne!(live(catalog, "clinical.t").await.id, live(catalog, "traffic.t").await.id);
}

pub async fn datasets_come_by_name(catalog: &dyn Catalog) {
    for dotted in ["b.y", "a.z", "b.x"] {
        written(catalog, dotted, 0, &["c"]).await;
    }
    let names: Vec<String> = catalog.datasets(false).await.unwrap().iter().map(|d| d.name.to_string()).collect();
    assert_eq!(names, ["a.z", "b.x", "b.y"]);
}

pub async fn schemas_come_by_name_once(catalog: &dyn Catalog) {
    let schemas = StepOutcome { schemas: vec!["traffic".into(), "clinical".into()], ..StepOutcome::default() };
    done(catalog, "one", schemas.clone()).await;
    done(catalog, "two", schemas).await;
    written(catalog, "genomic.counts", 0, &["gene"]).await;
    assert_eq!(catalog.schemas().await.unwrap(), ["clinical", "genomic", "traffic"]);
}

pub async fn files_make_no_schema(catalog: &dyn Catalog) {
    catalog.register_file(&file("data/lung.csv", "aa")).await.unwrap();
    assert!(catalog.schemas().await.unwrap().is_empty());
    assert_eq!(catalog.datasets(false).await.unwrap().len(), 1);
}

pub async fn a_dropped_table_is_hidden_but_kept(catalog: &dyn Catalog) {
    written(catalog, "clinical.lung", 0, &["time"]).await;
    let id = live(catalog, "clinical.lung").await.id;
    done(catalog, "drop", StepOutcome { dropped: vec![id], ..StepOutcome::default() }).await;
    assert_eq!(catalog.dataset(&name("clinical.lung")).await.unwrap(), None);
    assert!(catalog.datasets(false).await.unwrap().is_empty());
    assert_eq!(catalog.datasets(true).await.unwrap().len(), 1);
    assert!(catalog.dataset_by_id(id).await.unwrap().dropped_at.is_some());
    assert!(catalog.latest_version(id).await.unwrap().is_some());
}

pub async fn a_name_made_again_is_a_new_dataset(catalog: &dyn Catalog) {
    written(catalog, "clinical.lung", 0, &["time"]).await;
    let old = live(catalog, "clinical.lung").await.id;
    done(catalog, "drop", StepOutcome { dropped: vec![old], ..StepOutcome::default() }).await;
    done(catalog, "again", writes(vec![table("clinical.lung", 0, &["days"])])).await;
    let new = live(catalog, "clinical.lung").await;
    assert_ne!(new.id, old);
    assert_eq!(latest(catalog, "clinical.lung").await.columns[0].name, "days");
    let ids: Vec<DatasetId> = catalog.datasets(true).await.unwrap().iter().map(|d| d.id).collect();
    assert_eq!(ids, [old, new.id]);
}

pub async fn one_outcome_may_drop_and_make_a_name(catalog: &dyn Catalog) {
    written(catalog, "clinical.lung", 0, &["time"]).await;
    let old = live(catalog, "clinical.lung").await.id;
    let view = view("clinical.lung", "SELECT 1 AS time", &["time"]);
    done(catalog, "replace", StepOutcome { dropped: vec![old], ..writes(vec![view]) }).await;
    assert_eq!(live(catalog, "clinical.lung").await.kind, DatasetKind::View);
}

pub async fn dropping_twice_is_not_found(catalog: &dyn Catalog) {
    written(catalog, "clinical.lung", 0, &["time"]).await;
    let id = live(catalog, "clinical.lung").await.id;
    let drop = StepOutcome { dropped: vec![id], ..StepOutcome::default() };
    done(catalog, "drop", drop.clone()).await;
    let step = started(catalog, "drop again").await;
    let error = catalog.complete_step(step.id, 1, &drop).await.unwrap_err();
    assert!(matches!(error, CatalogError::NotFound { .. }), "{error}");
}

pub async fn a_view_is_no_table(catalog: &dyn Catalog) {
    written(catalog, "clinical.lung", 0, &["time"]).await;
    let step = started(catalog, "view").await;
    let view = writes(vec![view("clinical.lung", "SELECT 1", &["a"])]);
    let error = catalog.complete_step(step.id, 1, &view).await.unwrap_err();
    assert!(matches!(error, CatalogError::AlreadyExists { what: "table", .. }), "{error}");
}

pub async fn a_table_does_not_move(catalog: &dyn Catalog) {
    written(catalog, "clinical.lung", 0, &["time"]).await;
    let step = started(catalog, "move").await;
    let moved = OutputVersion { location: "elsewhere".into(), ..table("clinical.lung", 1, &["time"]) };
    let error = catalog.complete_step(step.id, 1, &writes(vec![moved])).await.unwrap_err();
    assert!(matches!(error, CatalogError::Invalid(_)), "{error}");
}

pub async fn the_file_schema_takes_no_tables(catalog: &dyn Catalog) {
    let step = started(catalog, "t").await;
    let outcome = writes(vec![table("file.lung", 0, &["time"])]);
    let error = catalog.complete_step(step.id, 1, &outcome).await.unwrap_err();
    assert!(matches!(error, CatalogError::Invalid(_)), "{error}");
}

pub async fn a_policy_stays_until_another_is_set(catalog: &dyn Catalog) {
    let policy = DatasetPolicy {
        identifying: vec!["name".into()],
        subject_key: Some("patient".into()),
        identity_domain: Some("hospital".into()),
        protected: true,
        declared: Declared { identifying: vec!["name".into()], subject_key: None },
    };
    let protected = OutputVersion { policy: Some(policy.clone()), ..table("clinical.p", 0, &["patient", "name"]) };
    done(catalog, "one", writes(vec![protected])).await;
    done(catalog, "two", writes(vec![table("clinical.p", 1, &["patient", "name"])])).await;
    assert_eq!(live(catalog, "clinical.p").await.policy, policy);
    let open = OutputVersion { policy: Some(DatasetPolicy::default()), ..table("clinical.p", 2, &["patient"]) };
    done(catalog, "three", writes(vec![open])).await;
    assert_eq!(live(catalog, "clinical.p").await.policy, DatasetPolicy::default());
}
