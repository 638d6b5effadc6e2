//! Create, append, overwrite, delete, snapshots and markers.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::prelude::{col, lit};
use object_store::ObjectStoreExt as _;

use super::helpers::*;
use crate::{At, LakeError, Rewrite, TableOptions};

on_both_stores!(
    a_table_is_made_filled_and_replaced,
    one_call_is_one_commit,
    a_marker_is_written_once,
    a_marker_on_an_older_version_is_found,
    a_marker_is_found_behind_a_checkpoint,
    a_recorded_version_is_answered_from_memory,
    a_declared_column_stays_out_of_later_statistics,
    columns_can_be_replaced_and_old_versions_read,
    time_travel_by_instant,
    counting_reads_no_file,
    filters_skip_files,
    identifying_values_stay_out_of_the_log,
    appends_at_once_all_arrive,
    overwrites_at_once_conflict,
    a_moved_base_version_is_a_conflict,
    another_process_sees_commits,
    what_was_added_is_told_from_what_was_changed,
    rows_that_fail_leave_nothing,
    no_rows_still_commit,
    delete_rewrites_touched_files_only,
    delete_without_matches_keeps_the_marker,
    delete_of_everything_leaves_an_empty_table,
    null_predicates_keep_rows,
    missing_tables_and_versions_are_named,
    small_partitions_share_a_file,
    deltalake_reads_the_same_table,
);

async fn what_was_added_is_told_from_what_was_changed(home: &Home) {
    let lake = &home.lake;
    let table = "clinical/lung";
    lake.create(table, schema(), &TableOptions::default(), &marker("1")).await.unwrap();
    lake.append(table, streams(0..10), &marker("2")).await.unwrap();
    lake.append(table, streams(10..15), &marker("3")).await.unwrap();
    lake.append(table, streams(15..16), &marker("4")).await.unwrap();
    for lake in [lake, &home.another()] {
        for (since, until, n_rows) in [(0, 3, 16), (1, 3, 6), (1, 2, 5), (3, 3, 0)] {
            let added = lake.added_between(table, since, until).await.unwrap().unwrap();
            assert_eq!(
                (added.n_rows(), days(&added).await.len()),
                (n_rows, usize::try_from(n_rows).unwrap()),
                "{since} to {until}"
            );
        }
        assert!(lake.added_between(table, 3, 1).await.unwrap().is_none(), "a version does not grow into an older one");
    }
    lake.delete(table, col("days").eq(lit(3_i64)), &marker("5")).await.unwrap();
    assert!(lake.added_between(table, 1, 4).await.unwrap().is_none(), "a row was taken away");
    let added = lake.added_between(table, 0, 4).await.unwrap().unwrap();
    assert_eq!(added.n_rows(), 15, "all that is there came after version 0, which was empty");
    lake.append(table, streams(20..22), &marker("6")).await.unwrap();
    assert_eq!(lake.added_between(table, 4, 5).await.unwrap().unwrap().n_rows(), 2);
    assert!(matches!(lake.added_between(table, 4, 9).await, Err(LakeError::VersionNotFound { .. })));
}

async fn a_table_is_made_filled_and_replaced(home: &Home) {
    let lake = &home.lake;
    let made = lake.create("clinical/lung", schema(), &TableOptions::default(), &marker("1")).await.unwrap();
    assert_eq!((made.version, made.n_rows, made.n_files), (0, 0, 0));
    let added = lake.append("clinical/lung", streams(0..10), &marker("2")).await.unwrap();
    assert_eq!((added.version, added.rows_written, added.n_rows, added.n_files), (1, 10, 10, 1));
    let more = lake.append("clinical/lung", streams(10..15), &marker("3")).await.unwrap();
    assert_eq!((more.version, more.rows_written, more.n_rows, more.n_files), (2, 5, 15, 2));
    let options = TableOptions::default();
    let replaced =
        lake.overwrite("clinical/lung", streams(100..103), schema(), &options, "UPDATE", &marker("4")).await.unwrap();
    assert_eq!((replaced.version, replaced.rows_written, replaced.n_rows, replaced.n_files), (3, 3, 3, 1));
    assert_eq!(days(&latest(lake, "clinical/lung").await).await, [100, 101, 102]);
    let again = lake.create("clinical/lung", schema(), &options, &marker("5")).await;
    assert!(matches!(again, Err(LakeError::TableExists { .. })));
}

