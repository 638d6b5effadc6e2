//! What needs a look inside: a full disk, readers beside a writer.

use causeway_model::{Catalog, CatalogError, NewRun, Parameters, RunId, RunKind};
use tempfile::TempDir;

use super::SqliteCatalog;
use crate::catalog::Backend as _;

async fn on_disk() -> (SqliteCatalog, TempDir) {
    let folder = TempDir::new().unwrap();
    (SqliteCatalog::open(&folder.path().join("catalog.db")).await.unwrap(), folder)
}

fn new_run(id: &str) -> NewRun {
    NewRun {
        id: RunId(id.into()),
        kind: RunKind::Statement,
        pipeline: None,
        pipeline_digest: Some("d".repeat(2000)),
        engine_version: "0.1.0".into(),
        actor: "admin".into(),
        parameters: Parameters::default(),
    }
}

/// Limits the file to the pages it has; SQLite then answers as on a full disk.
async fn fill_disk(catalog: &SqliteCatalog, full: bool) {
    let pragma = if full { "PRAGMA max_page_count = 1" } else { "PRAGMA max_page_count = 1000000" };
    sqlx::query(pragma).execute(&catalog.backend.pools.writer).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_refuses_and_recovers() {
    let (catalog, _folder) = on_disk().await;
    fill_disk(&catalog, true).await;
    let mut written = 0;
    let error = loop {
        match catalog.begin_run(&new_run(&format!("run-{written}"))).await {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, CatalogError::Full(_)), "{error}");
    assert!(error.to_string().contains("disk is full"), "{error}");
    fill_disk(&catalog, false).await;
    catalog.check().await.unwrap();
    assert_eq!(catalog.runs(1000).await.unwrap().len(), written);
    catalog.begin_run(&new_run("after")).await.unwrap();
}

#[tokio::test]
async fn readers_do_not_wait_for_a_writer() {
    let (catalog, _folder) = on_disk().await;
    catalog.begin_run(&new_run("before")).await.unwrap();
    let mut open = catalog.backend.write().await.unwrap();
    crate::runs::begin(&mut open, &new_run("open")).await.unwrap();
    assert_eq!(catalog.runs(10).await.unwrap().len(), 1);
    catalog.backend.commit(open).await.unwrap();
    assert_eq!(catalog.runs(10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn readers_cannot_write() {
    let (catalog, _folder) = on_disk().await;
    let error = sqlx::query("DELETE FROM run").execute(&catalog.backend.pools.readers).await.unwrap_err();
    assert!(error.to_string().contains("readonly"), "{error}");
}

#[tokio::test]
async fn commits_are_on_the_disk() {
    let (catalog, _folder) = on_disk().await;
    let (synchronous, keys): (i64, i64) =
        sqlx::query_as("SELECT s.synchronous, k.foreign_keys FROM pragma_synchronous s, pragma_foreign_keys k")
            .fetch_one(&catalog.backend.pools.writer)
            .await
            .unwrap();
    let mode: String =
        sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&catalog.backend.pools.writer).await.unwrap();
    assert_eq!((synchronous, keys, mode.as_str()), (2, 1, "wal"));
}
