//! Versions, their columns, time travel.

use super::fixtures::*;
use crate::{Catalog, CatalogError, Column, DatasetId, OutputVersion, VersionId};

pub async fn a_version_keeps_what_was_written(catalog: &dyn Catalog) {
    let id = written(catalog, "clinical.lung", 3, &["time", "status"]).await;
    let version = catalog.version_by_id(id).await.unwrap();
    assert_eq!((version.version, version.n_rows, version.n_bytes, version.n_files), (3, Some(10), Some(1000), Some(1)));
    assert_eq!(version.dataset, live(catalog, "clinical.lung").await.id);
    assert_eq!(version.columns, columns(&["time", "status"]));
    assert_eq!(version.digest, None);
    assert!(version.step.is_some());
}

pub async fn columns_keep_every_property(catalog: &dyn Catalog) {
    let full = Column {
        name: "Überleben \"d\"".into(),
        data_type: "DOUBLE".into(),
        nullable: false,
        unit: Some("days".into()),
        meaning: Some("time from diagnosis".into()),
        identifying: true,
    };
    let output = OutputVersion { columns: vec![full.clone(), column("b")], ..table("clinical.lung", 0, &[]) };
    done(catalog, "t", writes(vec![output])).await;
    assert_eq!(latest(catalog, "clinical.lung").await.columns, [full, column("b")]);
}

