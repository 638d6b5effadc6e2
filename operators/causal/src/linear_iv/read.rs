//! Batches to pieces of complete rows: types, missing values, levels of categories.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{cast, filter};
use arrow::datatypes::{DataType, Float64Type, Int64Type, UInt64Type};
use causeway_core::{BoundColumn, OperatorError, Result, RunContext};

use super::design::Design;
use super::store::Piece;

/// Memory of one level of a category, about.
const LEVEL_BYTES: usize = 96;

/// Turns batches into pieces.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    operator: &'static str,
    design: &'a Design,
    drop_missing: bool,
    levels: Vec<Levels>,
    charged_levels: usize,
    /// For each column: rows that are null, and rows that are NaN or infinite.
    missing: Vec<(u64, u64)>,
    pub(super) n_dropped: u64,
}

impl<'a> Reader<'a> {
    pub(super) fn new(operator: &'static str, design: &'a Design, drop_missing: bool) -> Self {
        let n_columns = design.numbers.len() + design.categories.len();
        Self {
            operator,
            design,
            drop_missing,
            levels: design.categories.iter().map(|_| Levels::default()).collect(),
            charged_levels: 0,
            missing: vec![(0, 0); n_columns],
            n_dropped: 0,
        }
    }

    /// Returns the number of levels of each category.
    pub(super) fn n_levels(&self) -> Vec<usize> {
        self.levels.iter().map(|levels| levels.ids.len() + levels.texts.len()).collect()
    }

    /// Returns the complete rows of a batch; `None` once some are incomplete and that is refused.
    pub(super) fn read(&mut self, batch: &RecordBatch, context: &RunContext) -> Result<Option<Piece>> {
        let mut numbers = self
            .design
            .numbers
            .iter()
            .map(|column| as_primitive(batch.column(column.index)))
            .collect::<Result<Vec<ArrayRef>>>()?;
        let mut categories: Vec<ArrayRef> =
            self.design.categories.iter().map(|column| ArrayRef::clone(batch.column(column.index))).collect();
        let complete = self.complete(&numbers, &categories, batch.num_rows());
        let mut n_rows = batch.num_rows();
        if let Some(complete) = complete {
            if !self.drop_missing {
                return Ok(None);
            }
            let mask = BooleanArray::new(complete, None);
            n_rows = mask.true_count();
            self.n_dropped += (batch.num_rows() - n_rows) as u64;
            for column in numbers.iter_mut().chain(&mut categories) {
                *column = filter(column, &mask)?;
            }
        } else if !self.drop_missing && self.missing.iter().any(|(nulls, others)| nulls + others > 0) {
            return Ok(None);
        }
        let groups = self.levels.iter_mut().zip(&categories);
        let groups = groups.map(|(levels, column)| levels.encode(column)).collect::<Result<Vec<UInt32Array>>>()?;
        let n_levels = self.n_levels().iter().sum::<usize>();
        context.grow_memory((n_levels - self.charged_levels) * LEVEL_BYTES)?;
        self.charged_levels = n_levels;
        Ok(Some(Piece { numbers, groups, n_rows }))
    }

    /// Counts what is missing; returns which rows are complete, `None` if all are.
    fn complete(&mut self, numbers: &[ArrayRef], categories: &[ArrayRef], n_rows: usize) -> Option<BooleanBuffer> {
        let mut complete: Option<BooleanBuffer> = None;
        for (column, missing) in numbers.iter().chain(categories).zip(&mut self.missing) {
            let nulls = column.logical_nulls().filter(|nulls| nulls.null_count() > 0);
            let doubles = column.as_primitive_opt::<Float64Type>().map(|doubles| doubles.values().as_ref());
            let finite = doubles.filter(|values| !all_finite(values));
            if nulls.is_none() && finite.is_none() {
                continue;
            }
            let is_valid = |row: usize| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
            let is_finite = |row: usize| finite.is_none_or(|values| values[row].is_finite());
            let n_nulls = nulls.as_ref().map_or(0, |nulls| nulls.null_count());
            let n_not_finite = (0..n_rows).filter(|row| is_valid(*row) && !is_finite(*row)).count();
            if n_nulls + n_not_finite == 0 {
                continue; // NaN behind a null of another kind of buffer
            }
            missing.0 += n_nulls as u64;
            missing.1 += n_not_finite as u64;
            let present = BooleanBuffer::collect_bool(n_rows, |row| is_valid(row) && is_finite(row));
            complete = Some(complete.map_or_else(|| present.clone(), |complete| &complete & &present));
        }
        complete
    }

