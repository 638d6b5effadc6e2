//! Erasure, orphans and dropped tables.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use datafusion::prelude::{col, lit};
use object_store::{ObjectStoreExt as _, PutPayload};

use super::helpers::*;
use crate::{At, Erasure, Lake, LakeError, Orphans, TableOptions};

on_both_stores!(
    an_erased_subject_is_nowhere,
    an_interrupted_erasure_goes_on,
    an_undeclared_column_is_found_in_the_log,
    writers_are_refused_behind_a_fence,
    uncommitted_files_survive_and_are_counted,
    a_dropped_table_is_gone,
);

const NAME: &str = "Wilhelmina Ætherton";

fn erasure() -> Erasure {
    Erasure {
        request: "request-7".to_owned(),
        rows: col("id").eq(lit(7_000_007_i64)),
        column: "id".to_owned(),
        values: vec!["7000007".to_owned(), NAME.to_owned()],
    }
}

/// Ten people, one of them the subject; the numbers are row counts elsewhere, too.
fn people(from: i64) -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values((from..from + 10).map(|i| 7_000_000 + i)));
    let names: ArrayRef = Arc::new(StringArray::from_iter_values(
        (from..from + 10).map(|i| if i == 7 { NAME.to_owned() } else { format!("Person {i}") }),
    ));
    RecordBatch::try_from_iter([("id", ids), ("name", names)]).unwrap()
}

async fn populated(lake: &Lake, identifying: &[&str]) {
    let options = TableOptions { identifying: identifying.iter().map(ToString::to_string).collect() };
    let first = people(0);
    let schema = first.schema();
    lake.overwrite("t", vec![stream(first)], schema, &options, "CREATE TABLE", &marker("1")).await.unwrap();
    lake.append("t", vec![stream(people(10))], &marker("2")).await.unwrap();
    // The first file leaves the table here but stays on disk, subject and all.
    lake.delete("t", col("id").eq(lit(7_000_003_i64)), &marker("3")).await.unwrap();
}

async fn an_erased_subject_is_nowhere(home: &Home) {
    let lake = &home.lake;
    populated(lake, &["id", "name"]).await;
    let values = erasure().values;
    let before = lake.search("t", "id", &values).await.unwrap();
    let dirty: Vec<_> = before.objects.iter().filter(|object| object.hits > 0).collect();
    assert_eq!(dirty.len(), 2, "the file in use and the one taken out: {dirty:?}");
    assert!(dirty.iter().all(|object| object.path.ends_with(".parquet")));

    let evidence = lake.erase("t", &erasure(), &marker("erase")).await.unwrap();
    assert!(evidence.complete(), "{evidence:?}");
    assert_eq!((evidence.commit.version, evidence.commit.rows_written, evidence.commit.n_rows), (3, 1, 18));
    assert_eq!((evidence.data_files_removed, evidence.log_files_removed), (2, 3));
    assert!(evidence.open_actions.is_empty());
    let left = objects(lake, "t").await;
    assert_eq!(evidence.search.objects.len(), left.len());
    for (name, bytes) in &left {
        let raw = bytes.windows(NAME.len()).any(|window| window == NAME.as_bytes());
        assert!(!raw, "{name} holds the name");
    }
    for lake in [lake, &home.another()] {
        let snapshot = latest(lake, "t").await;
        assert_eq!((snapshot.version(), snapshot.n_rows()), (3, 18));
        assert!(printed(&snapshot, "SELECT count(*) AS n FROM t WHERE id = 7000007").await.contains("| 0 |"));
        let old = lake.snapshot_at("t", &At::Version(1)).await.unwrap_err();
        assert_eq!(old.to_string(), "version 1 of table `t` can no longer be read: erased by request request-7");
        // Markers of expired commits still count.
        assert_eq!(lake.append("t", vec![stream(people(10))], &marker("2")).await.unwrap().version, 3);
        assert_eq!(lake.committed("t", &marker("erase")).await.unwrap().unwrap().version, 3);
    }
    let more = lake.append("t", vec![stream(people(20))], &marker("4")).await.unwrap();
    assert_eq!((more.version, more.n_rows), (4, 28));
    let schema = people(0).schema();
    let options = TableOptions::default();
    lake.overwrite("t", vec![], schema, &options, "CREATE OR REPLACE TABLE", &marker("5")).await.unwrap();
    let old = home.another().snapshot_at("t", &At::Version(0)).await;
    assert!(matches!(old, Err(LakeError::Erased { .. })), "a replaced table remembers: {old:?}");
}

