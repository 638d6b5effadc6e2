//! From the fields of a chunk to typed Arrow columns.

mod calendar;
pub(crate) mod number;
mod rules;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{
    ArrayRef, ArrowPrimitiveType, BooleanBuilder, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array,
    PrimitiveArray, StringBuilder, TimestampMicrosecondArray,
};
use arrow::buffer::NullBuffer;

pub(crate) use calendar::Calendar;
pub(crate) use rules::check_rules;

use crate::contract::{ColumnRule, ColumnType};
use crate::fault::{Faults, Reason};
use crate::tokens::{Chunk, Value};

/// The unquoted texts that stand for null.
#[derive(Debug, Clone)]
pub(crate) struct NullValues {
    texts: Vec<Vec<u8>>,
    /// Bit `n` is set if a text has `n` bytes; bit 63 stands for all longer ones.
    lengths: u64,
}

impl NullValues {
    pub(crate) fn new(texts: &[String]) -> Self {
        let lengths = texts.iter().fold(0, |bits, text| bits | 1 << text.len().min(63));
        Self { texts: texts.iter().map(|text| text.as_bytes().to_vec()).collect(), lengths }
    }

    fn contains(&self, text: &[u8]) -> bool {
        self.lengths & (1 << text.len().min(63)) != 0 && self.texts.iter().any(|null| null == text)
    }
}

/// Reads the texts of one column as its type says.
#[derive(Debug)]
pub(crate) struct ColumnParser {
    column_type: ColumnType,
    calendar: Calendar,
    nulls: NullValues,
}

impl ColumnParser {
    pub(crate) fn new(rule: &ColumnRule, nulls: &NullValues) -> Self {
        let calendar = rule.format.clone().map_or(Calendar::Iso, Calendar::Custom);
        Self { column_type: rule.column_type, calendar, nulls: nulls.clone() }
    }

    /// Makes the column's array from the fields at `position`, one value a row. A value that cannot
    /// be read becomes null and a fault of its row.
    pub(crate) fn parse(&self, chunk: &Chunk<'_>, position: u16, column: u16, faults: &mut Faults) -> ArrayRef {
        let mut cursor = Cursor { chunk, position, column, faults, nulls: &self.nulls };
        match self.column_type {
            ColumnType::Boolean => booleans(&mut cursor),
            ColumnType::Int => Arc::new(Int32Array::from(cursor.primitives(number::int))),
            ColumnType::BigInt => Arc::new(Int64Array::from(cursor.primitives(number::bigint))),
            ColumnType::Double => Arc::new(Float64Array::from(cursor.primitives(number::double))),
            ColumnType::Decimal { precision, scale } => {
                let values: Decimal128Array = cursor.primitives(|text| number::decimal(text, precision, scale));
                Arc::new(values.with_data_type(self.column_type.arrow()))
            }
            ColumnType::Text => texts(&mut cursor),
            ColumnType::Date => Arc::new(Date32Array::from(cursor.primitives(|text| self.calendar.date(text)))),
            ColumnType::Timestamp => {
                let values: TimestampMicrosecondArray = cursor.primitives(|text| self.calendar.timestamp(text));
                Arc::new(values.with_timezone("UTC"))
            }
        }
    }
}

/// One pass over a column.
struct Cursor<'a, 'c> {
    chunk: &'a Chunk<'c>,
    position: u16,
    column: u16,
    faults: &'a mut Faults,
    nulls: &'a NullValues,
}

impl Cursor<'_, '_> {
    /// Reads every trimmed text with `parse` and hands the value, or null, to `append`.
    #[inline]
    fn each<V>(&mut self, parse: impl Fn(&[u8]) -> Result<V, Reason>, mut append: impl FnMut(Option<V>)) {
        for (row, value) in self.chunk.column(self.position).enumerate() {
            let text = value.bytes.trim_ascii();
            if value.is_absent || self.nulls.contains(text) {
                append(None);
                continue;
            }
            match parse(text) {
                Ok(parsed) => append(Some(parsed)),
                Err(reason) => {
                    self.faults.note(row, self.column, reason);
                    append(None);
                }
            }
        }
    }

    #[inline]
    fn primitives<T: ArrowPrimitiveType>(
        &mut self,
        parse: impl Fn(&[u8]) -> Result<T::Native, Reason>,
    ) -> PrimitiveArray<T> {
        let n_rows = self.chunk.n_rows();
        let mut values = Vec::with_capacity(n_rows);
        let mut null_rows: Vec<usize> = Vec::new();
        self.each(parse, |value| {
            if value.is_none() {
                null_rows.push(values.len());
            }
            values.push(value.unwrap_or_default());
        });
        PrimitiveArray::new(values.into(), null_buffer(n_rows, &null_rows))
    }
}

fn null_buffer(n_rows: usize, null_rows: &[usize]) -> Option<NullBuffer> {
    if null_rows.is_empty() {
        return None;
    }
    let mut valid = vec![true; n_rows];
    for row in null_rows {
        valid[*row] = false;
    }
    Some(NullBuffer::from(valid))
}

fn booleans(cursor: &mut Cursor<'_, '_>) -> ArrayRef {
    let mut builder = BooleanBuilder::with_capacity(cursor.chunk.n_rows());
    cursor.each(number::boolean, |value| builder.append_option(value));
    Arc::new(builder.finish())
}

/// Texts are kept as they stand, blanks included; a quoted text is never null.
fn texts(cursor: &mut Cursor<'_, '_>) -> ArrayRef {
    let mut builder = StringBuilder::with_capacity(cursor.chunk.n_rows(), cursor.chunk.n_rows() * 16);
    for (row, value) in cursor.chunk.column(cursor.position).enumerate() {
        if value.is_absent || (!value.is_quoted && cursor.nulls.contains(value.bytes)) {
            builder.append_null();
            continue;
        }
        match text(value, cursor.chunk.may_hold_nul) {
            Ok(text) => builder.append_value(text),
            Err(reason) => {
                cursor.faults.note(row, cursor.column, reason);
                builder.append_null();
            }
        }
    }
    Arc::new(builder.finish())
}

fn text(value: Value<'_>, may_hold_nul: bool) -> Result<&str, Reason> {
    if may_hold_nul && memchr::memchr(0, value.bytes).is_some() {
        return Err(Reason::NulByte);
    }
    std::str::from_utf8(value.bytes).map_err(|_| Reason::InvalidUtf8)
}
