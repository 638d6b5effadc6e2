//! Rows of words and numbers to Arrow.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::{DataType, SchemaRef};
use causeway_core::{OperatorError, Output, Report, Result};

/// A cell of the output.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// Words.
    Text(String),
    /// A number; NaN and infinities become null.
    Number(f64),
    /// A count.
    Count(u64),
    /// Nothing.
    Null,
}

/// Rows of cells.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<Vec<Value>>);

impl Table {
    /// Adds a row.
    pub(crate) fn push(&mut self, row: Vec<Value>) {
        self.0.push(row);
    }

    /// Makes the output.
    pub(crate) fn finish(self, operator: &'static str, schema: SchemaRef, report: Report) -> Result<Output> {
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
        for (index, field) in schema.fields().iter().enumerate() {
            let cells = self.0.iter().map(|row| row.get(index).unwrap_or(&Value::Null));
            columns.push(match field.data_type() {
                DataType::Utf8 => Arc::new(cells.map(Value::text).collect::<StringArray>()),
                DataType::Float64 => Arc::new(cells.map(Value::number).collect::<Float64Array>()),
                DataType::UInt64 => Arc::new(cells.map(Value::count).collect::<UInt64Array>()),
                other => {
                    let problem = format!("column `{}` has type {other}", field.name());
                    return Err(OperatorError::Internal { operator, problem });
                }
            });
        }
        Ok(Output { batches: vec![RecordBatch::try_new(schema, columns)?], report })
    }
}

impl Value {
    /// Makes a text.
    pub(crate) fn words(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) if number.is_finite() => Some(*number),
            _ => None,
        }
    }

    fn count(&self) -> Option<u64> {
        match self {
            Self::Count(count) => Some(*count),
            _ => None,
        }
    }
}