async fn an_interrupted_erasure_goes_on(home: &Home) {
    let lake = &home.lake;
    populated(lake, &["id", "name"]).await;
    lake.erase("t", &erasure(), &marker("erase")).await.unwrap();
    // As after a crash: the commit stands, the fence too, and a file of an old version is back.
    let fence = object_store::path::Path::from("t/_causeway_fence.json");
    lake.root().store.put(&fence, PutPayload::from_static(br#"{"request":"request-7"}"#)).await.unwrap();
    let again = home.another().erase("t", &erasure(), &marker("erase")).await.unwrap();
    assert!(again.complete());
    assert_eq!((again.commit.version, again.data_files_removed), (3, 0));
    assert_eq!(latest(lake, "t").await.n_rows(), 18);
}

async fn an_undeclared_column_is_found_in_the_log(home: &Home) {
    let lake = &home.lake;
    let options = TableOptions::default();
    let one = people(0).slice(7, 1);
    let schema = one.schema();
    lake.overwrite("t", vec![stream(one)], schema, &options, "CREATE TABLE", &marker("1")).await.unwrap();
    let found = lake.search("t", "id", &erasure().values).await.unwrap();
    let log: u64 = found.objects.iter().filter(|object| object.path.ends_with(".json")).map(|object| object.hits).sum();
    assert_eq!(log, 4, "bounds of both columns: {found:?}");
    assert!(lake.erase("t", &erasure(), &marker("erase")).await.unwrap().complete());
}

async fn writers_are_refused_behind_a_fence(home: &Home) {
    let lake = &home.lake;
    populated(lake, &[]).await;
    let fence = object_store::path::Path::from("t/_causeway_fence.json");
    lake.root().store.put(&fence, PutPayload::from_static(br#"{"request":"other"}"#)).await.unwrap();
    let refused = lake.append("t", vec![stream(people(0))], &marker("late")).await.unwrap_err();
    assert!(matches!(refused, LakeError::Fenced { .. }) && refused.retryable(), "{refused}");
    let second = lake.erase("t", &erasure(), &marker("erase")).await.unwrap_err();
    assert!(matches!(second, LakeError::Fenced { .. }), "{second}");
    assert_eq!(latest(lake, "t").await.version(), 2, "readers go on");
    lake.root().store.delete(&fence).await.unwrap();
    lake.append("t", vec![stream(people(0))], &marker("late")).await.unwrap();
}

async fn uncommitted_files_survive_and_are_counted(home: &Home) {
    let lake = &home.lake;
    populated(lake, &[]).await;
    assert_eq!(lake.orphans("t").await.unwrap(), Orphans::default(), "files of old versions are no orphans");
    let fresh = object_store::path::Path::from("t/part-of-another-writer.txt");
    lake.root().store.put(&fresh, PutPayload::from_static(b"12345")).await.unwrap();
    assert_eq!(lake.orphans("t").await.unwrap(), Orphans { files: 1, bytes: 5 });
    lake.erase("t", &erasure(), &marker("erase")).await.unwrap();
    assert_eq!(lake.orphans("t").await.unwrap(), Orphans { files: 1, bytes: 5 }, "another writer may still commit it");
}

async fn a_dropped_table_is_gone(home: &Home) {
    let lake = &home.lake;
    filled(lake, "a/t", 3).await;
    filled(lake, "a/t2", 4).await;
    assert!(lake.drop_table("a/t").await.unwrap());
    assert!(!lake.drop_table("a/t").await.unwrap());
    let gone = lake.snapshot_at("a/t", &At::Latest).await;
    assert!(matches!(gone, Err(LakeError::TableNotFound { .. })));
    assert_eq!(latest(lake, "a/t2").await.n_rows(), 4, "a neighbour whose name begins the same stays");
    filled(lake, "a/t", 1).await;
    assert_eq!(latest(lake, "a/t").await.version(), 0);
}
