//! The table of refused rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Builder, RecordBatch, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::fault::Reason;

/// Returns the columns of every quarantine table. One row stands for one refused row of a file, with
/// the first thing wrong with it.
#[must_use]
pub fn quarantine_schema() -> SchemaRef {
    let field = |name: &str, data_type, nullable, meaning: &str| {
        Field::new(name, data_type, nullable).with_metadata([("meaning".to_owned(), meaning.to_owned())].into())
    };
    Arc::new(Schema::new(vec![
        field("file", DataType::Utf8, false, "the file's path"),
        field("file_digest", DataType::Utf8, false, "the SHA-256 of the file's content"),
        field("row_number", DataType::Int64, false, "the row in the file, from 1, the header not counted"),
        field("line_number", DataType::Int64, true, "the line the row begins on, from 1; null for Parquet"),
        field("column", DataType::Utf8, true, "the column at fault; null if the row as a whole is bad"),
        field("reason", DataType::Utf8, false, "the reason's code"),
        field("raw", DataType::Utf8, false, "the row as it stands in the file, cut after 64 KiB"),
        field("load", DataType::Utf8, false, "the load that refused it"),
    ]))
}

/// What all rows refused by one load share.
#[derive(Debug, Clone)]
pub(crate) struct LoadNames {
    pub(crate) file: String,
    pub(crate) digest: String,
    pub(crate) load: String,
}

/// Collects refused rows.
#[derive(Debug, Default)]
pub(crate) struct RefusedRows {
    row_number: Int64Builder,
    line_number: Int64Builder,
    column: StringBuilder,
    reason: StringBuilder,
    raw: StringBuilder,
    n_rows: usize,
}

impl RefusedRows {
    pub(crate) fn push(&mut self, row: i64, line: Option<i64>, column: Option<&str>, reason: Reason, raw: &str) {
        self.row_number.append_value(row);
        self.line_number.append_option(line);
        self.column.append_option(column);
        self.reason.append_value(reason.code());
        self.raw.append_value(raw);
        self.n_rows += 1;
    }

    pub(crate) fn finish(mut self, names: &LoadNames) -> Result<RecordBatch, arrow::error::ArrowError> {
        let repeat = |text: &str| -> ArrayRef {
            let mut builder = StringBuilder::with_capacity(self.n_rows, self.n_rows * text.len());
            (0..self.n_rows).for_each(|_| builder.append_value(text));
            Arc::new(builder.finish())
        };
        let (file, digest, load) = (repeat(&names.file), repeat(&names.digest), repeat(&names.load));
        RecordBatch::try_new(
            quarantine_schema(),
            vec![
                file,
                digest,
                Arc::new(self.row_number.finish()),
                Arc::new(self.line_number.finish()),
                Arc::new(self.column.finish()),
                Arc::new(self.reason.finish()),
                Arc::new(self.raw.finish()),
                load,
            ],
        )
    }
}
