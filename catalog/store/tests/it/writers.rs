//! Several writers on one catalog.

use std::sync::Arc;
use std::time::Duration;

use causeway_model::{Catalog, CatalogError, OutputVersion, RunId, TableName};
use tokio::task::JoinSet;

use crate::fixtures::{append, new_run, output, started, writes};
use crate::places::{Place, on_each_store};

const STEPS: i64 = 10;

on_each_store!(
    eight_tasks_share_a_catalog,
    eight_catalogs_share_a_place,
    a_new_place_may_be_opened_by_many_at_once,
    what_one_writes_the_other_reads,
    a_cancelled_call_leaves_nothing_and_blocks_nobody,
    a_run_is_begun_by_one,
    a_version_is_written_by_one,
    a_name_is_taken_by_one,
    an_attempt_is_completed_once,
);

/// Each task appends to a table of its own; returns when all are done.
async fn write_at_once(catalogs: Vec<Arc<dyn Catalog>>) {
    let mut tasks = JoinSet::new();
    for (writer, catalog) in catalogs.into_iter().enumerate() {
        tasks.spawn(async move {
            for step in 0..STEPS {
                let version = append(&*catalog, &format!("t{writer}"), &format!("{writer}-{step}")).await.unwrap();
                assert_eq!(version, step);
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

async fn assert_whole(catalog: &dyn Catalog, n_writers: usize) {
    let versions = i64::try_from(catalog.versions(None).await.unwrap().len()).unwrap();
    assert_eq!(versions, STEPS * i64::try_from(n_writers).unwrap());
    catalog.check().await.unwrap();
}

async fn eight_tasks_share_a_catalog(place: Place) {
    let catalog = place.open().await;
    write_at_once(vec![Arc::clone(&catalog); 8]).await;
    assert_whole(&*catalog, 8).await;
}

async fn eight_catalogs_share_a_place(place: Place) {
    let catalogs = several(&place, 8).await;
    let catalog = Arc::clone(&catalogs[0]);
    write_at_once(catalogs).await;
    assert_whole(&*catalog, 8).await;
}

async fn several(place: &Place, count: usize) -> Vec<Arc<dyn Catalog>> {
    let mut catalogs = Vec::new();
    for _ in 0..count {
        catalogs.push(place.open().await);
    }
    catalogs
}

async fn a_new_place_may_be_opened_by_many_at_once(place: Place) {
    let again = |place: &Place| match place {
        Place::Sqlite(_) => Place::sqlite(),
        Place::Postgres(_) => Place::postgres(),
    };
    for _ in 0..5 {
        let place = again(&place);
        let mut tasks = JoinSet::new();
        for _ in 0..8 {
            let url = place.url();
            tasks.spawn(async move { causeway_store::open(&url).await.unwrap().schemas().await.unwrap() });
        }
        while let Some(done) = tasks.join_next().await {
            assert!(done.unwrap().is_empty());
        }
    }
}

async fn what_one_writes_the_other_reads(place: Place) {
    let (one, other) = (place.open().await, place.open().await);
    assert_eq!(append(&*one, "t", "1").await.unwrap(), 0);
    assert_eq!(append(&*other, "t", "2").await.unwrap(), 1);
    let dataset = one.dataset(&TableName::new("a", "t")).await.unwrap().unwrap();
    assert_eq!(one.latest_version(dataset.id).await.unwrap().unwrap().version, 1);
}

async fn a_cancelled_call_leaves_nothing_and_blocks_nobody(place: Place) {
    let catalog = place.open().await;
    for n in 0..40 {
        let limit = Duration::from_micros(n * 50);
        let _ = tokio::time::timeout(limit, append(&*catalog, "t", &format!("cancelled-{n}"))).await;
    }
    let before = catalog.versions(None).await.unwrap().len();
    append(&*catalog, "t", "whole").await.unwrap();
    assert_eq!(catalog.versions(None).await.unwrap().len(), before + 1);
    catalog.check().await.unwrap();
}

/// Calls from eight processes' worth of catalogs at once; one must succeed. Returns the others' errors.
async fn race<F, T>(place: &Place, call: impl Fn(Arc<dyn Catalog>, usize) -> F) -> Vec<CatalogError>
where
    F: Future<Output = Result<T, CatalogError>> + Send + 'static,
    T: Send + 'static,
{
    let mut tasks = JoinSet::new();
    for (number, catalog) in several(place, 8).await.into_iter().enumerate() {
        tasks.spawn(call(catalog, number));
    }
    let outcomes = tasks.join_all().await;
    let errors: Vec<CatalogError> = outcomes.into_iter().filter_map(Result::err).collect();
    assert_eq!(errors.len(), 7, "one of eight succeeds");
    errors
}

async fn a_run_is_begun_by_one(place: Place) {
    let begin = |catalog: Arc<dyn Catalog>, _| async move { catalog.begin_run(&new_run(&RunId("r".into()))).await };
    for error in race(&place, begin).await {
        assert!(matches!(error, CatalogError::AlreadyExists { what: "run", .. }), "{error}");
    }
    assert_eq!(place.open().await.runs(10).await.unwrap().len(), 1);
}

async fn a_version_is_written_by_one(place: Place) {
    append(&*place.open().await, "t", "first").await.unwrap();
    let write = |catalog: Arc<dyn Catalog>, number| async move {
        let step = started(&*catalog, &format!("w{number}")).await;
        let outcome = writes(output(TableName::new("a", "t"), 1));
        catalog.complete_step(step.id, step.attempt, &outcome).await
    };
    for error in race(&place, write).await {
        assert!(matches!(error, CatalogError::AlreadyExists { what: "version", .. }), "{error}");
    }
    assert_eq!(place.open().await.versions(None).await.unwrap().len(), 2);
}

/// All want the name, each for a table that lies elsewhere.
async fn a_name_is_taken_by_one(place: Place) {
    let write = |catalog: Arc<dyn Catalog>, number| async move {
        let step = started(&*catalog, &format!("w{number}")).await;
        let table = output(TableName::new("a", "t"), 0);
        let location = format!("place {number}");
        let taken = OutputVersion { location, ..table };
        catalog.complete_step(step.id, step.attempt, &writes(taken)).await
    };
    for error in race(&place, write).await {
        assert!(matches!(error, CatalogError::Invalid(_)), "{error}");
    }
    assert_eq!(place.open().await.datasets(true).await.unwrap().len(), 1);
}

async fn an_attempt_is_completed_once(place: Place) {
    let step = started(&*place.open().await, "once").await;
    let complete = |catalog: Arc<dyn Catalog>, number: usize| {
        let (id, attempt) = (step.id, step.attempt);
        async move {
            let outcome = writes(output(TableName::new("a", format!("t{number}")), 0));
            catalog.complete_step(id, attempt, &outcome).await
        }
    };
    for error in race(&place, complete).await {
        assert!(matches!(error, CatalogError::Stale { .. }), "{error}");
    }
    assert_eq!(place.open().await.datasets(true).await.unwrap().len(), 1);
}
