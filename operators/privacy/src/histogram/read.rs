//! Rows to counts: one pass, in which every row counts in one cell or nowhere, by public rules.

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use causeway_core::{Relation, Result, Roles, RunContext};
use rayon::prelude::*;

use super::grid::{Grid, NOWHERE};
use super::strata::Strata;
use super::units::{Part, Units};

/// Rows that are spread over the threads at a time.
const CHUNK_ROWS: usize = 1 << 20;

/// Larger batches are cut, so that what is computed of their columns stays in cache.
const SLICE_ROWS: usize = 1 << 13;

/// Returns how many rows, or units if a column plays `unit`, are in each cell.
///
/// Nothing about a row leads to an error: a time that is missing or NaN, a stratum that is not listed and a missing
/// unit leave the row out, an event that is none of the listed ones is a censoring.
pub(crate) fn count(
    roles: &Roles,
    grid: Grid,
    strata: &Strata,
    inputs: Vec<Relation>,
    context: &RunContext,
) -> Result<Vec<i64>> {
    let layout = Layout {
        time: roles.required("time")?.index,
        event: roles.required("event")?.index,
        unit: roles.column("unit").map(|column| column.index),
        grid,
        strata,
    };
    let n_threads = context.pool().current_num_threads();
    let mut workers: Vec<Worker> = (0..n_threads).map(|_| Worker::new(&layout)).collect();
    for mut relation in inputs {
        read_all(&mut relation, &mut workers, &layout, context)?;
    }
    Ok(merge(workers, grid, context))
}

/// Returns the time and event of the rows of each stratum, by the same rules; negative times are 0. Only for what
/// gives no guarantee.
pub(crate) fn durations(
    roles: &Roles,
    strata: &Strata,
    inputs: Vec<Relation>,
    context: &RunContext,
) -> Result<Vec<Vec<(f64, bool)>>> {
    let (time, event) = (roles.required("time")?.index, roles.required("event")?.index);
    let any_bin = Grid { horizon: f64::INFINITY, n_bins: 1, n_causes: 1, n_strata: strata.len() };
    let mut durations = vec![Vec::new(); strata.len() as usize];
    let mut outcomes = Vec::new();
    for mut relation in inputs {
        while let Some(batch) = relation.next_batch(context)? {
            let time = to_doubles(batch.column(time))?;
            read_outcomes(batch.column(event), any_bin, &mut outcomes)?;
            let strata = strata.of_rows(&batch)?;
            for (row, (time, outcome)) in time.iter().zip(&outcomes).enumerate() {
                let rows = durations.get_mut(strata.as_ref().map_or(0, |strata| strata[row]) as usize);
                if let (Some(rows), Some(time)) = (rows, time.filter(|time| !time.is_nan())) {
                    rows.push((time.max(0.0), *outcome == 0));
                }
            }
            context.grow_memory(batch.num_rows() * size_of::<(f64, bool)>())?;
        }
    }
    Ok(durations)
}

/// Where the roles stand in a batch, and the cells.
#[derive(Debug)]
struct Layout<'a> {
    time: usize,
    event: usize,
    unit: Option<usize>,
    grid: Grid,
    strata: &'a Strata,
}

/// What one thread has counted.
#[derive(Debug)]
struct Worker {
    cells: Vec<i64>,
    units: Option<Units>,
    bins: Vec<u32>,
    outcomes: Vec<u32>,
}

