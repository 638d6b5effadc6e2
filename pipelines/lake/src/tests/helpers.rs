//! Small tables and ways to look at what the lake made of them.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use arrow::util::pretty::pretty_format_batches;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::prelude::SessionContext;
use futures::TryStreamExt as _;
use object_store::ObjectStoreExt as _;

use crate::{At, Lake, LakeConfig, Marker, Snapshot, TableOptions};

/// A lake that vanishes with the test.
pub(super) struct Home {
    pub(super) lake: Lake,
    _folder: Option<tempfile::TempDir>,
}

impl Home {
    pub(super) fn memory() -> Self {
        let config = LakeConfig { url: "memory:///".to_owned(), ..LakeConfig::default() };
        Self { lake: Lake::open(&config).unwrap(), _folder: None }
    }

    pub(super) fn disk() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = LakeConfig { url: format!("file://{}", folder.path().display()), ..LakeConfig::default() };
        Self { lake: Lake::open(&config).unwrap(), _folder: Some(folder) }
    }

    /// The same lake as another process would see it: nothing cached.
    pub(super) fn another(&self) -> Lake {
        self.lake.without_memory()
    }
}

pub(super) fn marker(name: &str) -> Marker {
    Marker(format!("test/{name}"))
}

pub(super) fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("patient", DataType::Utf8, false), Field::new("days", DataType::Int64, true)]))
}

/// Rows `from..to`: patient `p<i>`, days `i`.
pub(super) fn rows(range: std::ops::Range<i64>) -> RecordBatch {
    let patients: ArrayRef = Arc::new(StringArray::from_iter_values(range.clone().map(|i| format!("p{i}"))));
    let days: ArrayRef = Arc::new(Int64Array::from_iter_values(range));
    RecordBatch::try_new(schema(), vec![patients, days]).unwrap()
}

pub(super) fn stream(batch: RecordBatch) -> SendableRecordBatchStream {
    Box::pin(RecordBatchStreamAdapter::new(batch.schema(), futures::stream::iter([Ok(batch)])))
}

pub(super) fn streams(range: std::ops::Range<i64>) -> Vec<SendableRecordBatchStream> {
    vec![stream(rows(range))]
}

pub(super) fn identifying() -> TableOptions {
    TableOptions { identifying: vec!["patient".to_owned()] }
}

/// Makes a table with the rows `0..n`.
pub(super) async fn filled(lake: &Lake, location: &str, n: i64) {
    let options = TableOptions::default();
    lake.overwrite(location, streams(0..n), schema(), &options, "CREATE TABLE", &marker("fill")).await.unwrap();
}

pub(super) async fn latest(lake: &Lake, location: &str) -> Snapshot {
    lake.snapshot_at(location, &At::Latest).await.unwrap()
}

/// The `days` of a snapshot, sorted.
pub(super) async fn days(snapshot: &Snapshot) -> Vec<i64> {
    let batches = sql(snapshot, "SELECT days FROM t ORDER BY days").await;
    batches.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec()).collect()
}

pub(super) async fn sql(snapshot: &Snapshot, statement: &str) -> Vec<RecordBatch> {
    let session = SessionContext::new();
    session.register_table("t", snapshot.provider()).unwrap();
    session.sql(statement).await.unwrap().collect().await.unwrap()
}

pub(super) async fn printed(snapshot: &Snapshot, statement: &str) -> String {
    pretty_format_batches(&sql(snapshot, statement).await).unwrap().to_string()
}

/// Names and contents of all objects below a table.
pub(super) async fn objects(lake: &Lake, location: &str) -> Vec<(String, Vec<u8>)> {
    let store = &lake.root().store;
    let folder = object_store::path::Path::parse(location).unwrap();
    let mut found = Vec::new();
    for meta in store.list(Some(&folder)).try_collect::<Vec<_>>().await.unwrap() {
        let bytes = store.get(&meta.location).await.unwrap().bytes().await.unwrap();
        found.push((meta.location.to_string(), bytes.to_vec()));
    }
    found.sort();
    found
}

/// The text of the log's JSON files.
pub(super) async fn log_text(lake: &Lake, location: &str) -> String {
    let json = objects(lake, location).await.into_iter().filter(|(name, _)| name.ends_with(".json"));
    json.map(|(_, bytes)| String::from_utf8(bytes).unwrap()).collect::<Vec<_>>().join("\n")
}

/// Data files below a table, referenced or not.
pub(super) async fn n_data_files(lake: &Lake, location: &str) -> usize {
    objects(lake, location).await.iter().filter(|(name, _)| !name.contains("_delta_log")).count()
}

/// Defines one test a store for each named suite function.
macro_rules! on_both_stores {
    ($($name:ident),* $(,)?) => {
        mod disk {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(&super::super::helpers::Home::disk()).await;
            })*
        }
        mod memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(&super::super::helpers::Home::memory()).await;
            })*
        }
    };
}
pub(super) use on_both_stores;
