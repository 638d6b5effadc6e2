//! The header of a CSV file against the contract.

use std::collections::HashMap;

use super::records::{Dialect, RecordEnd};
use crate::block::{Cutter, check_beginning, latin1};
use crate::contract::{Contract, Encoding, ExtraColumns, nearest};
use crate::error::{IngestError, Result};

/// Where the contract's columns stand in each record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Fields in a record.
    pub(crate) width: usize,
    /// The field of each column of the contract.
    pub(crate) positions: Vec<u16>,
}

/// Takes the byte order mark and, if there is one, the header from the file.
pub(super) fn read_layout(cutter: &mut Cutter, dialect: Dialect, contract: &Contract, file: &str) -> Result<Layout> {
    let names = if contract.format.header {
        Some(read_names(cutter, dialect, contract.format.encoding, file)?)
    } else {
        skip_mark(cutter, file)?;
        None
    };
    match names {
        Some(names) => match_names(&names, contract, file),
        None => {
            let width = contract.columns.len();
            Ok(Layout { width, positions: (0..=u16::MAX).take(width).collect() })
        }
    }
}

fn skip_mark(cutter: &mut Cutter, file: &str) -> Result<()> {
    let beginning = cutter.peek()?;
    if beginning.is_empty() {
        return Err(IngestError::Empty { file: file.to_owned(), expected: "at least one record" });
    }
    let mark = check_beginning(beginning, file)?;
    cutter.take(mark);
    Ok(())
}

/// Takes the first record that is not blank and returns its fields.
pub(super) fn read_names(cutter: &mut Cutter, dialect: Dialect, encoding: Encoding, file: &str) -> Result<Vec<String>> {
    skip_mark(cutter, file)?;
    loop {
        let beginning = cutter.peek()?;
        if beginning.is_empty() {
            return Err(IngestError::Empty { file: file.to_owned(), expected: "a header that names the columns" });
        }
        let mut fields = Vec::new();
        let end = match dialect.walk(beginning, 0, true, |field| fields.push(field)) {
            RecordEnd::Whole(end) => end,
            RecordEnd::BadQuotes(_) | RecordEnd::Incomplete => {
                return Err(bad_header(file, "its quotes are not closed"));
            }
        };
        let record = cutter.take(end);
        if record.trim_ascii().is_empty() {
            continue;
        }
        let names = fields.iter().map(|field| name(&record[field.start..field.end], dialect, encoding, file));
        return names.collect();
    }
}

fn name(bytes: &[u8], dialect: Dialect, encoding: Encoding, file: &str) -> Result<String> {
    let bytes = if encoding == Encoding::Latin1 { latin1(bytes) } else { bytes.to_vec() };
    let text = String::from_utf8(bytes).map_err(|_| IngestError::Encoding {
        file: file.to_owned(),
        problem: "has a header that is not UTF-8; set `encoding = \"latin1\"` under [format], or convert it".to_owned(),
    })?;
    let text = text.trim();
    if text.contains('\r') {
        return Err(bad_header(file, "its lines end in CR alone; convert them to LF"));
    }
    let quote = dialect.quote.map(char::from).unwrap_or('"');
    Ok(text.replace(&format!("{quote}{quote}"), &quote.to_string()))
}

fn bad_header(file: &str, problem: &str) -> IngestError {
    IngestError::Columns { file: file.to_owned(), problem: format!("the header cannot be read: {problem}") }
}

/// Finds each column of the contract among the names of the file.
fn match_names(names: &[String], contract: &Contract, file: &str) -> Result<Layout> {
    let refuse = |problem: String| Err(IngestError::Columns { file: file.to_owned(), problem });
    if names.len() > usize::from(u16::MAX) {
        return refuse(format!("{} columns; at most {} are read", names.len(), u16::MAX));
    }
    let mut found: HashMap<&str, Vec<u16>> = HashMap::new();
    for (name, position) in names.iter().zip(0_u16..) {
        found.entry(name).or_default().push(position);
    }
    let mut positions = Vec::with_capacity(contract.columns.len());
    for column in &contract.columns {
        match found.remove(column.source.as_str()).as_deref() {
            Some([position]) => positions.push(*position),
            Some(several) => {
                return refuse(format!("`{}` stands in the header {} times", column.source, several.len()));
            }
            None => return refuse(missing(&column.source, names)),
        }
    }
    let mut extra: Vec<&str> = found.into_keys().collect();
    if !extra.is_empty() && contract.format.extra_columns == ExtraColumns::Error {
        extra.sort_unstable();
        return refuse(unknown(&extra));
    }
    Ok(Layout { width: names.len(), positions })
}

pub(crate) fn missing(source: &str, names: &[String]) -> String {
    let near = nearest(source, names.iter().map(String::as_str));
    let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    format!("`{source}` is missing; the file has {}{hint}", listed(names.iter().map(String::as_str)))
}

pub(crate) fn unknown(extra: &[&str]) -> String {
    format!(
        "{} not in the contract; add them, or set `extra_columns = \"ignore\"` under [format]",
        listed(extra.iter().copied())
    )
}

/// Lists names, at most 20 of them.
fn listed<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = names.len().saturating_sub(20);
    let shown = names.take(20).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}
