//! The rows of a regression, kept so that they can be read again.
//!
//! Rows stay as the arrays they came in, up to [`KEEP_BYTES`]; what comes after is written to the run's scratch
//! file, column by column in the arrays' own types, and read back in the same order. They are handed out as tasks
//! of [`TASK_ROWS`] rows counted from the first row on, whatever the batches, and results are combined in the order
//! of tasks: so neither the cut into batches nor the number of threads changes a bit.

use std::io::Read;
use std::mem;

use arrow::array::{Array, ArrayData, ArrayRef, AsArray, Float64Array, UInt32Array, make_array};
use arrow::buffer::{Buffer, MutableBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, UInt32Type};
use causeway_core::{OperatorError, Result, RunContext, ScratchFile};
use rayon::prelude::*;

/// Rows of a task.
pub(super) const TASK_ROWS: usize = 8192;

/// Rows of a segment, whose tasks run side by side.
const SEGMENT_ROWS: usize = 16 * TASK_ROWS;

/// Bytes of rows kept in memory before others are spilled.
const KEEP_BYTES: usize = 256 << 20;

/// Some rows: columns of numbers, and of group numbers.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) numbers: Vec<ArrayRef>,
    pub(super) groups: Vec<UInt32Array>,
    pub(super) n_rows: usize,
}

/// Consecutive rows, in pieces as the batches came.
#[derive(Debug, Default)]
struct Segment {
    pieces: Vec<Piece>,
    n_rows: usize,
}

/// The rows of one task, as doubles.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) n_rows: usize,
    /// For each piece, for each column.
    numbers: Vec<Vec<Float64Array>>,
    groups: Vec<Vec<UInt32Array>>,
}

/// All rows, in order.
pub(crate) struct Store {
    operator: &'static str,
    /// False if the rows are read once: then none is kept.
    keeps: bool,
    kept_bytes: usize,
    kept: Vec<Segment>,
    open: Segment,
    spilled: Option<Spilled>,
    n_rows: u64,
}

/// Segments in a file.
struct Spilled {
    file: Box<dyn ScratchFile>,
    /// Rows of each segment.
    n_rows: Vec<usize>,
    types: Vec<DataType>,
    n_groups: usize,
    n_bytes: u64,
}

impl Store {
    /// Makes an empty store.
    pub(super) fn new(operator: &'static str, keeps: bool) -> Self {
        Self { operator, keeps, kept_bytes: 0, kept: Vec::new(), open: Segment::default(), spilled: None, n_rows: 0 }
    }

    /// Returns the bytes written to the scratch file.
    pub(crate) fn spilled_bytes(&self) -> u64 {
        self.spilled.as_ref().map_or(0, |spilled| spilled.n_bytes)
    }

    /// Adds rows. Each segment that is full goes through `map`, task by task side by side, and `reduce`, in order.
    pub(super) fn add<T: Send>(
        &mut self,
        piece: &Piece,
        context: &RunContext,
        map: &(impl Fn(&Task) -> Result<T> + Sync),
        reduce: &mut impl FnMut(T) -> Result<()>,
    ) -> Result<()> {
        let mut start = 0;
        while start < piece.n_rows {
            let n_rows = (SEGMENT_ROWS - self.open.n_rows).min(piece.n_rows - start);
            self.open.pieces.push(piece.slice(start, n_rows));
            self.open.n_rows += n_rows;
            start += n_rows;
            if self.open.n_rows == SEGMENT_ROWS {
                self.close_segment(context, map, reduce)?;
            }
        }
        Ok(())
    }

    /// Ends the input.
    pub(super) fn finish<T: Send>(
        &mut self,
        context: &RunContext,
        map: &(impl Fn(&Task) -> Result<T> + Sync),
        reduce: &mut impl FnMut(T) -> Result<()>,
    ) -> Result<()> {
        if self.open.n_rows > 0 { self.close_segment(context, map, reduce) } else { Ok(()) }
    }

