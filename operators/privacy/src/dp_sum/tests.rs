use causeway_core::Literal;

use super::Factory;
use crate::aggregate::testing::{NO_NOISE, by_ward, column, coverage, refusal, run, text};

fn bounded() -> Vec<(&'static str, Literal)> {
    vec![("value", text("days")), ("low", Literal::Integer(0)), ("high", Literal::Integer(10))]
}

#[test]
fn values_are_moved_into_the_bounds_and_added() {
    let mut given = bounded();
    given.push(NO_NOISE);
    // 1 + 2 + 3 + 10 + 0 + 2 + 2 + 9 + 10, without NULL and NaN
    assert!((column(&run(&Factory, given.clone()).unwrap(), "estimate")[0] - 39.0).abs() < 0.01);
    given.extend(by_ward());
    let sums = column(&run(&Factory, given.clone()).unwrap(), "estimate");
    assert!((sums[0] - 3.0).abs() < 0.01 && (sums[1] - 32.0).abs() < 0.01, "{sums:?}");
}

#[test]
fn the_larger_bound_sets_the_noise() {
    let mut given = bounded();
    given.push(("epsilon", Literal::Float(1.0)));
    let error = column(&run(&Factory, given.clone()).unwrap(), "privacy_se")[0];
    assert!((error - 10.0 * 2.0_f64.sqrt()).abs() < 1e-3, "{error}");
    given.push(("low", Literal::Float(-30.5)));
    let error = column(&run(&Factory, given).unwrap(), "privacy_se")[0];
    assert!((error - 30.5 * 2.0_f64.sqrt()).abs() < 1e-3, "{error}");
}

#[test]
fn the_interval_holds_the_sum() {
    let mut given = bounded();
    given.push(("epsilon", Literal::Float(1.0)));
    let held = coverage(2000, 39.0, || run(&Factory, given.clone()).unwrap());
    assert!((0.935..=0.965).contains(&held), "{held}");
}

#[test]
fn refusals_name_the_option() {
    let with = |name: &'static str, value: Literal| {
        let mut given = bounded();
        given.extend([NO_NOISE, (name, value)]);
        refusal(&Factory, given)
    };
    assert!(with("high", Literal::Integer(0)).contains("`high`"));
    assert!(with("low", Literal::Float(f64::NAN)).contains("`low`"));
    assert!(with("value", text("ward")).contains("column `ward`"));
    assert!(with("value", text("dayz")).contains("`dayz`"));
    assert!(refusal(&Factory, [NO_NOISE, ("value", text("days"))]).contains("`low`"));
    let mut tiny = bounded();
    tiny.extend([
        ("epsilon", Literal::Float(1e-6)),
        ("unit", text("patient")),
        ("rows_per_unit", Literal::Integer(1_000_000)),
    ]);
    assert!(refusal(&Factory, tiny).contains("`epsilon`"));
}
