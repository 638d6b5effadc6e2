//! Records and fields of delimited text (RFC 4180).

use memchr::{memchr, memchr2};

use crate::block::{MAX_RECORD_BYTES, RecordEnds};

/// How records are written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dialect {
    pub(crate) delimiter: u8,
    pub(crate) quote: Option<u8>,
}

/// A field met while walking along a record, with the quotes off.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawField {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) is_quoted: bool,
    /// True if a doubled quote stands inside.
    pub(super) is_escaped: bool,
}

/// How a record ends. Offsets are those of the byte after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RecordEnd {
    Whole(usize),
    /// The quotes are wrong; the record is taken to be its first line, and reading goes on after it.
    BadQuotes(usize),
    /// More bytes are needed.
    Incomplete,
}

impl Dialect {
    /// Walks along the record that begins at `start`. `is_last` says that no bytes follow.
    pub(super) fn walk(
        self,
        bytes: &[u8],
        start: usize,
        is_last: bool,
        mut on_field: impl FnMut(RawField),
    ) -> RecordEnd {
        let mut at = start;
        loop {
            let next = if self.quote.is_some() && bytes.get(at).copied() == self.quote {
                match self.closing_quote(bytes, at + 1) {
                    Some((end, is_escaped)) => {
                        on_field(RawField { start: at + 1, end, is_quoted: true, is_escaped });
                        self.after_quote(bytes, end + 1, is_last)
                    }
                    None if !is_last && bytes.len() - start < MAX_RECORD_BYTES => return RecordEnd::Incomplete,
                    None => Next::Wrong,
                }
            } else {
                let end = memchr2(self.delimiter, b'\n', bytes.get(at..).unwrap_or_default()).map(|n| at + n);
                if end.is_none() && !is_last {
                    return RecordEnd::Incomplete;
                }
                on_field(RawField { start: at, end: end.unwrap_or(bytes.len()), is_quoted: false, is_escaped: false });
                match end {
                    Some(end) if bytes[end] == b'\n' => Next::Record(end + 1),
                    Some(end) => Next::Field(end + 1),
                    None => Next::Record(bytes.len()),
                }
            };
            match next {
                Next::Field(begin) => at = begin,
                Next::Record(end) => return RecordEnd::Whole(end),
                Next::Unknown => return RecordEnd::Incomplete,
                Next::Wrong => return bad_quotes(bytes, start, is_last),
            }
        }
    }

    /// Finds the closing quote, stepping over doubled ones.
    fn closing_quote(self, bytes: &[u8], start: usize) -> Option<(usize, bool)> {
        let quote = self.quote?;
        let mut at = start;
        let mut is_escaped = false;
        loop {
            at += memchr(quote, bytes.get(at..)?)?;
            if bytes.get(at + 1) != Some(&quote) {
                return Some((at, is_escaped));
            }
            is_escaped = true;
            at += 2;
        }
    }

    /// Looks at what follows a closing quote.
    fn after_quote(self, bytes: &[u8], at: usize, is_last: bool) -> Next {
        match bytes.get(at..).unwrap_or_default() {
            [byte, ..] if *byte == self.delimiter => Next::Field(at + 1),
            [b'\n', ..] => Next::Record(at + 1),
            [b'\r', b'\n', ..] => Next::Record(at + 2),
            [] | [b'\r'] if is_last => Next::Record(bytes.len()),
            [] | [b'\r'] => Next::Unknown,
            _ => Next::Wrong,
        }
    }
}

enum Next {
    Field(usize),
    Record(usize),
    Unknown,
    Wrong,
}

fn bad_quotes(bytes: &[u8], start: usize, is_last: bool) -> RecordEnd {
    match memchr(b'\n', bytes.get(start..).unwrap_or_default()) {
        Some(n) => RecordEnd::BadQuotes(start + n + 1),
        None if is_last => RecordEnd::BadQuotes(bytes.len()),
        None => RecordEnd::Incomplete,
    }
}

impl RecordEnds for Dialect {
    fn last_end(&self, bytes: &[u8]) -> Option<usize> {
        let has_quotes = self.quote.is_some_and(|quote| memchr(quote, bytes).is_some());
        if !has_quotes {
            return memchr::memrchr(b'\n', bytes).map(|end| end + 1);
        }
        let mut last = None;
        loop {
            match self.walk(bytes, last.unwrap_or(0), false, |_| ()) {
                RecordEnd::Whole(end) | RecordEnd::BadQuotes(end) => last = Some(end),
                RecordEnd::Incomplete => return last,
            }
            if last == Some(bytes.len()) {
                return last;
            }
        }
    }
}

/// Finds delimiters and line ends in text without quotes, eight bytes at a time.
pub(super) fn separators(bytes: &[u8], delimiter: u8, found: &mut Vec<u32>) {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    let (delimiters, line_ends) = (ONES * u64::from(delimiter), ONES * u64::from(b'\n'));
    found.clear();
    let mut words = bytes.chunks_exact(8);
    let mut base = 0_u32;
    for word in words.by_ref() {
        let word = word.try_into().map_or(0, u64::from_le_bytes);
        let mut marks = zero_bytes(word ^ delimiters) | zero_bytes(word ^ line_ends);
        while marks != 0 {
            found.push(base + marks.trailing_zeros() / 8);
            marks &= marks - 1;
        }
        base += 8;
    }
    for byte in words.remainder() {
        if *byte == delimiter || *byte == b'\n' {
            found.push(base);
        }
        base += 1;
    }
}

/// Sets the upper bit of every byte that is zero, and no other bit.
fn zero_bytes(word: u64) -> u64 {
    const LOW_SEVEN: u64 = u64::from_ne_bytes([0x7f; 8]);
    !(((word & LOW_SEVEN) + LOW_SEVEN) | word | LOW_SEVEN)
}
