//! At most one row for each privacy unit, chosen by the unit's own rows alone.

use arrow::array::{Array, ArrayRef, AsArray, UInt64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, UInt64Type};
use causeway_core::Result;
use hashbrown::HashMap;

/// Units are spread over so many parts, each of which stays in cache while its rows are counted.
const N_PARTS: usize = 256;

/// Rows that a part takes at least before they are looked up.
const PENDING_ROWS: usize = 1 << 11;

/// Bytes of a text that fit a key together with their number.
const KEY_BYTES: usize = 15;

/// A whole number, or a short text with its length: one to one within a column.
type Key = [u64; 2];

/// The highest rank of each unit seen so far. Maxima do not depend on the order of rows.
#[derive(Debug)]
pub(super) struct Units {
    parts: Vec<Part>,
}

/// The units of one part.
#[derive(Debug, Default)]
pub(super) struct Part {
    pending: Vec<(Key, u32)>,
    short: HashMap<Key, u32>,
    /// Units whose text is too long for a key.
    long: HashMap<Box<[u8]>, u32>,
    /// Bytes of the long ones.
    n_bytes: usize,
}

impl Units {
    pub(super) fn new() -> Self {
        Self { parts: (0..N_PARTS).map(|_| Part::default()).collect() }
    }

    /// Takes rows: the column of units and the rank of each row, none where a row counts nowhere. Rows without a
    /// unit belong to nobody and are left out.
    pub(super) fn add(&mut self, column: &ArrayRef, ranks: &[Option<u32>]) -> Result<()> {
        if let Some(numbers) = whole_numbers(column)? {
            for (unit, rank) in numbers.iter().zip(ranks) {
                if let (Some(unit), Some(rank)) = (unit, rank) {
                    self.parts[part_of([unit, 0])].add([unit, 0], *rank);
                }
            }
            return Ok(());
        }
        let texts = cast(column, &DataType::Utf8)?;
        for (unit, rank) in texts.as_string::<i32>().iter().zip(ranks) {
            let (Some(unit), Some(rank)) = (unit, rank) else { continue };
            match key(unit.as_bytes()) {
                Some(key) => self.parts[part_of(key)].add(key, *rank),
                None => self.parts[part_of_long(unit.as_bytes())].add_long(unit.as_bytes(), *rank),
            }
        }
        Ok(())
    }

    /// Returns the bytes in use.
    pub(super) fn bytes(&self) -> usize {
        let short = |part: &Part| part.short.capacity() + part.pending.capacity();
        self.parts.iter().map(|part| short(part) * (size_of::<(Key, u32)>() + 1) + part.n_bytes).sum()
    }

    /// Returns the parts in order.
    pub(super) fn into_parts(self) -> Vec<Part> {
        self.parts
    }
}

impl Part {
    fn add(&mut self, unit: Key, rank: u32) {
        self.pending.push((unit, rank));
        if self.pending.len() >= PENDING_ROWS.max(self.short.len()) {
            self.settle();
        }
    }

    /// Looks the pending rows up, as many as there are units, so that each line of the table is of use several times.
    fn settle(&mut self) {
        for (unit, rank) in self.pending.drain(..) {
            let highest = self.short.entry(unit).or_insert(rank);
            *highest = rank.max(*highest);
        }
    }

    fn add_long(&mut self, unit: &[u8], rank: u32) {
        if let Some(highest) = self.long.get_mut(unit) {
            *highest = rank.max(*highest);
        } else {
            self.n_bytes += unit.len() + 2 * size_of::<(Box<[u8]>, u32)>();
            self.long.insert(unit.into(), rank);
        }
    }

    /// Adds the units of the same part of another worker.
    pub(super) fn merge(&mut self, mut other: Self) {
        other.settle();
        self.settle();
        for (unit, rank) in other.short {
            let highest = self.short.entry(unit).or_insert(rank);
            *highest = rank.max(*highest);
        }
        for (unit, rank) in other.long {
            self.add_long(&unit, rank);
        }
    }

