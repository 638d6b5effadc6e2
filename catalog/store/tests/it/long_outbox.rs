//! An outbox with many rows that were told long ago.

use std::time::{Duration, Instant};

use causeway_model::{Catalog, RunId};
use sqlx::{Connection as _, PgConnection, SqliteConnection};

use crate::fixtures::{append, new_run};
use crate::places::{Place, on_each_store};

on_each_store!(what_waits_is_found_among_many_that_were_told);

const TOLD: i64 = 300_000;

async fn fill(place: &Place) {
    let columns = "INSERT INTO lineage_event (run_id, attempt, transition, at, delivered_at)";
    let row = "1, 0, 'START', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:01.000Z'";
    match place {
        Place::Sqlite(_) => {
            let mut connection = SqliteConnection::connect(&place.url()).await.unwrap();
            let numbers = format!("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {TOLD})");
            let sql = format!("{columns} {numbers} SELECT {row} FROM n");
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        }
        Place::Postgres(database) => {
            let mut connection = PgConnection::connect(database.url()).await.unwrap();
            // The server analyses what has grown by itself, but not at once; till then it keeps its old plans.
            let sql = format!("{columns} SELECT {row} FROM generate_series(1, {TOLD}); ANALYZE lineage_event");
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        }
    }
}

/// The shortest of some looks at what waits.
async fn best(catalog: &dyn Catalog, n_waiting: usize) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..20 {
        let begun = Instant::now();
        assert_eq!(catalog.pending_changes(64).await.unwrap().len(), n_waiting);
        catalog.outbox_status().await.unwrap();
        best = best.min(begun.elapsed());
    }
    best
}

/// Reading all rows would take many times as long as reading none.
async fn what_waits_is_found_among_many_that_were_told(place: Place) {
    let catalog = place.open().await;
    catalog.begin_run(&new_run(&RunId("first".into()))).await.unwrap();
    let first = catalog.pending_changes(1).await.unwrap()[0].id;
    catalog.changes_delivered(&[first]).await.unwrap();
    let before = best(&*catalog, 0).await;
    fill(&place).await;
    append(&*catalog, "t", "last").await.unwrap();
    let after = best(&*catalog, 3).await;
    assert!(after < 2 * before + Duration::from_millis(1), "{before:?} before, {after:?} after");
    assert_eq!(catalog.forget_changes(30, false, None, 1000).await.unwrap(), 1000);
}
