//! Delimited text.
//!
//! A block without quotes, the usual case, is read by its index of separators; one with quotes is
//! walked record by record. Either way a row becomes a row of [`Field`]s, and the columns are parsed
//! one after the other.

mod header;
mod records;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use crate::assemble::{Assembler, BlockParser, CHUNK_ROWS, Parsed, Workspace};
use crate::block::{Block, Content, Cutter};
use crate::contract::{Contract, Encoding, Format};
use crate::error::Result;
use crate::fault::Reason;
use crate::source::Source;
use crate::tokens::{Field, Origin, Tokens, offset};

pub(crate) use header::{Layout, missing, unknown};
pub(crate) use records::Dialect;
use records::{RawField, RecordEnd, separators};

/// Parses blocks of delimited text.
#[derive(Debug)]
pub(crate) struct CsvParser {
    assembler: Assembler,
    dialect: Dialect,
    layout: Layout,
    max_field_bytes: usize,
}

/// Opens a CSV file: reads its header and returns the rest as blocks, with their parser.
pub(crate) fn open(source: Source, path: &Path, contract: &Arc<Contract>) -> Result<(Cutter, CsvParser)> {
    let dialect = Dialect::new(&contract.format, path);
    let file = source.file().to_owned();
    let mut cutter = Cutter::new(source, Box::new(dialect));
    let layout = header::read_layout(&mut cutter, dialect, contract, &file)?;
    let max_field_bytes = contract.format.max_field_bytes;
    Ok((cutter, CsvParser { assembler: Assembler::new(contract, &file), dialect, layout, max_field_bytes }))
}

/// Returns the names in the header of a file.
pub(crate) fn read_header(
    cutter: &mut Cutter,
    dialect: Dialect,
    encoding: Encoding,
    file: &str,
) -> Result<Vec<String>> {
    header::read_names(cutter, dialect, encoding, file)
}

impl Dialect {
    /// Takes the dialect from the contract, the delimiter from the file's name if need be.
    pub(crate) fn new(format: &Format, path: &Path) -> Self {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_ascii_lowercase();
        let is_tsv = name.split('.').skip(1).any(|part| part == "tsv" || part == "tab");
        let by_name = if is_tsv { b'\t' } else { b',' };
        let delimiter = format.delimiter.and_then(|delimiter| u8::try_from(delimiter).ok());
        Self { delimiter: delimiter.unwrap_or(by_name), quote: format.quote.bytes().next() }
    }
}

impl BlockParser for CsvParser {
    fn parse(&self, block: &Block, work: &mut Workspace) -> Result<Parsed> {
        match &block.content {
            Content::Text { bytes, .. } => self.parse_text(bytes, work),
            Content::Oversized { bytes, .. } => Ok(Parsed::one_bad_row(Reason::RecordTooLong, offset(bytes.len()))),
            Content::Rows(_) => Ok(Parsed::default()),
        }
    }
}

impl CsvParser {
    fn parse_text(&self, bytes: &[u8], work: &mut Workspace) -> Result<Parsed> {
        let has_quotes = self.dialect.quote.is_some_and(|quote| memchr::memchr(quote, bytes).is_some());
        let may_hold_nul = memchr::memchr(0, bytes).is_some();
        let mut parsed = Parsed::default();
        let mut reader = Reader { parser: self, bytes, at: 0, row: 0 };
        let Workspace { tokens, separators: found } = work;
        if !has_quotes {
            separators(bytes, self.dialect.delimiter, found);
        }
        let mut remaining = &found[..];
        loop {
            tokens.clear();
            while tokens.n_rows() < CHUNK_ROWS && reader.at < bytes.len() {
                if has_quotes {
                    reader.quoted_row(tokens);
                } else {
                    remaining = reader.plain_row(remaining, tokens);
                }
            }
            if tokens.n_rows() == 0 {
                return Ok(parsed);
            }
            self.assembler.add_texts(bytes, tokens, &self.layout.positions, may_hold_nul, &mut parsed)?;
        }
    }
}

/// Goes through the records of a block.
struct Reader<'a> {
    parser: &'a CsvParser,
    bytes: &'a [u8],
    at: usize,
    row: u32,
}

