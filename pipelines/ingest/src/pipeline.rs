//! The threads that read a file: one cuts blocks, several parse them, and what depends on the order
//! of rows (numbers, duplicate keys, counts) is settled block after block.
//!
//! ```text
//! file ─ reader ─ blocks ─┬─ worker: parse ┐
//!                         ├─ worker: parse ├─ in turn: number, compare keys ─ sink (batches, refused rows)
//!                         └─ worker: parse ┘
//! ```
//! Every channel is bounded, so memory does not grow with the file.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ScopedJoinHandle};

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;

use crate::assemble::{Batch, BlockParser, Parsed, Workspace};
use crate::block::{Block, BlockSource};
use crate::contract::Contract;
use crate::error::{IngestError, Result};
use crate::fault::{Fault, Reason, Tally};
use crate::keys::{KeyHasher, KeySet};
use crate::open::OpenFile;
use crate::quarantine::{LoadNames, RefusedRows};
use crate::tokens::Origin;

/// One pass over a file.
pub(crate) struct Pass {
    pub(crate) contract: Arc<Contract>,
    pub(crate) names: LoadNames,
    pub(crate) hasher: Option<Arc<KeyHasher>>,
    /// Keys that stand in the table already.
    pub(crate) existing: Option<Arc<KeySet>>,
    /// The most bytes that keys may take.
    pub(crate) key_bytes: u64,
    pub(crate) threads: usize,
    pub(crate) cancel: Arc<AtomicBool>,
}

/// Takes what a pass makes. `rows` and `refused` return false when nobody listens any more.
pub(crate) trait Sink: Sync {
    /// Takes rows that keep the contract.
    fn rows(&self, batch: RecordBatch) -> bool;
    /// Takes refused rows, as the quarantine table holds them.
    fn refused(&self, batch: RecordBatch) -> bool;
    /// Hears of the rows read so far.
    fn progress(&self, rows: u64);
}

/// What a pass found.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) rows: u64,
    pub(crate) tally: Tally,
    /// The keys of the good rows; empty unless the contract has a key.
    pub(crate) keys: KeySet,
}

impl Pass {
    /// Reads the whole file into the sink. Returns `None` if the sink stopped listening.
    pub(crate) fn run(&self, opened: OpenFile, sink: &dyn Sink) -> Result<Option<Totals>> {
        let OpenFile { mut blocks, parser } = opened;
        let threads = self.threads.max(1);
        let turn = Turn::default();
        let (sender, receiver) = sync_channel(threads);
        let receiver = Arc::new(Mutex::new(receiver));
        let outcome = thread::scope(|scope| {
            let reader = scope.spawn(|| turn.halting(|| read(blocks.as_mut(), sender)));
            let work = || {
                let receiver = Arc::clone(&receiver);
                let worker = Worker { pass: self, parser: parser.as_ref(), turn: &turn, sink };
                scope.spawn(move || worker.turn.halting(|| worker.run(receiver)))
            };
            let workers: Vec<_> = (0..threads).map(|_| work()).collect();
            drop(receiver); // so that the reader notices when all workers have gone
            let outcomes: Vec<Result<()>> = workers.into_iter().map(|worker| self.join(worker)).collect();
            outcomes.into_iter().chain([self.join(reader)]).collect::<Result<()>>()
        });
        outcome?;
        let ordered = turn.into_inner();
        Ok((!ordered.is_halted).then_some(ordered.totals))
    }

    fn join(&self, thread: ScopedJoinHandle<'_, Result<()>>) -> Result<()> {
        thread.join().unwrap_or_else(|_| Err(IngestError::Panicked { file: self.names.file.clone() }))
    }

    fn internal(&self, problem: &str) -> IngestError {
        IngestError::Internal { file: self.names.file.clone(), problem: problem.to_owned() }
    }

    fn check_cancelled(&self) -> Result<()> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(IngestError::Cancelled { file: self.names.file.clone() });
        }
        Ok(())
    }
}