pub async fn columns_keep_their_order(catalog: &dyn Catalog) {
    let names: Vec<String> = (0..2500).rev().map(|i| format!("gene_{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    written(catalog, "genomic.counts", 0, &names).await;
    assert_eq!(latest(catalog, "genomic.counts").await.columns, columns(&names));
}

pub async fn a_column_name_stands_once(catalog: &dyn Catalog) {
    let step = started(catalog, "t").await;
    let error = catalog.complete_step(step.id, 1, &writes(vec![table("a.t", 0, &["x", "x"])])).await.unwrap_err();
    assert!(matches!(error, CatalogError::Invalid(_)), "{error}");
}

pub async fn the_latest_version_has_the_highest_number(catalog: &dyn Catalog) {
    for version in [0, 2, 7] {
        written(catalog, "clinical.lung", version, &["time"]).await;
    }
    assert_eq!(latest(catalog, "clinical.lung").await.version, 7);
}

pub async fn a_dataset_comes_with_its_newest_version(catalog: &dyn Catalog) {
    assert_eq!(catalog.newest(&name("clinical.lung")).await.unwrap(), None);
    for version in [0, 2] {
        written(catalog, "clinical.lung", version, &["time"]).await;
        written(catalog, "clinical.other", version, &["time"]).await;
    }
    let (dataset, newest) = catalog.newest(&name("clinical.lung")).await.unwrap().unwrap();
    assert_eq!(dataset, live(catalog, "clinical.lung").await);
    assert_eq!(newest, Some(latest(catalog, "clinical.lung").await));
}

pub async fn a_version_is_found_by_number(catalog: &dyn Catalog) {
    let first = written(catalog, "clinical.lung", 0, &["time"]).await;
    written(catalog, "clinical.lung", 1, &["time"]).await;
    let dataset = live(catalog, "clinical.lung").await.id;
    assert_eq!(catalog.version(dataset, 0).await.unwrap().unwrap().id, first);
    assert_eq!(catalog.version(dataset, 2).await.unwrap(), None);
}

pub async fn an_unknown_version_id_is_not_found(catalog: &dyn Catalog) {
    let error = catalog.version_by_id(VersionId(9)).await.unwrap_err();
    assert!(matches!(error, CatalogError::NotFound { what: "version", .. }), "{error}");
}

pub async fn an_unknown_dataset_has_no_versions(catalog: &dyn Catalog) {
    assert_eq!(catalog.latest_version(DatasetId(9)).await.unwrap(), None);
    assert_eq!(catalog.version(DatasetId(9), 0).await.unwrap(), None);
    assert!(catalog.versions(Some(DatasetId(9))).await.unwrap().is_empty());
}

pub async fn versions_come_oldest_first(catalog: &dyn Catalog) {
    let a0 = written(catalog, "clinical.a", 0, &["x"]).await;
    let b0 = written(catalog, "clinical.b", 0, &["x"]).await;
    let a1 = written(catalog, "clinical.a", 1, &["x", "y"]).await;
    let ids = |versions: Vec<crate::DatasetVersion>| versions.iter().map(|v| v.id).collect::<Vec<_>>();
    assert_eq!(ids(catalog.versions(None).await.unwrap()), [a0, b0, a1]);
    let a = live(catalog, "clinical.a").await.id;
    assert_eq!(ids(catalog.versions(Some(a)).await.unwrap()), [a0, a1]);
}

pub async fn one_number_is_written_once(catalog: &dyn Catalog) {
    written(catalog, "clinical.lung", 0, &["time"]).await;
    let step = started(catalog, "again").await;
    let outcome = writes(vec![table("clinical.lung", 0, &["time"])]);
    let error = catalog.complete_step(step.id, 1, &outcome).await.unwrap_err();
    assert!(matches!(error, CatalogError::AlreadyExists { what: "version", .. }), "{error}");
}

pub async fn views_are_counted_by_the_store(catalog: &dyn Catalog) {
    for sql in ["SELECT 1 AS a", "SELECT 2 AS a"] {
        done(catalog, sql, writes(vec![view("clinical.v", sql, &["a"])])).await;
    }
    let version = latest(catalog, "clinical.v").await;
    assert_eq!((version.version, version.digest.as_deref()), (1, Some("digest of SELECT 2 AS a")));
    assert_eq!(live(catalog, "clinical.v").await.view_sql.as_deref(), Some("SELECT 2 AS a"));
}

pub async fn time_travel_finds_the_version_of_then(catalog: &dyn Catalog) {
    let first = written(catalog, "clinical.lung", 0, &["time"]).await;
    let then = catalog.version_by_id(first).await.unwrap().committed_at;
    let dataset = live(catalog, "clinical.lung").await.id;
    while latest(catalog, "clinical.lung").await.committed_at == then {
        let next = latest(catalog, "clinical.lung").await.version + 1;
        written(catalog, "clinical.lung", next, &["time"]).await;
    }
    let found = catalog.version_at(dataset, &then).await.unwrap().unwrap();
    assert_eq!(found.committed_at, then);
    let newest = catalog.version_at(dataset, "2999-01-01T00:00:00Z").await.unwrap();
    assert_eq!(newest, Some(latest(catalog, "clinical.lung").await));
}

pub async fn before_the_first_version_there_is_none(catalog: &dyn Catalog) {
    written(catalog, "clinical.lung", 0, &["time"]).await;
    let dataset = live(catalog, "clinical.lung").await.id;
    assert_eq!(catalog.version_at(dataset, "2001-01-01T00:00:00+01:00").await.unwrap(), None);
}

pub async fn an_instant_may_have_an_offset(catalog: &dyn Catalog) {
    let id = written(catalog, "clinical.lung", 0, &["time"]).await;
    let version = catalog.version_by_id(id).await.unwrap();
    let utc = version.committed_at.strip_suffix('Z').unwrap();
    let at = |offset: &str| format!("{utc}{offset}");
    // The same wall time further east is earlier.
    assert_eq!(catalog.version_at(version.dataset, &at("+00:00")).await.unwrap().unwrap().id, id);
    assert_eq!(catalog.version_at(version.dataset, &at("-02:00")).await.unwrap().unwrap().id, id);
    assert_eq!(catalog.version_at(version.dataset, &at("+02:00")).await.unwrap(), None);
}

pub async fn what_is_no_instant_is_refused(catalog: &dyn Catalog) {
    written(catalog, "clinical.lung", 0, &["time"]).await;
    let dataset = live(catalog, "clinical.lung").await.id;
    for text in ["yesterday", "now", "2026-05-01", "2026-13-01T00:00:00Z", "2026-05-01T00:00:00", "12"] {
        let error = catalog.version_at(dataset, text).await.unwrap_err();
        assert!(matches!(error, CatalogError::Invalid(_)), "{text}: {error}");
    }
}

pub async fn times_are_utc_with_milliseconds(catalog: &dyn Catalog) {
    let id = written(catalog, "clinical.lung", 0, &["time"]).await;
    let time = catalog.version_by_id(id).await.unwrap().committed_at;
    assert_eq!((time.len(), &time[10..11], &time[23..]), (24, "T", "Z"), "{time}");
}
