use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use arrow::compute::concat_batches;
use arrow::util::display::array_value_to_string;
use causeway_lake::{At, Lake, LakeConfig};
use causeway_model::TableName;
use datafusion::prelude::SessionContext;

use super::{Mode, Report, Request, ingest};
use crate::contract::Contract;
use crate::error::{IngestError, Result};

const CONTRACT: &str = "table='s.t'\nkey=['id']\ncolumn=[{name='id',type='bigint',identifying=true},{name='v',type='text'}]\n[limits]\nfail_share=0.5\n";
const KEYLESS: &str = "column=[{name='id',type='bigint'},{name='v',type='text'}]\n[limits]\nfail_share=0.5\n";

/// A lake in memory and a folder for files.
struct Place {
    lake: Lake,
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let config = LakeConfig { url: "memory:///".to_owned(), ..LakeConfig::default() };
        Self { lake: Lake::open(&config).unwrap(), folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self, text: &str) -> PathBuf {
        let path = self.folder.path().join("t.csv");
        std::fs::write(&path, text).unwrap();
        path
    }

    fn request(&self, text: &str, contract: &str, mode: Mode, marker: &str) -> Request {
        Request {
            table: TableName::new("s", "t"),
            path: self.file(text),
            display_path: "t.csv".to_owned(),
            contract: Contract::parse(contract, "t.toml").unwrap(),
            mode,
            table_location: "s/t".to_owned(),
            quarantine_location: "s/t_quarantine".to_owned(),
            marker_prefix: marker.to_owned(),
            threads: 2,
            memory_limit_bytes: 64 << 20,
            digest: None,
            progress: Arc::new(|_, _| ()),
            cancel: Arc::new(AtomicBool::new(false)),
        }
    }

    async fn load(&self, text: &str, contract: &str, mode: Mode, marker: &str) -> Result<Report> {
        ingest(&self.lake, &self.request(text, contract, mode, marker)).await
    }

    /// Shows the columns of a table, row after row, sorted.
    async fn rows(&self, location: &str, columns: &[&str]) -> Vec<String> {
        let table = self.lake.snapshot_at(location, &At::Latest).await.unwrap();
        let frame = SessionContext::new().read_table(table.provider()).unwrap().select_columns(columns).unwrap();
        let batches = frame.collect().await.unwrap();
        let Some(first) = batches.first() else { return vec![] };
        let batch = concat_batches(first.schema_ref(), &batches).unwrap();
        let cell = |row| batch.columns().iter().map(move |column| array_value_to_string(column, row).unwrap());
        let mut rows: Vec<String> = (0..batch.num_rows()).map(|row| cell(row).collect::<Vec<_>>().join("|")).collect();
        rows.sort();
        rows
    }

    async fn table(&self) -> Vec<String> {
        self.rows("s/t", &["id", "v"]).await
    }

