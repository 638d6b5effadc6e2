//! What the tests of the aggregates share.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Float64Type;
use causeway_core::{
    Literal, Literals, OperatorFactory, Output, PrivacyCost, Relation, Result, Roles, RunContext, call,
};

/// So large an ε that the noise of a count is 0 in every run of the tests.
pub(crate) const NO_NOISE: (&str, Literal) = ("epsilon", Literal::Float(5e5));

/// Eleven rows: patients 1 to 4 and nobody's, two groups and a third, values with NULL, NaN and infinity.
pub(crate) fn visits() -> RecordBatch {
    let patient = Int64Array::from(vec![
        Some(1),
        Some(1),
        Some(1),
        Some(2),
        Some(2),
        Some(3),
        Some(4),
        Some(4),
        None,
        Some(3),
        Some(2),
    ]);
    let ward = StringArray::from(vec![
        Some("a"),
        Some("a"),
        Some("b"),
        Some("a"),
        Some("b"),
        Some("b"),
        Some("c"),
        None,
        Some("a"),
        Some("b"),
        Some("a"),
    ]);
    let days = Float64Array::from(vec![
        Some(1.0),
        Some(2.0),
        Some(3.0),
        Some(40.0),
        Some(-5.0),
        None,
        Some(2.0),
        Some(2.0),
        Some(9.0),
        Some(f64::NAN),
        Some(f64::INFINITY),
    ]);
    batch([("patient", Arc::new(patient) as ArrayRef), ("ward", Arc::new(ward)), ("days", Arc::new(days))])
}

pub(crate) fn batch<const N: usize>(columns: [(&str, ArrayRef); N]) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap()
}

pub(crate) fn text(text: &str) -> Literal {
    Literal::Text(text.to_owned())
}

/// `by => 'ward', by_values => ARRAY['b', 'a']`.
pub(crate) fn by_ward() -> [(&'static str, Literal); 2] {
    [("by", text("ward")), ("by_values", Literal::List(vec![text("b"), text("a")]))]
}

pub(crate) fn options(given: impl IntoIterator<Item = (&'static str, Literal)>) -> Literals {
    let mut options = Literals::default();
    given.into_iter().for_each(|(name, value)| options.insert(name, value));
    options
}

pub(crate) fn run_on(
    factory: &dyn OperatorFactory,
    batches: Vec<RecordBatch>,
    given: impl IntoIterator<Item = (&'static str, Literal)>,
) -> Result<Output> {
    let input = Relation::from_batches(batches[0].schema(), batches);
    call(factory, options(given), vec![input], &mut RunContext::for_test(1)?)
}

pub(crate) fn run(
    factory: &dyn OperatorFactory,
    given: impl IntoIterator<Item = (&'static str, Literal)>,
) -> Result<Output> {
    run_on(factory, vec![visits()], given)
}

/// The message of a call that is refused while it is planned, before any row is read.
pub(crate) fn refusal(
    factory: &dyn OperatorFactory,
    given: impl IntoIterator<Item = (&'static str, Literal)>,
) -> String {
    bound(factory, given).unwrap_err().to_string()
}

fn bound(
    factory: &dyn OperatorFactory,
    given: impl IntoIterator<Item = (&'static str, Literal)>,
) -> Result<Box<dyn causeway_core::Operator>> {
    let options = options(given).check(factory.spec())?;
    let roles = Roles::resolve(factory.spec(), &options, &[visits().schema()])?;
    factory.bind(&options, roles)
}

pub(crate) fn cost(
    factory: &dyn OperatorFactory,
    given: impl IntoIterator<Item = (&'static str, Literal)>,
) -> PrivacyCost {
    bound(factory, given).unwrap().privacy_cost().unwrap()
}

pub(crate) fn column(output: &Output, name: &str) -> Vec<f64> {
    output.batches[0][name].as_primitive::<Float64Type>().values().to_vec()
}

/// The share of runs in which the interval of the first row holds the truth.
pub(crate) fn coverage(runs: u32, truth: f64, mut output: impl FnMut() -> Output) -> f64 {
    let is_held = |output: &Output| column(output, "conf_low")[0] <= truth && truth <= column(output, "conf_high")[0];
    f64::from((0..runs).map(|_| u32::from(is_held(&output()))).sum::<u32>()) / f64::from(runs)
}

pub(crate) fn bounds(low: f64, high: f64) -> super::Bounds {
    super::Bounds { low, high }
}
