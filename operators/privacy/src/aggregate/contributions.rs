//! From rows to the sums of the cells, with a bound on what one unit adds to them.

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use arrow::row::{RowConverter, SortField};
use causeway_core::{Relation, Result, Roles, RunContext};
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use super::Groups;
use crate::histogram::whole_numbers;

/// How the value of a row becomes an amount in a cell.
pub(crate) trait Amounts: Sync {
    /// Returns the cells that each group has.
    fn cells_per_group(&self) -> usize;

    /// Returns true if rows count by their column `value`.
    fn reads_values(&self) -> bool {
        true
    }

    /// Adds a value, never NaN, to the cells of its group; nothing but the value and public options may matter.
    fn add(&self, value: f64, cells: &mut [i128]);
}

/// A row as far as it counts: its group and the bits of its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Item {
    /// Decides which rows of a unit are kept: mixed from the other two, so the choice is that of no value.
    rank: u64,
    group: u32,
    value: u64,
}

/// Counts rows into cells: those of the first group, then of the second, and so on.
///
/// Of each unit the `rows_per_unit` rows of the lowest rank count. The rank is a fixed mixture of group and value, so
/// which rows count is a function of the unit's own rows, whatever their order and whoever else is in the table. Rows
/// without a value (NULL, NaN), without a unit or of no listed group count nowhere.
pub(crate) fn count_rows(
    roles: &Roles,
    groups: &Groups,
    rows_per_unit: usize,
    amounts: &dyn Amounts,
    inputs: Vec<Relation>,
    context: &RunContext,
) -> Result<Vec<i64>> {
    let mut cells = Cells::new(groups.len(), amounts);
    context.grow_memory(cells.sums.len() * size_of::<i128>())?;
    let mut units = Units::new(roles, rows_per_unit)?;
    let mut charged = 0;
    for mut relation in inputs {
        while let Some(batch) = relation.next_batch(context)? {
            let values = if amounts.reads_values() { Some(values_of(roles, &batch)?) } else { None };
            let row_groups = groups.of_rows(&batch)?;
            let items = items(&row_groups, values.as_ref());
            match &mut units {
                None => items.flatten().for_each(|item| cells.add(item)),
                Some(units) => units.add(&batch, items)?,
            }
            let bytes = units.as_ref().map_or(0, |units| units.bytes);
            context.grow_memory(bytes - charged)?;
            charged = bytes;
        }
    }
    if let Some(units) = units {
        units.into_items().for_each(|item| cells.add(item));
    }
    Ok(cells.sums.into_iter().map(clamp).collect())
}

struct Cells<'a> {
    amounts: &'a dyn Amounts,
    sums: Vec<i128>,
}

impl<'a> Cells<'a> {
    fn new(n_groups: usize, amounts: &'a dyn Amounts) -> Self {
        Self { amounts, sums: vec![0; n_groups * amounts.cells_per_group()] }
    }

    fn add(&mut self, item: Item) {
        let n_cells = self.amounts.cells_per_group();
        let first = item.group as usize * n_cells;
        self.amounts.add(f64::from_bits(item.value), &mut self.sums[first..first + n_cells]);
    }
}

/// The rows of each unit that count so far.
struct Units {
    column: usize,
    converter: RowConverter,
    rows_per_unit: usize,
    /// Units that are whole numbers or moments.
    numbers: HashMap<u64, Kept>,
    /// Units of other types, by their bytes.
    words: HashMap<Box<[u8]>, Kept>,
    bytes: usize,
}

/// Rows of one unit in the order of their ranks; the first one has its place, since most units have no more.
#[derive(Debug)]
struct Kept {
    first: Item,
    others: Vec<Item>,
}

impl Units {
    /// Makes an empty collection; none if no column plays `unit` and every row is somebody else's.
    fn new(roles: &Roles, rows_per_unit: usize) -> Result<Option<Self>> {
        let Some(unit) = roles.column("unit") else { return Ok(None) };
        let converter = RowConverter::new(vec![SortField::new(unit.data_type.clone())])?;
        Ok(Some(Self {
            column: unit.index,
            converter,
            rows_per_unit,
            numbers: HashMap::new(),
            words: HashMap::new(),
            bytes: 0,
        }))
    }

    fn add(&mut self, batch: &RecordBatch, items: impl Iterator<Item = Option<Item>>) -> Result<()> {
        let column = batch.column(self.column);
        match whole_numbers(column)? {
            Some(numbers) => {
                for (number, item) in numbers.iter().zip(items) {
                    if let (Some(number), Some(item)) = (number, item) {
                        self.keep_number(number, item);
                    }
                }
            }
            None => {
                let nulls = column.logical_nulls();
                let words = self.converter.convert_columns(std::slice::from_ref(column))?;
                for (row, (word, item)) in words.iter().zip(items).enumerate() {
                    let Some(item) = item else { continue };
                    if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) {
                        self.keep_word(word.data(), item);
                    }
                }
            }
        }
        Ok(())
    }

    fn keep_number(&mut self, unit: u64, item: Item) {
        self.bytes += match self.numbers.entry(unit) {
            Entry::Occupied(mut kept) => kept.get_mut().keep(item, self.rows_per_unit),
            Entry::Vacant(free) => {
                free.insert(Kept { first: item, others: Vec::new() });
                size_of::<(u64, Kept)>()
            }
        };
    }

    fn keep_word(&mut self, unit: &[u8], item: Item) {
        self.bytes += match self.words.get_mut(unit) {
            Some(kept) => kept.keep(item, self.rows_per_unit),
            None => {
                self.words.insert(unit.into(), Kept { first: item, others: Vec::new() });
                unit.len() + size_of::<(Box<[u8]>, Kept)>()
            }
        };
    }

    /// Returns the rows that count.
    fn into_items(self) -> impl Iterator<Item = Item> {
        let kept = self.numbers.into_values().chain(self.words.into_values());
        kept.flat_map(|kept| std::iter::once(kept.first).chain(kept.others))
    }
}

impl Kept {
    /// Takes a row among the `most` rows of the lowest rank, and returns the bytes that it adds.
    fn keep(&mut self, item: Item, most: usize) -> usize {
        let item = if item < self.first { std::mem::replace(&mut self.first, item) } else { item };
        let position = self.others.partition_point(|other| *other <= item);
        if position + 1 >= most {
            return 0;
        }
        self.others.insert(position, item);
        if self.others.len() + 1 > most {
            self.others.pop();
            return 0;
        }
        size_of::<Item>()
    }
}

fn items<'a>(groups: &'a [Option<u32>], values: Option<&'a Float64Array>) -> impl Iterator<Item = Option<Item>> + 'a {
    groups.iter().enumerate().map(move |(row, group)| {
        let value = match values {
            None => 0.0,
            Some(values) if values.is_valid(row) && !values.value(row).is_nan() => values.value(row) + 0.0, // no -0
            Some(_) => return None,
        };
        group.map(|group| Item { rank: mix(value.to_bits() ^ mix(u64::from(group))), group, value: value.to_bits() })
    })
}

/// Mixes the bits of a word, one to one (the finaliser of SplitMix64; Steele, Lea and Flood 2014).
fn mix(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

fn values_of(roles: &Roles, batch: &RecordBatch) -> Result<Float64Array> {
    let column: &ArrayRef = batch.column(roles.required("value")?.index);
    Ok(cast(column, &DataType::Float64)?.as_primitive::<Float64Type>().clone())
}

/// Returns the closest value of `i64`; it moves no two sums further apart.
fn clamp(sum: i128) -> i64 {
    i64::try_from(sum).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX })
}
