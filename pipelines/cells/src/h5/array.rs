//! One dataset: its shape and type, checked, and windows of it as numbers.

use hdf5_pure::{
    CharacterSet, ChunkCacheConfig, ChunkIndex, Dataset, DatasetAccessProperties, Datatype, DatatypeByteOrder,
    FixedPointLayout, FloatingPointLayout, Layout, StringPadding,
};

use super::text::REFERENCE_BYTES;
use super::{Item, Source};
use crate::error::{CellsError, Result};
use crate::limits::Budget;

/// Bytes of decompressed chunks that the library keeps of a dataset, unless one chunk is larger.
const CHUNK_CACHE_BYTES: u64 = 1 << 20;
/// Memory for one entry of a dataset's chunk index, counted before the index is read.
const BYTES_PER_CHUNK_ENTRY: u64 = 128;
/// Integers up to here are exact as doubles.
const LARGEST_EXACT: u64 = 1 << 53;
/// The command that writes a file with filters that are read.
const REWRITE: &str = "rewrite it with `adata.write_h5ad(path, compression=\"gzip\")`";

/// What the elements of a dataset are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Integers of `width` bytes.
    Integer { signed: bool, width: usize, big_endian: bool },
    /// IEEE numbers of 4 or 8 bytes.
    Float { width: usize, big_endian: bool },
    /// The enumeration of FALSE and TRUE over one byte.
    Boolean,
    /// Text of at most `width` bytes, filled up with spaces or with zeros.
    FixedText { width: usize, spaces: bool },
    /// Text of any length, kept apart from the dataset.
    Text,
}

impl Kind {
    fn of(datatype: &Datatype) -> Option<Self> {
        match datatype {
            Datatype::FixedPoint { size, byte_order, layout } => integer(*size, byte_order, *layout),
            Datatype::FloatingPoint { size, byte_order, layout } => {
                let standard = match size {
                    4 => FloatingPointLayout::IEEE754_BINARY32,
                    8 => FloatingPointLayout::IEEE754_BINARY64,
                    _ => return None,
                };
                let width = usize::try_from(*size).ok()?;
                (*layout == standard).then_some(Self::Float { width, big_endian: big_endian(byte_order)? })
            }
            Datatype::Enumeration { size: 1, members, .. } => {
                let is =
                    |name: &str, value: u8| members.iter().any(|member| member.name == name && member.value == [value]);
                (members.len() == 2 && is("FALSE", 0) && is("TRUE", 1)).then_some(Self::Boolean)
            }
            Datatype::String { size, padding, .. } => {
                let spaces = matches!(padding, StringPadding::SpacePad);
                Some(Self::FixedText { width: usize::try_from(*size).ok()?, spaces })
            }
            Datatype::VariableLength { is_string: true, .. } => Some(Self::Text),
            Datatype::VariableLength { is_string: false, base_type, .. } => {
                let is_text = matches!(**base_type, Datatype::String { size: 1, charset: CharacterSet::Ascii, .. });
                is_text.then_some(Self::Text)
            }
            _ => None,
        }
    }

    /// True for integers, floats and booleans.
    pub(crate) fn is_number(self) -> bool {
        !self.is_text()
    }

    /// True for text of either form.
    pub(crate) fn is_text(self) -> bool {
        matches!(self, Self::FixedText { .. } | Self::Text)
    }

    /// The bytes of an element in the file; for text kept apart, of the reference to it.
    fn width(self) -> u64 {
        match self {
            Self::Integer { width, .. } | Self::Float { width, .. } | Self::FixedText { width, .. } => width as u64,
            Self::Boolean => 1,
            Self::Text => REFERENCE_BYTES as u64,
        }
    }
}

fn integer(size: u32, byte_order: &DatatypeByteOrder, layout: FixedPointLayout) -> Option<Kind> {
    let is_whole = layout.bit_offset == 0 && u32::from(layout.bit_precision) == size.checked_mul(8)?;
    let width = usize::try_from(size).ok()?;
    (is_whole && matches!(width, 1 | 2 | 4 | 8)).then_some(Kind::Integer {
        signed: layout.signed,
        width,
        big_endian: big_endian(byte_order)?,
    })
}

fn big_endian(byte_order: &DatatypeByteOrder) -> Option<bool> {
    match byte_order {
        DatatypeByteOrder::LittleEndian => Some(false),
        DatatypeByteOrder::BigEndian => Some(true),
        DatatypeByteOrder::Vax => None,
    }
}

/// A dataset whose type, filters and size have been checked.
pub(crate) struct Array {
    pub(super) dataset: Dataset,
    pub(super) source: Source,
    pub(crate) path: String,
    pub(crate) shape: Vec<u64>,
    pub(crate) kind: Kind,
    chunk_rows: u64,
}

