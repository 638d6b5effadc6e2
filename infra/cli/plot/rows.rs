//! What pictures of all kinds read rows by.

use arrow::array::{Array as _, ArrayRef, AsArray as _, Float64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Schema};
use causeway_plot::{Format, PlotError};

use crate::errors::Failure;

/// A picture that is being read.
pub(super) trait Drawing {
    /// Adds the rows of a batch.
    fn read(&mut self, batch: &RecordBatch) -> Result<(), Failure>;

    /// Draws it, and says what of.
    fn draw(self: Box<Self>, format: Format) -> Result<(Vec<u8>, String), PlotError>;
}

/// The columns of a query.
pub(super) struct Names(Vec<String>);

impl Names {
    pub(super) fn of(schema: &Schema) -> Self {
        Self(schema.fields().iter().map(|field| field.name().clone()).collect())
    }

    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|known| known == name)
    }

    /// Finds a column that a picture cannot do without; `form` shows such a query.
    pub(super) fn require(&self, name: &str, form: &str) -> Result<usize, Failure> {
        let missing = || Failure::usage(format!("the query has no column `{name}`; it has {}", self.list()));
        self.find(name).ok_or_else(|| missing().with_hint(form))
    }

    pub(super) fn name(&self, index: usize) -> &str {
        self.0.get(index).map_or("", String::as_str)
    }

    pub(super) fn list(&self) -> String {
        self.0.join(", ")
    }
}

pub(super) fn texts(batch: &RecordBatch, index: usize) -> Result<StringArray, Failure> {
    let texts = cast(batch.column(index), &DataType::Utf8).ok();
    texts.and_then(|texts| texts.as_string_opt::<i32>().cloned()).ok_or_else(|| wrong_type(batch, index, "text"))
}

pub(super) fn numbers(batch: &RecordBatch, index: usize) -> Result<Float64Array, Failure> {
    let column: &ArrayRef = batch.column(index);
    let numbers = column.data_type().is_numeric().then(|| cast(column, &DataType::Float64).ok()).flatten();
    numbers.and_then(|numbers| numbers.as_primitive_opt().cloned()).ok_or_else(|| wrong_type(batch, index, "a number"))
}

/// Returns a number of a row, unless it is null.
pub(super) fn number(column: &Float64Array, row: usize) -> Option<f64> {
    column.is_valid(row).then(|| column.value(row))
}

/// The two ends of an interval, as far as a query has them.
pub(super) struct Ends(Option<(Float64Array, Float64Array)>);

impl Ends {
    pub(super) fn read(batch: &RecordBatch, columns: Option<(usize, usize)>) -> Result<Self, Failure> {
        let Some((low, high)) = columns else { return Ok(Self(None)) };
        Ok(Self(Some((numbers(batch, low)?, numbers(batch, high)?))))
    }

    /// Returns the interval of a row, unless an end of it is null.
    pub(super) fn of(&self, row: usize) -> Option<(f64, f64)> {
        let (low, high) = self.0.as_ref()?;
        number(low, row).zip(number(high, row))
    }
}

fn wrong_type(batch: &RecordBatch, index: usize, wanted: &str) -> Failure {
    Failure::usage(format!("the column `{}` is not {wanted}", batch.schema_ref().field(index).name()))
}