impl Reader<'_> {
    /// Reads a record by the separators that follow; returns those after it.
    fn plain_row<'s>(&mut self, separators: &'s [u32], tokens: &mut Tokens) -> &'s [u32] {
        let width = self.parser.layout.width;
        let begin = self.at;
        let first_field = tokens.fields.len();
        let mut start = begin;
        let mut n_fields = 0;
        let mut used = 0;
        let end = loop {
            let end = separators.get(used).map_or(self.bytes.len(), |end| *end as usize);
            used += 1;
            if n_fields < width {
                tokens.fields.push(Field::plain(start, end));
            }
            n_fields += 1;
            start = end + 1;
            if self.bytes.get(end) != Some(&self.parser.dialect.delimiter) {
                break end;
            }
        };
        self.at = (end + 1).min(self.bytes.len());
        if end > begin && self.bytes[end - 1] == b'\r' && n_fields <= width {
            trim_carriage_return(self.bytes, tokens);
        }
        self.finish_row(tokens, first_field, n_fields, begin, self.longest(begin, end, &tokens.fields[first_field..]));
        separators.get(used..).unwrap_or_default()
    }

    /// Walks along a record that may hold quotes.
    fn quoted_row(&mut self, tokens: &mut Tokens) {
        let width = self.parser.layout.width;
        let begin = self.at;
        let first_field = tokens.fields.len();
        let mut n_fields = 0;
        let mut longest = 0;
        let (fields, scratch) = (&mut tokens.fields, &mut tokens.scratch);
        let end = self.parser.dialect.walk(self.bytes, begin, true, |field| {
            if n_fields < width {
                fields.push(self.place(field, scratch));
            }
            n_fields += 1;
            longest = longest.max(field.end - field.start);
        });
        let RecordEnd::Whole(end) = end else {
            self.at = match end {
                RecordEnd::BadQuotes(end) => end,
                _ => self.bytes.len(),
            };
            self.push_bad(tokens, first_field, begin, Reason::BadQuotes);
            return;
        };
        self.at = end;
        self.finish_row(tokens, first_field, n_fields, begin, longest);
    }

    fn place(&self, field: RawField, scratch: &mut Vec<u8>) -> Field {
        let RawField { start, mut end, is_quoted, is_escaped } = field;
        if !is_quoted {
            let is_last = self.bytes.get(end).is_none_or(|byte| *byte == b'\n');
            if is_last && end > start && self.bytes[end - 1] == b'\r' {
                end -= 1;
            }
            return Field::plain(start, end);
        }
        if !is_escaped {
            return Field::quoted(start, end);
        }
        let begin = scratch.len();
        let quote = self.parser.dialect.quote.unwrap_or(b'"');
        let mut rest = &self.bytes[start..end];
        while let Some(first) = memchr::memchr(quote, rest) {
            scratch.extend_from_slice(&rest[..=first]);
            rest = rest.get(first + 2..).unwrap_or_default();
        }
        scratch.extend_from_slice(rest);
        Field::quoted_in_scratch(begin, scratch.len())
    }

    /// Returns the length of the longest field, if the record may hold one that is too long.
    fn longest(&self, begin: usize, end: usize, fields: &[Field]) -> usize {
        if end - begin <= self.parser.max_field_bytes {
            return 0;
        }
        fields.iter().map(|field| field.len()).max().unwrap_or(0)
    }

    fn finish_row(&mut self, tokens: &mut Tokens, first_field: usize, n_fields: usize, begin: usize, longest: usize) {
        let width = self.parser.layout.width;
        if n_fields == 1 && width > 1 && self.bytes[begin..self.at].trim_ascii().is_empty() {
            tokens.fields.truncate(first_field); // a blank line is no row
        } else if longest > self.parser.max_field_bytes {
            self.push_bad(tokens, first_field, begin, Reason::FieldTooLong);
        } else if n_fields != width {
            self.push_bad(tokens, first_field, begin, Reason::WrongFieldCount);
        } else {
            self.push_origin(tokens, begin);
            tokens.faults.push_good();
        }
    }

    fn push_bad(&mut self, tokens: &mut Tokens, first_field: usize, begin: usize, reason: Reason) {
        tokens.fields.truncate(first_field);
        tokens.fields.resize(first_field + self.parser.layout.width, Field::ABSENT);
        self.push_origin(tokens, begin);
        tokens.faults.push_bad(reason);
    }

    fn push_origin(&mut self, tokens: &mut Tokens, begin: usize) {
        tokens.origins.push(Origin { row: self.row, start: offset(begin), end: offset(self.at) });
        self.row += 1;
    }
}

/// Takes the CR of a CR LF line end off the last field.
fn trim_carriage_return(bytes: &[u8], tokens: &mut Tokens) {
    if let Some(last) = tokens.fields.last_mut() {
        last.trim_end(bytes, b'\r');
    }
}
