//! At most one row for each privacy unit, chosen by the unit's own rows alone.

use arrow::array::{Array, ArrayRef, AsArray, UInt64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, UInt64Type};
use arrow::row::{RowConverter, SortField};
use causeway_core::Result;
use hashbrown::HashMap;

/// Units are spread over so many parts, each of which is put in order apart.
pub(super) const N_PARTS: usize = 256;

/// Rows that a part takes before it is put in order for the first time.
const FIRST_ROWS: usize = 1 << 12;

/// The highest rank of each unit seen so far. Maxima do not depend on the order of rows.
#[derive(Debug)]
pub(super) struct Units {
    parts: Vec<Part>,
}

/// The units of one part.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// Whole numbers and dates: pairs of unit and rank, repeated units until the next [`Part::settle`].
    numbers: Vec<(u64, u32)>,
    n_settled: usize,
    /// Units of other types, by their bytes.
    words: HashMap<Box<[u8]>, u32>,
    /// Bytes of the words.
    n_bytes: usize,
}

impl Units {
    pub(super) fn new() -> Self {
        Self { parts: (0..N_PARTS).map(|_| Part::default()).collect() }
    }

    /// Takes rows: the column of units and the rank of each row, none where a row counts nowhere. Rows without a
    /// unit belong to nobody and are left out.
    pub(super) fn add(&mut self, column: &ArrayRef, ranks: &[Option<u32>]) -> Result<()> {
        match whole_numbers(column)? {
            Some(numbers) => self.add_numbers(&numbers, ranks),
            None => self.add_words(column, ranks)?,
        }
        Ok(())
    }

    fn add_numbers(&mut self, numbers: &UInt64Array, ranks: &[Option<u32>]) {
        for (row, (unit, rank)) in numbers.values().iter().zip(ranks).enumerate() {
            let Some(rank) = rank else { continue };
            if numbers.is_null(row) {
                continue;
            }
            let part = &mut self.parts[part_of_number(*unit)];
            part.numbers.push((*unit, *rank));
            if part.numbers.len() > 2 * part.n_settled + FIRST_ROWS {
                part.settle();
            }
        }
    }

    fn add_words(&mut self, column: &ArrayRef, ranks: &[Option<u32>]) -> Result<()> {
        let converter = RowConverter::new(vec![SortField::new(column.data_type().clone())])?;
        let rows = converter.convert_columns(std::slice::from_ref(column))?;
        let nulls = column.logical_nulls();
        for (row, (unit, rank)) in rows.iter().zip(ranks).enumerate() {
            let Some(rank) = rank else { continue };
            if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                continue;
            }
            self.parts[part_of_word(unit.data())].add_word(unit.data(), *rank);
        }
        Ok(())
    }

    /// Returns the bytes in use.
    pub(super) fn bytes(&self) -> usize {
        self.parts.iter().map(|part| part.numbers.capacity() * size_of::<(u64, u32)>() + part.n_bytes).sum()
    }

    /// Returns the parts in order.
    pub(super) fn into_parts(self) -> Vec<Part> {
        self.parts
    }
}

impl Part {
    fn add_word(&mut self, unit: &[u8], rank: u32) {
        if let Some(highest) = self.words.get_mut(unit) {
            *highest = rank.max(*highest);
        } else {
            self.n_bytes += unit.len() + size_of::<(Box<[u8]>, u32)>() * 2;
            self.words.insert(unit.into(), rank);
        }
    }

    /// Keeps the highest rank of each whole number.
    fn settle(&mut self) {
        self.numbers.sort_unstable();
        self.numbers.dedup_by(|later, kept| {
            let is_same = later.0 == kept.0;
            if is_same {
                kept.1 = later.1; // in ascending order the later one is higher
            }
            is_same
        });
        self.n_settled = self.numbers.len();
    }

    /// Adds the units of the same part of another worker.
    pub(super) fn merge(&mut self, other: Self) {
        self.numbers.extend(other.numbers);
        for (unit, rank) in other.words {
            self.add_word(&unit, rank);
        }
    }

    /// Returns the rank of each unit.
    pub(super) fn into_ranks(mut self) -> impl Iterator<Item = u32> {
        self.settle();
        let numbers = self.numbers.into_iter().map(|(_, rank)| rank);
        numbers.chain(self.words.into_values())
    }
}

fn part_of_number(unit: u64) -> usize {
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    usize::from(unit.wrapping_mul(GOLDEN).to_be_bytes()[0])
}

fn part_of_word(unit: &[u8]) -> usize {
    unit.iter().fold(0_usize, |hash, byte| hash.wrapping_mul(31).wrapping_add(usize::from(*byte))) % N_PARTS
}

/// Returns units that are whole numbers or moments as numbers, one to one; none for other types.
pub(crate) fn whole_numbers(column: &ArrayRef) -> Result<Option<UInt64Array>> {
    let data_type = column.data_type();
    if *data_type == DataType::UInt64 {
        return Ok(Some(column.as_primitive::<UInt64Type>().clone()));
    }
    if !(data_type.is_integer() || data_type.is_temporal()) {
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
        for column in [numbers, words] {
            let ranks = vec![Some(3), Some(9), Some(5), Some(99), None];
            assert_eq!(ranks_of(&[(column, ranks)]), [5, 9], "without a unit or a place a row counts nowhere");
        }
    }

    #[test]
    fn many_rows_of_few_units_take_little_room() {
        let mut units = Units::new();
        let column: ArrayRef = Arc::new((0..8192).map(|row| row % 100).collect::<Int64Array>());
        for round in 0..200 {
            units.add(&column, &vec![Some(round); 8192]).unwrap();
        }
        assert!(units.bytes() < 256 * 2 * 16 * (2 * super::FIRST_ROWS), "{}", units.bytes());
        let found: Vec<u32> = units.into_parts().into_iter().flat_map(super::Part::into_ranks).collect();
        assert_eq!(found, vec![199; 100]);
    }
}
