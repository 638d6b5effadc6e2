//! Where the fields of some rows lie in a block.

use crate::fault::Faults;

/// The place of a field: start, and end with three flags in its upper bits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    start: u32,
    end: u32,
}

const QUOTED: u32 = 1 << 31;
const IN_SCRATCH: u32 = 1 << 30;
const ABSENT: u32 = 1 << 29;
const END: u32 = ABSENT - 1;

/// The longest block whose offsets fit beside the flags.
pub(crate) const MAX_BLOCK_BYTES: usize = END as usize;

impl Field {
    /// No value at all: null whatever the null texts are.
    pub(crate) const ABSENT: Self = Self { start: 0, end: ABSENT };

    /// A field in the block. Blocks are shorter than [`MAX_BLOCK_BYTES`].
    pub(crate) fn plain(start: usize, end: usize) -> Self {
        Self { start: offset(start), end: offset(end) }
    }

    pub(crate) fn quoted(start: usize, end: usize) -> Self {
        Self { start: offset(start), end: offset(end) | QUOTED }
    }

    pub(crate) fn quoted_in_scratch(start: usize, end: usize) -> Self {
        Self { start: offset(start), end: offset(end) | QUOTED | IN_SCRATCH }
    }

    pub(crate) fn len(self) -> usize {
        ((self.end & END) - self.start.min(self.end & END)) as usize
    }

    /// Takes `byte` off the end of a plain field.
    pub(crate) fn trim_end(&mut self, block: &[u8], byte: u8) {
        if self.end > self.start && block.get(self.end as usize - 1) == Some(&byte) {
            self.end -= 1;
        }
    }
}

/// Narrows an offset into a block.
#[expect(clippy::cast_possible_truncation, reason = "blocks are shorter than MAX_BLOCK_BYTES")]
pub(crate) fn offset(byte: usize) -> u32 {
    debug_assert!(byte <= MAX_BLOCK_BYTES);
    byte as u32
}

/// Where a row stands in its block: a span of bytes, or the index of a row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin {
    /// The row among the data rows of the block, from 0.
    pub(crate) row: u32,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// The fields of some rows, kept between chunks to spare allocations.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    /// Row after row, `width` fields each.
    pub(crate) fields: Vec<Field>,
    pub(crate) origins: Vec<Origin>,
    pub(crate) faults: Faults,
    /// Texts that differ from the block's, such as those with doubled quotes.
    pub(crate) scratch: Vec<u8>,
}

impl Tokens {
    pub(crate) fn clear(&mut self) {
        self.fields.clear();
        self.origins.clear();
        self.faults.reset(0);
        self.scratch.clear();
    }

    pub(crate) fn n_rows(&self) -> usize {
        self.origins.len()
    }
}

/// Some rows of a block, to be read column by column.
#[derive(Debug)]
pub(crate) struct Chunk<'a> {
    pub(crate) block: &'a [u8],
    pub(crate) scratch: &'a [u8],
    pub(crate) fields: &'a [Field],
    pub(crate) width: usize,
    /// True if the block holds a NUL byte somewhere.
    pub(crate) may_hold_nul: bool,
}

/// A field's text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Value<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) is_quoted: bool,
    pub(crate) is_absent: bool,
}

impl<'a> Chunk<'a> {
    pub(crate) fn n_rows(&self) -> usize {
        self.fields.len() / self.width
    }

    /// Goes through the fields of one column, top down.
    pub(crate) fn column(&self, column: u16) -> impl Iterator<Item = Value<'a>> + use<'a> {
        let (block, scratch) = (self.block, self.scratch);
        let fields = self.fields.get(usize::from(column)..).unwrap_or_default();
        fields.iter().step_by(self.width).map(move |field| value(*field, block, scratch))
    }
}

#[inline]
fn value<'a>(field: Field, block: &'a [u8], scratch: &'a [u8]) -> Value<'a> {
    let text = if field.end & IN_SCRATCH == 0 { block } else { scratch };
    let span = field.start as usize..(field.end & END) as usize;
    Value {
        bytes: text.get(span).unwrap_or_default(),
        is_quoted: field.end & QUOTED != 0,
        is_absent: field.end & ABSENT != 0,
    }
}