impl Item {
    /// Checks a dataset's type, filters and size; none if its type is not read.
    pub(crate) fn array(&self, budget: &mut Budget) -> Result<Option<Array>> {
        let datatype = self.source.call(&self.path, || self.dataset.datatype())?;
        let Some(kind) = Kind::of(&datatype) else { return Ok(None) };
        self.check_filters()?;
        let shape = self.source.call(&self.path, || self.dataset.shape())?;
        budget.unpack(product(&shape).saturating_mul(kind.width()))?;
        let (chunk_rows, chunk_bytes) = self.check_chunks(&shape, kind, budget)?;
        let mut cache = ChunkCacheConfig::new();
        if chunk_bytes > CHUNK_CACHE_BYTES {
            cache = cache.with_max_bytes(usize::try_from(chunk_bytes).unwrap_or(usize::MAX));
        }
        let dataset = self.reopen(DatasetAccessProperties::new().with_chunk_cache(cache))?;
        Ok(Some(Array { dataset, source: self.source.clone(), path: self.path.clone(), shape, kind, chunk_rows }))
    }

    fn check_filters(&self) -> Result<()> {
        let filters = self.source.call(&self.path, || Ok(self.dataset.filter_pipeline()))?;
        for filter in filters {
            let name = match filter.id {
                1 | 2 | 3 | 6 | 32000 => continue,
                4 => "szip".to_owned(),
                5 => "nbit".to_owned(),
                307 => "bzip2".to_owned(),
                32001 => "blosc".to_owned(),
                32004 => "lz4".to_owned(),
                32008 => "bitshuffle".to_owned(),
                32013 => "zfp".to_owned(),
                32015 => "zstd".to_owned(),
                32026 => "blosc2".to_owned(),
                other => format!("number {other}"),
            };
            let problem = format!(
                "`{}` is compressed with the filter {name}; read are gzip, lzf, shuffle, scale-offset and fletcher32",
                self.path
            );
            return Err(self.source.unsupported(problem, REWRITE));
        }
        Ok(())
    }

    /// Checks how the dataset is cut into chunks; gives the rows of a chunk and its bytes.
    fn check_chunks(&self, shape: &[u64], kind: Kind, budget: &mut Budget) -> Result<(u64, u64)> {
        let refuse = |what: &str| {
            let problem = format!("`{}` is kept as {what}", self.path);
            Err(self.source.unsupported(problem, REWRITE))
        };
        let chunk = match self.source.call(&self.path, || self.dataset.layout())? {
            Layout::Virtual => return refuse("a view of other files"),
            Layout::Chunked { index: ChunkIndex::BTreeV2, .. } => return refuse("chunks that grow in two directions"),
            Layout::Chunked { chunk_shape, .. } => chunk_shape,
            _ => return Ok((1, 0)),
        };
        if chunk.len() != shape.len() || chunk.contains(&0) {
            return Err(self.source.malformed("HDF5", format!("the chunks of `{}` have no size", self.path)));
        }
        let n_chunks: Vec<u64> = shape.iter().zip(&chunk).map(|(length, part)| length.div_ceil(*part)).collect();
        budget.hold(product(&n_chunks).saturating_mul(BYTES_PER_CHUNK_ENTRY), "the list of chunks")?;
        let chunk_bytes = product(&chunk).saturating_mul(kind.width());
        budget.hold(chunk_bytes.max(CHUNK_CACHE_BYTES), "a chunk of values")?;
        Ok((chunk.first().copied().unwrap_or(1), chunk_bytes))
    }
}

fn product(lengths: &[u64]) -> u64 {
    lengths.iter().fold(1, |product, length| product.saturating_mul(*length))
}

impl Array {
    /// The number of rows: the first length, or 1 of a scalar.
    pub(crate) fn n_rows(&self) -> u64 {
        self.shape.first().copied().unwrap_or(1)
    }

    /// Bytes of the whole dataset, unpacked.
    pub(crate) fn n_bytes(&self) -> u64 {
        product(&self.shape).saturating_mul(self.kind.width())
    }

    fn row_bytes(&self) -> u64 {
        product(self.shape.get(1..).unwrap_or_default()).saturating_mul(self.kind.width())
    }

    /// Rows to read at once: about `bytes`, whole chunks, so that no chunk is unpacked twice.
    pub(crate) fn window_rows(&self, bytes: u64) -> u64 {
        let rows = (bytes / self.row_bytes().max(1)).max(1);
        rows.div_ceil(self.chunk_rows).saturating_mul(self.chunk_rows)
    }

    /// Asks for memory to hold a window of numbers: as they stand in the file and as eight bytes each.
    pub(crate) fn hold_window(&self, rows: u64, budget: &mut Budget) -> Result<()> {
        let elements = self.row_bytes() / self.kind.width().max(1);
        let bytes = elements.saturating_mul(8).saturating_add(self.row_bytes());
        budget.hold(bytes.saturating_mul(rows.min(self.n_rows())), "a window of values")
    }

