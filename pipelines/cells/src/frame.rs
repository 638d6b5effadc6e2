//! The tables that describe cells and genes, column by column.

use std::sync::Arc;

use arrow::array::UInt32Array;
use arrow::array::{Array as _, ArrayRef, AsArray, BooleanArray, Float64Array, Int32Array, Int64Array, StringArray};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, FieldRef};

use crate::error::Result;
use crate::h5::{Array, Kind, Source};
use crate::limits::Budget;
use crate::names::longest;

/// Bytes of a value whose width does not depend on the file.
const NUMBER_BYTES: u64 = 16;

/// A column of the table of cells or genes.
pub(crate) struct Column {
    pub(crate) name: String,
    values: Values,
}

enum Values {
    /// Held in memory as a whole.
    Ready(ArrayRef),
    /// Numbers or text, read by windows.
    Plain(Array),
    /// Values and, beside them, which of them are null.
    Masked { values: Array, mask: Array },
    /// Numbers of categories; -1 is null.
    Categorical { codes: Array, categories: ArrayRef },
}

impl Column {
    /// A column that is already in memory.
    pub(crate) fn ready(name: &str, values: StringArray) -> Self {
        Self { name: name.to_owned(), values: Values::Ready(Arc::new(values)) }
    }

    /// A column as it stands in a dataset.
    pub(crate) fn plain(name: &str, array: Array) -> Self {
        Self { name: name.to_owned(), values: Values::Plain(array) }
    }

    /// A column with a mask that is true where the value is null.
    pub(crate) fn masked(name: &str, values: Array, mask: Array) -> Self {
        Self { name: name.to_owned(), values: Values::Masked { values, mask } }
    }

    /// A column of categories, which are read here and held.
    pub(crate) fn categorical(name: &str, codes: Array, categories: &Array, budget: &mut Budget) -> Result<Self> {
        if categories.kind.is_text() {
            categories.hold_texts(&format!("the categories of `{name}`"), budget)?;
        } else {
            categories.hold_window(categories.n_rows(), budget)?;
        }
        let mut room = u64::MAX;
        let categories = read(categories, 0, categories.n_rows(), None, &mut room)?;
        Ok(Self { name: name.to_owned(), values: Values::Categorical { codes, categories } })
    }

    /// The number of rows.
    pub(crate) fn n_rows(&self) -> u64 {
        match &self.values {
            Values::Ready(array) => array.len() as u64,
            Values::Plain(array) => array.n_rows(),
            Values::Masked { values, mask } if values.n_rows() != mask.n_rows() => u64::MAX,
            Values::Masked { values, .. } => values.n_rows(),
            Values::Categorical { codes, .. } => codes.n_rows(),
        }
    }

    /// The column's place in a schema.
    pub(crate) fn field(&self) -> FieldRef {
        let data_type = match &self.values {
            Values::Ready(array) => array.data_type().clone(),
            Values::Plain(array) | Values::Masked { values: array, .. } => data_type(array.kind),
            Values::Categorical { categories, .. } => categories.data_type().clone(),
        };
        Arc::new(Field::new(&self.name, data_type, true))
    }

    /// The most bytes that a row takes; text kept apart is counted when it is read.
    pub(crate) fn row_bytes(&self) -> u64 {
        let of_text = |array: &ArrayRef| match array.as_string_opt::<i32>() {
            Some(texts) => longest(texts) as u64 + NUMBER_BYTES,
            None => NUMBER_BYTES,
        };
        match &self.values {
            Values::Ready(array) => of_text(array),
            Values::Plain(array) | Values::Masked { values: array, .. } => match array.kind {
                Kind::FixedText { width, .. } => width as u64 + NUMBER_BYTES,
                _ => NUMBER_BYTES,
            },
            Values::Categorical { categories, .. } => of_text(categories),
        }
    }

    /// Reads rows; texts kept apart may take up to `room` bytes.
    pub(crate) fn read(&self, start: u64, rows: u64, source: &Source, room: &mut u64) -> Result<ArrayRef> {
        match &self.values {
            Values::Ready(array) => {
                let bound = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
                Ok(array.slice(bound(start), bound(rows)))
            }
            Values::Plain(array) => read(array, start, rows, None, room),
            Values::Masked { values, mask } => read(values, start, rows, Some(&mask.booleans(start, rows)?), room),
            Values::Categorical { codes, categories } => {
                let codes = codes.integers(start, rows)?;
                let count = i64::try_from(categories.len()).unwrap_or(i64::MAX);
                if codes.iter().any(|code| !(-1..count).contains(code)) {
                    let problem = format!("`{}` has the number of a category that is not there", self.name);
                    return Err(source.malformed("AnnData", problem));
                }
                let positions: UInt32Array = codes.into_iter().map(|code| u32::try_from(code).ok()).collect();
                let taken = take(categories, &positions, None);
                taken.map_err(|error| source.malformed("AnnData", format!("`{}`: {error}", self.name)))
            }
        }
    }
}

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Boolean => DataType::Boolean,
        Kind::Float { .. } => DataType::Float64,
        Kind::FixedText { .. } | Kind::Text => DataType::Utf8,
        Kind::Integer { signed, width, .. } if width < 4 || (width == 4 && signed) => DataType::Int32,
        Kind::Integer { .. } => DataType::Int64,
    }
}

/// Reads rows of a dataset; those where the mask is true are null, and so are floats that are not a number.
fn read(array: &Array, start: u64, rows: u64, mask: Option<&[bool]>, room: &mut u64) -> Result<ArrayRef> {
    let is_null = |row: usize| mask.is_some_and(|mask| mask.get(row).copied().unwrap_or(false));
    Ok(match data_type(array.kind) {
        DataType::Boolean => {
            let values = array.booleans(start, rows)?.into_iter().enumerate();
            Arc::new(values.map(|(row, value)| (!is_null(row)).then_some(value)).collect::<BooleanArray>())
        }
        DataType::Float64 => {
            let values = array.doubles(start, rows)?;
            if values.iter().any(|value| value.is_infinite()) {
                return Err(array.infinite());
            }
            let values = values.into_iter().enumerate();
            let present = values.map(|(row, value)| (!is_null(row) && !value.is_nan()).then_some(value));
            Arc::new(present.collect::<Float64Array>())
        }
        DataType::Int32 => {
            let values = array.integers(start, rows)?.into_iter().enumerate();
            let narrow = |value| i32::try_from(value).ok();
            Arc::new(values.map(|(row, value)| if is_null(row) { None } else { narrow(value) }).collect::<Int32Array>())
        }
        DataType::Int64 => {
            let values = array.integers(start, rows)?.into_iter().enumerate();
            Arc::new(values.map(|(row, value)| (!is_null(row)).then_some(value)).collect::<Int64Array>())
        }
        _ => {
            let texts = array.texts(start, rows, room)?;
            array.check_text_bytes(&texts)?;
            let texts = texts.into_iter().enumerate();
            Arc::new(texts.map(|(row, text)| (!is_null(row)).then_some(text)).collect::<StringArray>())
        }
    })
}
