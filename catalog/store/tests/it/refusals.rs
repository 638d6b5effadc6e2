//! Files that cannot be a catalog, each with its message.

use std::fs;
use std::path::Path;

use causeway_model::{Catalog, CatalogError};
use causeway_store::SqliteCatalog;
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnectOptions;
use tempfile::TempDir;

use crate::fixtures::append;

async fn raw(path: &Path) -> SqlitePool {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    SqlitePool::connect_with(options).await.unwrap()
}

async fn refused(path: &Path) -> CatalogError {
    SqliteCatalog::open(path).await.map(drop).unwrap_err()
}

#[tokio::test]
async fn a_newer_catalog() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("catalog.db");
    SqliteCatalog::open(&path).await.unwrap();
    let pool = raw(&path).await;
    sqlx::query("INSERT INTO schema_migration VALUES (999, 'later', '2030-01-01T00:00:00.000Z')")
        .execute(&pool)
        .await
        .unwrap();
    let error = refused(&path).await;
    assert!(matches!(error, CatalogError::Newer { found: 999, .. }), "{error}");
    assert!(error.to_string().contains("use a newer causeway"), "{error}");
}

#[tokio::test]
async fn somebody_elses_database() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("other.db");
    sqlx::query("CREATE TABLE songs (title TEXT)").execute(&raw(&path).await).await.unwrap();
    let error = refused(&path).await;
    assert!(error.to_string().contains("no causeway catalog"), "{error}");
    let tables: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_master").fetch_one(&raw(&path).await).await.unwrap();
    assert_eq!(tables, 1);
}

#[tokio::test]
async fn a_file_that_is_no_database() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("catalog.db");
    fs::write(&path, "time,status\n1,0\n".repeat(1000)).unwrap();
    let error = refused(&path).await;
    assert!(matches!(error, CatalogError::Damaged(_)), "{error}");
    assert!(error.to_string().contains("catalog.db"), "{error}");
    assert_eq!(fs::read(&path).unwrap().len(), 16_000);
}

#[tokio::test]
async fn a_file_with_overwritten_pages() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("catalog.db");
    let catalog = SqliteCatalog::open(&path).await.unwrap();
    for run in 0..20 {
        append(&catalog, "t", &run.to_string()).await.unwrap();
    }
    drop(catalog);
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&raw(&path).await).await.unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[8192..middle].fill(0xA5);
    fs::write(&path, bytes).unwrap();
    let error = match SqliteCatalog::open(&path).await {
        Ok(catalog) => catalog.check().await.unwrap_err(),
        Err(error) => error,
    };
    assert!(matches!(error, CatalogError::Damaged(_)), "{error}");
    assert!(error.to_string().contains("backup"), "{error}");
}

#[tokio::test]
async fn a_folder_that_is_not_there() {
    let folder = TempDir::new().unwrap();
    let error = refused(&folder.path().join("none/catalog.db")).await;
    assert!(error.to_string().contains("check that the folder exists"), "{error}");
    assert!(!error.retryable());
}

#[tokio::test]
async fn a_folder_in_the_files_place() {
    let folder = TempDir::new().unwrap();
    let error = refused(folder.path()).await;
    assert!(matches!(error, CatalogError::Backend(_)), "{error}");
}

/// `/proc` takes no new files, from nobody; permission bits would not stop root.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_folder_that_cannot_be_written() {
    let error = refused(Path::new("/proc/catalog.db")).await;
    assert!(error.to_string().contains("/proc/catalog.db"), "{error}");
    assert!(error.to_string().contains("may write to it"), "{error}");
}

#[tokio::test]
async fn an_existing_catalog_is_opened_as_it_is() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("catalog.db");
    append(&SqliteCatalog::open(&path).await.unwrap(), "t", "1").await.unwrap();
    let before = migrations(&path).await;
    let again = SqliteCatalog::open(&path).await.unwrap();
    assert_eq!(again.versions(None).await.unwrap().len(), 1);
    assert_eq!(migrations(&path).await, before);
}

async fn migrations(path: &Path) -> Vec<(i64, String)> {
    let sql = "SELECT version, applied_at FROM schema_migration ORDER BY version";
    sqlx::query_as(sql).fetch_all(&raw(path).await).await.unwrap()
}
