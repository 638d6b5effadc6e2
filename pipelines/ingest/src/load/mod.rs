//! From a file to a committed version of a table.
//!
//! The file is read once. Good rows stream into the table's write and refused rows into the
//! quarantine's write at the same time; both writes are held open until the whole file is read:
//! ```text
//! file read ──> too many bad rows? ── yes ──> both writes fail, nothing is committed
//!                      │ no
//!                      └──> quarantine commits ──> table commits
//! ```
//! Both commits carry markers, so a load that was killed anywhere can be repeated: what is committed
//! is not committed again.

mod existing;
mod streams;
#[cfg(test)]
mod tests;
mod verdict;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::SystemTime;

use arrow::array::RecordBatch;
use causeway_lake::{At, Commit, Lake, LakeError, Marker, Rewrite, Snapshot, TableOptions};
use causeway_model::TableName;
use datafusion::execution::SendableRecordBatchStream;
use tokio::sync::mpsc;

use crate::contract::Contract;
use crate::error::{FaultCount, IngestError, Result};
use crate::keys::{KeyHasher, KeySet};
use crate::pipeline::{Pass, Sink, Totals};
use crate::quarantine::{LoadNames, quarantine_schema};
use crate::{digest, open};
use streams::{Gate, SharedReceiver, Signal, chained, rows_until, share};
use verdict::{check_table, judge, warnings};

/// What happens to the rows that the table holds already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They stay. With a key, a row of the file whose key is in the table is quarantined.
    Append,
    /// A row of the file replaces the one with the same key. The contract must have a key.
    Merge,
    /// They go.
    Overwrite,
}

/// Told of the share of the file's bytes read, in [0, 1], and of the rows read so far.
pub type Progress = Arc<dyn Fn(f64, u64) + Send + Sync>;

/// One file to be loaded.
#[derive(Clone)]
pub struct Request {
    /// The table, for messages and for the check against the contract.
    pub table: TableName,
    /// The file, as [`crate::resolve_path`] found it.
    pub path: PathBuf,
    /// The file's name in messages and in the quarantine.
    pub display_path: String,
    /// What the file must hold.
    pub contract: Contract,
    /// What happens to the rows there are.
    pub mode: Mode,
    /// The table's location in the lake.
    pub table_location: String,
    /// The location of its quarantine.
    pub quarantine_location: String,
    /// Names this load for good; the commits are marked `<prefix>/quarantine` and `<prefix>/table`.
    pub marker_prefix: String,
    /// Parsing threads, and partitions written at the same time.
    pub threads: usize,
    /// The most memory that the keys of a contract with a key may take.
    pub memory_limit_bytes: usize,
    /// The file's SHA-256 and size if the caller has them from [`crate::digest()`].
    pub digest: Option<(String, u64)>,
    /// Hears how far the load is.
    pub progress: Progress,
    /// Set to stop the load before it commits.
    pub cancel: Arc<AtomicBool>,
}

/// What a load did.
#[derive(Debug, Clone)]
pub struct Report {
    /// The table's new version.
    pub loaded: Commit,
    /// The quarantine's new version, if rows were refused.
    pub quarantine: Option<Commit>,
    /// Rows of the file.
    pub rows_read: u64,
    /// Rows that are in the table now.
    pub rows_loaded: u64,
    /// Rows that are in the quarantine now.
    pub rows_quarantined: u64,
    /// Refused rows by column and reason code; the column is empty if the row as a whole is bad.
    pub reasons: BTreeMap<(String, String), u64>,
    /// What the user should know, in words.
    pub warnings: Vec<String>,
    /// The SHA-256 of the file, in hex.
    pub digest: String,
    /// The size of the file.
    pub n_bytes: u64,
}

