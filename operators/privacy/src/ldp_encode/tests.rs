use std::sync::Arc;

use arrow::array::{Array, AsArray, Float64Array, RecordBatch, StringArray};
use causeway_core::{Adjacency, Literal, Literals, OperatorFactory, Output, Relation, Result, Roles, RunContext, call};

use super::Factory;

fn rows() -> RecordBatch {
    let column = |values: Vec<Option<f64>>| Arc::new(Float64Array::from(values)) as _;
    RecordBatch::try_from_iter_with_nullable([
        ("y", column(vec![Some(0.5), None, Some(f64::NAN)]), true),
        ("x1", column(vec![Some(1.0), Some(-1.0), None]), true),
        ("x2", column(vec![Some(0.2), None, Some(f64::INFINITY)]), true),
    ])
    .unwrap()
}

fn options(more: &[(&'static str, Literal)]) -> Literals {
    let mut options = Literals::default();
    options.insert("outcome", Literal::Text("y".into()));
    options.insert("epsilon", Literal::Float(2.0));
    more.iter().for_each(|(name, value)| options.insert(*name, value.clone()));
    options
}

fn encode(more: &[(&'static str, Literal)], given: Option<RecordBatch>) -> Result<Output> {
    let relation = |batch: RecordBatch| Relation::from_batches(batch.schema(), vec![batch]);
    let inputs = std::iter::once(rows()).chain(given).map(relation).collect();
    call(&Factory, options(more), inputs, &mut RunContext::for_test(1)?)
}

fn mode(mode: &str) -> (&'static str, Literal) {
    ("mode", Literal::Text(mode.into()))
}

#[test]
fn every_row_sends_a_message_of_the_length_of_its_mode() {
    for (name, length) in [("nldp", 5), ("nldp_public", 2), ("iht", 2)] {
        let output = encode(&[mode(name)], None).unwrap();
        let messages = output.batches[0]["message"].as_list::<i32>();
        assert_eq!((messages.len(), messages.null_count()), (3, 0));
        assert!(messages.iter().all(|message| message.unwrap().len() == length));
        assert_eq!(output.report.keys().copied().collect::<Vec<_>>(), ["delta", "epsilon", "message_length"]);
    }
}

#[test]
fn the_cost_is_local_and_without_delta_for_gradients() {
    let cost = |name| {
        let options = options(&[mode(name)]).check(Factory.spec()).unwrap();
        let roles = Roles::resolve(Factory.spec(), &options, &[rows().schema()]).unwrap();
        Factory.bind(&options, roles).unwrap().privacy_cost().unwrap()
    };
    let moments = cost("nldp");
    assert_eq!((moments.epsilon_micro, moments.delta_femto), (2_000_000, 10_000_000_000));
    assert_eq!((cost("iht").delta_femto, cost("iht").adjacency), (0, Adjacency::Substitute));
}

#[test]
fn an_estimate_is_read_by_name() {
    let given = |name: &str| {
        RecordBatch::try_from_iter([
            ("feature", Arc::new(StringArray::from(vec![name])) as _),
            ("coefficient", Arc::new(Float64Array::from(vec![0.5])) as _),
        ])
        .unwrap()
    };
    assert!(encode(&[mode("iht")], Some(given("x2"))).is_ok());
    let refused = encode(&[mode("iht")], Some(given("x9"))).unwrap_err().to_string();
    assert!(refused.contains("x1, x2"), "{refused}");
}

#[test]
fn options_out_of_range_are_refused_by_name() {
    for (name, value) in [
        ("epsilon", Literal::Float(60.0)),
        ("delta", Literal::Float(1e-13)),
        ("radius", Literal::Float(0.0)),
        ("mode", Literal::Text("central".into())),
    ] {
        let refused = encode(&[(name, value)], None).unwrap_err().to_string();
        assert!(refused.contains(&format!("`{name}`")), "{refused}");
    }
    assert!(encode(&[("epsilon", Literal::Float(1e-5))], None).unwrap_err().to_string().contains("`epsilon`"));
}
