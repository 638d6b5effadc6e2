//! A contract from the data themselves.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow::array::{Array, AsArray, StringArray};
use arrow::datatypes::SchemaRef;

use super::document::{ColumnDocument, Document, Format, Kind, Limits};
use super::{ColumnType, Contract, check};
use crate::assemble::{BlockParser, Parsed, Workspace};
use crate::block::{BlockSource, Content, Cutter, Lines};
use crate::columns::{Calendar, number};
use crate::csv::{Dialect, read_header};
use crate::error::{IngestError, Result};
use crate::source::Source;
use crate::{expression, ndjson, open, parquet_file};

/// Makes a contract from the beginning of a file.
pub(super) fn infer(path: &Path, format: &Format) -> Result<Contract> {
    let file = path.display().to_string();
    let kind = format.kind.map_or_else(|| Kind::of(path, &file), Ok)?;
    let format = Format { kind: Some(kind), ..format.clone() };
    let document = match kind {
        Kind::Parquet => from_schema(parquet_file::read_schema(path, &file, &Limits::default())?, &file, format)?,
        Kind::H5ad | Kind::TenX | Kind::Mtx => {
            from_schema(expression::read_schema(path, &format, &Limits::default())?, &file, format)?
        }
        Kind::Csv => csv_texts(path, &file, format)?,
        Kind::Ndjson => ndjson_texts(path, &file, format)?,
    };
    let texts = check::check(&document, "", &file)?;
    match kind {
        Kind::Csv | Kind::Ndjson => narrow(path, &file, document, texts),
        _ => Ok(texts),
    }
}

fn column(name: &str, source: &str, column_type: ColumnType) -> toml::Spanned<ColumnDocument> {
    let source = (name != source).then(|| source.to_owned());
    let column_type = column_type.to_string();
    toml::Spanned::new(0..0, ColumnDocument { name: name.to_owned(), source, column_type, ..ColumnDocument::default() })
}

fn from_schema(schema: SchemaRef, file: &str, format: Format) -> Result<Document> {
    let mut document = Document { format, ..Document::default() };
    for field in schema.fields() {
        let column_type = ColumnType::from_arrow(field.data_type()).ok_or_else(|| IngestError::Columns {
            file: file.to_owned(),
            problem: format!("`{}` is of type {}, which is not read", field.name(), field.data_type()),
        })?;
        document.column.push(column(field.name(), field.name(), column_type));
    }
    Ok(document)
}

fn open_source(path: &Path, file: &str, document: &Document) -> Result<Source> {
    Source::open(path, file, &document.limits, Arc::new(AtomicU64::new(0)))
}

/// Names the columns of a CSV file, all of them texts for now.
fn csv_texts(path: &Path, file: &str, format: Format) -> Result<Document> {
    let mut document = Document { format, ..Document::default() };
    if document.format.delimiter.is_none() {
        document.format.delimiter = Some(likely_delimiter(path, file, &document)?);
    }
    let dialect = Dialect::new(&document.format, path);
    let mut cutter = Cutter::new(open_source(path, file, &document)?, Box::new(dialect));
    let names = read_header(&mut cutter, dialect, document.format.encoding, file)?;
    for (idx, name) in names.iter().enumerate() {
        let positional = format!("column{}", idx + 1);
        let name = if document.format.header && !name.is_empty() { name } else { &positional };
        let source = if document.format.header { &names[idx] } else { &positional };
        document.column.push(column(name, source, ColumnType::Text));
    }
    Ok(document)
}

/// Takes the candidate that stands most often in the first line; the comma wins a draw.
fn likely_delimiter(path: &Path, file: &str, document: &Document) -> Result<char> {
    let by_name = Dialect::new(&document.format, path).delimiter;
    let mut cutter = Cutter::new(open_source(path, file, document)?, Box::new(Lines));
    let beginning = cutter.peek()?;
    let line = beginning.split(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    let count = |delimiter: u8| memchr::memchr_iter(delimiter, line).count();
    let best = [b'|', b'\t', b';', b',', by_name].into_iter().max_by_key(|delimiter| count(*delimiter));
    Ok(char::from(best.unwrap_or(by_name)))
}

/// Names the fields met in the first lines of JSON, all of them texts for now.
fn ndjson_texts(path: &Path, file: &str, format: Format) -> Result<Document> {
    let mut document = Document { format, ..Document::default() };
    let mut cutter = Cutter::new(open_source(path, file, &document)?, Box::new(Lines));
    ndjson::skip_mark(&mut cutter, file)?;
    let block = cutter.next_block()?;
    let bytes = match block.as_ref().map(|block| &block.content) {
        Some(Content::Text { bytes, .. }) => &bytes[..],
        _ => &[],
    };
    let mut known = BTreeSet::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let Ok(object) = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(line) else { continue };
        for name in object.into_iter().map(|(name, _)| name) {
            if known.insert(name.clone()) {
                document.column.push(column(&name, &name, ColumnType::Text));
            }
        }
    }
    if document.column.is_empty() {
        let problem = "its first lines hold no JSON object".to_owned();
        return Err(IngestError::Malformed { file: file.to_owned(), format: "NDJSON", problem });
    }
    Ok(document)
}

/// Gives each column the narrowest type that all its texts in the first block fit.
fn narrow(path: &Path, file: &str, mut document: Document, texts: Contract) -> Result<Contract> {
    let texts = Arc::new(texts);
    let mut opened = open::open(path, file, &texts, Arc::new(AtomicU64::new(0)))?;
    let parsed = match opened.blocks.next_block()? {
        Some(block) => parse(opened.parser.as_ref(), &block.into_utf8(texts.format.encoding))?,
        None => Parsed::default(),
    };
    for (idx, entry) in document.column.iter_mut().enumerate() {
        let values = parsed.batches.iter().filter_map(|batch| batch.rows.column(idx).as_string_opt::<i32>());
        entry.get_mut().column_type = narrowest(&values.collect::<Vec<_>>()).to_string();
    }
    check::check(&document, "", file)
}

fn parse(parser: &dyn BlockParser, block: &crate::block::Block) -> Result<Parsed> {
    parser.parse(block, &mut Workspace::default())
}

fn narrowest(values: &[&StringArray]) -> ColumnType {
    let fits =
        |candidate: &ColumnType| values.iter().all(|texts| texts.iter().flatten().all(|text| is_of(*candidate, text)));
    let is_blank = values.iter().all(|texts| texts.null_count() == texts.len());
    let candidates =
        [ColumnType::Boolean, ColumnType::BigInt, ColumnType::Double, ColumnType::Date, ColumnType::Timestamp];
    if is_blank {
        return ColumnType::Text;
    }
    candidates.into_iter().find(fits).unwrap_or(ColumnType::Text)
}

/// Stricter than reading under a contract: `007` may be a code, and `1` a number rather than a truth value.
fn is_of(candidate: ColumnType, text: &str) -> bool {
    let text = text.trim().as_bytes();
    let is_code = matches!(text, [b'0', b'0'..=b'9', ..]);
    match candidate {
        ColumnType::Boolean => text.eq_ignore_ascii_case(b"true") || text.eq_ignore_ascii_case(b"false"),
        ColumnType::BigInt => !is_code && number::bigint(text).is_ok(),
        ColumnType::Double => !is_code && number::double(text).is_ok(),
        ColumnType::Date => Calendar::Iso.date(text).is_ok(),
        ColumnType::Timestamp => Calendar::Iso.timestamp(text).is_ok(),
        _ => true,
    }
}
