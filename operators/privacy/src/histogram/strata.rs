//! The public list of strata: which there are is said in the call, never found in the rows.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, Scalar, StringArray, UInt32Array};
use arrow::compute::kernels::cmp::eq;
use arrow::compute::{CastOptions, cast, cast_with_options, take};
use arrow::datatypes::DataType;
use causeway_core::{BoundColumn, Literal, Literals, OperatorError, Result, Roles};

use super::grid::NOWHERE;

/// More strata than this are most likely an identifier.
const MAX_STRATA: usize = 1000;

/// The strata of a call.
#[derive(Debug)]
pub(crate) struct Strata {
    columns: Vec<Column>,
    n_strata: u32,
}

#[derive(Debug)]
struct Column {
    index: usize,
    data_type: DataType,
    /// The listed values, of the type the column has.
    values: ArrayRef,
}

impl Strata {
    /// Reads the columns that play `strata` and the option `strata_values`.
    pub(crate) fn new(operator: &'static str, literals: &Literals, roles: &Roles) -> Result<Self> {
        let bound = roles.columns("strata");
        let given = literals.get("strata_values");
        let lists = match (bound.as_slice(), given) {
            ([], None) => Vec::new(),
            ([], Some(_)) => return Err(refused(operator, given, "left out where no `strata` are named")),
            (_, None) => {
                return Err(refused(
                    operator,
                    given,
                    "given with `strata`: which strata there are must be public, so the call lists their values, for example strata => 'sex', strata_values => ARRAY['female', 'male']",
                ));
            }
            (columns, Some(list)) => lists(columns.len(), list).ok_or_else(|| {
                refused(
                    operator,
                    given,
                    "an array of values for one column of `strata`, or one such array for each of several",
                )
            })?,
        };
        let columns = bound.iter().zip(lists);
        let columns =
            columns.map(|(bound, list)| Column::new(operator, bound, &list)).collect::<Result<Vec<Column>>>()?;
        let n_strata = columns.iter().fold(1_usize, |n, column| n.saturating_mul(column.values.len()));
        let n_strata = u32::try_from(n_strata.min(MAX_STRATA + 1)).unwrap_or(u32::MAX);
        if n_strata as usize > MAX_STRATA {
            return Err(refused(operator, given, "at most 1000 strata, all combinations of the listed values"));
        }
        Ok(Self { columns, n_strata })
    }

    pub(crate) fn len(&self) -> u32 {
        self.n_strata
    }

    /// Returns the values of the strata columns for a number of rows of each stratum.
    pub(crate) fn keys(&self, rows_per_stratum: &[usize]) -> Result<Vec<ArrayRef>> {
        let mut repeat = self.n_strata as usize; // strata under one value, the first column being the slowest
        let mut keys = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            repeat /= column.values.len();
            let value_of = |stratum: usize| u32::try_from(stratum / repeat % column.values.len()).unwrap_or(0);
            let rows = rows_per_stratum.iter().enumerate();
            let rows: UInt32Array = rows.flat_map(|(stratum, n)| std::iter::repeat_n(value_of(stratum), *n)).collect();
            keys.push(cast(&take(&column.values, &rows, None)?, &column.data_type)?);
        }
        Ok(keys)
    }

    /// Returns the stratum of each row, [`NOWHERE`] where a value is not listed or missing; none without strata.
    pub(super) fn of_rows(&self, batch: &RecordBatch) -> Result<Option<Vec<u32>>> {
        if self.columns.is_empty() {
            return Ok(None);
        }
        let mut strata = vec![0_u32; batch.num_rows()];
        for column in &self.columns {
            column.refine(batch.column(column.index), &mut strata)?;
        }
        Ok(Some(strata))
    }
}

impl Column {
    fn new(operator: &'static str, bound: &BoundColumn, list: &[String]) -> Result<Self> {
        let value_type = match &bound.data_type {
            DataType::Dictionary(_, values) => values.as_ref().clone(),
            other => other.clone(),
        };
        let texts = StringArray::from_iter_values(list);
        let refused = |problem: String| OperatorError::Parameter {
            operator,
            name: "strata_values".to_owned(),
            range: format!("{problem} of column `{}`, which is {}", bound.name, bound.data_type),
            value: format!("[{}]", list.join(", ")),
        };
        let strict = CastOptions { safe: false, ..CastOptions::default() };
        let values = cast_with_options(&texts, &value_type, &strict)
            .ok()
            .filter(|values| values.null_count() == 0)
            .ok_or_else(|| refused("values".to_owned()))?;
        let canonical = cast(&values, &DataType::Utf8)?;
        let mut canonical: Vec<Option<&str>> = canonical.as_string::<i32>().iter().collect();
        canonical.sort_unstable();
        if canonical.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(refused("different values".to_owned()));
        }
        Ok(Self { index: bound.index, data_type: bound.data_type.clone(), values })
    }

    /// Splits the strata so far by the listed values of this column.
    fn refine(&self, rows: &ArrayRef, strata: &mut [u32]) -> Result<()> {
        let mut found = vec![NOWHERE; strata.len()];
        for (number, row) in (0_u32..).zip(0..self.values.len()) {
            let is_value = eq(rows, &Scalar::new(self.values.slice(row, 1)))?;
            let hits = match is_value.nulls() {
                Some(nulls) => is_value.values() & nulls.inner(),
                None => is_value.values().clone(),
            };
            for row in hits.set_indices() {
                found[row] = number;
            }
        }
        let n_values = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        for (stratum, found) in strata.iter_mut().zip(found) {
            *stratum = if found == NOWHERE || *stratum == NOWHERE { NOWHERE } else { *stratum * n_values + found };
        }
        Ok(())
    }
}

/// Returns one list of texts for each of `n_columns` columns.
fn lists(n_columns: usize, given: &Literal) -> Option<Vec<Vec<String>>> {
    let Literal::List(items) = given else { return None };
    let nested: Option<Vec<Vec<String>>> = items
        .iter()
        .map(|item| match item {
            Literal::List(values) => texts(values),
            _ => None,
        })
        .collect();
    match nested {
        Some(lists) => (lists.len() == n_columns).then_some(lists),
        None => Some(vec![texts(items)?]).filter(|_| n_columns == 1),
    }
}

fn texts(values: &[Literal]) -> Option<Vec<String>> {
    let text = |value: &Literal| match value {
        Literal::Text(text) => Some(text.clone()),
        Literal::Integer(_) | Literal::Boolean(_) => Some(value.to_string()),
        _ => None,
    };
    values.iter().map(text).collect()
}

fn refused(operator: &'static str, given: Option<&Literal>, range: &str) -> OperatorError {
    OperatorError::Parameter {
        operator,
        name: "strata_values".to_owned(),
        range: range.to_owned(),
        value: given.map_or_else(|| "nothing".to_owned(), ToString::to_string),
    }
}
