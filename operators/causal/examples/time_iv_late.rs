//! Times `iv_late` on simulated rows.
//!
//! usage: `time_iv_late linear|forest N_ROWS [REPEATS] [CSV]`
//!
//! Simulates ten normal covariates, an instrument and a treatment by logits and an outcome with the effect 2, from the
//! bits of a fixed generator that the peer's script repeats. Runs REPEATS times on one thread, from Arrow columns, with
//! five folds named by a column, and prints one JSON object: processor seconds of each run, estimate and standard error. 'forest' is 100
//! trees of depth 5 that try every covariate for a division, with leaves of at least one row. With CSV the rows are written
//! there instead.

use std::error::Error;
use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch};
use arrow::datatypes::Float64Type;
use causeway_causal::iv_late;
use causeway_core::{Literal, Literals, Relation, RunContext, call};
use causeway_numerics::normal_quantile;

const N_COVARIATES: u64 = 10;

const N_FOLDS: u64 = 5;

#[expect(clippy::print_stdout, reason = "the result of the example")]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [learner, n_rows, rest @ ..] = arguments.as_slice() else {
        return Err("usage: time_iv_late linear|forest N_ROWS [REPEATS] [CSV]".into());
    };
    let repeats: usize = rest.first().map_or(Ok(1), |repeats| repeats.parse())?;
    let columns = simulate(n_rows.parse()?);
    if let Some(path) = rest.get(1) {
        return write_csv(path, &columns);
    }
    let batch = batch(&columns)?;
    let mut seconds = Vec::new();
    let mut found = None;
    for _ in 0..repeats {
        let input = Relation::from_batches(batch.schema(), vec![batch.clone()]);
        let mut context = RunContext::for_test(1)?;
        let before = processor_seconds()?;
        found = Some(call(&iv_late::Factory, options(learner), vec![input], &mut context)?);
        seconds.push(processor_seconds()? - before);
    }
    let found = found.ok_or("no run")?;
    let value = |column: &str| found.batches[0][column].as_primitive::<Float64Type>().value(0);
    println!(
        "{{\"learner\": \"{learner}\", \"n_rows\": {n_rows}, \"processor_seconds\": {seconds:.4?}, \"estimate\": {}, \"std_error\": {}}}",
        value("estimate"),
        value("std_error")
    );
    Ok(())
}

fn options(learner: &str) -> Literals {
    let text = |word: &str| Literal::Text(word.to_owned());
    let mut options = Literals::default();
    for (name, value) in
        [("outcome", "y"), ("treatment", "a"), ("instrument", "z"), ("folds", "fold"), ("learner", learner)]
    {
        options.insert(name, text(value));
    }
    options.insert("covariates", Literal::List((0..N_COVARIATES).map(|x| text(&format!("x{x}"))).collect()));
    for (name, value) in [("trees", 100), ("depth", 5), ("min_leaf", 1)] {
        options.insert(name, Literal::Integer(value));
    }
    options.insert("tried", text("all"));
    options
}

/// Columns by name: the covariates, then z, a, y, fold.
fn simulate(n_rows: u64) -> Vec<(String, Vec<f64>)> {
    let mut covariates = vec![Vec::new(); 10];
    let (mut z, mut a, mut y, mut fold) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for row in 0..n_rows {
        let uniform = |stream: u64| uniform(row * 32 + stream);
        let x: Vec<f64> = (0..N_COVARIATES).map(|stream| normal_quantile(uniform(stream))).collect();
        let share = |log_odds: f64| 1.0 / (1.0 + (-log_odds).exp());
        let encouraged = f64::from(u8::from(uniform(20) < share(0.5 * x[0] - 0.3 * x[1])));
        let hidden = normal_quantile(uniform(21));
        let treated = f64::from(u8::from(uniform(22) < share(2.0 * encouraged - 1.0 + 0.4 * x[2] + hidden)));
        covariates.iter_mut().zip(&x).for_each(|(column, value)| column.push(*value));
        y.push(2.0 * treated + x[0] + 0.5 * x[1] * x[1] - x[2] + hidden + normal_quantile(uniform(23)));
        z.push(encouraged);
        a.push(treated);
        fold.push(float(row % N_FOLDS));
    }
    let mut columns: Vec<(String, Vec<f64>)> =
        covariates.into_iter().enumerate().map(|(index, column)| (format!("x{index}"), column)).collect();
    columns.extend([("z", z), ("a", a), ("y", y), ("fold", fold)].map(|(name, column)| (name.to_owned(), column)));
    columns
}

/// A uniform number in (0, 1): the bits of `SplitMix64` for a place.
fn uniform(place: u64) -> f64 {
    let mut bits = (place + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (float((bits ^ (bits >> 31)) >> 12) + 0.5) / 4_503_599_627_370_496.0
}

fn batch(columns: &[(String, Vec<f64>)]) -> Result<RecordBatch, Box<dyn Error>> {
    #[expect(clippy::cast_possible_truncation, reason = "folds are whole and few")]
    let array = |(name, column): &(String, Vec<f64>)| -> (String, ArrayRef) {
        let array: ArrayRef = if name == "fold" {
            Arc::new(Int64Array::from_iter_values(column.iter().map(|fold| *fold as i64)))
        } else {
            Arc::new(Float64Array::from(column.clone()))
        };
        (name.clone(), array)
    };
    Ok(RecordBatch::try_from_iter(columns.iter().map(array))?)
}

fn write_csv(path: &str, columns: &[(String, Vec<f64>)]) -> Result<(), Box<dyn Error>> {
    let mut text = columns.iter().map(|(name, _)| name.as_str()).collect::<Vec<&str>>().join(",");
    for row in 0..columns[0].1.len() {
        for (index, (_, column)) in columns.iter().enumerate() {
            write!(text, "{}{}", if index == 0 { "\n" } else { "," }, column[row])?;
        }
    }
    text.push('\n');
    Ok(std::fs::write(path, text)?)
}

fn processor_seconds() -> Result<f64, Box<dyn Error>> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Ok(float(u64::try_from(time.tv_sec)?) + float(u64::try_from(time.tv_nsec)?) / 1e9)
}

/// Converts a whole number below 2^53.
#[expect(clippy::cast_precision_loss, reason = "counts, nanoseconds and 52 bits")]
fn float(count: u64) -> f64 {
    count as f64
}
