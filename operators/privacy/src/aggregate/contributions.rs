//! From rows to the sums of the cells, with a bound on what one unit adds to them.

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use arrow::row::{RowConverter, SortField};
use causeway_core::{Relation, Result, Roles, RunContext};
use hashbrown::HashMap;

use super::Groups;

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
        units.kept.into_values().flatten().for_each(|item| cells.add(item));
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

/// The rows of each unit that count so far, in the order of their ranks.
struct Units {
    column: usize,
    converter: RowConverter,
    rows_per_unit: usize,
    kept: HashMap<Box<[u8]>, Vec<Item>>,
    bytes: usize,
}

impl Units {
    /// Makes an empty collection; none if no column plays `unit` and every row is somebody else's.
    fn new(roles: &Roles, rows_per_unit: usize) -> Result<Option<Self>> {
        let Some(unit) = roles.column("unit") else { return Ok(None) };
        let converter = RowConverter::new(vec![SortField::new(unit.data_type.clone())])?;
        Ok(Some(Self { column: unit.index, converter, rows_per_unit, kept: HashMap::new(), bytes: 0 }))
    }

    fn add(&mut self, batch: &RecordBatch, items: impl Iterator<Item = Option<Item>>) -> Result<()> {
        let column = batch.column(self.column);
        let nulls = column.logical_nulls();
        let units = self.converter.convert_columns(std::slice::from_ref(column))?;
        for (row, (unit, item)) in units.iter().zip(items).enumerate() {
            let Some(item) = item else { continue };
            if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) {
                self.keep(unit.data(), item);
            }
        }
        Ok(())
    }

    fn keep(&mut self, unit: &[u8], item: Item) {
        if !self.kept.contains_key(unit) {
            self.bytes += unit.len() + size_of::<(Box<[u8]>, Vec<Item>)>();
            self.kept.insert(unit.into(), Vec::new());
        }
        let Some(kept) = self.kept.get_mut(unit) else { return };
        let position = kept.partition_point(|other| *other <= item);
        if position >= self.rows_per_unit {
            return;
        }
        kept.insert(position, item);
        if kept.len() > self.rows_per_unit {
            kept.pop();
        } else {
            self.bytes += size_of::<Item>();
        }
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
