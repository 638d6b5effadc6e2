//! Files outside the lake, and which of them were loaded.

use super::fixtures::*;
use crate::{Catalog, CatalogError, DatasetKind, NewFile, OutputVersion, StepOutcome, VersionId};

pub async fn a_file_becomes_a_dataset(catalog: &dyn Catalog) {
    let id = catalog.register_file(&file("data/lung.csv", "aa")).await.unwrap();
    let version = catalog.version_by_id(id).await.unwrap();
    assert_eq!((version.version, version.digest.as_deref(), version.n_bytes), (0, Some("aa"), Some(42)));
    assert_eq!((version.step, version.columns), (None, columns(&["time", "status", "sex"])));
    let dataset = catalog.dataset_by_id(version.dataset).await.unwrap();
    assert_eq!((dataset.kind, dataset.location.as_str()), (DatasetKind::File, "data/lung.csv"));
    assert_eq!(dataset.name.to_string(), "file.data/lung.csv");
}

pub async fn the_same_file_is_the_same_version(catalog: &dyn Catalog) {
    let first = catalog.register_file(&file("a.csv", "aa")).await.unwrap();
    assert_eq!(catalog.register_file(&file("a.csv", "aa")).await.unwrap(), first);
    assert_eq!(catalog.versions(None).await.unwrap().len(), 1);
}

pub async fn new_content_is_the_next_version(catalog: &dyn Catalog) {
    let first = catalog.register_file(&file("a.csv", "aa")).await.unwrap();
    let second = catalog.register_file(&file("a.csv", "bb")).await.unwrap();
    assert_ne!(first, second);
    assert_eq!(catalog.version_by_id(second).await.unwrap().version, 1);
    assert_eq!(catalog.datasets(false).await.unwrap().len(), 1);
}

pub async fn old_content_is_its_old_version(catalog: &dyn Catalog) {
    let first = catalog.register_file(&file("a.csv", "aa")).await.unwrap();
    catalog.register_file(&file("a.csv", "bb")).await.unwrap();
    assert_eq!(catalog.register_file(&file("a.csv", "aa")).await.unwrap(), first);
}

pub async fn the_same_content_elsewhere_is_another_file(catalog: &dyn Catalog) {
    let a = catalog.register_file(&file("a.csv", "aa")).await.unwrap();
    let b = catalog.register_file(&file("b.csv", "aa")).await.unwrap();
    assert_ne!(a, b);
    assert_eq!(catalog.datasets(false).await.unwrap().len(), 2);
}

pub async fn other_columns_are_another_version(catalog: &dyn Catalog) {
    let first = catalog.register_file(&file("a.csv", "aa")).await.unwrap();
    let read_otherwise = NewFile { columns: columns(&["days"]), ..file("a.csv", "aa") };
    let second = catalog.register_file(&read_otherwise).await.unwrap();
    assert_ne!(first, second);
    assert_eq!(catalog.register_file(&file("a.csv", "aa")).await.unwrap(), first);
    assert_eq!(catalog.register_file(&read_otherwise).await.unwrap(), second);
}

async fn load(catalog: &dyn Catalog, step: &str, version: i64, previous: Option<VersionId>, digest: &str) -> VersionId {
    let file = catalog.register_file(&file("lung.csv", digest)).await.unwrap();
    let output = OutputVersion { previous, ..table("clinical.lung", version, &["time"]) };
    let loaded = vec![ingested("clinical.lung", digest, file)];
    done(catalog, step, StepOutcome { ingested: loaded, ..writes(vec![output]) }).await[0]
}

async fn is_loaded(catalog: &dyn Catalog, digest: &str) -> bool {
    catalog.is_ingested(&name("clinical.lung"), digest, "c1").await.unwrap()
}

pub async fn a_loaded_file_is_remembered(catalog: &dyn Catalog) {
    assert!(!is_loaded(catalog, "aa").await);
    load(catalog, "load", 0, None, "aa").await;
    assert!(is_loaded(catalog, "aa").await);
    assert!(!is_loaded(catalog, "bb").await);
}

pub async fn another_contract_loads_again(catalog: &dyn Catalog) {
    load(catalog, "load", 0, None, "aa").await;
    assert!(!catalog.is_ingested(&name("clinical.lung"), "aa", "c2").await.unwrap());
    assert!(!catalog.is_ingested(&name("clinical.other"), "aa", "c1").await.unwrap());
}

pub async fn files_add_up_while_the_table_grows(catalog: &dyn Catalog) {
    let first = load(catalog, "one", 0, None, "aa").await;
    load(catalog, "two", 1, Some(first), "bb").await;
    assert!(is_loaded(catalog, "aa").await);
    assert!(is_loaded(catalog, "bb").await);
}

pub async fn a_changed_table_remembers_its_files(catalog: &dyn Catalog) {
    let first = load(catalog, "load", 0, None, "aa").await;
    let update = OutputVersion { previous: Some(first), ..table("clinical.lung", 1, &["time"]) };
    done(catalog, "update", writes(vec![update])).await;
    assert!(is_loaded(catalog, "aa").await);
}

pub async fn a_replaced_table_forgets_its_files(catalog: &dyn Catalog) {
    load(catalog, "load", 0, None, "aa").await;
    done(catalog, "replace", writes(vec![table("clinical.lung", 1, &["time"])])).await;
    assert!(!is_loaded(catalog, "aa").await);
}

pub async fn a_dropped_table_forgets_its_files(catalog: &dyn Catalog) {
    load(catalog, "load", 0, None, "aa").await;
    let id = live(catalog, "clinical.lung").await.id;
    done(catalog, "drop", StepOutcome { dropped: vec![id], ..StepOutcome::default() }).await;
    assert!(!is_loaded(catalog, "aa").await);
    done(catalog, "again", writes(vec![table("clinical.lung", 0, &["time"])])).await;
    assert!(!is_loaded(catalog, "aa").await);
}

pub async fn one_file_is_loaded_once(catalog: &dyn Catalog) {
    let first = load(catalog, "one", 0, None, "aa").await;
    let file = catalog.register_file(&file("lung.csv", "aa")).await.unwrap();
    let step = started(catalog, "two").await;
    let output = OutputVersion { previous: Some(first), ..table("clinical.lung", 1, &["time"]) };
    let twice = StepOutcome { ingested: vec![ingested("clinical.lung", "aa", file)], ..writes(vec![output]) };
    let error = catalog.complete_step(step.id, 1, &twice).await.unwrap_err();
    assert!(matches!(error, CatalogError::AlreadyExists { .. }), "{error}");
    assert_eq!(latest(catalog, "clinical.lung").await.version, 0);
}

pub async fn a_file_is_loaded_into_a_table_that_is_there(catalog: &dyn Catalog) {
    let file = catalog.register_file(&file("lung.csv", "aa")).await.unwrap();
    let step = started(catalog, "load").await;
    let outcome = StepOutcome { ingested: vec![ingested("clinical.none", "aa", file)], ..StepOutcome::default() };
    let error = catalog.complete_step(step.id, 1, &outcome).await.unwrap_err();
    assert!(matches!(error, CatalogError::NotFound { what: "table", .. }), "{error}");
}