    /// Returns the rank of each unit.
    pub(super) fn into_ranks(mut self) -> impl Iterator<Item = u32> {
        self.settle();
        self.short.into_values().chain(self.long.into_values())
    }
}

/// Returns a short text as a key: its bytes, zeros and its length.
fn key(text: &[u8]) -> Option<Key> {
    let mut bytes = [0_u8; KEY_BYTES + 1];
    bytes.get_mut(..text.len()).filter(|_| text.len() <= KEY_BYTES)?.copy_from_slice(text);
    bytes[KEY_BYTES] = u8::try_from(text.len()).ok()?;
    let key = u128::from_le_bytes(bytes);
    let low = u64::try_from(key & u128::from(u64::MAX)).ok()?;
    Some([low, u64::try_from(key >> 64).ok()?])
}

fn part_of(unit: Key) -> usize {
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    let mixed = (unit[0] ^ unit[1].rotate_left(23)).wrapping_mul(GOLDEN);
    usize::from((mixed ^ (mixed >> 29)).wrapping_mul(GOLDEN).to_be_bytes()[0])
}

fn part_of_long(unit: &[u8]) -> usize {
    unit.iter().fold(0_usize, |hash, byte| hash.wrapping_mul(31).wrapping_add(usize::from(*byte))) % N_PARTS
}

/// Returns units that are whole numbers, moments or booleans as numbers, one to one; none for texts and dictionaries.
pub(crate) fn whole_numbers(column: &ArrayRef) -> Result<Option<UInt64Array>> {
    let data_type = column.data_type();
    if *data_type == DataType::UInt64 {
        return Ok(Some(column.as_primitive::<UInt64Type>().clone()));
    }
    if !(data_type.is_integer() || data_type.is_temporal() || *data_type == DataType::Boolean) {
        return Ok(None);
    }
    let signed = cast(column, &DataType::Int64)?;
    Ok(Some(signed.as_primitive::<Int64Type>().unary(i64::cast_unsigned)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};

    use super::Units;

    fn ranks_of(columns: &[(ArrayRef, Vec<Option<u32>>)]) -> Vec<u32> {
        let mut units = Units::new();
        for (column, ranks) in columns {
            units.add(column, ranks).unwrap();
        }
        let mut found: Vec<u32> = units.into_parts().into_iter().flat_map(super::Part::into_ranks).collect();
        found.sort_unstable();
        found
    }

    #[test]
    fn each_unit_counts_once_by_its_highest_rank() {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(-1), Some(7), Some(-1), None, Some(8)]));
        let words: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), Some("b"), Some("a"), None, Some("c")]));
        let long = ["6f1a-one-of-36-letters", "6f1a-two-of-36-letters"].map(Some);
        let long: ArrayRef = Arc::new(StringArray::from(vec![long[0], long[1], long[0], None, Some("c")]));
        for column in [numbers, words, long] {
            let ranks = vec![Some(3), Some(9), Some(5), Some(99), None];
            assert_eq!(ranks_of(&[(column, ranks)]), [5, 9], "without a unit or a place a row counts nowhere");
        }
    }

    #[test]
    fn texts_that_differ_in_zeros_or_length_are_different_units() {
        let words = ["", "\0", "\0\0", "a", "a\0", "123456789012345", "12345678901234", "1234567890123456"];
        let column: ArrayRef = Arc::new(StringArray::from(words.to_vec()));
        let ranks: Vec<Option<u32>> = (0..8).map(Some).collect();
        assert_eq!(ranks_of(&[(column, ranks)]), [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn many_rows_of_few_units_take_little_room() {
        let mut units = Units::new();
        let column: ArrayRef = Arc::new((0..8192).map(|row| row % 100).collect::<Int64Array>());
        for round in 0..200 {
            units.add(&column, &vec![Some(round); 8192]).unwrap();
        }
        assert!(units.bytes() < 256 * 25 * 2 * super::PENDING_ROWS, "{}", units.bytes());
        let found: Vec<u32> = units.into_parts().into_iter().flat_map(super::Part::into_ranks).collect();
        assert_eq!(found, vec![199; 100]);
    }
}
