//! Rows to risk tables: the one pass over the input that all operators of the family share.
//!
//! Batches are pulled in chunks, each chunk is spread over the pool's threads, and every thread
//! counts rows by group, time and event. The counts are sums of integers, so the result has the
//! same bytes for any number of threads, any cut into batches and any order of rows.

mod counts;
mod faults;
mod groups;
mod worker;

use std::collections::BTreeMap;

use arrow::array::{ArrayRef, RecordBatch};
use causeway_core::{BoundColumn, Relation, Report, Result, Roles, RunContext};
use rayon::prelude::*;

use self::faults::{ColumnNames, Faults};
use self::groups::GroupColumns;
pub(crate) use self::groups::distinct_rows;
use self::worker::{GroupCounts, Layout, Worker};
use crate::risk_table::{Moment, RiskTable};

/// Rows that are spread over the threads at a time; between chunks a run can be cancelled.
const CHUNK_ROWS: usize = 1 << 20;

/// Larger batches are cut, so that one batch keeps all threads busy and its columns stay in cache.
const SLICE_ROWS: usize = 1 << 15;

/// All groups of an input relation.
#[derive(Debug)]
pub(crate) struct Cohort {
    /// The values of the grouping columns, one row for each group, in ascending order.
    pub(crate) keys: Vec<ArrayRef>,
    /// What happened to each group.
    pub(crate) tables: Vec<RiskTable>,
}

impl Cohort {
    /// Reads the relation whose columns play `time`, `event` and perhaps `entry`, grouped by `columns`.
    pub(crate) fn read(
        operator: &'static str,
        roles: &Roles,
        columns: &[&BoundColumn],
        inputs: Vec<Relation>,
        context: &RunContext,
    ) -> Result<Self> {
        let time = roles.required("time")?;
        let event = roles.required("event")?;
        let entry = roles.column("entry");
        let layout = Layout {
            time: time.index,
            event: event.index,
            entry: entry.map(|column| column.index),
            groups: GroupColumns::new(columns)?,
        };
        let mut workers: Vec<Worker> = (0..context.pool().current_num_threads()).map(|_| Worker::new()).collect();
        for mut relation in inputs {
            read_all(&mut relation, &mut workers, &layout, context)?;
        }
        let names = ColumnNames {
            time: time.name.clone(),
            event: event.name.clone(),
            entry: entry.map(|column| column.name.clone()).unwrap_or_default(),
        };
        total_faults(&workers).into_result(operator, &names)?;
        context.progress(0.5);
        let groups = merge_workers(workers);
        context.check_cancelled()?;
        let keys = layout.groups.decode(groups.keys().map(AsRef::as_ref))?;
        let late_entry = entry.is_some();
        let tables = context.pool().install(|| {
            let counts: Vec<GroupCounts> = groups.into_values().collect();
            counts.into_par_iter().map(|counts| risk_table(counts, late_entry)).collect()
        });
        context.progress(0.8);
        Ok(Self { keys, tables })
    }

    /// Returns what lineage keeps of the run.
    pub(crate) fn report(&self) -> Report {
        let sum = |count: fn(&RiskTable) -> u64| self.tables.iter().map(count).sum::<u64>();
        Report::from([
            ("n_rows", sum(|table| table.n_rows).into()),
            ("n_events", sum(RiskTable::n_events).into()),
            ("n_groups", self.tables.len().into()),
        ])
    }
}

fn read_all(relation: &mut Relation, workers: &mut [Worker], layout: &Layout, context: &RunContext) -> Result<()> {
    let mut chunk: Vec<RecordBatch> = Vec::new();
    let mut n_rows = 0;
    while let Some(batch) = relation.next_batch(context)? {
        for offset in (0..batch.num_rows()).step_by(SLICE_ROWS) {
            let length = SLICE_ROWS.min(batch.num_rows() - offset);
            chunk.push(batch.slice(offset, length));
            n_rows += length;
            if n_rows >= CHUNK_ROWS {
                read_chunk(&chunk, workers, layout, context)?;
                chunk.clear();
                n_rows = 0;
            }
        }
    }
    read_chunk(&chunk, workers, layout, context)
}

fn read_chunk(chunk: &[RecordBatch], workers: &mut [Worker], layout: &Layout, context: &RunContext) -> Result<()> {
    context.check_cancelled()?;
    let before: usize = workers.iter().map(Worker::bytes).sum();
    let share = chunk.len().div_ceil(workers.len()).max(1);
    context.pool().install(|| {
        workers
            .par_iter_mut()
            .zip(chunk.par_chunks(share))
            .try_for_each(|(worker, batches)| batches.iter().try_for_each(|batch| worker.read(batch, layout)))
    })?;
    let after: usize = workers.iter().map(Worker::bytes).sum();
    context.grow_memory(after.saturating_sub(before))
}

fn total_faults(workers: &[Worker]) -> Faults {
    let mut total = Faults::default();
    for worker in workers {
        total.merge(&worker.faults);
    }
    total
}

fn merge_workers(workers: Vec<Worker>) -> BTreeMap<Box<[u8]>, GroupCounts> {
    let mut groups: BTreeMap<Box<[u8]>, GroupCounts> = BTreeMap::new();
    for worker in workers {
        let mut counts: Vec<Option<GroupCounts>> = worker.counts.into_iter().map(Some).collect();
        for (key, number) in worker.interner.into_keys() {
            let Some(added) = counts.get_mut(number).and_then(Option::take) else { continue };
            let group = groups.entry(key).or_default();
            group.ends.merge(added.ends);
            group.entries.merge(added.entries);
        }
    }
    groups
}

fn risk_table(counts: GroupCounts, late_entry: bool) -> RiskTable {
    let by_time = |entry: &Moment| (entry.time, entry.censored);
    let entries = late_entry.then(|| counts.entries.into_sorted().iter().map(by_time).collect());
    RiskTable::new(counts.ends.into_sorted(), entries)
}
