//! Several writers on one file.

use std::path::Path;
use std::time::Duration;

use causeway_model::{Catalog, TableName};
use causeway_store::SqliteCatalog;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::fixtures::append;

const STEPS: i64 = 10;

/// Each task appends to a table of its own; returns when all are done.
async fn write_at_once(catalogs: Vec<SqliteCatalog>) {
    let mut tasks = JoinSet::new();
    for (writer, catalog) in catalogs.into_iter().enumerate() {
        tasks.spawn(async move {
            for step in 0..STEPS {
                let version = append(&catalog, &format!("t{writer}"), &format!("{writer}-{step}")).await.unwrap();
                assert_eq!(version, step);
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

async fn assert_whole(catalog: &SqliteCatalog, n_writers: usize) {
    let versions = i64::try_from(catalog.versions(None).await.unwrap().len()).unwrap();
    assert_eq!(versions, STEPS * i64::try_from(n_writers).unwrap());
    catalog.check().await.unwrap();
}

async fn open(path: &Path) -> SqliteCatalog {
    SqliteCatalog::open(path).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn eight_tasks_share_a_catalog() {
    let folder = TempDir::new().unwrap();
    let catalog = open(&folder.path().join("catalog.db")).await;
    write_at_once(vec![catalog.clone(); 8]).await;
    assert_whole(&catalog, 8).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn eight_catalogs_share_a_file() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("catalog.db");
    let mut catalogs = Vec::new();
    for _ in 0..8 {
        catalogs.push(open(&path).await);
    }
    let catalog = catalogs[0].clone();
    write_at_once(catalogs).await;
    assert_whole(&catalog, 8).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn a_new_file_may_be_opened_by_many_at_once() {
    let folder = TempDir::new().unwrap();
    for round in 0..10 {
        let path = folder.path().join(format!("{round}.db"));
        let mut tasks = JoinSet::new();
        for _ in 0..8 {
            let path = path.clone();
            tasks.spawn(async move { open(&path).await.schemas().await.unwrap() });
        }
        while let Some(done) = tasks.join_next().await {
            assert!(done.unwrap().is_empty());
        }
    }
}

#[tokio::test]
async fn what_one_writes_the_other_reads() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("catalog.db");
    let (one, other) = (open(&path).await, open(&path).await);
    assert_eq!(append(&one, "t", "1").await.unwrap(), 0);
    assert_eq!(append(&other, "t", "2").await.unwrap(), 1);
    let dataset = one.dataset(&TableName::new("a", "t")).await.unwrap().unwrap();
    assert_eq!(one.latest_version(dataset.id).await.unwrap().unwrap().version, 1);
}

#[tokio::test]
async fn a_cancelled_call_leaves_nothing_and_blocks_nobody() {
    let folder = TempDir::new().unwrap();
    let catalog = open(&folder.path().join("catalog.db")).await;
    for n in 0..40 {
        let limit = Duration::from_micros(n * 50);
        let _ = tokio::time::timeout(limit, append(&catalog, "t", &format!("cancelled-{n}"))).await;
    }
    let before = catalog.versions(None).await.unwrap().len();
    append(&catalog, "t", "whole").await.unwrap();
    assert_eq!(catalog.versions(None).await.unwrap().len(), before + 1);
    catalog.check().await.unwrap();
}