    /// Reads rows as they stand in the file.
    pub(super) fn bytes(&self, start: u64, rows: u64) -> Result<Vec<u8>> {
        let bytes = self.source.call(&self.path, || self.dataset.read_raw_rows(start, rows))?;
        if bytes.len() as u64 != rows.saturating_mul(self.row_bytes()) {
            return Err(self.source.malformed("HDF5", format!("`{}` is shorter than it says", self.path)));
        }
        Ok(bytes)
    }

    /// Reads rows as doubles. An integer that a double cannot hold is refused.
    pub(crate) fn doubles(&self, start: u64, rows: u64) -> Result<Vec<f64>> {
        let bytes = self.bytes(start, rows)?;
        let Kind::Float { width, big_endian } = self.kind else {
            let integers = self.integers_of(&bytes)?;
            if integers.iter().any(|value| value.unsigned_abs() > LARGEST_EXACT) {
                return Err(self.source.values(format!(
                    "`{}` holds an integer beyond 2^53, which a double cannot hold; scale the values down",
                    self.path
                )));
            }
            #[expect(clippy::cast_precision_loss, reason = "at most 2^53")]
            return Ok(integers.into_iter().map(|value| value as f64).collect());
        };
        Ok(match (width, big_endian) {
            (4, false) => elements(&bytes, |element| f64::from(f32::from_le_bytes(element))),
            (4, true) => elements(&bytes, |element| f64::from(f32::from_be_bytes(element))),
            (_, false) => elements(&bytes, f64::from_le_bytes),
            (_, true) => elements(&bytes, f64::from_be_bytes),
        })
    }

    /// Reads rows as integers; booleans are 0 and 1.
    pub(crate) fn integers(&self, start: u64, rows: u64) -> Result<Vec<i64>> {
        let bytes = self.bytes(start, rows)?;
        self.integers_of(&bytes)
    }

    /// Reads rows as truth values; any number but 0 is true.
    pub(crate) fn booleans(&self, start: u64, rows: u64) -> Result<Vec<bool>> {
        Ok(self.integers(start, rows)?.into_iter().map(|value| value != 0).collect())
    }

    /// The error of a column that holds an infinite number.
    pub(crate) fn infinite(&self) -> CellsError {
        self.source.values(format!("`{}` holds an infinite number; replace it or drop the column", self.path))
    }

    fn integers_of(&self, bytes: &[u8]) -> Result<Vec<i64>> {
        Ok(match self.kind {
            Kind::Boolean => bytes.iter().map(|byte| i64::from(*byte)).collect(),
            Kind::Integer { signed, width, big_endian } => match (width, signed, big_endian) {
                (1, true, _) => elements(bytes, |element: [u8; 1]| i64::from(i8::from_le_bytes(element))),
                (1, false, _) => elements(bytes, |[byte]: [u8; 1]| i64::from(byte)),
                (2, true, false) => elements(bytes, |element| i64::from(i16::from_le_bytes(element))),
                (2, true, true) => elements(bytes, |element| i64::from(i16::from_be_bytes(element))),
                (2, false, false) => elements(bytes, |element| i64::from(u16::from_le_bytes(element))),
                (2, false, true) => elements(bytes, |element| i64::from(u16::from_be_bytes(element))),
                (4, true, false) => elements(bytes, |element| i64::from(i32::from_le_bytes(element))),
                (4, true, true) => elements(bytes, |element| i64::from(i32::from_be_bytes(element))),
                (4, false, false) => elements(bytes, |element| i64::from(u32::from_le_bytes(element))),
                (4, false, true) => elements(bytes, |element| i64::from(u32::from_be_bytes(element))),
                (_, true, false) => elements(bytes, i64::from_le_bytes),
                (_, true, true) => elements(bytes, i64::from_be_bytes),
                (_, false, order) => self.unsigned(bytes, order)?,
            },
            Kind::Float { .. } | Kind::FixedText { .. } | Kind::Text => {
                return Err(self.source.malformed("AnnData", format!("`{}` does not hold integers", self.path)));
            }
        })
    }

    fn unsigned(&self, bytes: &[u8], big_endian: bool) -> Result<Vec<i64>> {
        let from = if big_endian { u64::from_be_bytes } else { u64::from_le_bytes };
        let signed = elements(bytes, |element| i64::try_from(from(element)).ok());
        signed.into_iter().collect::<Option<_>>().ok_or_else(|| {
            self.source.values(format!("`{}` holds an integer beyond 2^63 - 1; scale the values down", self.path))
        })
    }
}

/// Decodes elements of `WIDTH` bytes that stand one after the other.
fn elements<const WIDTH: usize, T>(bytes: &[u8], decode: impl Fn([u8; WIDTH]) -> T) -> Vec<T> {
    let (whole, _) = bytes.as_chunks::<WIDTH>();
    whole.iter().map(|element| decode(*element)).collect()
}