    fn close_segment<T: Send>(
        &mut self,
        context: &RunContext,
        map: &(impl Fn(&Task) -> Result<T> + Sync),
        reduce: &mut impl FnMut(T) -> Result<()>,
    ) -> Result<()> {
        let segment = mem::take(&mut self.open);
        self.n_rows += segment.n_rows as u64;
        segment.fold(context, map, reduce)?;
        if !self.keeps {
            return Ok(());
        }
        let bytes = segment.bytes();
        if self.spilled.is_none() {
            let fits = self.kept_bytes + bytes <= KEEP_BYTES;
            let charged = if fits { Some(context.grow_memory(bytes)) } else { None };
            if matches!(charged, Some(Ok(()))) {
                self.kept_bytes += bytes;
                self.kept.push(segment);
                return Ok(());
            }
            match context.scratch_file()? {
                Some(file) => self.spilled = Some(Spilled::new(file, &segment)),
                None => {
                    charged.unwrap_or_else(|| context.grow_memory(bytes))?;
                    self.kept_bytes += bytes;
                    self.kept.push(segment);
                    return Ok(());
                }
            }
        }
        match &mut self.spilled {
            Some(spilled) => spilled.append(self.operator, &segment),
            None => Ok(()),
        }
    }

    /// Reads all rows once more: `map` for each task, side by side, and `reduce` in the order of tasks.
    pub(super) fn fold<T: Send>(
        &mut self,
        context: &RunContext,
        map: &(impl Fn(&Task) -> Result<T> + Sync),
        reduce: &mut impl FnMut(T) -> Result<()>,
    ) -> Result<()> {
        debug_assert!(self.keeps, "rows are read again");
        for segment in &self.kept {
            segment.fold(context, map, reduce)?;
        }
        match &mut self.spilled {
            Some(spilled) => spilled.fold(self.operator, context, map, reduce),
            None => Ok(()),
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("n_rows", &self.n_rows).finish_non_exhaustive()
    }
}

impl Piece {
    fn slice(&self, start: usize, n_rows: usize) -> Self {
        Self {
            numbers: self.numbers.iter().map(|column| column.slice(start, n_rows)).collect(),
            groups: self.groups.iter().map(|column| column.slice(start, n_rows)).collect(),
            n_rows,
        }
    }
}

impl Segment {
    fn bytes(&self) -> usize {
        let numbers = |piece: &Piece| {
            piece.numbers.iter().map(|column| column.data_type().primitive_width().unwrap_or(8)).sum::<usize>()
        };
        self.pieces.iter().map(|piece| piece.n_rows * (numbers(piece) + 4 * piece.groups.len())).sum()
    }

    fn fold<T: Send>(
        &self,
        context: &RunContext,
        map: &(impl Fn(&Task) -> Result<T> + Sync),
        reduce: &mut impl FnMut(T) -> Result<()>,
    ) -> Result<()> {
        context.check_cancelled()?;
        let starts: Vec<usize> = (0..self.n_rows).step_by(TASK_ROWS).collect();
        let run = |start: &usize| map(&self.task(*start)?);
        let results: Vec<Result<T>> = context.pool().install(|| starts.par_iter().with_max_len(1).map(run).collect());
        results.into_iter().try_for_each(|result| reduce(result?))
    }

    /// Returns the rows of the task that starts at a row.
    fn task(&self, start: usize) -> Result<Task> {
        let end = (start + TASK_ROWS).min(self.n_rows);
        let mut task = Task { n_rows: end - start, numbers: Vec::new(), groups: Vec::new() };
        let mut first = 0;
        for piece in &self.pieces {
            let (from, to) = (start.max(first), end.min(first + piece.n_rows));
            if from < to {
                let part = piece.slice(from - first, to - from);
                let doubles = part.numbers.iter().map(as_doubles).collect::<Result<_>>()?;
                task.numbers.push(doubles);
                task.groups.push(part.groups);
            }
            first += piece.n_rows;
        }
        Ok(task)
    }
}

fn as_doubles(column: &ArrayRef) -> Result<Float64Array> {
    match column.as_primitive_opt::<Float64Type>() {
        Some(doubles) => Ok(doubles.clone()),
        None => Ok(cast(column, &DataType::Float64)?.as_primitive::<Float64Type>().clone()),
    }
}

impl Task {
    /// Calls `copy` with each part of a column within `start..start + n_rows` and the place it starts at.
    #[inline(always)]
    pub(super) fn numbers(&self, column: usize, start: usize, n_rows: usize, mut copy: impl FnMut(usize, &[f64])) {
        let parts = self.numbers.iter().map(|columns| columns[column].values().as_ref());
        each_part(parts, start, n_rows, &mut copy);
    }

