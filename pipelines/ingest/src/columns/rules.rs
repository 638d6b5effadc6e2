//! The contract's rules on typed columns: null, range, categories, pattern.

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::datatypes::{Date32Type, Decimal128Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};

use crate::contract::{Bounds, Categories, ColumnRule};
use crate::fault::{Faults, Reason};

/// Notes the first rule that each value breaks.
pub(crate) fn check_rules(rule: &ColumnRule, column: u16, values: &ArrayRef, faults: &mut Faults) {
    if !rule.nullable && values.null_count() > 0 {
        for row in (0..values.len()).filter(|row| values.is_null(*row)) {
            faults.note(row, column, Reason::MissingValue);
        }
    }
    if let Some(bounds) = rule.bounds {
        check_bounds(bounds, column, values, faults);
    }
    if let Some(categories) = &rule.categories {
        check_categories(categories, column, values, faults);
    }
    if let (Some(pattern), Some(texts)) = (&rule.pattern, values.as_string_opt::<i32>()) {
        let broken = texts.iter().enumerate().filter(|(_, text)| text.is_some_and(|text| !pattern.is_match(text)));
        broken.for_each(|(row, _)| faults.note(row, column, Reason::PatternMismatch));
    }
}

fn check_bounds(bounds: Bounds, column: u16, values: &ArrayRef, faults: &mut Faults) {
    match bounds {
        Bounds::Int(low, high) => within(values.as_primitive_opt::<Int32Type>(), low, high, column, faults),
        Bounds::BigInt(low, high) => within(values.as_primitive_opt::<Int64Type>(), low, high, column, faults),
        Bounds::Double(low, high) => within(values.as_primitive_opt::<Float64Type>(), low, high, column, faults),
        Bounds::Decimal(low, high) => within(values.as_primitive_opt::<Decimal128Type>(), low, high, column, faults),
        Bounds::Date(low, high) => within(values.as_primitive_opt::<Date32Type>(), low, high, column, faults),
        Bounds::Timestamp(low, high) => {
            within(values.as_primitive_opt::<TimestampMicrosecondType>(), low, high, column, faults);
        }
    }
}

/// Checks the closed interval; NaN lies in none.
fn within<T: ArrowPrimitiveType>(
    values: Option<&PrimitiveArray<T>>,
    low: T::Native,
    high: T::Native,
    column: u16,
    faults: &mut Faults,
) {
    let Some(values) = values else { return };
    for (row, value) in values.values().iter().enumerate() {
        let is_within = *value >= low && *value <= high;
        if !is_within && values.is_valid(row) {
            faults.note(row, column, Reason::OutOfRange);
        }
    }
}

fn check_categories(categories: &Categories, column: u16, values: &ArrayRef, faults: &mut Faults) {
    let mut refuse = |row: usize| faults.note(row, column, Reason::NotInCategories);
    match categories {
        Categories::Text(allowed) => {
            let texts = values.as_string_opt::<i32>().into_iter().flatten().enumerate();
            texts.filter(|(_, text)| text.is_some_and(|text| !allowed.contains(text))).for_each(|(row, _)| refuse(row));
        }
        Categories::Integers(allowed) => {
            let short = values.as_primitive_opt::<Int32Type>().into_iter().flatten().map(|v| v.map(i64::from));
            let long = values.as_primitive_opt::<Int64Type>().into_iter().flatten();
            let numbers = short.chain(long).enumerate();
            numbers.filter(|(_, value)| value.is_some_and(|v| !allowed.contains(&v))).for_each(|(row, _)| refuse(row));
        }
    }
}
