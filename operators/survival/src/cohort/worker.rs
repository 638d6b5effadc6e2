//! What one thread does with its share of the batches.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use causeway_core::Result;

use super::counts::{DenseBudget, TimeCounts};
use super::faults::{Fault, Faults};
use super::groups::{GroupColumns, Interner};

/// Array cells (16 bytes each) that one worker may use; further times are kept as keys.
const DENSE_CELLS: usize = 1 << 20;

/// Where the roles stand in a batch.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) time: usize,
    pub(super) event: usize,
    pub(super) entry: Option<usize>,
    pub(super) groups: GroupColumns,
}

/// The counts of one group.
#[derive(Debug, Default)]
pub(super) struct GroupCounts {
    /// Rows by the time they end, with and without an event.
    pub(super) ends: TimeCounts,
    /// Rows by the time they enter; empty without late entry.
    pub(super) entries: TimeCounts,
}

/// The counts of one thread.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) interner: Interner,
    pub(super) counts: Vec<GroupCounts>,
    pub(super) faults: Faults,
    budget: DenseBudget,
}

impl Worker {
    pub(super) fn new() -> Self {
        Self {
            interner: Interner::default(),
            counts: Vec::new(),
            faults: Faults::default(),
            budget: DenseBudget(DENSE_CELLS),
        }
    }

    /// Counts the rows of a batch. Once a fault was seen the run will be refused, so that only
    /// faults are counted from then on.
    pub(super) fn read(&mut self, batch: &RecordBatch, layout: &Layout) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let mut faults = Faults::default();
        let time = read_time(batch.column(layout.time), &mut faults)?;
        let event = read_event(batch.column(layout.event), &mut faults)?;
        let entry = match layout.entry {
            Some(index) => Some(read_entry(batch.column(index), &time, &mut faults)?),
            None => None,
        };
        self.faults.merge(&faults);
        if !self.faults.is_empty() {
            return Ok(());
        }
        match layout.groups.encode(batch)? {
            None => {
                let group = self.group(&[]);
                self.count(time.values(), &event, entry.as_ref(), |_| group);
            }
            Some(keys) => {
                let numbers: Vec<usize> = keys.iter().map(|key| self.group(key.data())).collect();
                self.count(time.values(), &event, entry.as_ref(), |row| numbers[row]);
            }
        }
        Ok(())
    }

    /// Returns the bytes allocated for counts.
    pub(super) fn bytes(&self) -> usize {
        self.counts.iter().map(|counts| counts.ends.bytes() + counts.entries.bytes()).sum()
    }

    fn group(&mut self, key: &[u8]) -> usize {
        let (number, is_new) = self.interner.number(key);
        if is_new {
            self.counts.push(GroupCounts::default());
        }
        number
    }

    fn count(
        &mut self,
        time: &[f64],
        event: &BooleanBuffer,
        entry: Option<&Float64Array>,
        group: impl Fn(usize) -> usize,
    ) {
        for (row, (time, event)) in time.iter().zip(event).enumerate() {
            self.counts[group(row)].ends.add(*time, event, &mut self.budget);
        }
        for (row, entry) in entry.iter().flat_map(|entry| entry.values().iter().enumerate()) {
            self.counts[group(row)].entries.add(*entry, false, &mut self.budget);
        }
    }
}

fn read_time(column: &ArrayRef, faults: &mut Faults) -> Result<Float64Array> {
    let time = to_doubles(column)?;
    faults.add(Fault::TimeNull, time.null_count());
    count_unusable(&time, Fault::TimeNotFinite, Fault::TimeNegative, faults);
    Ok(time)
}

fn read_event(column: &ArrayRef, faults: &mut Faults) -> Result<BooleanBuffer> {
    if let Some(flags) = column.as_boolean_opt() {
        faults.add(Fault::EventNull, flags.null_count());
        return Ok(BooleanArray::values(flags).clone());
    }
    let numbers = to_doubles(column)?;
    faults.add(Fault::EventNull, numbers.null_count());
    let is = |value: f64, flag: f64| value.total_cmp(&flag).is_eq();
    let others = numbers.iter().flatten().map(|value| value + 0.0).filter(|value| !is(*value, 0.0) && !is(*value, 1.0));
    faults.add(Fault::EventNotFlag, others.count());
    let values = numbers.values();
    Ok(BooleanBuffer::collect_bool(values.len(), |row| is(values[row], 1.0)))
}

fn read_entry(column: &ArrayRef, time: &Float64Array, faults: &mut Faults) -> Result<Float64Array> {
    let entry = to_doubles(column)?;
    faults.add(Fault::EntryNull, entry.null_count());
    count_unusable(&entry, Fault::EntryNotFinite, Fault::EntryNegative, faults);
    let late = entry.iter().zip(time).filter(|(entry, time)| match (entry, time) {
        (Some(entry), Some(time)) => entry >= time,
        _ => false,
    });
    faults.add(Fault::EntryLate, late.count());
    Ok(entry)
}

fn count_unusable(values: &Float64Array, not_finite: Fault, negative: Fault, faults: &mut Faults) {
    let unusable = |value: &&f64| !(0.0..=f64::MAX).contains(*value);
    if values.null_count() == 0 && !values.values().iter().any(|value| unusable(&value)) {
        return;
    }
    for value in values.iter().flatten().filter(|value| unusable(&value)) {
        faults.add(if value.is_finite() { negative } else { not_finite }, 1);
    }
}

fn to_doubles(column: &ArrayRef) -> Result<Float64Array> {
    if column.data_type() == &DataType::Float64 {
        return Ok(column.as_primitive::<Float64Type>().clone());
    }
    Ok(cast(column, &DataType::Float64)?.as_primitive::<Float64Type>().clone())
}
