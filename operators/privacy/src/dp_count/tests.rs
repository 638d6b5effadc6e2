use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, DictionaryArray, Int64Array};
use arrow::compute::take;
use arrow::datatypes::Int32Type;
use causeway_core::{Adjacency, Literal};

use super::Factory;
use crate::aggregate::testing::{NO_NOISE, batch, by_ward, column, cost, coverage, refusal, run, run_on, text, visits};

#[test]
fn rows_and_units_of_listed_groups_are_counted() {
    let rows = run(&Factory, [NO_NOISE].into_iter().chain(by_ward())).unwrap();
    assert_eq!(rows.batches[0]["ward"].as_string::<i32>().iter().flatten().collect::<Vec<_>>(), ["b", "a"]);
    assert_eq!(column(&rows, "estimate"), [4.0, 5.0]);
    // nobody's row is left out
    let units = [NO_NOISE, ("unit", text("patient")), ("rows_per_unit", Literal::Integer(3))];
    assert_eq!(column(&run(&Factory, units.into_iter().chain(by_ward())).unwrap(), "estimate"), [4.0, 4.0]);
    let units = [NO_NOISE, ("unit", text("patient"))];
    assert_eq!(column(&run(&Factory, units).unwrap(), "estimate"), [4.0]);
}

#[test]
fn which_rows_of_a_unit_count_does_not_depend_on_their_order_or_on_others() {
    let visits = visits();
    let given = || [NO_NOISE, ("unit", text("patient"))].into_iter().chain(by_ward());
    let expected = column(&run(&Factory, given()).unwrap(), "estimate");
    assert!((expected.iter().sum::<f64>() - 3.0).abs() < f64::EPSILON, "patients 1, 2, 3 once each");
    for step in [3, 7, 10] {
        let order: Int64Array = (0..11).map(|row| row * step % 11).collect();
        let columns = visits.columns().iter().map(|column| take(column, &order, None).unwrap()).collect();
        let shuffled = arrow::array::RecordBatch::try_new(visits.schema(), columns).unwrap();
        let batches = vec![shuffled.slice(0, 4), shuffled.slice(4, 0), shuffled.slice(4, 7)];
        assert_eq!(column(&run_on(&Factory, batches, given()).unwrap(), "estimate"), expected);
    }
}

#[test]
fn noise_has_the_error_that_is_said() {
    let given = || [("epsilon", Literal::Float(0.5))];
    let once = run(&Factory, given()).unwrap();
    let p = (-0.5_f64).exp();
    assert!((column(&once, "privacy_se")[0] - (2.0 * p).sqrt() / (1.0 - p)).abs() < 1e-12);
    let draws: Vec<f64> = (0..2000).map(|_| column(&run(&Factory, given()).unwrap(), "estimate")[0] - 11.0).collect();
    let mean_square = draws.iter().map(|z| z * z).sum::<f64>() / 2000.0;
    assert!((mean_square.sqrt() / column(&once, "privacy_se")[0] - 1.0).abs() < 0.15, "{mean_square}");
    let held = coverage(2000, 11.0, || run(&Factory, given()).unwrap());
    assert!((0.935..=0.985).contains(&held), "{held}");
    // two rows per unit make twice the noise
    let wide = [("epsilon", Literal::Float(1.0)), ("unit", text("patient")), ("rows_per_unit", Literal::Integer(2))];
    assert!((column(&run(&Factory, wide).unwrap(), "privacy_se")[0] - column(&once, "privacy_se")[0]).abs() < 1e-12);
}

#[test]
fn the_cost_is_known_from_the_options() {
    let cost = cost(&Factory, [("epsilon", Literal::Float(0.123_456_7)), ("unit", text("patient"))]);
    assert_eq!((cost.epsilon_micro, cost.delta_femto, cost.rows_per_unit), (123_457, 0, 1));
    assert_eq!((cost.unit.as_deref(), cost.adjacency, cost.is_sound), (Some("patient"), Adjacency::AddRemove, true));
}

#[test]
fn refusals_name_the_option_before_a_row_is_read() {
    for (given, word) in [
        (vec![("epsilon", Literal::Float(0.0))], "`epsilon`"),
        (vec![("epsilon", Literal::Float(1e-9))], "`epsilon`"),
        (vec![NO_NOISE, ("by", text("ward"))], "`by_values`"),
        (vec![NO_NOISE, ("by_values", Literal::List(vec![text("a")]))], "`by_values`"),
        (vec![NO_NOISE, ("by", text("ward")), ("by_values", Literal::List(vec![text("a"), text("a")]))], "different"),
        (vec![NO_NOISE, ("by", text("patient")), ("by_values", Literal::List(vec![text("x")]))], "values of column"),
        (vec![NO_NOISE, ("rows_per_unit", Literal::Integer(2))], "`rows_per_unit`"),
        (vec![], "`epsilon`"),
    ] {
        let message = refusal(&Factory, given);
        assert!(message.contains(word) && message.contains("dp_count"), "{message}");
    }
}

#[test]
fn groups_may_be_of_any_category() {
    let flags = batch([("flag", Arc::new(BooleanArray::from(vec![Some(true), None, Some(true)])) as _)]);
    let list = |values: &[bool]| Literal::List(values.iter().map(|value| Literal::Boolean(*value)).collect());
    let given = [NO_NOISE, ("by", text("flag")), ("by_values", list(&[false, true]))];
    assert_eq!(column(&run_on(&Factory, vec![flags], given).unwrap(), "estimate"), [0.0, 2.0]);
    let words: DictionaryArray<Int32Type> = ["x", "y", "x"].into_iter().collect();
    let words = batch([("word", Arc::new(words) as _)]);
    let given = [NO_NOISE, ("by", text("word")), ("by_values", Literal::List(vec![text("z"), text("x")]))];
    let output = run_on(&Factory, vec![words.clone()], given).unwrap();
    assert_eq!(column(&output, "estimate"), [0.0, 2.0]);
    assert_eq!(output.batches[0]["word"].data_type(), words["word"].data_type());
}

#[test]
fn no_rows_and_groups_without_rows_are_released_like_others() {
    let given = || [("epsilon", Literal::Float(0.1))].into_iter().chain(by_ward());
    let output = run_on(&Factory, vec![visits().slice(0, 0)], given()).unwrap();
    assert_eq!(output.batches[0].num_rows(), 2);
    assert!(column(&output, "privacy_se")[0] > 10.0);
}

#[test]
fn two_runs_differ_and_the_report_holds_options_alone() {
    let given = || [("epsilon", Literal::Float(0.001))];
    let (one, other) = (run(&Factory, given()).unwrap(), run(&Factory, given()).unwrap());
    assert_ne!(column(&one, "estimate"), column(&other, "estimate"));
    assert_eq!(one.report, other.report);
    let names: Vec<&str> = one.report.keys().copied().collect();
    assert_eq!(names, ["epsilon", "mechanism", "n_groups", "rows_per_unit"]);
}
