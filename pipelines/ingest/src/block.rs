//! Blocks: pieces of a file, some megabytes each, that end where a record ends.

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::contract::Encoding;
use crate::error::{IngestError, Result};
use crate::source::Source;
use crate::tokens::{MAX_BLOCK_BYTES, Origin};

/// The size blocks are cut to.
const BLOCK_BYTES: usize = 4 << 20;
/// The longest record held; longer ones are refused without being held.
pub(crate) const MAX_RECORD_BYTES: usize = 32 << 20;
/// The most of a refused record that the quarantine keeps.
const MAX_RAW_BYTES: usize = 64 << 10;

const _: () = assert!(MAX_RECORD_BYTES + 2 * BLOCK_BYTES < MAX_BLOCK_BYTES);

/// A piece of a file, to be parsed on its own.
#[derive(Debug)]
pub(crate) struct Block {
    /// Its position among the blocks, from 0.
    pub(crate) sequence: u64,
    pub(crate) content: Content,
}

/// What a block holds.
#[derive(Debug)]
pub(crate) enum Content {
    /// Whole records of text.
    Text {
        bytes: Vec<u8>,
        /// The number of its first line in the file, from 1.
        first_line: u64,
    },
    /// The beginning of one record that is longer than [`MAX_RECORD_BYTES`].
    Oversized {
        bytes: Vec<u8>,
        /// The number of its line in the file, from 1.
        first_line: u64,
    },
    /// Rows that are typed already.
    Rows(RecordBatch),
}

/// Yields a file's blocks in order.
pub(crate) trait BlockSource: Send {
    /// Returns the next block, or `None` at the end.
    fn next_block(&mut self) -> Result<Option<Block>>;
}

impl Block {
    /// Turns Latin-1 text into UTF-8.
    pub(crate) fn into_utf8(mut self, encoding: Encoding) -> Self {
        if let (Encoding::Latin1, Content::Text { bytes, .. } | Content::Oversized { bytes, .. }) =
            (encoding, &mut self.content)
        {
            *bytes = latin1(bytes);
        }
        self
    }

    /// Counts the lines of a format that has lines.
    pub(crate) fn lines(&self) -> LineCounter<'_> {
        match &self.content {
            Content::Text { bytes, first_line } | Content::Oversized { bytes, first_line } => {
                LineCounter { bytes, at: 0, line: Some(*first_line) }
            }
            Content::Rows(_) => LineCounter { bytes: &[], at: 0, line: None },
        }
    }

    /// Returns a row as it stands in the file, cut after 64 KiB; typed rows are written as `name=value`.
    pub(crate) fn raw(&self, origin: Origin) -> String {
        let (Content::Text { bytes, .. } | Content::Oversized { bytes, .. }) = &self.content else {
            return self.typed_raw(origin).unwrap_or_default();
        };
        let record = bytes.get(origin.start as usize..origin.end as usize).unwrap_or_default();
        let record = record.strip_suffix(b"\n").unwrap_or(record);
        let record = record.strip_suffix(b"\r").unwrap_or(record);
        String::from_utf8_lossy(&record[..record.len().min(MAX_RAW_BYTES)]).into_owned()
    }

    fn typed_raw(&self, origin: Origin) -> Option<String> {
        let Content::Rows(batch) = &self.content else { return None };
        let options = FormatOptions::default();
        let mut text = String::new();
        for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            let value = ArrayFormatter::try_new(column, &options).ok()?.value(origin.start as usize).try_to_string();
            let separator = if text.is_empty() { "" } else { "; " };
            text.push_str(&format!("{separator}{}={}", field.name(), value.unwrap_or_default()));
        }
        text.truncate(text.floor_char_boundary(MAX_RAW_BYTES));
        Some(text)
    }
}

/// Tells the lines that rows begin on, from the top of a block down.
#[derive(Debug)]
pub(crate) struct LineCounter<'a> {
    bytes: &'a [u8],
    at: usize,
    line: Option<u64>,
}

impl LineCounter<'_> {
    /// Returns the line a row begins on; rows are asked for in their order.
    pub(crate) fn line(&mut self, origin: Origin) -> Option<i64> {
        let start = origin.start as usize;
        let passed = count_lines(self.bytes.get(self.at..start).unwrap_or_default());
        self.at = self.at.max(start);
        self.line = self.line.map(|line| line + passed);
        i64::try_from(self.line?).ok()
    }
}

/// Finds the ends of records.
pub(crate) trait RecordEnds: Send {
    /// Returns where the last whole record of `bytes` ends; `bytes` begins with a record and more
    /// may follow it.
    fn last_end(&self, bytes: &[u8]) -> Option<usize>;
}

/// One record a line.
#[derive(Debug)]
pub(crate) struct Lines;

impl RecordEnds for Lines {
    fn last_end(&self, bytes: &[u8]) -> Option<usize> {
        memchr::memrchr(b'\n', bytes).map(|end| end + 1)
    }
}

