//! What the tests of this crate share: a pass over a file without a lake.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::Int64Type;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::contract::Contract;
use crate::error::Result;
use crate::keys::KeyHasher;
use crate::open;
use crate::pipeline::{Pass, Sink, Totals};
use crate::quarantine::{LoadNames, quarantine_schema};

/// What a pass made.
pub(crate) struct Outcome {
    pub(crate) rows: RecordBatch,
    pub(crate) refused: RecordBatch,
    pub(crate) totals: Totals,
}

#[derive(Default)]
struct Collected {
    rows: Mutex<Vec<RecordBatch>>,
    refused: Mutex<Vec<RecordBatch>>,
}

impl Sink for Collected {
    fn rows(&self, batch: RecordBatch) -> bool {
        self.rows.lock().unwrap().push(batch);
        true
    }

    fn refused(&self, batch: RecordBatch) -> bool {
        self.refused.lock().unwrap().push(batch);
        true
    }

    fn progress(&self, _rows: u64) {}
}

/// Makes a pass with the default number of threads.
pub(crate) fn pass(contract: &Contract, threads: usize) -> Pass {
    let contract = Arc::new(contract.clone());
    Pass {
        hasher: KeyHasher::new(&contract).unwrap().map(Arc::new),
        contract,
        names: LoadNames { file: "t".to_owned(), digest: "d".to_owned(), load: "l".to_owned() },
        existing: None,
        key_bytes: 1 << 30,
        threads,
        cancel: Arc::new(AtomicBool::new(false)),
    }
}

/// Reads a file on disk under a contract.
pub(crate) fn read_path(path: &Path, contract: &Contract) -> Result<Outcome> {
    let sink = Collected::default();
    let pass = pass(contract, 2);
    let opened = open::open(path, "t", &pass.contract, Arc::new(AtomicU64::new(0)))?;
    let totals = pass.run(opened, &sink)?.expect("nobody stops listening");
    Ok(Outcome {
        rows: concat_batches(&contract.schema(), &sink.rows.into_inner().unwrap()).unwrap(),
        refused: concat_batches(&quarantine_schema(), &sink.refused.into_inner().unwrap()).unwrap(),
        totals,
    })
}

/// Writes `bytes` to a file of that name and reads it under a contract.
pub(crate) fn read_named(name: &str, bytes: &[u8], contract: &str) -> Result<Outcome> {
    let (_folder, path) = file(name, bytes);
    read_path(&path, &Contract::parse(contract, "test.toml")?)
}

pub(crate) fn read_csv(text: impl AsRef<[u8]>, contract: &str) -> Result<Outcome> {
    read_named("t.csv", text.as_ref(), contract)
}

/// Writes a file that lives as long as the folder returned.
pub(crate) fn file(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

impl Outcome {
    /// Shows the rows, one text each, fields joined by `|`, in the order of their text.
    pub(crate) fn shown(&self) -> Vec<String> {
        let mut rows = show(&self.rows);
        rows.sort();
        rows
    }

    /// Shows `row column reason` of the refused rows, in the order of the file.
    pub(crate) fn faults(&self) -> Vec<String> {
        let numbers = self.refused.column(2).as_primitive::<Int64Type>();
        let (columns, reasons) = (self.refused.column(4).as_string::<i32>(), self.refused.column(5).as_string::<i32>());
        let column = |idx| if columns.is_null(idx) { "-" } else { columns.value(idx) };
        let fault = |idx| format!("{} {} {}", numbers.value(idx), column(idx), reasons.value(idx));
        self.order().into_iter().map(fault).collect()
    }

    /// Returns the raw texts of the refused rows, in the order of the file.
    pub(crate) fn raw(&self) -> Vec<String> {
        let raw = self.refused.column(6).as_string::<i32>();
        self.order().into_iter().map(|idx| raw.value(idx).to_owned()).collect()
    }

    /// Returns the line numbers of the refused rows, in the order of the file.
    pub(crate) fn lines(&self) -> Vec<Option<i64>> {
        let lines = self.refused.column(3).as_primitive::<Int64Type>();
        self.order().into_iter().map(|idx| lines.is_valid(idx).then(|| lines.value(idx))).collect()
    }

    /// Blocks are parsed side by side, so that refused rows come in any order.
    fn order(&self) -> Vec<usize> {
        let numbers = self.refused.column(2).as_primitive::<Int64Type>();
        let mut order: Vec<usize> = (0..self.refused.num_rows()).collect();
        order.sort_by_key(|idx| numbers.value(*idx));
        order
    }
}

fn show(batch: &RecordBatch) -> Vec<String> {
    let options = FormatOptions::default().with_null("∅");
    let columns: Vec<_> =
        batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
    let row = |idx| columns.iter().map(|column| column.value(idx).to_string()).collect::<Vec<_>>().join("|");
    (0..batch.num_rows()).map(row).collect()
}
