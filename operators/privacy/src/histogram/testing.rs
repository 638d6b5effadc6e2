//! What the tests of private survival estimates share: data sets, calls, columns of the result.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::{Float64Type, SchemaRef};
use causeway_core::{
    Literal, Literals, NoiseSource, Operator, OperatorFactory, Output, Relation, Result, Roles, RunContext, Seed, call,
};
use rand::{RngCore as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;
use serde_json::Value;

/// The data sets that have private reference values.
pub(crate) const DATA: [&str; 4] = ["lung", "rossi", "gbsg2", "waltons"];

fn path(file: &str) -> PathBuf {
    PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../../tests/data").join(file)
}

/// Returns the private reference values of a data set.
pub(crate) fn golden(name: &str) -> Value {
    json(&format!("privacy/dp_km/{name}_dp.json"))
}

/// Returns the exact reference values of a data set.
pub(crate) fn exact(name: &str) -> Value {
    json(&format!("survival/golden/{name}.json"))
}

fn json(file: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path(file)).unwrap()).unwrap()
}

/// Returns a list of numbers.
pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

/// Returns the columns `time` and `km` of a reference table.
pub(crate) fn exact_curve(name: &str) -> Vec<(f64, f64)> {
    let text = std::fs::read_to_string(path(&format!("survival/golden/{name}_km.csv"))).unwrap();
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let place = |wanted: &str| names.iter().position(|name| *name == wanted).unwrap();
    let (time, survival) = (place("time"), place("km"));
    let cells = lines.map(|line| line.split(',').map(|cell| cell.parse().unwrap_or(f64::NAN)).collect::<Vec<f64>>());
    cells.map(|cells| (cells[time], cells[survival])).collect()
}

/// Returns times, events and groups of a data set.
pub(crate) fn subjects(name: &str) -> (Vec<f64>, Vec<bool>, Vec<String>) {
    let text = std::fs::read_to_string(path(&format!("survival/{name}.csv"))).unwrap();
    let mut subjects = (Vec::new(), Vec::new(), Vec::new());
    for line in text.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        subjects.0.push(cells[0].parse().unwrap());
        subjects.1.push(cells[1] == "1");
        subjects.2.push(cells[2].to_owned());
    }
    subjects
}

/// Returns subjects as a table.
pub(crate) fn table((times, events, groups): (Vec<f64>, Vec<bool>, Vec<String>)) -> RecordBatch {
    RecordBatch::try_from_iter([
        ("time", Arc::new(Float64Array::from(times)) as ArrayRef),
        ("event", Arc::new(BooleanArray::from(events))),
        ("group", Arc::new(StringArray::from(groups))),
    ])
    .unwrap()
}

/// Returns options from SQL-like pairs.
pub(crate) fn options(pairs: &[(&str, Literal)]) -> Literals {
    let mut options = Literals::default();
    for (name, value) in pairs {
        options.insert(*name, value.clone());
    }
    options
}

/// Returns a text literal.
pub(crate) fn text(word: &str) -> Literal {
    Literal::Text(word.to_owned())
}

/// Returns an array literal of texts.
pub(crate) fn list(words: &[&str]) -> Literal {
    Literal::List(words.iter().map(|word| text(word)).collect())
}

/// Binds an operator to a schema.
pub(crate) fn bind(
    factory: &dyn OperatorFactory,
    pairs: &[(&str, Literal)],
    schema: SchemaRef,
) -> Result<Box<dyn Operator>> {
    let options = options(pairs).check(factory.spec())?;
    let roles = Roles::resolve(factory.spec(), &options, &[schema])?;
    factory.bind(&options, roles)
}

/// Calls an operator on batches with a number of threads.
pub(crate) fn call_on(
    factory: &dyn OperatorFactory,
    pairs: &[(&str, Literal)],
    batches: Vec<RecordBatch>,
    threads: usize,
) -> Result<Output> {
    let input = Relation::from_batches(batches[0].schema(), batches);
    call(factory, options(pairs), vec![input], &mut RunContext::for_test(threads)?)
}

/// Bytes that look random and are the same in every run, so that a test of many releases passes always or never.
#[derive(Debug)]
struct Repeatable(ChaCha20Rng);

impl NoiseSource for Repeatable {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.0.fill_bytes(bytes);
        Ok(())
    }
}

/// Returns a context whose seed and noise are a number of the test.
pub(crate) fn repeatable(number: u64) -> RunContext {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let noise = Repeatable(ChaCha20Rng::seed_from_u64(number));
    RunContext::new("test", Seed(number), Arc::new(pool)).with_noise(Box::new(noise))
}