async fn one_call_is_one_commit(home: &Home) {
    filled(&home.lake, "t", 5).await;
    let names: Vec<String> = objects(&home.lake, "t").await.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names[0].ends_with("_delta_log/00000000000000000000.json"), "{names:?}");
    let log = log_text(&home.lake, "t").await;
    for action in ["protocol", "metaData", "add", "txn", "commitInfo"] {
        assert_eq!(log.matches(&format!("{{\"{action}\":")).count(), 1, "{action} in {log}");
    }
    assert!(log.contains(r#""operation":"CREATE TABLE""#) && log.contains(r#""appId":"test/fill","version":1"#));
}

async fn a_marker_is_written_once(home: &Home) {
    let lake = &home.lake;
    filled(lake, "t", 5).await;
    let first = lake.append("t", streams(5..7), &marker("step")).await.unwrap();
    let second = lake.append("t", streams(5..7), &marker("step")).await.unwrap();
    let elsewhere = home.another().append("t", streams(5..7), &marker("step")).await.unwrap();
    for repeated in [second, elsewhere] {
        assert_eq!((repeated.version, repeated.rows_written, repeated.n_rows), (first.version, 2, 7));
    }
    assert_eq!(latest(lake, "t").await.n_rows(), 7);
    assert_eq!(n_data_files(lake, "t").await, 2, "the repeated write left no file");
}

async fn a_marker_on_an_older_version_is_found(home: &Home) {
    let lake = &home.lake;
    filled(lake, "t", 5).await;
    lake.append("t", streams(5..7), &marker("early")).await.unwrap();
    lake.append("t", streams(7..8), &marker("late")).await.unwrap();
    for lake in [lake, &home.another()] {
        let found = lake.committed("t", &marker("early")).await.unwrap().unwrap();
        assert_eq!((found.version, found.rows_written, found.n_rows), (1, 2, 7));
        assert!(lake.committed("t", &marker("never")).await.unwrap().is_none());
        assert!(lake.committed("no/table", &marker("early")).await.unwrap().is_none());
    }
}

async fn a_marker_is_found_behind_a_checkpoint(home: &Home) {
    let lake = &home.lake;
    filled(lake, "t", 5).await;
    for i in 1..=66 {
        lake.append("t", streams(i..i + 1), &marker(&i.to_string())).await.unwrap();
    }
    let names: Vec<String> = objects(lake, "t").await.into_iter().map(|(name, _)| name).collect();
    assert!(names.iter().any(|name| name.ends_with("_last_checkpoint")), "{names:?}");
    let other = home.another();
    assert_eq!(latest(&other, "t").await.n_rows(), 71);
    assert_eq!(days(&latest(&other, "t").await).await.len(), 71);
    assert_eq!(other.committed("t", &marker("3")).await.unwrap().unwrap().version, 3);
    assert_eq!(other.committed("t", &marker("65")).await.unwrap().unwrap().n_rows, 70);
    assert!(other.committed("t", &marker("never")).await.unwrap().is_none());
    assert_eq!(other.snapshot_at("t", &At::Version(2)).await.unwrap().n_rows(), 7);
}

async fn a_recorded_version_is_answered_from_memory(home: &Home) {
    let lake = &home.lake;
    filled(lake, "t", 3).await;
    assert_eq!(lake.snapshot_at("t", &At::Recorded(0)).await.unwrap().n_rows(), 3);
    let first = object_store::path::Path::from("t/_delta_log/00000000000000000000.json");
    lake.root().store.delete(&first).await.unwrap();
    let known = lake.snapshot_at("t", &At::Recorded(0)).await.unwrap();
    assert_eq!(days(&known).await, [0, 1, 2]);
    assert!(lake.snapshot_at("t", &At::Version(0)).await.is_err(), "asked by number, it is looked for");
    filled(lake, "u", 3).await;
    lake.snapshot_at("u", &At::Recorded(0)).await.unwrap();
    home.another().append("u", streams(3..5), &marker("more")).await.unwrap();
    assert_eq!(lake.snapshot_at("u", &At::Recorded(1)).await.unwrap().n_rows(), 5);
    assert!(lake.drop_table("u").await.unwrap());
    assert!(lake.snapshot_at("u", &At::Recorded(1)).await.is_err(), "what this process has dropped is gone");
}

async fn a_declared_column_stays_out_of_later_statistics(home: &Home) {
    let lake = &home.lake;
    filled(lake, "t", 3).await;
    let declared = lake.declare("t", &identifying(), &marker("declare")).await.unwrap();
    assert_eq!((declared.version, declared.n_rows, declared.rows_written), (1, 3, 0));
    assert_eq!(lake.declare("t", &identifying(), &marker("declare")).await.unwrap().version, 1, "once a marker");
    home.another().append("t", streams(700..701), &marker("more")).await.unwrap();
    let log = log_text(lake, "t").await;
    assert!(log.contains("p0") && !log.contains("p700"), "{log}");
    assert_eq!(latest(lake, "t").await.identifying(), ["patient"]);
    let missing = lake.declare("u", &identifying(), &marker("declare")).await;
    assert!(matches!(missing, Err(LakeError::TableNotFound { .. })), "{missing:?}");
}

async fn columns_can_be_replaced_and_old_versions_read(home: &Home) {
    let lake = &home.lake;
    filled(lake, "t", 3).await;
    let values: ArrayRef = Arc::new(Float64Array::from(vec![Some(0.5), None]));
    let other = RecordBatch::try_from_iter([("value", values)]).unwrap();
    let (other_schema, options) = (other.schema(), TableOptions::default());
    let (replace, again) = (marker("replace"), marker("same columns again"));
    let rewrite = |marker| {
        lake.overwrite(
            "t",
            vec![stream(other.clone())],
            Arc::clone(&other_schema),
            &options,
            "CREATE OR REPLACE TABLE",
            marker,
        )
    };
    let commit = rewrite(&replace).await.unwrap();
    assert_eq!((commit.version, commit.schema.field(0).name().as_str()), (1, "value"));
    let old = lake.snapshot_at("t", &At::Version(0)).await.unwrap();
    assert_eq!(days(&old).await, [0, 1, 2]);
    assert_eq!(latest(lake, "t").await.schema().fields().len(), 1);
    let log = log_text(lake, "t").await;
    assert_eq!(log.matches("{\"metaData\":").count(), 2);
    rewrite(&again).await.unwrap();
    assert_eq!(log_text(lake, "t").await.matches("{\"metaData\":").count(), 2, "unchanged metadata is not repeated");
}

async fn time_travel_by_instant(home: &Home) {
    let lake = &home.lake;
    filled(lake, "t", 1).await;
    let mut times = vec![latest(lake, "t").await.timestamp_ms()];
    for i in 1..6 {
        lake.append("t", streams(i..i + 1), &marker(&i.to_string())).await.unwrap();
        times.push(latest(lake, "t").await.timestamp_ms());
    }
    assert!(times.is_sorted_by(|a, b| a < b), "commit times increase: {times:?}");
    for (version, time) in times.iter().enumerate() {
        let instant = chrono::DateTime::from_timestamp_millis(*time).unwrap().to_rfc3339();
        let found = lake.snapshot_at("t", &At::Timestamp(instant)).await.unwrap();
        assert_eq!(found.version(), i64::try_from(version).unwrap());
    }
    let future = lake.snapshot_at("t", &At::Timestamp("2999-01-01T00:00:00+02:00".to_owned())).await.unwrap();
    assert_eq!(future.version(), 5);
    let past = lake.snapshot_at("t", &At::Timestamp("1999-01-01T00:00:00Z".to_owned())).await;
    assert!(matches!(past, Err(LakeError::VersionNotFound { .. })));
    let nonsense = lake.snapshot_at("t", &At::Timestamp("yesterday".to_owned())).await;
    assert!(matches!(nonsense, Err(LakeError::BadTimestamp { .. })));
}

async fn counting_reads_no_file(home: &Home) {
    filled(&home.lake, "t", 1000).await;
    let snapshot = latest(&home.lake, "t").await;
    let plan = printed(&snapshot, "EXPLAIN SELECT count(*), min(days), max(days) FROM t").await;
    assert!(plan.contains("PlaceholderRowExec") && !plan.contains("DataSourceExec"), "{plan}");
    let counted = printed(&snapshot, "SELECT count(*) AS n, min(days) AS lo, max(days) AS hi FROM t").await;
    assert!(counted.contains("| 1000 | 0  | 999 |"), "{counted}");
}

async fn filters_skip_files(home: &Home) {
    filled(&home.lake, "t", 100).await;
    home.lake.append("t", streams(1000..1100), &marker("more")).await.unwrap();
    let snapshot = latest(&home.lake, "t").await;
    assert_eq!(
        sql(&snapshot, "SELECT patient FROM t WHERE days = 1050")
            .await
            .iter()
            .map(RecordBatch::num_rows)
            .sum::<usize>(),
        1
    );
    let analysed = printed(&snapshot, "EXPLAIN ANALYZE SELECT patient FROM t WHERE days = 1050").await;
    assert!(analysed.contains("files_ranges_pruned_statistics=2 total → 1 matched"), "{analysed}");
}

async fn identifying_values_stay_out_of_the_log(home: &Home) {
    let lake = &home.lake;
    let options = identifying();
    lake.overwrite("t", streams(0..50), schema(), &options, "CREATE TABLE", &marker("1")).await.unwrap();
    lake.append("t", streams(50..60), &marker("2")).await.unwrap();
    lake.delete("t", col("patient").eq(lit("p7")), &marker("3")).await.unwrap();
    assert_eq!(latest(lake, "t").await.identifying(), ["patient"]);
    let log = log_text(lake, "t").await;
    for i in 0..60 {
        assert!(!log.contains(&format!("\"p{i}\"")) && !log.contains(&format!("p{i}'")), "p{i} in {log}");
    }
    assert!(log.contains(r#""delta.dataSkippingStatsColumns":"days""#), "{log}");
    assert!(log.contains(r#"\"minValues\":{\"days\":0}"#), "statistics of other columns are there: {log}");
    let unknown = TableOptions { identifying: vec!["name".to_owned()] };
    let refused =
        lake.overwrite("u", streams(0..1), schema(), &unknown, "CREATE TABLE", &marker("1")).await.unwrap_err();
    assert!(refused.to_string().contains("`name`"), "{refused}");
}

async fn appends_at_once_all_arrive(home: &Home) {
    filled(&home.lake, "t", 0).await;
    let tasks = (0..4).map(|task| {
        let lake = home.another();
        tokio::spawn(async move {
            for i in 0..10 {
                let first = i64::from(task * 10 + i);
                lake.append("t", streams(first..first + 1), &marker(&format!("{task}-{i}"))).await.unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let snapshot = latest(&home.lake, "t").await;
    assert_eq!(snapshot.version(), 40);
    assert_eq!(days(&snapshot).await, (0..40).collect::<Vec<_>>());
}

async fn overwrites_at_once_conflict(home: &Home) {
    filled(&home.lake, "t", 3).await;
    let options = TableOptions::default();
    // The rows of the first overwrite end only after the second has committed.
    let (release, wait) = tokio::sync::oneshot::channel::<()>();
    let slow = futures::stream::once(async move {
        wait.await.unwrap();
        Ok(rows(10..11))
    });
    let slow = Box::pin(datafusion::physical_plan::stream::RecordBatchStreamAdapter::new(schema(), slow));
    let other = home.another();
    let first = tokio::spawn({
        let options = options.clone();
        async move { other.overwrite("t", vec![slow], schema(), &options, "UPDATE", &marker("first")).await }
    });
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    home.lake.overwrite("t", streams(20..21), schema(), &options, "UPDATE", &marker("second")).await.unwrap();
    release.send(()).unwrap();
    let error = first.await.unwrap().unwrap_err();
    assert!(matches!(error, LakeError::Conflict { .. }) && error.retryable(), "{error}");
    assert_eq!(days(&latest(&home.lake, "t").await).await, [20]);
    assert_eq!(n_data_files(&home.lake, "t").await, 2, "the loser removed its file");
}

async fn a_moved_base_version_is_a_conflict(home: &Home) {
    filled(&home.lake, "t", 3).await;
    home.lake.append("t", streams(3..4), &marker("between")).await.unwrap();
    let rewrite =
        Rewrite { schema: schema(), options: TableOptions::default(), operation: "MERGE", base_version: Some(0) };
    let lost = home.lake.overwrite_with("t", streams(0..1), &rewrite, &marker("merge")).await.unwrap_err();
    assert!(lost.retryable(), "{lost}");
    assert_eq!(home.lake.commit_counts().conflicts, 1);
    let current = Rewrite { base_version: Some(1), ..rewrite };
    assert_eq!(home.lake.overwrite_with("t", streams(0..1), &current, &marker("merge")).await.unwrap().version, 2);
}

async fn another_process_sees_commits(home: &Home) {
    let other = home.another();
    filled(&home.lake, "t", 1).await;
    assert_eq!(latest(&other, "t").await.version(), 0);
    for i in 1..4 {
        home.lake.append("t", streams(i..i + 1), &marker(&i.to_string())).await.unwrap();
        assert_eq!(latest(&other, "t").await.version(), i);
    }
}

async fn rows_that_fail_leave_nothing(home: &Home) {
    filled(&home.lake, "t", 1).await;
    let broken = futures::stream::iter([
        Ok(rows(0..100_000)),
        Ok(rows(0..500_000)),
        Err(datafusion::error::DataFusionError::Execution("the source broke".to_owned())),
    ]);
    let broken = Box::pin(datafusion::physical_plan::stream::RecordBatchStreamAdapter::new(schema(), broken));
    let error = home.lake.append("t", vec![broken], &marker("2")).await.unwrap_err();
    assert!(error.to_string().contains("the source broke"), "{error}");
    assert_eq!(n_data_files(&home.lake, "t").await, 1);
    assert_eq!(latest(&home.lake, "t").await.version(), 0);
}

async fn no_rows_still_commit(home: &Home) {
    let options = TableOptions::default();
    let made = home.lake.overwrite("t", vec![], schema(), &options, "CREATE TABLE", &marker("1")).await.unwrap();
    assert_eq!((made.version, made.n_rows, made.n_files), (0, 0, 0));
    let empty = home.lake.append("t", streams(0..0), &marker("2")).await.unwrap();
    assert_eq!((empty.version, empty.n_files), (1, 0));
    let snapshot = latest(&home.lake, "t").await;
    assert_eq!(snapshot.schema(), schema());
    assert!(printed(&snapshot, "SELECT count(*) AS n, max(days) FROM t").await.contains("| 0 |"));
    assert!(sql(&snapshot, "SELECT patient FROM t").await.iter().all(|batch| batch.num_rows() == 0));
}

async fn delete_rewrites_touched_files_only(home: &Home) {
    let lake = &home.lake;
    filled(lake, "t", 10).await;
    lake.append("t", streams(10..20), &marker("2")).await.unwrap();
    let before = log_text(lake, "t").await;
    let deleted = lake.delete("t", col("days").between(lit(12), lit(14)), &marker("3")).await.unwrap();
    assert_eq!((deleted.version, deleted.rows_written, deleted.n_rows, deleted.n_files), (2, 3, 17, 2));
    let log = log_text(lake, "t").await;
    assert!(log.starts_with(&before));
    let added = &log[before.len()..];
    assert_eq!((added.matches("{\"remove\":").count(), added.matches("{\"add\":").count()), (1, 1));
    assert!(!added.contains("BETWEEN") && !added.contains("predicate"), "{added}");
    assert_eq!(days(&latest(lake, "t").await).await, (0..12).chain(15..20).collect::<Vec<_>>());
    assert_eq!(days(&lake.snapshot_at("t", &At::Version(1)).await.unwrap()).await.len(), 20);
    let again = lake.delete("t", col("days").lt(lit(5)), &marker("3")).await.unwrap();
    assert_eq!((again.version, again.rows_written, again.n_rows), (2, 3, 17));
}

async fn delete_without_matches_keeps_the_marker(home: &Home) {
    filled(&home.lake, "t", 10).await;
    let nothing = home.lake.delete("t", col("days").gt(lit(99)), &marker("2")).await.unwrap();
    assert_eq!((nothing.version, nothing.rows_written, nothing.n_rows), (1, 0, 10));
    assert_eq!(home.lake.committed("t", &marker("2")).await.unwrap().unwrap().version, 1);
    assert_eq!(n_data_files(&home.lake, "t").await, 1);
}

async fn delete_of_everything_leaves_an_empty_table(home: &Home) {
    filled(&home.lake, "t", 10).await;
    let all = home.lake.delete("t", lit(true), &marker("2")).await.unwrap();
    assert_eq!((all.rows_written, all.n_rows, all.n_files), (10, 0, 0));
}

async fn null_predicates_keep_rows(home: &Home) {
    let (lake, options) = (&home.lake, TableOptions::default());
    let values: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.0), None, Some(3.0)]));
    let batch = RecordBatch::try_from_iter([("value", values)]).unwrap();
    let nullable = Arc::new(Schema::new(vec![Field::new("value", DataType::Float64, true)]));
    lake.overwrite("t", vec![stream(batch)], nullable, &options, "CREATE TABLE", &marker("1")).await.unwrap();
    // A column that carries the name of its table, as a statement's plan has it.
    let qualified = datafusion::prelude::Expr::Column(datafusion::common::Column::new(Some("t"), "value"));
    let deleted = lake.delete("t", qualified.gt(lit(2.0)), &marker("2")).await.unwrap();
    assert_eq!((deleted.rows_written, deleted.n_rows), (1, 2));
}

async fn missing_tables_and_versions_are_named(home: &Home) {
    let lake = &home.lake;
    let missing = lake.snapshot_at("no/such", &At::Latest).await.unwrap_err();
    assert_eq!((missing.code(), missing.retryable()), ("CW0301", false));
    assert!(matches!(lake.append("no/such", vec![], &marker("1")).await, Err(LakeError::TableNotFound { .. })));
    assert!(matches!(lake.delete("no/such", lit(true), &marker("1")).await, Err(LakeError::TableNotFound { .. })));
    filled(lake, "t", 1).await;
    for version in [-1, 1, 99] {
        let error = lake.snapshot_at("t", &At::Version(version)).await.unwrap_err();
        assert!(matches!(error, LakeError::VersionNotFound { latest: 0, .. }), "{error}");
    }
    assert!(matches!(lake.snapshot_at("../t", &At::Latest).await, Err(LakeError::BadLocation { .. })));
}

async fn small_partitions_share_a_file(home: &Home) {
    let options = TableOptions::default();
    let partitions = (0..8).map(|i| stream(rows(i * 5..i * 5 + 5))).collect();
    let commit = home.lake.overwrite("t", partitions, schema(), &options, "CREATE TABLE", &marker("1")).await.unwrap();
    assert_eq!((commit.n_rows, commit.n_files), (40, 1));
}

async fn deltalake_reads_the_same_table(home: &Home) {
    let lake = &home.lake;
    lake.overwrite("t", streams(0..50), schema(), &identifying(), "CREATE TABLE", &marker("1")).await.unwrap();
    lake.append("t", streams(50..60), &marker("2")).await.unwrap();
    lake.delete("t", col("days").lt(lit(10)), &marker("3")).await.unwrap();
    let table = lake.table("t").unwrap();
    let snapshot = table.log.snapshot(2).await.unwrap();
    assert_eq!(snapshot.arrow_schema(), schema());
    let rows: usize = snapshot.log_data().iter().filter_map(|file| file.num_records()).sum();
    assert_eq!(rows, 50);
    let delta = table.log.delta().unwrap();
    assert_eq!(snapshot.transaction_version(delta.as_ref(), "test/2").await.unwrap(), Some(1));
}
