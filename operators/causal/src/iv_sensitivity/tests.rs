use arrow::array::RecordBatch;
use causeway_core::{Literal, OperatorFactory, Output};

use super::Factory;
use crate::calls::{doubles, refusal, run, text, texts};
use crate::iv_regression;
use crate::linear_iv::testing::{array, assert_close, expected, roles_of, rows_of, with_column};

fn card() -> (Vec<(&'static str, Literal)>, RecordBatch) {
    let case = &expected()["linear_iv"]["card_nearc2_nearc4"];
    (roles_of(case), rows_of("card_nearc2_nearc4"))
}

fn call(factory: &dyn OperatorFactory, pairs: &[(&str, Literal)], rows: &RecordBatch) -> Output {
    run(factory, pairs, std::slice::from_ref(rows), 2).unwrap()
}

/// Estimate, standard error and interval of the treatment by `iv_regression` on Y - Z g.
fn by_hand(effects: [f64; 2], se: &str) -> [f64; 4] {
    let (mut pairs, rows) = card();
    let wages = doubles(&rows, "lwage");
    let (near2, near4) = (doubles(&rows, "nearc2"), doubles(&rows, "nearc4"));
    let less = (0..wages.len()).map(|row| wages[row] - effects[0] * near2[row] - effects[1] * near4[row]).collect();
    let rows = with_column(&rows, "less", less);
    pairs[0] = ("outcome", text("less"));
    let found = call(&iv_regression::Factory, &[pairs.as_slice(), &[("se", text(se))]].concat(), &rows);
    ["estimate", "std_error", "conf_low", "conf_high"].map(|column| *doubles(&found.batches[0], column).last().unwrap())
}

#[test]
fn every_row_is_the_regression_of_the_outcome_less_the_direct_effect() {
    let (pairs, rows) = card();
    for se in ["classic", "hc0", "hc1"] {
        let more = [("se", text(se)), ("direct_high", Literal::Float(0.02)), ("points", Literal::Integer(5))];
        let found = call(&Factory, &[pairs.as_slice(), &more].concat(), &rows);
        let rows = &found.batches[0];
        let (kinds, instruments) = (texts(rows, "kind"), texts(rows, "instrument"));
        assert_eq!(rows.num_rows(), 2 * 7 + 1);
        for row in (0..rows.num_rows()).filter(|row| kinds[*row] != "union") {
            let effect = doubles(rows, "direct_effect")[row];
            let effects = if instruments[row] == "nearc2" { [effect, 0.0] } else { [0.0, effect] };
            let expected = by_hand(effects, se);
            for (column, expected) in ["estimate", "std_error", "conf_low", "conf_high"].into_iter().zip(expected) {
                let found = doubles(rows, column)[row];
                assert!((found - expected).abs() < 1e-9, "{se} {} {effect} {column}: {found}, {expected}", kinds[row]);
            }
            if kinds[row] == "break_even" {
                let ends = doubles(rows, "conf_low")[row].abs().min(doubles(rows, "conf_high")[row].abs());
                assert!(ends < 1e-9 || effect.abs() < 1e-300, "the interval ends at 0");
            }
        }
    }
}

#[test]
fn the_union_holds_every_interval_of_the_box_and_meets_one() {
    let (pairs, rows) = card();
    let more = [("direct_high", Literal::Float(0.03)), ("direct_low", Literal::Float(-0.01))];
    let found = call(&Factory, &[pairs.as_slice(), &more].concat(), &rows);
    let last = found.batches[0].num_rows() - 1;
    assert_eq!(texts(&found.batches[0], "instrument")[last], "NULL");
    let (low, high) = (doubles(&found.batches[0], "conf_low")[last], doubles(&found.batches[0], "conf_high")[last]);
    let (mut lowest, mut highest) = (f64::INFINITY, f64::NEG_INFINITY);
    for first in 0..=4 {
        for second in 0..=4 {
            let [_, _, inner_low, inner_high] =
                by_hand([-0.01 + 0.01 * f64::from(first), -0.01 + 0.01 * f64::from(second)], "hc1");
            assert!(inner_low >= low - 1e-9 && inner_high <= high + 1e-9);
            (lowest, highest) = (lowest.min(inner_low), highest.max(inner_high));
        }
    }
    assert_close(low, lowest, 1e-7, "low");
    assert_close(high, highest, 1e-7, "high");
}

#[test]
fn bad_calls_are_refused_by_name() {
    let (pairs, rows) = card();
    let refused = |more: &[(&'static str, Literal)]| {
        refusal(&Factory, &[pairs.as_slice(), more].concat(), std::slice::from_ref(&rows))
    };
    assert!(refused(&[]).contains("option `direct_high`"));
    assert_eq!(
        refused(&[("direct_high", Literal::Float(-1.0))]),
        "option `direct_low` of iv_sensitivity must be below `direct_high` (-1), got 1"
    );
    assert_eq!(
        refused(&[("direct_high", Literal::Float(1.0)), ("direct", array(&["exper"]))]),
        "option `direct` of iv_sensitivity must be columns of `instruments`, got column `exper`"
    );
}