    /// Returns the columns with missing values and how many, in words.
    pub(super) fn missing_in_words(&self) -> Vec<String> {
        let columns = self.design.numbers.iter().chain(&self.design.categories);
        let count = |(column, (nulls, others)): (&BoundColumn, &(u64, u64))| {
            let parts = [(*nulls, "null"), (*others, "NaN or infinite")];
            let words = parts.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| {
                format!("column `{}` is {what} in {count} {}", column.name, if count == 1 { "row" } else { "rows" })
            });
            words.collect::<Vec<String>>()
        };
        columns.zip(&self.missing).flat_map(count).collect()
    }

    /// Refuses missing values if they are not dropped.
    pub(super) fn check(&self) -> Result<()> {
        let words = self.missing_in_words();
        if self.drop_missing || words.is_empty() {
            return Ok(());
        }
        let problem =
            format!("{}; filter such rows in the SELECT, or leave them out with missing => 'drop'", words.join(", "));
        Err(OperatorError::Data { operator: self.operator, problem })
    }
}

/// Returns a column as an array of integers or floats.
fn as_primitive(column: &ArrayRef) -> Result<ArrayRef> {
    match column.data_type() {
        kind if kind.is_integer() => Ok(ArrayRef::clone(column)),
        DataType::Float64 => Ok(ArrayRef::clone(column)),
        _ => Ok(cast(column, &DataType::Float64)?),
    }
}

/// Returns true if no value is NaN or infinite: then every value times 0 is 0.
fn all_finite(values: &[f64]) -> bool {
    const LANES: usize = 16;
    let (blocks, rest) = values.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for block in blocks {
        sums.iter_mut().zip(block).for_each(|(sum, value)| *sum += 0.0 * value);
    }
    sums.iter().chain(rest).all(|value| value.is_finite())
}

/// The levels of a category, numbered as they come.
#[derive(Debug, Default)]
struct Levels {
    ids: HashMap<i64, u32>,
    texts: HashMap<Box<str>, u32>,
}

impl Levels {
    fn encode(&mut self, column: &ArrayRef) -> Result<UInt32Array> {
        match column.data_type() {
            DataType::Dictionary(_, kind) => self.encode(&cast(column, kind)?),
            DataType::UInt64 => {
                let values = column.as_primitive::<UInt64Type>().values().iter();
                Ok(self.encode_numbers(values.map(|value| i64::from_ne_bytes(value.to_ne_bytes()))))
            }
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
                let texts = cast(column, &DataType::LargeUtf8)?;
                Ok(self.encode_texts(texts.as_string::<i64>().iter().map(|text| text.unwrap_or(""))))
            }
            DataType::Boolean => Ok(self.encode_numbers(column.as_boolean().values().iter().map(i64::from))),
            DataType::Date32 | DataType::Date64 => {
                let days = cast(column, &DataType::Int64)?;
                Ok(self.encode_numbers(days.as_primitive::<Int64Type>().values().iter().copied()))
            }
            _ => {
                let whole = cast(column, &DataType::Int64)?;
                Ok(self.encode_numbers(whole.as_primitive::<Int64Type>().values().iter().copied()))
            }
        }
    }

    fn encode_numbers(&mut self, values: impl Iterator<Item = i64>) -> UInt32Array {
        let mut last: Option<(i64, u32)> = None;
        let ids = values.map(|value| {
            if let Some((_, id)) = last.filter(|(known, _)| *known == value) {
                return id;
            }
            let next = next_id(self.ids.len());
            let id = *self.ids.entry(value).or_insert(next);
            last = Some((value, id));
            id
        });
        ids.collect::<Vec<u32>>().into()
    }

    fn encode_texts<'a>(&mut self, texts: impl Iterator<Item = &'a str>) -> UInt32Array {
        let ids = texts.map(|text| {
            if let Some(id) = self.texts.get(text) {
                return *id;
            }
            let id = next_id(self.texts.len());
            self.texts.insert(text.into(), id);
            id
        });
        ids.collect::<Vec<u32>>().into()
    }
}

/// Levels beyond what memory can hold do not occur: each takes some bytes of it.
fn next_id(n_levels: usize) -> u32 {
    u32::try_from(n_levels).unwrap_or(u32::MAX)
}