/// Loads a file into a table; rows that break the contract go to the quarantine table.
///
/// Repeating a call with the same `marker_prefix` and the same file commits nothing twice, wherever
/// the first one was stopped. The table is created if it is not there. With a key, the second of two
/// rows of the file that have the same key is refused, in every mode.
///
/// # Errors
/// [`IngestError`]; unless it is [`IngestError::Lake`], nothing was committed to the table.
pub async fn ingest(lake: &Lake, request: &Request) -> Result<Report> {
    let load = Load::prepare(lake, request).await?;
    match lake.committed(&request.table_location, &load.marker("table")).await? {
        Some(done) => load.report_again(done).await,
        None => load.run().await,
    }
}

/// A load with all that is known before reading.
struct Load<'a> {
    lake: &'a Lake,
    request: &'a Request,
    contract: Arc<Contract>,
    names: LoadNames,
    n_bytes: u64,
    modified: Option<SystemTime>,
}

/// What the writes of a load wait for and listen to.
struct Channels {
    rows: SharedReceiver,
    /// Says whether the file as a whole is accepted.
    accepted: Signal,
    /// Says whether the quarantine is committed.
    quarantined: Signal,
}

impl<'a> Load<'a> {
    async fn prepare(lake: &'a Lake, request: &'a Request) -> Result<Self> {
        check_table(request)?;
        let path = request.path.clone();
        let modified = modified(&request.path);
        let (digest, n_bytes) = match &request.digest {
            Some(known) => known.clone(),
            None => blocking(&request.display_path, move || digest(&path)).await?,
        };
        let names = LoadNames { file: request.display_path.clone(), digest, load: request.marker_prefix.clone() };
        Ok(Self { lake, request, contract: Arc::new(request.contract.clone()), names, n_bytes, modified })
    }

    fn marker(&self, what: &str) -> Marker {
        Marker(format!("{}/{what}", self.request.marker_prefix))
    }

    async fn run(&self) -> Result<Report> {
        let table = self.snapshot(&self.request.table_location).await?;
        let kept = table.as_ref().filter(|_| self.request.mode != Mode::Overwrite);
        if let Some(table) = kept {
            verdict::check_columns(&self.request.table, &self.contract, &table.schema())?;
        }
        let hasher = KeyHasher::new(&self.contract).map_err(|error| self.internal(&error.to_string()))?.map(Arc::new);
        let existing = match (kept, &hasher, self.request.mode) {
            (Some(table), Some(hasher), Mode::Append) => Some(self.existing_keys(table, hasher).await?),
            _ => None,
        };
        let keys = Arc::new(std::sync::OnceLock::new());
        let (row_sender, row_receiver) = mpsc::channel(self.threads() * 2);
        let (refused_sender, refused_receiver) = mpsc::channel(2);
        let (accept, accepted) = Gate::new();
        let (commit, quarantined) = Gate::new();

        let pass = self.pass(hasher.clone(), existing);
        let reading = self.read(pass, row_sender, refused_sender);
        let judging = async {
            let judged = self.judged(reading.await);
            let judged = judged.map(|totals| totals.map(|totals| self.keep_keys(totals, &keys)));
            accept.decide(matches!(judged, Ok(Some(_))));
            judged
        };
        let quarantining = async {
            let outcome = self.write_quarantine(refused_receiver, accepted.clone()).await;
            commit.decide(outcome.is_ok() && accepted.clone().opens().await);
            outcome
        };
        let channels = Channels { rows: share(row_receiver), accepted: accepted.clone(), quarantined };
        let merging = kept.filter(|_| self.request.mode == Mode::Merge).zip(hasher.as_ref());
        let writing = async {
            match merging {
                Some((table, hasher)) => self.merge(table, hasher, &keys, channels).await,
                None => self.write_table(kept.is_some(), channels).await,
            }
        };
        let (judged, quarantine, loaded) = tokio::join!(Box::pin(judging), Box::pin(quarantining), Box::pin(writing));
        let totals = judged?;
        let (quarantine, loaded) = (quarantine?, loaded?);
        let (rows, faults) = totals.ok_or_else(|| self.internal("a write ended before the file did"))?;
        (self.request.progress)(1.0, rows);
        Ok(self.report(loaded, quarantine, rows, &faults))
    }

    fn threads(&self) -> usize {
        // A small file makes one data file.
        if self.n_bytes < 8 << 20 { 1 } else { self.request.threads.max(1) }
    }