/// Hands out blocks until the file ends or no worker is left.
fn read(blocks: &mut dyn BlockSource, sender: SyncSender<Block>) -> Result<()> {
    while let Some(block) = blocks.next_block()? {
        if sender.send(block).is_err() {
            break;
        }
    }
    Ok(())
}

/// Parses blocks as they come.
struct Worker<'a> {
    pass: &'a Pass,
    parser: &'a dyn BlockParser,
    turn: &'a Turn,
    sink: &'a dyn Sink,
}

impl Worker<'_> {
    fn run(&self, receiver: Arc<Mutex<Receiver<Block>>>) -> Result<()> {
        let mut work = Workspace::default();
        loop {
            let next = lock(&receiver).recv();
            let Ok(block) = next else { return Ok(()) };
            self.pass.check_cancelled()?;
            let block = block.into_utf8(self.pass.contract.format.encoding);
            let parsed = self.parser.parse(&block, &mut work)?;
            if !self.settle(&block, parsed)? {
                self.turn.halt();
                return Ok(());
            }
        }
    }

    /// Waits for the block's turn, numbers its rows, compares its keys, and hands everything on.
    /// Returns false if the pass has ended early.
    fn settle(&self, block: &Block, parsed: Parsed) -> Result<bool> {
        let Parsed { batches, mut bad, n_rows } = parsed;
        let hashes = batches.iter().map(|batch| self.hash(batch)).collect::<Result<Vec<_>>>()?;
        let admitted = self.turn.pass(block.sequence, |totals| {
            let base = totals.rows;
            totals.rows += u64::from(n_rows);
            let known = self.compare(&hashes, totals);
            for (batch, known) in batches.iter().zip(&known) {
                let refused =
                    batch.origins.iter().zip(known).filter_map(|(origin, reason)| Some((*origin, (*reason)?)));
                bad.extend(refused.map(|(origin, reason)| (origin, self.key_fault(reason))));
            }
            bad.sort_unstable_by_key(|(origin, _)| origin.row);
            bad.iter().for_each(|(origin, fault)| totals.tally.add(*fault, base + u64::from(origin.row) + 1));
            self.check_limits(totals).map(|()| (base, totals.rows, known))
        });
        let Some(admitted) = admitted else { return Ok(false) };
        let (base, rows_so_far, known) = admitted?;
        self.sink.progress(rows_so_far);
        let is_heard = self.hand_on_refused(block, base, &bad)?;
        Ok(is_heard && self.hand_on_rows(batches, &known)?)
    }

    fn hash(&self, batch: &Batch) -> Result<Vec<u128>> {
        match &self.pass.hasher {
            Some(hasher) => hasher.hash(&batch.rows).map_err(|error| self.pass.internal(&error.to_string())),
            None => Ok(vec![]),
        }
    }

    /// Says of each row whether its key was met before; nothing if there is no key.
    fn compare(&self, hashes: &[Vec<u128>], totals: &mut Totals) -> Vec<Vec<Option<Reason>>> {
        let existing = self.pass.existing.as_deref();
        let mut compare = |key: u128| {
            if existing.is_some_and(|existing| existing.contains(key)) {
                Some(Reason::KeyExists)
            } else {
                (!totals.keys.insert(key)).then_some(Reason::DuplicateKey)
            }
        };
        hashes.iter().map(|keys| keys.iter().map(|key| compare(*key)).collect()).collect()
    }

    fn key_fault(&self, reason: Reason) -> Fault {
        let column = self.pass.contract.key.first().and_then(|idx| u16::try_from(*idx).ok());
        Fault { column, reason }
    }

    fn check_limits(&self, totals: &Totals) -> Result<()> {
        let contract = &self.pass.contract;
        if let Some(limit) = contract.limits.max_rows.filter(|limit| totals.rows > *limit) {
            let problem = format!("holds more than {limit} rows");
            return Err(IngestError::TooLarge { file: self.pass.names.file.clone(), problem, limit: "max_rows" });
        }
        let existing = self.pass.existing.as_deref();
        let keys = totals.keys.len() + existing.map_or(0, KeySet::len);
        let needed = totals.keys.n_bytes() + existing.map_or(0, KeySet::n_bytes);
        check_key_memory(&self.pass.names.file, keys, needed, self.pass.key_bytes)
    }

    fn hand_on_refused(&self, block: &Block, base: u64, bad: &[(Origin, Fault)]) -> Result<bool> {
        if bad.is_empty() {
            return Ok(true);
        }
        let mut refused = RefusedRows::default();
        let mut lines = block.lines();
        for (origin, fault) in bad {
            let row = i64::try_from(base + u64::from(origin.row) + 1).unwrap_or(i64::MAX);
            let column = fault.column.map(|idx| self.pass.contract.column_name(idx));
            refused.push(row, lines.line(*origin), column.as_deref(), fault.reason, &block.raw(*origin));
        }
        let batch = refused.finish(&self.pass.names).map_err(|error| self.pass.internal(&error.to_string()))?;
        Ok(self.sink.refused(batch))
    }

    fn hand_on_rows(&self, batches: Vec<Batch>, known: &[Vec<Option<Reason>>]) -> Result<bool> {
        for (idx, batch) in batches.into_iter().enumerate() {
            let known = known.get(idx).filter(|known| known.iter().any(Option::is_some));
            let rows = match known {
                Some(known) => {
                    let is_new: BooleanArray = known.iter().map(|reason| Some(reason.is_none())).collect();
                    let kept = filter_record_batch(&batch.rows, &is_new);
                    kept.map_err(|error| self.pass.internal(&error.to_string()))?
                }
                None => batch.rows,
            };
            if rows.num_rows() > 0 && !self.sink.rows(rows) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Refuses to hold more keys than fit in memory.
pub(crate) fn check_key_memory(table: &str, keys: u64, needed: u64, limit: u64) -> Result<()> {
    if needed <= limit {
        return Ok(());
    }
    Err(IngestError::Memory { table: table.to_owned(), keys, needed: needed >> 20, limit: limit >> 20 })
}

/// Lets blocks pass one after the other.
#[derive(Debug, Default)]
struct Turn {
    ordered: Mutex<Ordered>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct Ordered {
    /// The sequence of the block whose turn it is.
    next: u64,
    is_halted: bool,
    totals: Totals,
}

impl Turn {
    /// Waits until all blocks before `sequence` have passed, then calls `settle`. Returns `None` if
    /// the pass has been halted.
    fn pass<R>(&self, sequence: u64, settle: impl FnOnce(&mut Totals) -> R) -> Option<R> {
        let mut ordered = lock(&self.ordered);
        while ordered.next != sequence && !ordered.is_halted {
            ordered = self.moved.wait(ordered).unwrap_or_else(PoisonError::into_inner);
        }
        if ordered.is_halted {
            return None;
        }
        let settled = settle(&mut ordered.totals);
        ordered.next += 1;
        self.moved.notify_all();
        Some(settled)
    }

    fn halt(&self) {
        lock(&self.ordered).is_halted = true;
        self.moved.notify_all();
    }

    /// Runs a thread's work; if it fails or panics, the others do not wait for its turn.
    fn halting(&self, work: impl FnOnce() -> Result<()>) -> Result<()> {
        struct HaltUnlessDone<'a>(&'a Turn, bool);
        impl Drop for HaltUnlessDone<'_> {
            fn drop(&mut self) {
                if !self.1 {
                    self.0.halt();
                }
            }
        }
        let mut guard = HaltUnlessDone(self, false);
        let outcome = work();
        guard.1 = outcome.is_ok();
        outcome
    }

    fn into_inner(self) -> Ordered {
        self.ordered.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
