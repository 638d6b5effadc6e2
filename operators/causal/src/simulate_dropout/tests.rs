//! Each mechanism against its formula, copies, nulls and refusals.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int32Array, RecordBatch, StringArray};
use arrow::datatypes::Int32Type;
use causeway_core::{Literal, Relation, RunContext};

use super::Factory;
use crate::calls::*;

const N: usize = 20_000;

/// `low` runs evenly over (0, 1), `high` over (1, 3).
fn rows() -> RecordBatch {
    let ramp = |from: f64, to: f64| -> ArrayRef {
        let step = (to - from) / 20_000.0;
        Arc::new(Float64Array::from_iter_values(
            (0..20_000).map(|row| from + step * (f64::from(row * 7919 % 20_000) + 0.5)),
        ))
    };
    RecordBatch::try_from_iter([("low", ramp(0.0, 1.0)), ("high", ramp(1.0, 3.0))]).unwrap()
}

fn lost(pairs: &[(&str, Literal)], column: &str) -> Vec<(f64, bool)> {
    let rows = rows();
    let found = run(&Factory, pairs, std::slice::from_ref(&rows), 2).unwrap();
    let seen = doubles(&found.batches[0], column);
    let pairs: Vec<(f64, bool)> =
        doubles(&rows, column).into_iter().zip(seen).map(|(value, seen)| (value, (seen - value).abs() > 0.0)).collect();
    let n_lost = pairs.iter().filter(|(_, lost)| *lost).count();
    assert_eq!(found.report["n_lost"][column], n_lost);
    pairs
}

fn rate(values: &[(f64, bool)]) -> f64 {
    let n = f64::from(u32::try_from(values.len()).unwrap());
    f64::from(u32::try_from(values.iter().filter(|(_, lost)| *lost).count()).unwrap()) / n
}

#[test]
fn every_mechanism_follows_its_formula() {
    let five_errors = 5.0 * (0.25 / 20_000.0_f64).sqrt();
    let fixed = [("mechanism", text("fixed")), ("low", Literal::Float(0.4)), ("high", Literal::Float(0.4))];
    assert!((rate(&lost(&fixed, "low")) - 0.4).abs() < five_errors);

    let logistic =
        lost(&[("mechanism", text("logistic")), ("a", Literal::Integer(2)), ("b", Literal::Integer(-1))], "high");
    let expected = logistic.iter().map(|(value, _)| 1.0 / (1.0 + (value - 2.0).exp())).sum::<f64>() / 20_000.0;
    assert!((rate(&logistic) - expected).abs() < five_errors);
    let (small, large): (Vec<_>, Vec<_>) = logistic.into_iter().partition(|(value, _)| *value < 2.0);
    assert!(rate(&small) > rate(&large) + 0.1);

    let truncate = lost(&[("mechanism", text("truncate"))], "low");
    let cut = truncate.iter().filter(|(_, lost)| *lost).map(|(value, _)| *value).fold(0.0, f64::max);
    assert!((0.2..=0.4).contains(&cut) && truncate.iter().all(|(value, lost)| *lost == (*value <= cut)));

    let mean = lost(&[("mechanism", text("michaelis_menten")), ("half_saturation", Literal::Float(0.5))], "high");
    assert!((rate(&mean) - 0.5 / 2.5).abs() < five_errors);
}

#[test]
fn columns_lose_values_independently() {
    let fixed = [("mechanism", text("fixed")), ("low", Literal::Float(0.5)), ("high", Literal::Float(0.5))];
    let both: Vec<(f64, bool)> =
        lost(&fixed, "low").into_iter().zip(lost(&fixed, "high")).map(|(low, high)| (0.0, low.1 && high.1)).collect();
    assert!((rate(&both) - 0.25).abs() < 5.0 * (0.25 * 0.75 / 20_000.0_f64).sqrt());
}

#[test]
fn types_keys_and_nulls_stay() {
    let rows = RecordBatch::try_from_iter_with_nullable([
        ("cell", Arc::new(StringArray::from(vec!["a", "b", "c"])) as ArrayRef, false),
        ("batch", Arc::new(Int32Array::from(vec![7, 8, 9])), false),
        ("count", Arc::new(Int32Array::from(vec![Some(5), None, Some(6)])), true),
    ])
    .unwrap();
    let all = [("low", Literal::Integer(1)), ("high", Literal::Integer(1)), ("mechanism", text("fixed"))];
    let keep = ("keep", Literal::List(vec![text("cell"), text("batch")]));
    let found = run(&Factory, &[&all[..], &[keep]].concat(), &[rows], 1).unwrap().batches.remove(0);
    assert_eq!(found.num_columns(), 3);
    assert_eq!(texts(&found, "cell"), ["a", "b", "c"]);
    assert_eq!(found["batch"].as_primitive::<Int32Type>().values(), &[7, 8, 9]);
    let counts = found["count"].as_primitive::<Int32Type>();
    assert_eq!((counts.value(0), counts.is_null(1), counts.value(2)), (0, true, 0));
}

#[test]
fn cut_and_threads_change_nothing() {
    let whole = rows();
    for mechanism in ["fixed", "logistic", "truncate", "michaelis_menten"] {
        let pairs = [("mechanism", text(mechanism)), ("seed", Literal::Integer(4))];
        let expected = run(&Factory, &pairs, std::slice::from_ref(&whole), 1).unwrap().batches;
        for threads in [1, 2, 8] {
            let pieces = (0..N).step_by(777).map(|start| whole.slice(start, 777.min(N - start))).collect();
            let input = Relation::from_batches(whole.schema(), pieces);
            let mut context = RunContext::for_test(threads).unwrap();
            let found = run_relations(&Factory, &pairs, vec![input], &mut context).unwrap().batches;
            let joined = arrow::compute::concat_batches(&found[0].schema(), &found).unwrap();
            assert!(joined == expected[0], "{mechanism} on {threads} threads");
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let refuse = |pairs: &[(&str, Literal)]| refusal(&Factory, pairs, &[rows()]);
    assert_eq!(
        refuse(&[("mechanism", text("fixed")), ("a", Literal::Integer(1))]),
        "option `a` of simulate_dropout must be left out with mechanism => 'fixed', which takes low, high, got 1"
    );
    let crossed = refuse(&[("mechanism", text("truncate")), ("low", Literal::Float(0.9))]);
    assert_eq!(crossed, "option `low` of simulate_dropout must be at most `high`, 0.4, got 0.9");
    let negative =
        RecordBatch::try_from_iter([("z", Arc::new(Float64Array::from(vec![-1.0, -2.0])) as ArrayRef)]).unwrap();
    let message = refusal(&Factory, &[("mechanism", text("michaelis_menten"))], &[negative]);
    assert!(message.starts_with("simulate_dropout: column `z` has a negative mean"), "{message}");
    let empty = rows().slice(0, 0);
    let none = run(&Factory, &[("mechanism", text("truncate"))], &[empty], 1).unwrap();
    assert_eq!(none.batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 0);
}
