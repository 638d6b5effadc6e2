//! Datasets of text.

use std::str;

use super::{Array, Kind};
use crate::error::{CellsError, Result};
use crate::limits::Budget;

/// Texts resolved in one call: the library looks each up among the heaps that the call touches.
const TEXTS_PER_CALL: u64 = 4096;
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

    /// Reads rows as texts.
    pub(crate) fn texts(&self, start: u64, rows: u64) -> Result<Vec<String>> {
        match self.kind {
            Kind::FixedText { width, spaces } => {
                let bytes = self.bytes(start, rows)?;
                bytes.chunks_exact(width.max(1)).map(|text| self.fixed_text(text, spaces)).collect()
            }
            Kind::Text => self.referenced_texts(start, rows),
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

    fn referenced_texts(&self, start: u64, rows: u64) -> Result<Vec<String>> {
        let end = start.saturating_add(rows).min(self.n_rows());
        let mut texts = Vec::new();
        let mut at = start;
        while at < end {
            let count = TEXTS_PER_CALL.min(end - at);
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
