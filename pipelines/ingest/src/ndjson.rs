//! One JSON object a line.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::assemble::{Assembler, BlockParser, CHUNK_ROWS, Parsed, Workspace};
use crate::block::{Block, Content, Cutter, Lines, check_beginning};
use crate::contract::{Contract, ExtraColumns};
use crate::error::{IngestError, Result};
use crate::fault::Reason;
use crate::source::Source;
use crate::tokens::{Field, Origin, Tokens, offset};

/// Parses blocks of JSON lines.
#[derive(Debug)]
pub(crate) struct NdjsonParser {
    assembler: Assembler,
    /// The contract's columns by their name in the file.
    columns: HashMap<String, usize>,
    positions: Vec<u16>,
    ignores_extra: bool,
    max_field_bytes: usize,
}

/// Opens a file of JSON lines and returns its blocks and their parser.
pub(crate) fn open(source: Source, contract: &Arc<Contract>) -> Result<(Cutter, NdjsonParser)> {
    let file = source.file().to_owned();
    let mut cutter = Cutter::new(source, Box::new(Lines));
    skip_mark(&mut cutter, &file)?;
    let columns = contract.columns.iter().enumerate().map(|(idx, column)| (column.source.clone(), idx));
    let parser = NdjsonParser {
        columns: columns.collect(),
        positions: (0..=u16::MAX).take(contract.columns.len()).collect(),
        ignores_extra: contract.format.extra_columns == ExtraColumns::Ignore,
        max_field_bytes: contract.format.max_field_bytes,
        assembler: Assembler::new(contract, &file),
    };
    Ok((cutter, parser))
}

/// Takes a byte order mark from the file, which must not be empty.
pub(crate) fn skip_mark(cutter: &mut Cutter, file: &str) -> Result<()> {
    let beginning = cutter.peek()?;
    if beginning.is_empty() {
        return Err(IngestError::Empty { file: file.to_owned(), expected: "one JSON object a line" });
    }
    let mark = check_beginning(beginning, file)?;
    cutter.take(mark);
    Ok(())
}

impl BlockParser for NdjsonParser {
    fn parse(&self, block: &Block, work: &mut Workspace) -> Result<Parsed> {
        match &block.content {
            Content::Text { bytes, .. } => self.parse_text(bytes, &mut work.tokens),
            Content::Oversized { bytes, .. } => Ok(Parsed::one_bad_row(Reason::RecordTooLong, offset(bytes.len()))),
            Content::Rows(_) => Ok(Parsed::default()),
        }
    }
}

impl NdjsonParser {
    fn parse_text(&self, bytes: &[u8], tokens: &mut Tokens) -> Result<Parsed> {
        let mut parsed = Parsed::default();
        let mut at = 0;
        let mut row = 0;
        while at < bytes.len() {
            tokens.clear();
            while tokens.n_rows() < CHUNK_ROWS && at < bytes.len() {
                let end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |n| at + n + 1);
                if !bytes[at..end].trim_ascii().is_empty() {
                    tokens.origins.push(Origin { row, start: offset(at), end: offset(end) });
                    self.read_line(bytes, at..end, tokens);
                    row += 1;
                }
                at = end;
            }
            if tokens.n_rows() > 0 {
                self.assembler.add_texts(bytes, tokens, &self.positions, true, &mut parsed)?;
            }
        }
        Ok(parsed)
    }

    fn read_line(&self, bytes: &[u8], line: std::ops::Range<usize>, tokens: &mut Tokens) {
        let first = tokens.fields.len();
        tokens.fields.resize(first + self.columns.len(), Field::ABSENT);
        let row = tokens.faults.len();
        let object = LineVisitor { parser: self, start: line.start, base: bytes.as_ptr() as usize, first, tokens };
        let mut reader = serde_json::Deserializer::from_slice(&bytes[line]);
        let read = reader.deserialize_map(object).and_then(|fault| reader.end().map(|()| fault));
        let fault = match read {
            Ok(None) => return tokens.faults.push_good(),
            Ok(Some(fault)) => fault,
            Err(error) if error.is_data() || error.is_syntax() || error.is_eof() => LineFault::row(Reason::BadJson),
            Err(_) => LineFault::row(Reason::BadJson),
        };
        for field in &mut tokens.fields[first..] {
            *field = Field::ABSENT;
        }
        match fault.column {
            None => tokens.faults.push_bad(fault.reason),
            Some(column) => {
                tokens.faults.push_good();
                tokens.faults.note(row, column, fault.reason);
            }
        }
    }
}

/// Why a line is refused before its values are looked at.
struct LineFault {
    column: Option<u16>,
    reason: Reason,
}

impl LineFault {
    fn row(reason: Reason) -> Self {
        Self { column: None, reason }
    }
}

/// Notes where the values of one object lie.
struct LineVisitor<'a> {
    parser: &'a NdjsonParser,
    start: usize,
    /// The address of the block, to turn borrowed values into offsets.
    base: usize,
    first: usize,
    tokens: &'a mut Tokens,
}

impl<'de> Visitor<'de> for LineVisitor<'_> {
    type Value = Option<LineFault>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fault = None;
        while let Some(name) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            let Some(column) = self.parser.columns.get(name.as_ref()) else {
                map.next_value::<IgnoredAny>()?;
                if !self.parser.ignores_extra {
                    fault = fault.or(Some(LineFault::row(Reason::UnknownField)));
                }
                continue;
            };
            let value = map.next_value::<&'de RawValue>()?.get();
            if let Err(reason) = self.place(value, *column) {
                let column = u16::try_from(*column).ok();
                fault = fault.or(Some(LineFault { column, reason }));
            }
        }
        Ok(fault)
    }
}

impl LineVisitor<'_> {
    /// Places one value; a later one of the same name replaces it.
    fn place(&mut self, value: &str, column: usize) -> Result<(), Reason> {
        if value.len() > self.parser.max_field_bytes {
            return Err(Reason::FieldTooLong);
        }
        let start = value.as_ptr() as usize - self.base;
        debug_assert!(start >= self.start);
        let end = start + value.len();
        self.tokens.fields[self.first + column] = match value.as_bytes() {
            [b'{' | b'[', ..] => return Err(Reason::NestedValue),
            b"null" => Field::ABSENT,
            [b'"', inside @ .., b'"'] if memchr::memchr(b'\\', inside).is_none() => Field::quoted(start + 1, end - 1),
            [b'"', ..] => self.unescape(value)?,
            _ => Field::plain(start, end),
        };
        Ok(())
    }

    fn unescape(&mut self, value: &str) -> Result<Field, Reason> {
        let text: String = serde_json::from_str(value).map_err(|_| Reason::BadJson)?;
        let begin = self.tokens.scratch.len();
        self.tokens.scratch.extend_from_slice(text.as_bytes());
        Ok(Field::quoted_in_scratch(begin, self.tokens.scratch.len()))
    }
}
