//! Datasets of text.

use std::str;

use super::{Array, Kind};
use crate::error::{CellsError, Result};
use crate::limits::Budget;

/// Texts resolved in one call: the library looks each up among the heaps that the call touches.
const TEXTS_PER_CALL: u64 = 4096;
/// Bytes of a reference to a text kept apart: its length, the heap it is in and its place there.
pub(super) const REFERENCE_BYTES: usize = 16;
/// Memory for a text besides its bytes.
const BYTES_PER_TEXT: u64 = 48;

impl Array {
    /// Asks for memory to hold all the texts of the dataset, whose lengths are summed for it.
    pub(crate) fn hold_texts(&self, what: &str, budget: &mut Budget) -> Result<()> {
        let n_texts = self.n_rows();
        budget.hold(n_texts.saturating_mul(BYTES_PER_TEXT), what)?;
        let bytes = match self.kind {
            Kind::Text => self.source.call(&self.path, || self.dataset.vlen_string_payload_size())?,
            _ => self.n_bytes(),
        };
        budget.hold(bytes, what)?;
        if matches!(self.kind, Kind::Text) { budget.unpack(bytes) } else { Ok(()) }
    }

    /// Reads all texts, for which memory was asked before.
    pub(crate) fn all_texts(&self) -> Result<Vec<String>> {
        let mut room = u64::MAX;
        self.texts(0, self.n_rows(), &mut room)
    }

    /// Reads rows as texts. Those kept apart may take up to `room` bytes, which is lowered by what they take: a damaged
    /// file may refer to one long text many times.
    pub(crate) fn texts(&self, start: u64, rows: u64, room: &mut u64) -> Result<Vec<String>> {
        match self.kind {
            Kind::FixedText { width, spaces } => {
                let bytes = self.bytes(start, rows)?;
                bytes.chunks_exact(width.max(1)).map(|text| self.fixed_text(text, spaces)).collect()
            }
            Kind::Text => self.referenced_texts(start, rows, room),
            _ => Err(self.source.malformed("AnnData", format!("`{}` does not hold text", self.path))),
        }
    }

    fn fixed_text(&self, bytes: &[u8], spaces: bool) -> Result<String> {
        let bytes = if spaces {
            let end = bytes.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
            bytes.get(..end).unwrap_or_default()
        } else {
            bytes.split(|byte| *byte == 0).next().unwrap_or_default()
        };
        str::from_utf8(bytes).map(str::to_owned).map_err(|_| self.not_utf8())
    }

    fn referenced_texts(&self, start: u64, rows: u64, room: &mut u64) -> Result<Vec<String>> {
        let end = start.saturating_add(rows).min(self.n_rows());
        let mut texts = Vec::new();
        let mut at = start;
        while at < end {
            let count = TEXTS_PER_CALL.min(end - at);
            self.take_room(at, count, room)?;
            texts.extend(self.source.call(&self.path, || self.dataset.read_string_rows(at, count))?);
            at += count;
        }
        if texts.len() as u64 != rows {
            return Err(self.source.malformed("HDF5", format!("`{}` is shorter than it says", self.path)));
        }
        // The library puts this mark where bytes are not UTF-8.
        if texts.iter().any(|text| text.contains(char::REPLACEMENT_CHARACTER)) {
            return Err(self.not_utf8());
        }
        Ok(texts)
    }

    /// Sums the lengths of texts kept apart: each reference to one begins with its length in four bytes.
    fn take_room(&self, start: u64, rows: u64, room: &mut u64) -> Result<()> {
        let references = self.bytes(start, rows)?;
        let lengths = references.chunks_exact(REFERENCE_BYTES).filter_map(|reference| reference.first_chunk());
        let bytes: u64 = lengths.map(|length| u64::from(u32::from_le_bytes(*length))).sum();
        let Some(left) = room.checked_sub(bytes) else {
            let problem = format!("the texts of `{}` do not fit into one batch; ask for smaller batches", self.path);
            return Err(self.source.values(problem));
        };
        *room = left;
        Ok(())
    }

    /// Checks that texts fit one Arrow array.
    pub(crate) fn check_text_bytes(&self, texts: &[String]) -> Result<()> {
        let bytes: usize = texts.iter().map(String::len).sum();
        if i32::try_from(bytes).is_ok() {
            return Ok(());
        }
        Err(self
            .source
            .values(format!("`{}` holds more than 2 GiB of text in one batch; ask for smaller batches", self.path)))
    }

    fn not_utf8(&self) -> CellsError {
        self.source.values(format!("`{}` holds text that is not UTF-8; decode it before writing the file", self.path))
    }
}