fn read_all(relation: &mut Relation, workers: &mut [Worker], layout: &Layout<'_>, context: &RunContext) -> Result<()> {
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

fn read_chunk(chunk: &[RecordBatch], workers: &mut [Worker], layout: &Layout<'_>, context: &RunContext) -> Result<()> {
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

impl Worker {
    fn new(layout: &Layout<'_>) -> Self {
        Self {
            cells: vec![0; layout.grid.n_cells()],
            units: layout.unit.map(|_| Units::new()),
            bins: Vec::with_capacity(SLICE_ROWS),
            outcomes: Vec::with_capacity(SLICE_ROWS),
        }
    }

    fn bytes(&self) -> usize {
        self.units.as_ref().map_or(0, Units::bytes)
    }

    fn read(&mut self, batch: &RecordBatch, layout: &Layout<'_>) -> Result<()> {
        let grid = layout.grid;
        read_bins(batch.column(layout.time), grid, &mut self.bins)?;
        read_outcomes(batch.column(layout.event), grid, &mut self.outcomes)?;
        let strata = layout.strata.of_rows(batch)?;
        let rows = self.bins.iter().zip(&self.outcomes);
        let cell = |row: usize, bin: u32, outcome: u32| {
            grid.cell(strata.as_ref().map_or(0, |strata| strata[row]), outcome, bin)
        };
        match (&mut self.units, layout.unit) {
            (Some(units), Some(unit)) => {
                let ranks = rows.enumerate().map(|(row, (bin, outcome))| cell(row, *bin, *outcome));
                let ranks: Vec<Option<u32>> = ranks.map(|cell| cell.map(|cell| grid.rank(cell))).collect();
                units.add(batch.column(unit), &ranks)?;
            }
            _ => {
                for (row, (bin, outcome)) in rows.enumerate() {
                    if let Some(cell) = cell(row, *bin, *outcome) {
                        self.cells[cell as usize] += 1;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Adds up what the workers have counted.
fn merge(workers: Vec<Worker>, grid: Grid, context: &RunContext) -> Vec<i64> {
    let mut cells = vec![0_i64; grid.n_cells()];
    let mut parts: Vec<Part> = Vec::new();
    for worker in workers {
        for (total, count) in cells.iter_mut().zip(worker.cells) {
            *total += count;
        }
        let Some(units) = worker.units else { continue };
        if parts.is_empty() {
            parts = units.into_parts();
        } else {
            parts.iter_mut().zip(units.into_parts()).for_each(|(part, more)| part.merge(more));
        }
    }
    let of_units = |part: Part| {
        let mut cells = vec![0_i64; grid.n_cells()];
        part.into_ranks().for_each(|rank| cells[grid.cell_of_rank(rank) as usize] += 1);
        cells
    };
    let of_units = context.pool().install(|| {
        parts.into_par_iter().map(of_units).reduce(
            || vec![0_i64; grid.n_cells()],
            |mut total, cells| {
                total.iter_mut().zip(cells).for_each(|(total, count)| *total += count);
                total
            },
        )
    });
    cells.iter().zip(of_units).map(|(rows, units)| rows + units).collect()
}

fn read_bins(column: &ArrayRef, grid: Grid, bins: &mut Vec<u32>) -> Result<()> {
    let time = to_doubles(column)?;
    bins.clear();
    bins.extend(time.values().iter().map(|time| grid.bin(*time)));
    leave_out_nulls(&time, NOWHERE, bins);
    Ok(())
}

/// Writes the outcome of each row: 0 for the first cause, and so on; anything else is a censoring.
fn read_outcomes(column: &ArrayRef, grid: Grid, outcomes: &mut Vec<u32>) -> Result<()> {
    let censored = grid.n_causes;
    outcomes.clear();
    if let Some(flags) = column.as_boolean_opt() {
        let events: BooleanBuffer = match flags.nulls() {
            Some(nulls) => flags.values() & nulls.inner(),
            None => flags.values().clone(),
        };
        outcomes.extend(events.iter().map(|is_event| if is_event { 0 } else { censored }));
        return Ok(());
    }
    let codes = to_doubles(column)?;
    outcomes.extend(codes.values().iter().map(|code| cause(*code, censored)));
    leave_out_nulls(&codes, censored, outcomes);
    Ok(())
}

/// Returns the cause of a code 1 .. C, counted from 0; C for any other code.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates; compared with the code again")]
fn cause(code: f64, n_causes: u32) -> u32 {
    let whole = code as u32;
    let is_cause = (1..=n_causes).contains(&whole) && (f64::from(whole) - code).abs() <= 0.0;
    if is_cause { whole - 1 } else { n_causes }
}

fn leave_out_nulls(column: &Float64Array, value: u32, values: &mut [u32]) {
    for row in column.nulls().iter().flat_map(|nulls| (0..nulls.len()).filter(|row| nulls.is_null(*row))) {
        values[row] = value;
    }
}

fn to_doubles(column: &ArrayRef) -> Result<Float64Array> {
    if column.data_type() == &DataType::Float64 {
        return Ok(column.as_primitive::<Float64Type>().clone());
    }
    Ok(cast(column, &DataType::Float64)?.as_primitive::<Float64Type>().clone())
}
