//! The neighbouring tables on which each private operator is attacked.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch};
use arrow::datatypes::Float64Type;
use causeway_core::{
    Literal, Literals, OperatorError, OperatorFactory, Output, Relation, Result, Roles, RunContext, Seed,
};

use super::{Attack, LowerBound, lower_bound};

/// A pair of neighbouring tables, one person apart, and what the attack looks at.
pub struct Pair {
    /// The operator attacked.
    pub factory: &'static dyn OperatorFactory,
    /// Its options besides `epsilon`.
    pub options: fn() -> Vec<(&'static str, Literal)>,
    /// The table, with the person or without.
    pub table: fn(with_person: bool) -> Result<RecordBatch>,
    /// The number that the attack takes from the output.
    pub statistic: fn(&Output) -> Option<f64>,
    /// Whether the operator claims a guarantee that the attack must not break.
    pub is_sound: bool,
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pair").field("operator", &self.factory.spec().name).finish_non_exhaustive()
    }
}

/// The pairs: one for each private operator, and one for the heuristic that claims nothing.
pub const PAIRS: &[Pair] = &[
    // A person with as many rows as count is all that the table has.
    Pair {
        factory: &crate::dp_count::Factory,
        options: || units([]),
        table: |with_person| visits(with_person, &[5.0, 5.0]),
        statistic: |output| value(output, "estimate", 0),
        is_sound: true,
    },
    // Two rows at the upper bound, the larger one.
    Pair {
        factory: &crate::dp_sum::Factory,
        options: || units(bounded()),
        table: |with_person| visits(with_person, &[10.0, 25.0]),
        statistic: |output| value(output, "estimate", 0),
        is_sound: true,
    },
    // The mean of one person at an end is far from the middle, where the mean of nobody is.
    Pair {
        factory: &crate::dp_mean::Factory,
        options: || units(bounded()),
        table: |with_person| visits(with_person, &[10.0, 10.0]),
        statistic: |output| value(output, "estimate", 0),
        is_sound: true,
    },
    // Both rows in one bin.
    Pair {
        factory: &crate::dp_histogram::Factory,
        options: || units(bounded().into_iter().chain([("bins", Literal::Integer(5))])),
        table: |with_person| visits(with_person, &[9.0, 9.5]),
        statistic: |output| value(output, "estimate", 4),
        is_sound: true,
    },
    // The quantile of few rows jumps with the person's.
    Pair {
        factory: &crate::dp_quantile::Factory,
        options: || units(bounded().into_iter().chain([("bins", Literal::Integer(2))])),
        table: |with_person| visits(with_person, &[9.0, 9.5]),
        statistic: |output| value(output, "estimate", 0),
        is_sound: true,
    },
    // All others are censored early; the person has the event alone, which takes the curve to 0. The count tells most.
    Pair {
        factory: &crate::dp_kaplan_meier::Factory,
        options: || survival([("bins", Literal::Integer(8))]),
        table: cohort,
        statistic: |output| value(output, "events", 4),
        is_sound: true,
    },
    Pair {
        factory: &crate::dp_cumulative_incidence::Factory,
        options: || survival([("bins", Literal::Integer(8)), ("causes", Literal::Integer(1))]),
        table: cohort,
        statistic: |output| value(output, "events", 4),
        is_sound: true,
    },
    // The published heuristic must fail.
    Pair {
        factory: &crate::dp_kaplan_meier::Factory,
        options: || survival([("bins", Literal::Integer(64)), ("mechanism", Literal::Text("published".to_owned()))]),
        table: cohort,
        statistic: |output| value(output, "survival", 63),
        is_sound: false,
    },
];

/// Attacks an operator on its pair of tables at an ε.
///
/// # Errors
/// [`OperatorError::Parameter`] if the operator has no pair or refuses ε, and those of its runs.
pub fn operator(pair: &Pair, epsilon: f64, attack: Attack, context: &mut RunContext) -> Result<LowerBound> {
    let mut options = Literals::default();
    (pair.options)().into_iter().for_each(|(name, value)| options.insert(name, value));
    options.insert("epsilon", Literal::Float(epsilon));
    let options = options.check(pair.factory.spec())?;
    let tables = [(pair.table)(false)?, (pair.table)(true)?];
    let roles = Roles::resolve(pair.factory.spec(), &options, &[tables[0].schema()])?;
    let bound = pair.factory.bind(&options, roles)?;
    lower_bound(attack, |with_person| {
        let table = &tables[usize::from(with_person)];
        let output = bound.run(vec![Relation::from_batches(table.schema(), vec![table.clone()])], context)?;
        (pair.statistic)(&output).ok_or_else(|| OperatorError::Internal {
            operator: pair.factory.spec().name,
            problem: "the output has no number to attack".to_owned(),
        })
    })
}

/// Attacks an operator as [`operator`] does, on one thread with the operating system's noise.
///
/// # Errors
/// As [`operator`].
pub fn attack(pair: &Pair, epsilon: f64, attack: Attack) -> Result<LowerBound> {
    let name = pair.factory.spec().name;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let pool = pool.map_err(|error| OperatorError::Internal { operator: name, problem: error.to_string() })?;
    operator(pair, epsilon, attack, &mut RunContext::new(name, Seed(0), Arc::new(pool)))
}

/// Options of a person with two rows that count.
fn units(more: impl IntoIterator<Item = (&'static str, Literal)>) -> Vec<(&'static str, Literal)> {
    let unit = [("unit", Literal::Text("patient".to_owned())), ("rows_per_unit", Literal::Integer(2))];
    unit.into_iter().chain(more).collect()
}

fn bounded() -> Vec<(&'static str, Literal)> {
    vec![("value", Literal::Text("days".to_owned())), ("low", Literal::Integer(0)), ("high", Literal::Integer(10))]
}

/// Options of a survival curve up to time 8.
fn survival(more: impl IntoIterator<Item = (&'static str, Literal)>) -> Vec<(&'static str, Literal)> {
    let common = [("horizon", Literal::Integer(8)), ("bands", Literal::Text("none".to_owned()))];
    common.into_iter().chain(more).collect()
}

/// Twenty people censored at time 1, and one with the event at time 4.
fn cohort(with_person: bool) -> Result<RecordBatch> {
    let n = if with_person { 21 } else { 20 };
    let time: ArrayRef = Arc::new((0..n).map(|person| if person < 20 { 1 } else { 4 }).collect::<Int64Array>());
    let event: ArrayRef = Arc::new((0..n).map(|person| i64::from(person >= 20)).collect::<Int64Array>());
    Ok(RecordBatch::try_from_iter([("time", time), ("event", event)])?)
}

/// One patient's visits and another's, who has three more rows than count.
fn visits(with_person: bool, days: &[f64]) -> Result<RecordBatch> {
    let others = [(1, 1.0), (1, 1.0)];
    let person = days.iter().chain(&days[..1]).map(|days| (2, *days));
    let rows: Vec<(i64, f64)> = others.into_iter().chain(person.filter(|_| with_person)).collect();
    let patient: ArrayRef = Arc::new(rows.iter().map(|row| row.0).collect::<Int64Array>());
    let days: ArrayRef = Arc::new(rows.iter().map(|row| row.1).collect::<Float64Array>());
    Ok(RecordBatch::try_from_iter_with_nullable([("patient", patient, true), ("days", days, true)])?)
}

/// Returns a number of the output.
fn value(output: &Output, column: &str, row: usize) -> Option<f64> {
    let column = output.batches.first()?.column_by_name(column)?.as_primitive_opt::<Float64Type>()?;
    (row < column.len()).then(|| column.value(row))
}