/// Calls an operator on one batch in the given context and returns its one batch.
pub(crate) fn run_in(
    context: &mut RunContext,
    factory: &dyn OperatorFactory,
    pairs: &[(&str, Literal)],
    rows: &RecordBatch,
) -> RecordBatch {
    let input = Relation::from_batches(rows.schema(), vec![rows.clone()]);
    call(factory, options(pairs), vec![input], context).unwrap().batches.remove(0)
}

/// Calls an operator on one batch and returns its one batch.
pub(crate) fn run(factory: &dyn OperatorFactory, pairs: &[(&str, Literal)], rows: &RecordBatch) -> RecordBatch {
    call_on(factory, pairs, vec![rows.clone()], 2).unwrap().batches.remove(0)
}

/// Returns why an operator refuses a call while it is planned.
pub(crate) fn refusal(factory: &dyn OperatorFactory, pairs: &[(&str, Literal)], rows: &RecordBatch) -> String {
    bind(factory, pairs, rows.schema()).unwrap_err().to_string()
}

/// Returns a column of doubles; null is NaN.
pub(crate) fn doubles(rows: &RecordBatch, column: &str) -> Vec<f64> {
    rows[column].as_primitive::<Float64Type>().iter().map(|value| value.unwrap_or(f64::NAN)).collect()
}

/// Asserts that two columns agree, relative to the larger of 1 and the expected value.
pub(crate) fn assert_close(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}: number of values");
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let close = (found - expected).abs() <= tolerance * expected.abs().max(1.0);
        assert!(close, "{what}, row {index}: {found} is not {expected}");
    }
}

/// Returns the root mean square difference of two curves.
#[expect(clippy::cast_precision_loss, reason = "few points")]
pub(crate) fn rmse(found: &[f64], expected: &[f64]) -> f64 {
    let squares: f64 = found.iter().zip(expected).map(|(found, expected)| (found - expected).powi(2)).sum();
    (squares / found.len() as f64).sqrt()
}

/// Returns the mean of some numbers.
#[expect(clippy::cast_precision_loss, reason = "few numbers")]
pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Options of dp_kaplan_meier under which all counts are exact, with one stratum for each of the groups.
pub(crate) fn exact_release(
    subjects: (Vec<f64>, Vec<bool>, Vec<String>),
    bins_per_unit: f64,
    by_group: bool,
) -> RecordBatch {
    let horizon = subjects.0.iter().copied().fold(0.0, f64::max).floor() + 1.0;
    let mut groups = subjects.2.clone();
    groups.sort_unstable();
    groups.dedup();
    #[expect(clippy::cast_possible_truncation, reason = "small whole numbers")]
    let mut pairs = vec![
        ("epsilon", Literal::Float(1e5)),
        ("horizon", Literal::Float(horizon)),
        ("bins", Literal::Integer((horizon * bins_per_unit) as i64)),
        ("bands", text("none")),
    ];
    if by_group {
        let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
        pairs.extend([("strata", text("group")), ("strata_values", list(&groups))]);
    }
    run(&crate::dp_kaplan_meier::Factory, &pairs, &table(subjects))
}

/// Returns a cohort of two groups: Weibull times of shape 1.3 and scale 420, the hazard of the second being
/// `hazard_ratio` times that of the first, in whole days, censored evenly between 200 and 1100.
#[expect(clippy::cast_precision_loss, reason = "few people")]
pub(crate) fn simulated(
    n: usize,
    hazard_ratio: f64,
    rng: &mut impl rand::RngCore,
) -> (Vec<f64>, Vec<bool>, Vec<String>) {
    let mut uniform = || 1.0 - (rng.next_u64() >> 11) as f64 / 9_007_199_254_740_992.0;
    let mut cohort = (Vec::new(), Vec::new(), Vec::new());
    for person in 0..n {
        let group = person % 2;
        let scale = if group == 1 { 420.0 * hazard_ratio.powf(-1.0 / 1.3) } else { 420.0 };
        let event = scale * (-uniform().ln()).powf(1.0 / 1.3);
        let censoring = 200.0 + 900.0 * uniform();
        cohort.0.push(event.min(censoring).ceil());
        cohort.1.push(event <= censoring);
        cohort.2.push(group.to_string());
    }
    cohort
}

/// Returns the survival that [`simulated`] draws from in its first group.
pub(crate) fn true_survival(time: f64) -> f64 {
    (-(time / 420.0).powf(1.3)).exp()
}
