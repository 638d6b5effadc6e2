//! Number columns of a relation, with a key for each row.

use std::collections::HashMap;

use arrow::array::{Array, AsArray, BooleanArray, Float64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use causeway_core::{BoundColumn, OperatorError, Relation, Result, Roles, RunContext};

/// What to do about rows with a null, NaN or infinite number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Refuse the input, with the number of such rows for each column.
    Refuse,
    /// Leave the rows out and count them.
    Drop,
}

/// The columns to read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) operator: &'static str,
    pub(crate) numbers: &'a [&'a BoundColumn],
    /// Names the row whatever its place; without it the row's number does.
    pub(crate) key: Option<&'a BoundColumn>,
    /// Names the fold of the row.
    pub(crate) fold: Option<&'a BoundColumn>,
    pub(crate) missing: Missing,
}

/// Rows in memory; with a key column in the order of the keys' hashes, so that their order in the input is forgotten.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    /// For each number column its values, all finite.
    pub(crate) columns: Vec<Vec<f64>>,
    /// The hash of each row's key.
    pub(crate) keys: Vec<u64>,
    /// With a fold column, for each row the place of its value among `fold_values`.
    pub(crate) fold_of_row: Vec<u32>,
    /// The values of the fold column as text, sorted.
    pub(crate) fold_values: Vec<String>,
    /// Rows left out for a missing number.
    pub(crate) n_dropped: usize,
}

impl Rows {
    /// Returns the number of rows.
    pub(crate) fn n(&self) -> usize {
        self.keys.len()
    }
}

/// Refuses a column that plays two roles.
pub(crate) fn refuse_shared(operator: &'static str, roles: &Roles, names: &[&str]) -> Result<()> {
    let columns: Vec<&BoundColumn> = names.iter().flat_map(|name| roles.columns(name)).collect();
    for (place, column) in columns.iter().enumerate() {
        let Some(earlier) = columns[..place].iter().find(|earlier| earlier.index == column.index) else { continue };
        let problem = if earlier.role == column.role {
            format!("column `{}` stands twice in `{}`; name it once", column.name, column.role)
        } else {
            format!(
                "column `{}` plays both `{}` and `{}`; give each role a column of its own",
                column.name, earlier.role, column.role
            )
        };
        return Err(OperatorError::Data { operator, problem });
    }
    Ok(())
}

/// Reads a relation.
pub(crate) fn read(wanted: Wanted<'_>, mut relation: Relation, context: &RunContext) -> Result<Rows> {
    let mut reader = Reader::new(wanted);
    let width = (wanted.numbers.len() + 2) * size_of::<f64>();
    while let Some(batch) = relation.next_batch(context)? {
        // twice: the rows are put in order by copying
        context.grow_memory(2 * batch.num_rows() * width)?;
        reader.add(&batch)?;
    }
    reader.finish()
}

#[derive(Debug)]
struct Reader<'a> {
    wanted: Wanted<'a>,
    rows: Rows,
    n_seen: u64,
    fold_numbers: HashMap<String, u32>,
    n_null: Vec<usize>,
    n_not_finite: Vec<usize>,
    n_no_fold: usize,
    n_no_key: usize,
}

impl<'a> Reader<'a> {
    fn new(wanted: Wanted<'a>) -> Self {
        let n = wanted.numbers.len();
        Self {
            wanted,
            rows: Rows { columns: vec![Vec::new(); n], ..Rows::default() },
            n_seen: 0,
            fold_numbers: HashMap::new(),
            n_null: vec![0; n],
            n_not_finite: vec![0; n],
            n_no_fold: 0,
            n_no_key: 0,
        }
    }

    fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let n = batch.num_rows();
        let mut numbers = Vec::with_capacity(self.wanted.numbers.len());
        for column in self.wanted.numbers {
            let values = cast(batch.column(column.index), &DataType::Float64)?;
            numbers.push(values.as_primitive::<Float64Type>().clone());
        }
        let keys = self.wanted.key.map(|column| text(batch, column)).transpose()?;
        let folds = self.wanted.fold.map(|column| text(batch, column)).transpose()?;
        let keep = self.usable(&numbers, keys.as_ref(), folds.as_ref(), n);
        for (column, values) in self.rows.columns.iter_mut().zip(&numbers) {
            match &keep {
                None => column.extend_from_slice(values.values()),
                Some(keep) => {
                    column.extend(values.values().iter().zip(keep).filter(|(_, keep)| **keep).map(|(v, _)| v))
                }
            }
        }
        for row in (0..n).filter(|row| keep.as_ref().is_none_or(|keep| keep[*row])) {
            self.rows.keys.push(match &keys {
                Some(keys) => hash(keys.value(row).as_bytes()),
                None => mix(self.n_seen + row as u64),
            });
            if let Some(folds) = &folds {
                let next = u32::try_from(self.fold_numbers.len()).unwrap_or(u32::MAX);
                let number = match self.fold_numbers.get(folds.value(row)) {
                    Some(number) => *number,
                    None => *self.fold_numbers.entry(folds.value(row).to_owned()).or_insert(next),
                };
                self.rows.fold_of_row.push(number);
            }
        }
        self.n_seen += n as u64;
        Ok(())
    }

    /// Counts what is missing and returns which rows have nothing missing; `None` if all.
    fn usable(
        &mut self,
        numbers: &[Float64Array],
        keys: Option<&StringArray>,
        folds: Option<&StringArray>,
        n: usize,
    ) -> Option<Vec<bool>> {
        let mut keep = vec![true; n];
        for (column, values) in numbers.iter().enumerate() {
            if values.null_count() == 0 && values.values().iter().all(|value| value.is_finite()) {
                continue;
            }
            for (keep, value) in keep.iter_mut().zip(values) {
                match value {
                    None => self.n_null[column] += 1,
                    Some(value) if !value.is_finite() => self.n_not_finite[column] += 1,
                    Some(_) => continue,
                }
                *keep = false;
            }
        }
        for (values, n_missing) in [(keys, &mut self.n_no_key), (folds, &mut self.n_no_fold)] {
            let Some(nulls) = values.and_then(Array::logical_nulls) else { continue };
            *n_missing += nulls.null_count();
            keep.iter_mut().enumerate().filter(|(row, _)| nulls.is_null(*row)).for_each(|(_, keep)| *keep = false);
        }
        let n_kept = BooleanArray::from(keep.clone()).true_count();
        self.rows.n_dropped += n - n_kept;
        (n_kept < n).then_some(keep)
    }

    fn finish(mut self) -> Result<Rows> {
        if self.wanted.missing == Missing::Refuse && self.rows.n_dropped > 0 {
            let problem = format!(
                "{}; filter such rows in the SELECT, or leave them out by missing => 'drop'",
                self.missing_in_words().join(", ")
            );
            return Err(OperatorError::Data { operator: self.wanted.operator, problem });
        }
        if self.wanted.fold.is_some() {
            self.number_folds();
        }
        if self.wanted.key.is_some() {
            self.forget_order();
        }
        Ok(self.rows)
    }

    fn missing_in_words(&self) -> Vec<String> {
        let mut words = Vec::new();
        let mut add = |name: &str, n_rows: usize, what: &str| {
            if n_rows > 0 {
                words.push(format!(
                    "column `{name}` is {what} in {n_rows} {}",
                    if n_rows == 1 { "row" } else { "rows" }
                ));
            }
        };
        for (column, (n_null, n_not_finite)) in
            self.wanted.numbers.iter().zip(self.n_null.iter().zip(&self.n_not_finite))
        {
            add(&column.name, *n_null, "null");
            add(&column.name, *n_not_finite, "NaN or infinite");
        }
        for (column, n_rows) in [(self.wanted.key, self.n_no_key), (self.wanted.fold, self.n_no_fold)] {
            add(column.map_or("", |column| column.name.as_str()), n_rows, "null");
        }
        words
    }

    /// Numbers the folds in the order of their values instead of that of the rows.
    fn number_folds(&mut self) {
        let mut values: Vec<(String, u32)> = std::mem::take(&mut self.fold_numbers).into_iter().collect();
        values.sort_unstable();
        let mut place = vec![0; values.len()];
        for (new, (_, old)) in (0..).zip(&values) {
            place[*old as usize] = new;
        }
        self.rows.fold_of_row.iter_mut().for_each(|number| *number = place[*number as usize]);
        self.rows.fold_values = values.into_iter().map(|(value, _)| value).collect();
    }

    fn forget_order(&mut self) {
        let rows = &mut self.rows;
        let mut order: Vec<usize> = (0..rows.keys.len()).collect();
        order.sort_by_key(|row| rows.keys[*row]);
        let put = |column: &[f64]| order.iter().map(|row| column[*row]).collect();
        rows.columns = rows.columns.iter().map(|column| put(column)).collect();
        rows.keys = order.iter().map(|row| rows.keys[*row]).collect();
        if !rows.fold_of_row.is_empty() {
            rows.fold_of_row = order.iter().map(|row| rows.fold_of_row[*row]).collect();
        }
    }
}

fn text(batch: &RecordBatch, column: &BoundColumn) -> Result<StringArray> {
    Ok(cast(batch.column(column.index), &DataType::Utf8)?.as_string::<i32>().clone())
}

/// The 64-bit hash of Fowler, Noll and Vo (FNV-1a), mixed so that near texts have far hashes.
fn hash(bytes: &[u8]) -> u64 {
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    for byte in bytes {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3);
    }
    mix(hash)
}

/// The finaliser of `SplitMix64`: a permutation of the 64-bit numbers without visible order.
pub(crate) fn mix(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::hash;

    #[test]
    fn the_hash_of_a_key_never_changes() {
        // FNV-1a of "a" is 0xaf63dc4c8601ec8c (the authors' table), then SplitMix64's finaliser: folds of stored
        // results are looked up by it
        assert_eq!(hash(b"a"), super::mix(0xAF63_DC4C_8601_EC8C));
        assert_eq!(super::mix(0), 0xE220_A839_7B1D_CDAF); // first output of SplitMix64 with seed 0
    }
}