    async fn snapshot(&self, location: &str) -> Result<Option<Snapshot>> {
        match self.lake.snapshot_at(location, &At::Latest).await {
            Ok(snapshot) => Ok(Some(snapshot)),
            Err(LakeError::TableNotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn pass(&self, hasher: Option<Arc<KeyHasher>>, existing: Option<Arc<KeySet>>) -> Pass {
        Pass {
            contract: Arc::clone(&self.contract),
            names: self.names.clone(),
            hasher,
            existing,
            key_bytes: self.request.memory_limit_bytes as u64,
            threads: self.threads(),
            cancel: Arc::clone(&self.request.cancel),
        }
    }

    /// Reads the file on threads of its own.
    async fn read(
        &self,
        pass: Pass,
        rows: mpsc::Sender<RecordBatch>,
        refused: mpsc::Sender<RecordBatch>,
    ) -> Result<Option<Totals>> {
        let (path, file) = (self.request.path.clone(), self.request.display_path.clone());
        let (n_bytes, progress) = (self.n_bytes, Arc::clone(&self.request.progress));
        let contract = Arc::clone(&self.contract);
        blocking(&self.request.display_path, move || {
            let packed = Arc::new(AtomicU64::new(0));
            let opened = open::open(&path, &file, &contract, Arc::clone(&packed))?;
            pass.run(opened, &ChannelSink { rows, refused, packed, n_bytes, progress })
        })
        .await
    }

    /// Decides whether what was read is accepted.
    fn judged(&self, read: Result<Option<Totals>>) -> Result<Option<(Totals, Vec<FaultCount>)>> {
        let Some(totals) = read? else { return Ok(None) };
        if modified(&self.request.path) != self.modified {
            return Err(IngestError::Changed { file: self.names.file.clone() });
        }
        if self.request.cancel.load(Ordering::Relaxed) {
            return Err(IngestError::Cancelled { file: self.names.file.clone() });
        }
        let faults = totals.tally.list(|column| self.contract.column_name(column));
        judge(&self.contract, &self.names.file, totals.rows, &faults)?;
        Ok(Some((totals, faults)))
    }

    /// Leaves the file's keys to the merge and keeps the counts.
    fn keep_keys(
        &self,
        (totals, faults): (Totals, Vec<FaultCount>),
        keys: &std::sync::OnceLock<KeySet>,
    ) -> (u64, Vec<FaultCount>) {
        keys.get_or_init(|| totals.keys);
        (totals.rows, faults)
    }

    /// Writes the refused rows, if there are any. After a repeated start they may be there already.
    async fn write_quarantine(
        &self,
        mut refused: mpsc::Receiver<RecordBatch>,
        accepted: Signal,
    ) -> Result<Option<Commit>> {
        let (location, marker) = (&self.request.quarantine_location, self.marker("quarantine"));
        if let Some(done) = self.lake.committed(location, &marker).await? {
            while refused.recv().await.is_some() {}
            return Ok(Some(done));
        }
        let Some(first) = refused.recv().await else { return Ok(None) };
        let schema = quarantine_schema();
        let rows = chained(first, rows_until(Arc::clone(&schema), share(refused), accepted));
        if self.snapshot(location).await?.is_some() {
            return Ok(Some(self.lake.append(location, vec![rows], &marker).await?));
        }
        let options = TableOptions { identifying: self.contract.quarantine_policy().identifying };
        let rewrite = Rewrite { schema, options, operation: "CREATE TABLE", base_version: None };
        Ok(Some(self.lake.overwrite_with(location, vec![rows], &rewrite, &marker).await?))
    }

    async fn write_table(&self, is_append: bool, channels: Channels) -> Result<Commit> {
        let partitions = self.partitions(&channels);
        let (location, marker) = (&self.request.table_location, self.marker("table"));
        if is_append {
            return Ok(self.lake.append(location, partitions, &marker).await?);
        }
        let options = TableOptions { identifying: self.contract.policy().identifying };
        let schema = self.contract.schema();
        let rewrite = Rewrite { schema, options, operation: "COPY INTO", base_version: None };
        Ok(self.lake.overwrite_with(location, partitions, &rewrite, &marker).await?)
    }

    /// The file's rows; all partitions take from one channel, so none waits for another.
    fn partitions(&self, channels: &Channels) -> Vec<SendableRecordBatchStream> {
        let stream = |_| rows_until(self.contract.schema(), Arc::clone(&channels.rows), channels.quarantined.clone());
        (0..self.threads()).map(stream).collect()
    }

    fn report(&self, loaded: Commit, quarantine: Option<Commit>, rows: u64, faults: &[FaultCount]) -> Report {
        let refused: u64 = faults.iter().map(|fault| fault.rows).sum();
        let reasons = faults.iter().map(|fault| ((fault.column.clone(), fault.reason.to_owned()), fault.rows));
        Report {
            loaded,
            quarantine,
            rows_read: rows,
            rows_loaded: rows - refused,
            rows_quarantined: refused,
            reasons: reasons.collect(),
            warnings: warnings(&self.contract, &self.request.table, rows, faults),
            digest: self.names.digest.clone(),
            n_bytes: self.n_bytes,
        }
    }

    /// Reports a load that was committed before: the file is counted again and the quarantine is asked.
    async fn report_again(&self, loaded: Commit) -> Result<Report> {
        let quarantine = self.lake.committed(&self.request.quarantine_location, &self.marker("quarantine")).await?;
        let faults = match self.snapshot(&self.request.quarantine_location).await? {
            Some(table) if quarantine.is_some() => self.quarantined_before(&table).await?,
            _ => vec![],
        };
        let (path, file) = (self.request.path.clone(), self.request.display_path.clone());
        let pass = self.pass(None, None);
        let contract = Arc::clone(&self.contract);
        let counted = blocking(&self.request.display_path, move || {
            pass.run(open::open(&path, &file, &contract, Arc::new(AtomicU64::new(0)))?, &NoSink)
        });
        let rows = counted.await?.map_or(0, |totals| totals.rows);
        (self.request.progress)(1.0, rows);
        Ok(self.report(loaded, quarantine, rows, &faults))
    }

    fn internal(&self, problem: &str) -> IngestError {
        IngestError::Internal { file: self.names.file.clone(), problem: problem.to_owned() }
    }
}

/// Hands rows to the writes.
struct ChannelSink {
    rows: mpsc::Sender<RecordBatch>,
    refused: mpsc::Sender<RecordBatch>,
    packed: Arc<AtomicU64>,
    n_bytes: u64,
    progress: Progress,
}

impl Sink for ChannelSink {
    fn rows(&self, batch: RecordBatch) -> bool {
        self.rows.blocking_send(batch).is_ok()
    }

    fn refused(&self, batch: RecordBatch) -> bool {
        self.refused.blocking_send(batch).is_ok()
    }

    #[expect(clippy::cast_precision_loss, reason = "a share for the progress bar")]
    fn progress(&self, rows: u64) {
        let share = self.packed.load(Ordering::Relaxed) as f64 / self.n_bytes.max(1) as f64;
        (self.progress)(share.min(1.0), rows);
    }
}

/// Drops everything: the rows are only counted.
struct NoSink;

impl Sink for NoSink {
    fn rows(&self, _batch: RecordBatch) -> bool {
        true
    }

    fn refused(&self, _batch: RecordBatch) -> bool {
        true
    }

    fn progress(&self, _rows: u64) {}
}

/// When a file was last written, where the system tells.
fn modified(path: &std::path::Path) -> Option<SystemTime> {
    path.metadata().and_then(|metadata| metadata.modified()).ok()
}

async fn blocking<T: Send + 'static>(file: &str, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let outcome = tokio::task::spawn_blocking(work).await;
    outcome.unwrap_or_else(|error| {
        let file = file.to_owned();
        Err(match error.is_panic() {
            true => IngestError::Panicked { file },
            false => IngestError::Internal { file, problem: "a reading task was stopped".to_owned() },
        })
    })
}
