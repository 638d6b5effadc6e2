//! The public list of groups: which there are is said in the call, never found in the rows.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, Scalar, StringArray, UInt32Array};
use arrow::compute::kernels::cmp::eq;
use arrow::compute::{CastOptions, cast, cast_with_options, take};
use arrow::datatypes::DataType;
use causeway_core::{Literal, Literals, OperatorError, Result, Roles};

/// More groups than this are most likely an identifier.
const MAX_GROUPS: usize = 1000;

/// The groups of a call; without a column `by` there is one.
#[derive(Debug)]
pub(crate) struct Groups {
    by: Option<By>,
}

#[derive(Debug)]
struct By {
    index: usize,
    data_type: DataType,
    /// The listed values in the order of the list, of the type the column has (of its values, for a dictionary).
    values: ArrayRef,
}

impl Groups {
    /// Reads the column that plays `by` and the option `by_values`.
    pub(crate) fn new(operator: &'static str, literals: &Literals, roles: &Roles) -> Result<Self> {
        let given = literals.get("by_values");
        let refused = |range: &str| OperatorError::Parameter {
            operator,
            name: "by_values".to_owned(),
            range: range.to_owned(),
            value: given.map_or_else(|| "nothing".to_owned(), ToString::to_string),
        };
        let (bound, list) = match (roles.column("by"), given) {
            (None, None) => return Ok(Self { by: None }),
            (None, Some(_)) => return Err(refused("left out where no column plays `by`")),
            (Some(_), None) => {
                return Err(refused(
                    "given with `by`: which groups there are must be public, so the call lists them, for example by => 'sex', by_values => ARRAY['female', 'male']",
                ));
            }
            (Some(bound), Some(list)) => (bound, list),
        };
        let list = texts(list).ok_or_else(|| refused("one array of texts, integers or booleans"))?;
        if list.len() > MAX_GROUPS {
            return Err(refused("at most 1000 values"));
        }
        let value_type = match &bound.data_type {
            DataType::Dictionary(_, values) => values.as_ref().clone(),
            other => other.clone(),
        };
        let strict = CastOptions { safe: false, ..CastOptions::default() };
        let values = cast_with_options(&StringArray::from_iter_values(&list), &value_type, &strict)
            .map_err(|_| refused(&format!("values of column `{}`, which is {value_type}", bound.name)))?;
        if repeats(&values)? {
            return Err(refused("different values"));
        }
        Ok(Self { by: Some(By { index: bound.index, data_type: bound.data_type.clone(), values }) })
    }

    /// Returns the number of groups.
    pub(crate) fn len(&self) -> usize {
        self.by.as_ref().map_or(1, |by| by.values.len())
    }

    /// Returns the column `by` of the output: each group `rows_each` times.
    pub(crate) fn keys(&self, rows_each: usize) -> Result<Vec<ArrayRef>> {
        let Some(by) = &self.by else { return Ok(Vec::new()) };
        let groups = 0..u32::try_from(self.len()).unwrap_or(u32::MAX);
        let rows: UInt32Array = groups.flat_map(|group| std::iter::repeat_n(group, rows_each)).collect();
        Ok(vec![cast(&take(&by.values, &rows, None)?, &by.data_type)?])
    }

    /// Returns the group of each row; none for a row whose value is missing or not listed.
    pub(super) fn of_rows(&self, batch: &RecordBatch) -> Result<Vec<Option<u32>>> {
        let Some(by) = &self.by else { return Ok(vec![Some(0); batch.num_rows()]) };
        let mut groups = vec![None; batch.num_rows()];
        let rows = batch.column(by.index);
        for (group, position) in (0_u32..).zip(0..by.values.len()) {
            let is_value = eq(rows, &Scalar::new(by.values.slice(position, 1)))?;
            let hits = match is_value.nulls() {
                Some(nulls) => is_value.values() & nulls.inner(),
                None => is_value.values().clone(),
            };
            hits.set_indices().for_each(|row| groups[row] = Some(group));
        }
        Ok(groups)
    }
}

fn texts(list: &Literal) -> Option<Vec<String>> {
    let Literal::List(values) = list else { return None };
    let text = |value: &Literal| match value {
        Literal::Text(text) => Some(text.clone()),
        Literal::Integer(_) | Literal::Boolean(_) => Some(value.to_string()),
        _ => None,
    };
    values.iter().map(text).collect()
}

/// Returns true if two values are the same once they have the column's type.
fn repeats(values: &ArrayRef) -> Result<bool> {
    let texts = cast(values, &DataType::Utf8)?;
    let mut sorted: Vec<Option<&str>> = texts.as_string::<i32>().iter().collect();
    sorted.sort_unstable();
    Ok(sorted.windows(2).any(|pair| pair[0] == pair[1]))
}
