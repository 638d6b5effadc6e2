//! The TOML form of a contract, unchecked.

use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::error::{IngestError, Result};

/// The whole document.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Document {
    pub(crate) table: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) source: Option<String>,
    pub(crate) licence: Option<String>,
    pub(crate) subject_key: Option<String>,
    pub(crate) key: Vec<String>,
    pub(crate) format: Format,
    pub(crate) limits: Limits,
    pub(crate) column: Vec<Spanned<ColumnDocument>>,
}

/// One `[[column]]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ColumnDocument {
    pub(crate) name: String,
    pub(crate) source: Option<String>,
    #[serde(rename = "type")]
    pub(crate) column_type: String,
    pub(crate) unit: Option<String>,
    pub(crate) meaning: Option<String>,
    pub(crate) nullable: Option<bool>,
    pub(crate) min: Option<toml::Value>,
    pub(crate) max: Option<toml::Value>,
    pub(crate) categories: Option<Vec<toml::Value>>,
    pub(crate) pattern: Option<String>,
    #[serde(default)]
    pub(crate) identifying: bool,
    pub(crate) format: Option<String>,
}

/// How the file is written: the `[format]` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Format {
    /// The kind of file; taken from the file's name if not given.
    pub kind: Option<Kind>,
    /// The character between CSV fields; tab for `.tsv` files, comma otherwise, if not given.
    pub delimiter: Option<char>,
    /// The character around CSV fields that hold delimiters; the empty text switches quoting off.
    pub quote: String,
    /// True if the first CSV record names the columns. Without it columns stand in the contract's order.
    pub header: bool,
    /// Unquoted texts that stand for null.
    pub null_values: Vec<String>,
    /// The encoding of text.
    pub encoding: Encoding,
    /// What to do with columns the contract does not name.
    pub extra_columns: ExtraColumns,
    /// The longest field accepted, in bytes.
    pub max_field_bytes: usize,
    /// The table of an expression matrix.
    #[serde(skip_serializing_if = "is_default")]
    pub part: Part,
    /// The layer of an AnnData file whose values are read; `X` if none is named.
    #[serde(skip_serializing_if = "is_default")]
    pub layer: Option<String>,
    /// True to read the values or genes of an AnnData file's `raw`.
    #[serde(skip_serializing_if = "is_default")]
    pub raw: bool,
}

/// What is not set does not count for a contract's digest.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Default for Format {
    fn default() -> Self {
        Self {
            kind: None,
            delimiter: None,
            quote: "\"".to_owned(),
            header: true,
            null_values: vec![String::new(), "NA".to_owned()],
            encoding: Encoding::Utf8,
            extra_columns: ExtraColumns::Error,
            max_field_bytes: 1 << 20,
            part: Part::Values,
            layer: None,
            raw: false,
        }
    }
}

/// The kind of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Delimited text, plain or compressed with gzip or zstd.
    Csv,
    /// One JSON object a line, plain or compressed with gzip or zstd.
    Ndjson,
    /// Apache Parquet.
    Parquet,
    /// An expression matrix of AnnData, in HDF5.
    H5ad,
    /// An expression matrix of 10x Genomics, in HDF5.
    #[serde(rename = "10x")]
    TenX,
    /// An expression matrix in Matrix Market, with tables of cells and genes beside it.
    Mtx,
}

/// A table of an expression matrix.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// The values other than zero, one a row: `cell`, `gene`, `value`.
    #[default]
    Values,
    /// The cells, one a row: `cell`, and what the file tells of them.
    Cells,
    /// The genes, one a row: `gene`, and what the file tells of them.
    Genes,
}

/// The encoding of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encoding {
    /// UTF-8, with or without a byte order mark.
    #[serde(rename = "utf-8")]
    Utf8,
    /// ISO 8859-1, one byte a character.
    #[serde(rename = "latin1")]
    Latin1,
}

/// What to do with columns the contract does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExtraColumns {
    /// Refuse the file (CSV, Parquet) or the row (NDJSON).
    Error,
    /// Leave them out.
    Ignore,
}

/// What is accepted of a file: the `[limits]` section.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// The share of bad rows, in [0, 1], above which the load warns.
    pub warn_share: f64,
    /// The share of bad rows, in [0, 1], above which nothing is loaded.
    pub fail_share: f64,
    /// The most rows accepted.
    pub max_rows: Option<u64>,
    /// The most bytes a compressed file may unpack to.
    pub max_bytes_uncompressed: u64,
    /// The largest ratio of unpacked to packed bytes, looked at after the first 64 MiB.
    pub max_ratio: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { warn_share: 0.0, fail_share: 0.1, max_rows: None, max_bytes_uncompressed: 256 << 30, max_ratio: 200 }
    }
}

impl Document {
    /// Reads the TOML; `origin` names it in errors.
    pub(crate) fn parse(text: &str, origin: &str) -> Result<Self> {
        toml::from_str(text).map_err(|error| IngestError::Contract {
            place: place(text, origin, error.span().map(|span| span.start)),
            message: with_suggestion(error.message()),
        })
    }
}

/// Names a byte of the document as `origin:line:column`.
pub(crate) fn place(text: &str, origin: &str, byte: Option<usize>) -> String {
    let Some(before) = byte.and_then(|byte| text.get(..byte)) else {
        return origin.to_owned();
    };
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    format!("{origin}:{line}:{column}")
}

/// Adds the nearest of the expected names to serde's "unknown field `x`, expected one of `a`, `b`".
fn with_suggestion(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let is_unknown = message.starts_with("unknown field") || message.starts_with("unknown variant");
    let nearest = match quoted.next() {
        Some(wrong) if is_unknown => super::nearest(wrong, quoted),
        _ => None,
    };
    match nearest {
        Some(near) => format!("{message}; did you mean `{near}`?"),
        None => message.to_owned(),
    }
}
