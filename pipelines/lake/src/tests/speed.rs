//! How fast ten million rows are written and read. Run in release:
//! `cargo test --release -p causeway-lake speed -- --ignored --nocapture`.

use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;

use super::helpers::*;
use crate::TableOptions;

const ROWS: i64 = 10_000_000;
const BATCH: i64 = 8192;

/// Five columns: id, days, event, dose, site.
fn batch(from: i64) -> RecordBatch {
    let range = from..(from + BATCH).min(ROWS);
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(range.clone()));
    let days: ArrayRef = Arc::new(Int64Array::from_iter_values(range.clone().map(|i| i.wrapping_mul(7919) % 3650)));
    let event: ArrayRef = Arc::new(Int32Array::from_iter_values(range.clone().map(|i| i32::from(i % 3 == 0))));
    let dose: ArrayRef = Arc::new(Float64Array::from_iter_values(
        range.clone().map(|i| f64::from(i32::try_from(i % 1000).unwrap()) / 8.0),
    ));
    let site: ArrayRef = Arc::new(StringArray::from_iter_values(range.map(|i| format!("site {}", i % 50))));
    RecordBatch::try_from_iter([("id", ids), ("days", days), ("event", event), ("dose", dose), ("site", site)]).unwrap()
}

fn source() -> SendableRecordBatchStream {
    let batches = (0..ROWS).step_by(usize::try_from(BATCH).unwrap()).map(|from| Ok(batch(from)));
    Box::pin(RecordBatchStreamAdapter::new(batch(0).schema(), futures::stream::iter(batches)))
}

#[ignore = "slow: writes ten million rows"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_million_rows() {
    let home = Home::disk();
    let options = TableOptions::default();
    let start = Instant::now();
    let commit = home
        .lake
        .overwrite("t", vec![source()], batch(0).schema(), &options, "CREATE TABLE", &marker("1"))
        .await
        .unwrap();
    eprintln!("write: {:.2?}, {} files, {} MiB", start.elapsed(), commit.n_files, commit.n_bytes >> 20);
    for _ in 0..3 {
        let start = Instant::now();
        let snapshot = latest(&home.lake, "t").await;
        let opened = start.elapsed();
        let read = sql(&snapshot, "SELECT days, event FROM t").await;
        let rows: usize = read.iter().map(RecordBatch::num_rows).sum();
        eprintln!("open: {opened:.2?}, read two columns: {:.2?}, {rows} rows", start.elapsed());
    }
}