    /// Calls `copy` with each part of a column of group numbers.
    #[inline(always)]
    pub(super) fn groups(&self, column: usize, start: usize, n_rows: usize, mut copy: impl FnMut(usize, &[u32])) {
        let parts = self.groups.iter().map(|columns| columns[column].values().as_ref());
        each_part(parts, start, n_rows, &mut copy);
    }
}

#[inline(always)]
fn each_part<'a, V: 'a>(
    parts: impl Iterator<Item = &'a [V]>,
    start: usize,
    n_rows: usize,
    copy: &mut impl FnMut(usize, &[V]),
) {
    let mut first = 0;
    for part in parts {
        let (from, to) = (start.max(first), (start + n_rows).min(first + part.len()));
        if from < to {
            copy(from - start, &part[from - first..to - first]);
        }
        first += part.len();
    }
}

impl Spilled {
    fn new(file: Box<dyn ScratchFile>, segment: &Segment) -> Self {
        let first = segment.pieces.first();
        Self {
            file,
            n_rows: Vec::new(),
            types: first
                .map_or(Vec::new(), |piece| piece.numbers.iter().map(|column| column.data_type().clone()).collect()),
            n_groups: first.map_or(0, |piece| piece.groups.len()),
            n_bytes: 0,
        }
    }

    /// Writes a segment: all of its first column, then of its second.
    fn append(&mut self, operator: &'static str, segment: &Segment) -> Result<()> {
        let failed = |problem| OperatorError::Scratch { operator, problem };
        for column in 0..self.types.len() {
            for piece in &segment.pieces {
                let data = piece.numbers[column].to_data();
                self.n_bytes += append(self.file.as_mut(), &data).map_err(failed)?;
            }
        }
        for column in 0..self.n_groups {
            for piece in &segment.pieces {
                self.n_bytes += append(self.file.as_mut(), &piece.groups[column].to_data()).map_err(failed)?;
            }
        }
        self.n_rows.push(segment.n_rows);
        Ok(())
    }

    fn fold<T: Send>(
        &mut self,
        operator: &'static str,
        context: &RunContext,
        map: &(impl Fn(&Task) -> Result<T> + Sync),
        reduce: &mut impl FnMut(T) -> Result<()>,
    ) -> Result<()> {
        let failed = |problem| OperatorError::Scratch { operator, problem };
        let mut reader = self.file.reader().map_err(failed)?;
        for n_rows in &self.n_rows {
            let mut piece = Piece { numbers: Vec::new(), groups: Vec::new(), n_rows: *n_rows };
            for data_type in &self.types {
                piece.numbers.push(make_array(read_column(reader.as_mut(), data_type, *n_rows).map_err(failed)?));
            }
            for _ in 0..self.n_groups {
                let column = read_column(reader.as_mut(), &DataType::UInt32, *n_rows).map_err(failed)?;
                piece.groups.push(make_array(column).as_primitive::<UInt32Type>().clone());
            }
            Segment { pieces: vec![piece], n_rows: *n_rows }.fold(context, map, reduce)?;
        }
        Ok(())
    }
}

/// Writes the values of a primitive array; returns how many bytes.
fn append(file: &mut dyn ScratchFile, data: &ArrayData) -> std::result::Result<u64, String> {
    let width = data.data_type().primitive_width().unwrap_or(8);
    let start = data.offset() * width;
    let values = data.buffers().first().map_or(&[][..], Buffer::as_slice);
    let bytes = values.get(start..start + data.len() * width).ok_or("a column is shorter than its rows")?;
    file.append(bytes)?;
    Ok(bytes.len() as u64)
}

fn read_column(reader: &mut dyn Read, kind: &DataType, n_rows: usize) -> std::result::Result<ArrayData, String> {
    let mut bytes = MutableBuffer::from_len_zeroed(n_rows * kind.primitive_width().unwrap_or(8));
    reader.read_exact(bytes.as_slice_mut()).map_err(|error| error.to_string())?;
    let data = ArrayData::builder(kind.clone()).len(n_rows).add_buffer(bytes.into()).build();
    data.map_err(|error| error.to_string())
}