    async fn version(&self, location: &str) -> Option<i64> {
        self.lake.snapshot_at(location, &At::Latest).await.ok().map(|table| table.version())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn good_rows_go_to_the_table_and_bad_ones_to_the_quarantine() {
    let place = Place::new();
    let report = place.load("id,v\n1,a\nx,b\n3,c\n1,d\n", CONTRACT, Mode::Append, "r/1").await.unwrap();
    assert_eq!((report.rows_read, report.rows_loaded, report.rows_quarantined), (4, 2, 2));
    assert_eq!(report.reasons[&("id".to_owned(), "duplicate_key".to_owned())], 1);
    assert_eq!((report.loaded.version, report.loaded.n_rows), (0, 2));
    assert_eq!(
        report.warnings,
        [
            "2 of 4 rows are in `s.t_quarantine`: `id` not_a_number 1 (first in row 2), `id` duplicate_key 1 (first in row 4)"
        ]
    );
    assert_eq!(place.table().await, ["1|a", "3|c"]);
    let quarantine =
        place.rows("s/t_quarantine", &["file", "row_number", "line_number", "column", "reason", "raw", "load"]);
    assert_eq!(quarantine.await, ["t.csv|2|3|id|not_a_number|x,b|r/1", "t.csv|4|5|id|duplicate_key|1,d|r/1"]);
    let hidden = place.lake.snapshot_at("s/t_quarantine", &At::Latest).await.unwrap().identifying();
    assert_eq!(hidden, ["raw"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_load_commits_nothing_and_reports_the_same() {
    let place = Place::new();
    let text = "id,v\n1,a\nx,b\n3,c\n";
    let first = place.load(text, CONTRACT, Mode::Append, "r/1").await.unwrap();
    let again = place.load(text, CONTRACT, Mode::Append, "r/1").await.unwrap();
    assert_eq!((again.loaded.version, again.rows_read, again.rows_loaded), (0, 3, 2));
    assert_eq!((again.reasons, again.warnings, again.digest), (first.reasons, first.warnings, first.digest));
    assert_eq!((place.version("s/t").await, place.version("s/t_quarantine").await), (Some(0), Some(0)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_killed_between_its_commits_is_finished_by_the_next() {
    let place = Place::new();
    let request = place.request("id,v\n1,a\nx,b\n", CONTRACT, Mode::Append, "r/1");
    let broken = Request { table_location: "../bad".to_owned(), ..request.clone() };
    assert!(ingest(&place.lake, &broken).await.is_err());
    // The quarantine of another table location, committed under the marker that the load will use.
    let other = Request { table_location: "s/other".to_owned(), ..request.clone() };
    ingest(&place.lake, &other).await.unwrap();
    assert_eq!((place.version("s/t").await, place.version("s/t_quarantine").await), (None, Some(0)));
    let report = ingest(&place.lake, &request).await.unwrap();
    assert_eq!((report.rows_loaded, report.rows_quarantined), (1, 1));
    assert_eq!((place.version("s/t").await, place.version("s/t_quarantine").await), (Some(0), Some(0)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn append_refuses_keys_that_are_there() {
    let place = Place::new();
    place.load("id,v\n1,a\n2,b\n", CONTRACT, Mode::Append, "r/1").await.unwrap();
    let report = place.load("v,id\nc,3\nz,2\n", CONTRACT, Mode::Append, "r/2").await.unwrap();
    assert_eq!(report.reasons[&("id".to_owned(), "key_exists".to_owned())], 1);
    assert_eq!(place.table().await, ["1|a", "2|b", "3|c"]);
    let report = place.load("id,v\n1,a\n", KEYLESS, Mode::Append, "r/3").await;
    assert_eq!(report.unwrap().loaded.n_rows, 4, "without a key rows are just added");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn merge_replaces_rows_of_the_same_key() {
    let place = Place::new();
    let first = place.load("id,v\n1,a\n2,b\n", CONTRACT, Mode::Merge, "r/1").await.unwrap();
    assert_eq!(first.loaded.version, 0, "a missing table is made");
    let report = place.load("id,v\n2,B\n3,c\n2,x\n", CONTRACT, Mode::Merge, "r/2").await.unwrap();
    assert_eq!((report.rows_loaded, report.rows_quarantined, report.loaded.n_rows), (2, 1, 3));
    assert_eq!(place.table().await, ["1|a", "2|B", "3|c"]);
    let again = place.load("id,v\n2,B\n3,c\n2,x\n", CONTRACT, Mode::Merge, "r/2").await.unwrap();
    assert_eq!((again.rows_loaded, again.loaded.version), (2, 1));
    let keyless = place.load("id,v\n1,a\n", KEYLESS, Mode::Merge, "r/3").await.unwrap_err();
    assert!(keyless.to_string().contains("a merge needs the columns that identify a row"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overwrite_replaces_rows_and_columns() {
    let place = Place::new();
    place.load("id,v\n1,a\n", CONTRACT, Mode::Append, "r/1").await.unwrap();
    let other = "column=[{name='w',type='double'}]";
    let refused = place.load("w\n1.5\n", other, Mode::Append, "r/2").await.unwrap_err();
    assert!(refused.to_string().contains("the table has no column `w`"), "{refused}");
    place.load("w\n1.5\n", other, Mode::Overwrite, "r/2").await.unwrap();
    assert_eq!(place.rows("s/t", &["w"]).await, ["1.5"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_bad_rows_commit_nothing() {
    let place = Place::new();
    let refused = place.load("id,v\n1,a\nx,b\n,c\n", CONTRACT, Mode::Append, "r/1").await.unwrap_err();
    assert_eq!(refused.code(), "CW0509");
    let message = refused.to_string();
    assert!(message.starts_with("2 of 3 rows of `t.csv` break the contract, more than the share of 0.5"), "{message}");
    assert!(message.contains("`id` missing_value 1 (first in row 3)") && !message.contains("x,b"), "{message}");
    assert_eq!((place.version("s/t").await, place.version("s/t_quarantine").await), (None, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_that_cannot_be_read_or_is_cancelled_commits_nothing() {
    let place = Place::new();
    let refused = place.load("id,w\n1,a\n", CONTRACT, Mode::Append, "r/1").await.unwrap_err();
    assert!(refused.to_string().contains("`v` is missing"), "{refused}");
    let request = place.request("id,v\n1,a\n", CONTRACT, Mode::Append, "r/1");
    request.cancel.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(matches!(ingest(&place.lake, &request).await, Err(IngestError::Cancelled { .. })));
    let wrong = CONTRACT.replace("s.t", "s.other");
    assert!(place.load("id,v\n", &wrong, Mode::Append, "r/1").await.unwrap_err().to_string().contains("not for `s.t`"));
    assert_eq!(place.version("s/t").await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_without_rows_makes_an_empty_table_and_says_so() {
    let place = Place::new();
    let report = place.load("id,v\n", CONTRACT, Mode::Append, "r/1").await.unwrap();
    assert_eq!((report.loaded.n_rows, report.warnings), (0, vec!["the file has no rows".to_owned()]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_file_is_loaded_by_several_threads_and_reports_progress() {
    let place = Place::new();
    let mut text = String::from("id,v\n");
    for id in 0..300_000 {
        text.push_str(&format!("{id},a text of some length for row {id}\n"));
    }
    let seen = Arc::new(Mutex::new(vec![]));
    let heard = Arc::clone(&seen);
    let request = Request {
        progress: Arc::new(move |share, rows| heard.lock().unwrap().push((share, rows))),
        ..place.request(&text, CONTRACT, Mode::Append, "r/1")
    };
    let report = ingest(&place.lake, &request).await.unwrap();
    assert_eq!((report.loaded.n_rows, report.rows_loaded), (300_000, 300_000));
    let seen = seen.lock().unwrap();
    assert_eq!(seen.last(), Some(&(1.0, 300_000)));
    assert!(seen.len() > 3 && seen.iter().all(|(share, _)| (0.0..=1.0).contains(share)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_do_not_fit_in_memory_are_refused() {
    let place = Place::new();
    let text = format!("id,v\n{}", (0..50_000).map(|id| format!("{id},x\n")).collect::<String>());
    let request = Request { memory_limit_bytes: 1 << 20, ..place.request(&text, CONTRACT, Mode::Append, "r/1") };
    let refused = ingest(&place.lake, &request).await.unwrap_err();
    assert!(refused.to_string().contains("raise the memory limit"), "{refused}");
}
