//! The schema contract: what a file must hold to be loaded.

mod check;
mod column_type;
mod document;
mod infer;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use causeway_model::{Column, DatasetPolicy};
use regex::Regex;

pub use column_type::ColumnType;
pub use document::{Encoding, ExtraColumns, Format, Kind, Limits, Part};

use crate::error::Result;
use document::Document;

/// A checked schema contract.
#[derive(Debug, Clone)]
pub struct Contract {
    pub(crate) table: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) subject_key: Option<String>,
    /// The key's columns, by position.
    pub(crate) key: Vec<usize>,
    pub(crate) format: Format,
    pub(crate) limits: Limits,
    pub(crate) columns: Vec<ColumnRule>,
    digest: String,
}

/// What one column must hold.
#[derive(Debug, Clone)]
pub(crate) struct ColumnRule {
    pub(crate) name: String,
    /// The column's name in the file.
    pub(crate) source: String,
    pub(crate) column_type: ColumnType,
    pub(crate) unit: Option<String>,
    pub(crate) meaning: Option<String>,
    pub(crate) nullable: bool,
    pub(crate) bounds: Option<Bounds>,
    pub(crate) categories: Option<Categories>,
    pub(crate) pattern: Option<Regex>,
    pub(crate) identifying: bool,
    /// The strftime form of dates and timestamps; ISO 8601 if not given.
    pub(crate) format: Option<String>,
}

/// The closed interval a value must lie in, in the column's own representation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Bounds {
    Int(i32, i32),
    BigInt(i64, i64),
    Double(f64, f64),
    Decimal(i128, i128),
    Date(i32, i32),
    Timestamp(i64, i64),
}

/// The values a column may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Categories {
    Text(HashSet<String>),
    Integers(HashSet<i64>),
}

impl Contract {
    /// Reads and checks a contract; `origin` (its path) names it in errors.
    ///
    /// # Errors
    /// [`crate::IngestError::Contract`] with line and column, what is allowed, and the nearest name.
    pub fn parse(toml: &str, origin: &str) -> Result<Self> {
        check::check(&Document::parse(toml, origin)?, toml, origin)
    }

    /// Makes a contract from the first megabytes of a file: types that all sampled values fit,
    /// every column nullable, no ranges. A later value that does not fit is quarantined.
    ///
    /// # Errors
    /// Those of reading the file: [`crate::IngestError::Io`], `Empty`, `Encoding`, `Columns`, …
    pub fn infer(path: &Path, format: &Format) -> Result<Self> {
        infer::infer(path, format)
    }

    /// Returns the table the contract is for, if it names one.
    #[must_use]
    pub fn table(&self) -> Option<&str> {
        self.table.as_deref()
    }

    /// Returns what the data are, if stated.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// Returns the names of the key's columns.
    #[must_use]
    pub fn key(&self) -> Vec<&str> {
        self.key.iter().filter_map(|idx| self.columns.get(*idx)).map(|column| column.name.as_str()).collect()
    }

    /// Returns how the file is written.
    #[must_use]
    pub fn format(&self) -> &Format {
        &self.format
    }

    /// Returns what is accepted of a file.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Returns the columns of the table; `unit` and `meaning` stand in the fields' metadata.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(self.columns.iter().map(ColumnRule::field).collect::<Vec<_>>()))
    }

    /// Returns the columns as the catalog keeps them.
    #[must_use]
    pub fn columns(&self) -> Vec<Column> {
        self.columns.iter().map(ColumnRule::column).collect()
    }

    /// Returns each column of the table with the name of the file's column it is read from.
    #[must_use]
    pub fn sources(&self) -> Vec<(String, Column)> {
        self.columns.iter().map(|rule| (rule.source.clone(), rule.column())).collect()
    }

    /// Returns what must be known to protect the people in the table.
    #[must_use]
    pub fn policy(&self) -> DatasetPolicy {
        let identifying = self.columns.iter().filter(|column| column.identifying);
        DatasetPolicy {
            identifying: identifying.map(|column| column.name.clone()).collect(),
            subject_key: self.subject_key.clone(),
            ..DatasetPolicy::default()
        }
    }

    /// Declares further columns identifying; names of none are passed over.
    pub fn declare_identifying(&mut self, names: &[String]) {
        for column in &mut self.columns {
            column.identifying |= names.contains(&column.name);
        }
    }

    /// Returns the policy of the quarantine table: its raw text identifies a person whenever a
    /// column of the contract does.
    #[must_use]
    pub fn quarantine_policy(&self) -> DatasetPolicy {
        let identifying = if self.policy().identifying.is_empty() { vec![] } else { vec!["raw".to_owned()] };
        DatasetPolicy { identifying, ..DatasetPolicy::default() }
    }

    /// Returns the SHA-256 of the contract's content in hex; comments and layout do not count.
    #[must_use]
    pub fn digest(&self) -> String {
        self.digest.clone()
    }

    pub(crate) fn column_name(&self, idx: u16) -> String {
        self.columns.get(usize::from(idx)).map(|column| column.name.clone()).unwrap_or_default()
    }
}

impl ColumnRule {
    fn field(&self) -> Field {
        let unit = self.unit.iter().map(|unit| ("unit".to_owned(), unit.clone()));
        let meaning = self.meaning.iter().map(|meaning| ("meaning".to_owned(), meaning.clone()));
        let metadata: HashMap<String, String> = unit.chain(meaning).collect();
        Field::new(&self.name, self.column_type.arrow(), self.nullable).with_metadata(metadata)
    }

    fn column(&self) -> Column {
        Column {
            name: self.name.clone(),
            data_type: self.column_type.to_string(),
            nullable: self.nullable,
            unit: self.unit.clone(),
            meaning: self.meaning.clone(),
            identifying: self.identifying,
        }
    }
}

/// Returns the candidate most like `wrong`, if one is near.
pub(crate) fn nearest<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored = candidates.into_iter().map(|candidate| (strsim::jaro_winkler(wrong, candidate), candidate));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 > 0.75).then_some(best.1)
}
