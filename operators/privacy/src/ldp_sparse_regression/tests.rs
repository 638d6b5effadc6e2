use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, Float64Array, Int64Array, ListArray, RecordBatch};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Float64Type};
use causeway_core::{Literal, Literals, Output, Relation, Result, RunContext, call};

use super::Factory;

/// Messages without noise: x = (1, 0) and (0, 1), y = 0.5 x1 - 0.25 x2.
fn moments(copies: usize) -> RecordBatch {
    let one = [1.0, 0.0, 0.0, 0.5, 0.0, 0.0, 0.0, 1.0, 0.0, -0.25];
    lists(one.iter().copied().cycle().take(10 * copies).collect(), 5)
}

fn lists(values: Vec<f64>, length: usize) -> RecordBatch {
    let item = Arc::new(Field::new("item", DataType::Float64, true));
    let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(length, values.len() / length));
    let lists = ListArray::new(item, offsets, Arc::new(Float64Array::from(values)), None);
    RecordBatch::try_from_iter([("message", Arc::new(lists) as _)]).unwrap()
}

fn names(names: &[&str]) -> Literal {
    Literal::List(names.iter().map(|name| Literal::Text((*name).to_owned())).collect())
}

fn solve(batches: Vec<RecordBatch>, given: Option<RecordBatch>, more: &[(&'static str, Literal)]) -> Result<Output> {
    let mut options = Literals::default();
    options.insert("features", names(&["x1", "x2"]));
    options.insert("epsilon", Literal::Float(20.0));
    options.insert("k", Literal::Integer(1));
    more.iter().for_each(|(name, value)| options.insert(*name, value.clone()));
    let messages = Relation::from_batches(batches[0].schema(), batches);
    let given = given.map(|batch| Relation::from_batches(batch.schema(), vec![batch]));
    call(&Factory, options, std::iter::once(messages).chain(given).collect(), &mut RunContext::for_test(1)?)
}

fn column(output: &Output, name: &str) -> Vec<f64> {
    output.batches[0][name].as_primitive::<Float64Type>().values().to_vec()
}

#[test]
fn moments_without_noise_are_solved() {
    let output = solve(vec![moments(5000), moments(20_000).slice(7, 39_986)], None, &[]).unwrap();
    let found = column(&output, "coefficient");
    assert!((found[0] - 0.5).abs() < 1e-3 && found[1].abs() <= 0.0, "{found:?}");
    let selected: &BooleanArray = output.batches[0]["selected"].as_boolean();
    assert!(selected.value(0) && !selected.value(1));
    assert_eq!(output.report["n_messages"], 49_986);
    assert!(output.report["noise_to_eigenvalue"].as_f64().unwrap() < 0.5);
    let soft = [("solver", Literal::Text("soft".into())), ("penalty", Literal::Float(0.1))];
    let found = column(&solve(vec![moments(25_000)], None, &soft).unwrap(), "coefficient");
    assert!((found[0] - 0.4).abs() < 1e-9 && (found[1] + 0.15).abs() < 1e-9, "{found:?}");
}

#[test]
fn public_rows_give_the_second_moments() {
    let public = RecordBatch::try_from_iter([
        ("x2", Arc::new(Float64Array::from(vec![0.0, 1.0, 0.0, -1.0, 9.0])) as _),
        ("x1", Arc::new(Float64Array::from(vec![1.0, 0.0, -1.0, 0.0, f64::NAN])) as _),
        ("other", Arc::new(Int64Array::from(vec![1, 2, 3, 4, 5])) as _),
    ])
    .unwrap();
    let mode = [("mode", Literal::Text("nldp_public".into())), ("k", Literal::Integer(2))];
    let products = lists([0.25, -0.125].repeat(1000), 2);
    let output = solve(vec![products.clone()], Some(public), &mode).unwrap();
    let found = column(&output, "coefficient");
    assert!((found[0] - 0.5).abs() < 1e-12 && (found[1] + 0.25).abs() < 1e-12, "{found:?}");
    assert!(solve(vec![products], None, &mode).unwrap_err().to_string().contains("`given`"));
}

#[test]
fn a_gradient_moves_the_estimate() {
    let mode = [("mode", Literal::Text("iht".into())), ("step", Literal::Float(0.5))];
    let output = solve(vec![lists([-0.8, 0.2].repeat(10), 2)], None, &mode).unwrap();
    let found = column(&output, "coefficient");
    assert!((found[0] - 0.4).abs() < 1e-12 && (found[1] + 0.1).abs() < 1e-12, "{found:?}");
    let given = output.batches[0].clone();
    let again = solve(vec![lists([0.0, -0.2].repeat(10), 2)], Some(given), &mode).unwrap();
    let found = column(&again, "coefficient");
    assert!((found[0] - 0.4).abs() < 1e-12 && found[1].abs() < 1e-12, "{found:?}");
}

#[test]
fn too_little_and_odd_messages_are_refused() {
    let message = |result: Result<Output>| result.unwrap_err().to_string();
    let noisy = message(solve(vec![moments(10)], None, &[]));
    assert!(noisy.contains("noise_to_eigenvalue") && noisy.contains("allow_noise"), "{noisy}");
    assert!(solve(vec![moments(10)], None, &[("allow_noise", Literal::Boolean(true))]).is_ok());
    for odd in [lists(vec![1.0; 12], 4), lists(vec![f64::NAN; 5], 5), lists(vec![], 5)] {
        let refused = message(solve(vec![odd], None, &[]));
        assert!(refused.contains("each of 5 finite numbers"), "{refused}");
    }
    let numbers = RecordBatch::try_from_iter([("message", Arc::new(Float64Array::from(vec![1.0])) as _)]).unwrap();
    assert!(message(solve(vec![numbers], None, &[])).contains("a list of numbers"));
    assert!(message(solve(vec![moments(1)], None, &[("features", names(&["x1", "x1"]))])).contains("`features`"));
}
