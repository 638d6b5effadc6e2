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
    sqlx::query(pragma).execute(catalog.backend.pools.writers.pool()).await.unwrap();
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

/// Starts writers that wait while `first` is at work, in the order of their names.
async fn waiting(catalog: &SqliteCatalog, names: &[&str]) -> Vec<tokio::task::JoinHandle<causeway_model::Result<()>>> {
    let mut writers = Vec::new();
    for name in names {
        let (catalog, run) = (catalog.clone(), new_run(name));
        writers.push(tokio::spawn(async move { catalog.begin_run(&run).await }));
        tokio::task::yield_now().await;
    }
    writers
}

async fn names(catalog: &SqliteCatalog) -> Vec<String> {
    let mut names: Vec<String> = catalog.runs(100).await.unwrap().into_iter().map(|run| run.id.0).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn writers_that_come_together_share_a_commit() {
    let (catalog, _folder) = on_disk().await;
    let backend = &catalog.backend;
    let mut first = backend.write().await.unwrap();
    let second = tokio::spawn({
        let catalog = catalog.clone();
        async move { catalog.backend.write().await.unwrap() }
    });
    tokio::task::yield_now().await;
    crate::runs::begin(&mut first, &new_run("a")).await.unwrap();
    let (first, second) = tokio::join!(backend.commit(first), async {
        let mut second = second.await.unwrap();
        crate::runs::begin(&mut second, &new_run("b")).await.unwrap();
        assert!(names(&catalog).await.is_empty(), "the first is done and waits for the second");
        backend.commit(second).await
    });
    first.unwrap();
    second.unwrap();
    assert_eq!(names(&catalog).await, ["a", "b"]);
}

#[tokio::test]
async fn a_writer_that_fails_takes_nobody_with_it() {
    let (catalog, _folder) = on_disk().await;
    let mut first = catalog.backend.write().await.unwrap();
    let others = waiting(&catalog, &["b", "a", "c"]).await; // the second of them finds its name taken
    crate::runs::begin(&mut first, &new_run("a")).await.unwrap();
    catalog.backend.commit(first).await.unwrap();
    let mut outcomes = Vec::new();
    for other in others {
        outcomes.push(other.await.unwrap().is_ok());
    }
    assert_eq!(outcomes, [true, false, true]);
    assert_eq!(names(&catalog).await, ["a", "b", "c"]);
}

#[tokio::test]
async fn a_writer_that_goes_away_leaves_nothing_behind() {
    let (catalog, _folder) = on_disk().await;
    let mut alone = catalog.backend.write().await.unwrap();
    crate::runs::begin(&mut alone, &new_run("alone")).await.unwrap();
    drop(alone);
    let mut first = catalog.backend.write().await.unwrap();
    crate::runs::begin(&mut first, &new_run("a")).await.unwrap();
    let (begun, mut has_begun) = tokio::sync::oneshot::channel();
    let gone = tokio::spawn({
        let catalog = catalog.clone();
        async move {
            let mut second = catalog.backend.write().await.unwrap();
            crate::runs::begin(&mut second, &new_run("gone")).await.unwrap();
            begun.send(()).unwrap();
            std::future::pending::<()>().await;
        }
    });
    tokio::task::yield_now().await;
    let others = waiting(&catalog, &["b"]).await;
    let (first, ()) = tokio::join!(catalog.backend.commit(first), async {
        (&mut has_begun).await.unwrap();
        gone.abort();
    });
    first.unwrap();
    for other in others {
        other.await.unwrap().unwrap();
    }
    assert_eq!(names(&catalog).await, ["a", "b"]);
}

#[tokio::test]
async fn what_is_done_is_recorded_though_nobody_waits_for_it() {
    let (catalog, _folder) = on_disk().await;
    let mut first = catalog.backend.write().await.unwrap();
    crate::runs::begin(&mut first, &new_run("a")).await.unwrap();
    // One poll ends the turn; the flush takes longer.
    let mut commit = Box::pin(catalog.backend.commit(first));
    let mut nobody = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(commit.as_mut().poll(&mut nobody).is_pending());
    drop(commit);
    catalog.begin_run(&new_run("b")).await.unwrap();
    assert_eq!(names(&catalog).await, ["a", "b"]);
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
            .fetch_one(catalog.backend.pools.writers.pool())
            .await
            .unwrap();
    let mode: String =
        sqlx::query_scalar("PRAGMA journal_mode").fetch_one(catalog.backend.pools.writers.pool()).await.unwrap();
    assert_eq!((synchronous, keys, mode.as_str()), (2, 1, "wal"));
}
