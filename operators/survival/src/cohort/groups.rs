//! Group keys: the values of several columns as one byte string that compares as the columns do.

use std::collections::BTreeMap;

use arrow::array::{ArrayRef, RecordBatch, UInt64Array, new_empty_array};
use arrow::compute::{SortOptions, cast, take};
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, Rows, SortField};
use causeway_core::{BoundColumn, OperatorError, Result};
use hashbrown::HashMap;

/// The columns that form the groups, and their encoding.
#[derive(Debug)]
pub(super) struct GroupColumns {
    indices: Vec<usize>,
    types: Vec<DataType>,
    converter: Option<RowConverter>,
}

/// The groups seen by one worker, numbered in the order they came.
#[derive(Debug, Default)]
pub(super) struct Interner {
    numbers: HashMap<Box<[u8]>, usize>,
}

impl GroupColumns {
    pub(super) fn new(columns: &[&BoundColumn]) -> Result<Self> {
        let fields: Vec<SortField> = columns.iter().map(|column| sort_field(&column.data_type)).collect();
        Ok(Self {
            indices: columns.iter().map(|column| column.index).collect(),
            types: columns.iter().map(|column| column.data_type.clone()).collect(),
            converter: if fields.is_empty() { None } else { Some(RowConverter::new(fields)?) },
        })
    }

    /// Returns the keys of a batch's rows; `None` if all rows are one group.
    pub(super) fn encode(&self, batch: &RecordBatch) -> Result<Option<Rows>> {
        let Some(converter) = &self.converter else { return Ok(None) };
        let columns: Vec<ArrayRef> = self.indices.iter().map(|index| ArrayRef::clone(batch.column(*index))).collect();
        Ok(Some(converter.convert_columns(&columns)?))
    }

    /// Returns the columns of the keys, one row for each key, in the types of the input.
    pub(super) fn decode<'a>(&self, keys: impl ExactSizeIterator<Item = &'a [u8]>) -> Result<Vec<ArrayRef>> {
        let Some(converter) = &self.converter else { return Ok(Vec::new()) };
        if keys.len() == 0 {
            return Ok(self.types.iter().map(new_empty_array).collect());
        }
        let parser = converter.parser();
        let columns = converter.convert_rows(keys.map(|key| parser.parse(key)))?;
        columns.iter().zip(&self.types).map(|(column, data_type)| restore(column, data_type)).collect()
    }
}

/// Numbers the distinct rows of some columns in ascending order. Returns the number of each row and
/// the columns of the distinct rows; without columns all rows are one.
pub(crate) fn distinct_rows(columns: &[ArrayRef], n_rows: usize) -> Result<(Vec<usize>, Vec<ArrayRef>)> {
    if columns.is_empty() || n_rows == 0 {
        return Ok((vec![0; n_rows], columns.to_vec()));
    }
    let fields = columns.iter().map(|column| sort_field(column.data_type())).collect();
    let rows = RowConverter::new(fields)?.convert_columns(columns)?;
    let first_row: BTreeMap<&[u8], usize> =
        rows.iter().enumerate().rev().map(|(index, row)| (row.data(), index)).collect();
    let numbers: BTreeMap<&[u8], usize> = first_row.keys().zip(0..).map(|(key, number)| (*key, number)).collect();
    let number_of_row = rows.iter().filter_map(|row| numbers.get(row.data()).copied()).collect();
    let indices: UInt64Array = first_row.values().map(|index| *index as u64).collect::<Vec<u64>>().into();
    let distinct = columns.iter().map(|column| take(column, &indices, None)).collect::<Result<_, _>>()?;
    Ok((number_of_row, distinct))
}

/// Ascending, nulls last, as ORDER BY puts them.
fn sort_field(data_type: &DataType) -> SortField {
    SortField::new_with_options(data_type.clone(), SortOptions { descending: false, nulls_first: false })
}

impl Interner {
    /// Returns the number of a key and whether it is new.
    pub(super) fn number(&mut self, key: &[u8]) -> (usize, bool) {
        if let Some(number) = self.numbers.get(key) {
            return (*number, false);
        }
        let number = self.numbers.len();
        self.numbers.insert(key.into(), number);
        (number, true)
    }

    pub(super) fn into_keys(self) -> impl Iterator<Item = (Box<[u8]>, usize)> {
        self.numbers.into_iter()
    }
}

/// Returns to a dictionary what the row format unpacked.
fn restore(column: &ArrayRef, data_type: &DataType) -> Result<ArrayRef> {
    if column.data_type() == data_type {
        return Ok(ArrayRef::clone(column));
    }
    cast(column, data_type).map_err(|error| OperatorError::Internal {
        operator: "survival",
        problem: format!("group keys of type {} do not become {data_type}: {error}", column.data_type()),
    })
}
