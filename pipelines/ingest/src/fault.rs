//! Why a row is refused.

use std::collections::BTreeMap;

use crate::error::FaultCount;

/// Why a row is refused. The code of each is what the quarantine table shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Reason {
    /// Null where the contract wants a value.
    MissingValue,
    /// Not true, false, yes, no, t, f, 1 or 0.
    NotABoolean,
    /// Not a number of the column's type.
    NotANumber,
    /// More digits after the point than the decimal type holds.
    TooManyDecimals,
    /// Outside the contract's `min` and `max`, or outside the type.
    OutOfRange,
    /// Not one of the contract's categories.
    NotInCategories,
    /// Does not match the contract's pattern.
    PatternMismatch,
    /// Not a date in the expected form, or not in the calendar.
    BadDate,
    /// Not a timestamp in the expected form.
    BadTimestamp,
    /// More or fewer fields than the header has.
    WrongFieldCount,
    /// A field is longer than `max_field_bytes`.
    FieldTooLong,
    /// The whole record is longer than the reader holds.
    RecordTooLong,
    /// Bytes that are not UTF-8.
    InvalidUtf8,
    /// A NUL byte in a text.
    NulByte,
    /// A quote is never closed, or text follows a closing quote.
    BadQuotes,
    /// The line is not a JSON object.
    BadJson,
    /// A JSON list or object where one value is expected.
    NestedValue,
    /// A JSON field that the contract does not name.
    UnknownField,
    /// The key stands in an earlier row of the same file.
    DuplicateKey,
    /// The key stands in the table already.
    KeyExists,
}

impl Reason {
    /// All reasons, in the order of the docs.
    pub const ALL: [Self; 20] = [
        Self::MissingValue,
        Self::NotABoolean,
        Self::NotANumber,
        Self::TooManyDecimals,
        Self::OutOfRange,
        Self::NotInCategories,
        Self::PatternMismatch,
        Self::BadDate,
        Self::BadTimestamp,
        Self::WrongFieldCount,
        Self::FieldTooLong,
        Self::RecordTooLong,
        Self::InvalidUtf8,
        Self::NulByte,
        Self::BadQuotes,
        Self::BadJson,
        Self::NestedValue,
        Self::UnknownField,
        Self::DuplicateKey,
        Self::KeyExists,
    ];

    /// Returns the code shown in the quarantine table.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::MissingValue => "missing_value",
            Self::NotABoolean => "not_a_boolean",
            Self::NotANumber => "not_a_number",
            Self::TooManyDecimals => "too_many_decimals",
            Self::OutOfRange => "out_of_range",
            Self::NotInCategories => "not_in_categories",
            Self::PatternMismatch => "pattern_mismatch",
            Self::BadDate => "bad_date",
            Self::BadTimestamp => "bad_timestamp",
            Self::WrongFieldCount => "wrong_field_count",
            Self::FieldTooLong => "field_too_long",
            Self::RecordTooLong => "record_too_long",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::NulByte => "nul_byte",
            Self::BadQuotes => "bad_quotes",
            Self::BadJson => "bad_json",
            Self::NestedValue => "nested_value",
            Self::UnknownField => "unknown_field",
            Self::DuplicateKey => "duplicate_key",
            Self::KeyExists => "key_exists",
        }
    }

    /// Finds a code that stands in a quarantine table; one of a newer version is `unknown`.
    pub(crate) fn known_code(code: &str) -> &'static str {
        Self::ALL.iter().map(|reason| reason.code()).find(|known| *known == code).unwrap_or("unknown")
    }
}

/// The first thing wrong with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fault {
    /// The contract's column; `None` if the row as a whole is bad.
    pub(crate) column: Option<u16>,
    pub(crate) reason: Reason,
}

/// The first fault of each row of a chunk.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    rows: Vec<Option<Fault>>,
    n_bad: usize,
}

impl Faults {
    pub(crate) fn reset(&mut self, n_rows: usize) {
        self.rows.clear();
        self.rows.resize(n_rows, None);
        self.n_bad = 0;
    }

    /// Adds a row without a fault.
    pub(crate) fn push_good(&mut self) {
        self.rows.push(None);
    }

    /// Adds a row that is bad as a whole.
    pub(crate) fn push_bad(&mut self, reason: Reason) {
        self.rows.push(Some(Fault { column: None, reason }));
        self.n_bad += 1;
    }

    /// Notes a fault unless the row has an earlier one.
    #[cold]
    pub(crate) fn note(&mut self, row: usize, column: u16, reason: Reason) {
        if let Some(slot @ None) = self.rows.get_mut(row) {
            *slot = Some(Fault { column: Some(column), reason });
            self.n_bad += 1;
        }
    }

    pub(crate) fn get(&self, row: usize) -> Option<Fault> {
        self.rows.get(row).copied().flatten()
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn n_bad(&self) -> usize {
        self.n_bad
    }
}

/// Counts of refused rows by column and reason.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    counts: BTreeMap<Fault, (u64, u64)>,
}

impl Tally {
    /// Counts one row; `row` is its number in the file, from 1.
    pub(crate) fn add(&mut self, fault: Fault, row: u64) {
        let (rows, first) = self.counts.entry(fault).or_insert((0, row));
        *rows += 1;
        *first = row.min(*first);
    }

    /// Lists the counts; `name` gives the name of a contract column.
    pub(crate) fn list(&self, name: impl Fn(u16) -> String) -> Vec<FaultCount> {
        self.counts
            .iter()
            .map(|(fault, (rows, first_row))| FaultCount {
                column: fault.column.map(&name).unwrap_or_default(),
                reason: fault.reason.code(),
                rows: *rows,
                first_row: *first_row,
            })
            .collect()
    }
}
