//! Times noise, aggregates and messages on one thread: `cargo run --release -p causeway-privacy --example privacy_speed`.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program for the terminal")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, Float64Array, Int64Array, ListArray, RecordBatch};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};
use causeway_core::{Epsilon, Literal, Literals, OperatorFactory, Relation, Rho, RunContext, call};
use causeway_privacy::noise::{DiscreteGaussian, DiscreteLaplace, RandomBits};
use causeway_privacy::{dp_count, dp_histogram, dp_quantile, dp_sum, ldp_encode, ldp_sparse_regression};

const BATCH_ROWS: i64 = 8192;

fn main() {
    noise();
    aggregates();
    messages();
}

fn noise() {
    let mut context = RunContext::for_test(1).unwrap();
    let mut bits = RandomBits::new(context.noise());
    const DRAWS: usize = 1_000_000;
    for epsilon in [0.1, 1.0, 0.123_457] {
        let laplace = DiscreteLaplace::new(Epsilon::usable(epsilon).unwrap(), 1).unwrap();
        let mut values = vec![0; DRAWS];
        let start = Instant::now();
        laplace.release(&mut values, &mut bits).unwrap();
        println!("laplace, epsilon {epsilon}: {:.0} ns a draw", start.elapsed().as_secs_f64() * 1e9 / 1e6);
        black_box(values);
    }
    for sensitivity in [1, 1 << 20] {
        let gaussian = DiscreteGaussian::new(Rho::usable(0.125).unwrap(), sensitivity).unwrap();
        let mut values = vec![0; DRAWS];
        let start = Instant::now();
        gaussian.release(&mut values, &mut bits).unwrap();
        println!(
            "gaussian, squared sensitivity {sensitivity}: {:.0} ns a draw",
            start.elapsed().as_secs_f64() * 1e9 / 1e6
        );
        black_box(values);
    }
}

fn options(given: &[(&str, Literal)]) -> Literals {
    let mut options = Literals::default();
    given.iter().for_each(|(name, value)| options.insert(*name, value.clone()));
    options
}

fn text(text: &str) -> Literal {
    Literal::Text(text.to_owned())
}

fn time(name: &str, factory: &dyn OperatorFactory, given: Literals, batches: Vec<RecordBatch>) {
    let input = Relation::from_batches(batches[0].schema(), batches);
    let mut context = RunContext::for_test(1).unwrap();
    let start = Instant::now();
    black_box(call(factory, given, vec![input], &mut context).unwrap());
    println!("{name}: {:.3} s", start.elapsed().as_secs_f64());
}

fn aggregates() {
    const ROWS: i64 = 10_000_000;
    let batch = |first: i64| {
        let rows = first..(first + BATCH_ROWS).min(ROWS);
        let patient: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.clone().map(|row| row * 7919 % 3_000_017)));
        let days: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.map(|row| row * 104_729 % 61)));
        RecordBatch::try_from_iter([("patient", patient), ("days", days)]).unwrap()
    };
    let batches: Vec<RecordBatch> = (0..ROWS).step_by(8192).map(batch).collect();
    let epsilon = ("epsilon", Literal::Float(1.0));
    let bounded =
        [epsilon.clone(), ("value", text("days")), ("low", Literal::Integer(0)), ("high", Literal::Integer(60))];
    time("dp_count, 1e7 rows", &dp_count::Factory, options(std::slice::from_ref(&epsilon)), batches.clone());
    time("dp_sum, 1e7 rows", &dp_sum::Factory, options(&bounded), batches.clone());
    time("dp_histogram, 1e7 rows", &dp_histogram::Factory, options(&bounded), batches.clone());
    time("dp_quantile, 1e7 rows", &dp_quantile::Factory, options(&bounded), batches.clone());
    let unit = [epsilon, ("unit", text("patient"))];
    time("dp_count, 1e7 rows of 3e6 units", &dp_count::Factory, options(&unit), batches);
}

fn messages() {
    const SENDERS: usize = 1_000_000;
    const LENGTH: usize = 230;
    let item = Arc::new(Field::new("item", DataType::Float64, false));
    let batch = |first: usize| {
        let n = 8192.min(SENDERS - first);
        let values: Vec<f64> =
            (0..n * LENGTH).map(|i| if i % LENGTH == 0 { 3.0 } else { ((i * 31) % 7) as f64 * 0.125 }).collect();
        let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(LENGTH, n));
        let lists = ListArray::new(Arc::clone(&item), offsets, Arc::new(Float64Array::from(values)), None);
        RecordBatch::try_from_iter([("message", Arc::new(lists) as ArrayRef)]).unwrap()
    };
    let batches: Vec<RecordBatch> = (0..SENDERS).step_by(8192).map(batch).collect();
    let features = Literal::List((1..=20).map(|i| text(&format!("x{i}"))).collect());
    let given = [("features", features), ("epsilon", Literal::Float(4.0)), ("allow_noise", Literal::Boolean(true))];
    time(
        "ldp_sparse_regression, 1e6 messages of 20 features",
        &ldp_sparse_regression::Factory,
        options(&given),
        batches,
    );
    let x = |j: usize| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values((0..BATCH_ROWS).map(|i| (i % 13) as f64 / 6.0 - 1.0 + j as f64 * 0.01)))
    };
    let columns = (1..=20).map(|j| (format!("x{j}"), x(j))).chain([("outcome".to_owned(), x(0))]);
    let rows = RecordBatch::try_from_iter(columns).unwrap();
    for mode in ["nldp", "nldp_public", "iht"] {
        let given = [("epsilon", Literal::Float(2.0)), ("mode", text(mode))];
        time(
            &format!("ldp_encode {mode}, 8192 senders of 20 covariates"),
            &ldp_encode::Factory,
            options(&given),
            vec![rows.clone()],
        );
    }
}