/// Cuts a text file into blocks.
pub(crate) struct Cutter {
    source: Source,
    ends: Box<dyn RecordEnds>,
    /// Bytes read but not given out; begins with a record.
    rest: Vec<u8>,
    at_end: bool,
    sequence: u64,
    line: u64,
    /// Bytes to read at least before the next cut.
    block_bytes: usize,
}

impl Cutter {
    pub(crate) fn new(source: Source, ends: Box<dyn RecordEnds>) -> Self {
        Self { source, ends, rest: Vec::new(), at_end: false, sequence: 0, line: 1, block_bytes: BLOCK_BYTES }
    }

    /// Cuts blocks of another size.
    #[cfg(test)]
    pub(crate) fn with_block_bytes(mut self, block_bytes: usize) -> Self {
        self.block_bytes = block_bytes;
        self
    }

    /// Returns the first bytes without taking them.
    pub(crate) fn peek(&mut self) -> Result<&[u8]> {
        self.fill(self.block_bytes)?;
        Ok(&self.rest)
    }

    /// Takes the first bytes of the file.
    pub(crate) fn take(&mut self, n_bytes: usize) -> Vec<u8> {
        let rest = self.rest.split_off(n_bytes.min(self.rest.len()));
        let taken = std::mem::replace(&mut self.rest, rest);
        self.line += count_lines(&taken);
        taken
    }

    fn fill(&mut self, want: usize) -> Result<()> {
        let missing = want.saturating_sub(self.rest.len());
        if missing > 0 && !self.at_end {
            self.at_end = self.source.read_into(&mut self.rest, missing)? < missing;
        }
        Ok(())
    }

    /// Reads until a record is whole; `None` if it is longer than what is held.
    fn cut(&mut self) -> Result<Option<usize>> {
        let mut want = self.block_bytes;
        loop {
            self.fill(want)?;
            if self.at_end {
                return Ok(Some(self.rest.len()));
            }
            if let Some(end) = self.ends.last_end(&self.rest) {
                return Ok(Some(end));
            }
            if self.rest.len() >= MAX_RECORD_BYTES {
                return Ok(None);
            }
            want = (want * 2).min(MAX_RECORD_BYTES);
        }
    }

    /// Gives out the first `end` bytes and keeps the others in a buffer of their own.
    fn give(&mut self, end: usize) -> Vec<u8> {
        let mut kept = Vec::with_capacity(self.block_bytes + (64 << 10));
        kept.extend_from_slice(&self.rest[end..]);
        let mut given = std::mem::replace(&mut self.rest, kept);
        given.truncate(end);
        given
    }

    /// Drops the rest of the line that is too long, keeping its beginning.
    fn skip_line(&mut self) -> Result<Vec<u8>> {
        let beginning = self.rest[..MAX_RAW_BYTES.min(self.rest.len())].to_vec();
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.rest) {
                self.rest.drain(..=end);
                return Ok(beginning);
            }
            self.rest.clear();
            if self.at_end {
                return Ok(beginning);
            }
            self.fill(self.block_bytes)?;
        }
    }
}

impl BlockSource for Cutter {
    fn next_block(&mut self) -> Result<Option<Block>> {
        let first_line = self.line;
        let content = match self.cut()? {
            Some(0) => return Ok(None),
            Some(end) => {
                let bytes = self.give(end);
                self.line += count_lines(&bytes);
                Content::Text { bytes, first_line }
            }
            None => {
                self.line += 1;
                Content::Oversized { bytes: self.skip_line()?, first_line }
            }
        };
        self.sequence += 1;
        Ok(Some(Block { sequence: self.sequence - 1, content }))
    }
}

/// Refuses what is surely not UTF-8 or Latin-1, and returns the length of a UTF-8 byte order mark.
pub(crate) fn check_beginning(bytes: &[u8], file: &str) -> Result<usize> {
    let refuse = |problem: &str| Err(IngestError::Encoding { file: file.to_owned(), problem: problem.to_owned() });
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return refuse("is written in UTF-16; convert it, for example with `iconv -f UTF-16 -t UTF-8`");
    }
    let sample = &bytes[..bytes.len().min(1024)];
    let n_nul = memchr::memchr_iter(0, sample).count();
    if n_nul * 4 > sample.len() {
        return refuse("looks like UTF-16 or UTF-32 (many NUL bytes) or is no text; convert it to UTF-8");
    }
    Ok(if bytes.starts_with(&[0xef, 0xbb, 0xbf]) { 3 } else { 0 })
}

fn count_lines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

/// Reads every byte as the character of that number.
pub(crate) fn latin1(bytes: &[u8]) -> Vec<u8> {
    if bytes.is_ascii() {
        return bytes.to_vec();
    }
    bytes.iter().map(|byte| char::from(*byte)).collect::<String>().into_bytes()
}
