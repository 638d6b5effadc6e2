//! Reference values and invariants of the Nelson–Aalen operator.

use causeway_core::Literal;
use proptest::prelude::*;

use super::Factory;
use crate::testing::*;

#[test]
fn six_data_sets_agree_with_lifelines() {
    for name in DATA {
        let found = run(&Factory, &[], &data_set(name));
        let golden = golden_table(&format!("golden/{name}_km.csv"));
        let (_, expected) = golden.iter().find(|(column, _)| column == "nelson_aalen").unwrap();
        assert_close(&doubles(&found, "cumulative_hazard"), expected, 1e-9, name);
    }
}

#[test]
fn sums_and_limits_by_hand() {
    // 4 at risk, 2 events; 2 at risk, 1 event: H = 1/2 + 1/2, var H = 2/16 + 1/4
    let rows = subjects(&[(1.0, true, 0.0, 0), (1.0, true, 0.0, 0), (2.0, true, 0.0, 0), (3.0, false, 0.0, 0)]);
    let z = causeway_numerics::normal_quantile(0.95);
    let error = 0.375_f64.sqrt();
    let log = run(&Factory, &[("confidence", Literal::Float(0.9))], &rows);
    assert_close(&doubles(&log, "cumulative_hazard"), &[0.0, 0.5, 1.0, 1.0], 1e-15, "H");
    assert_close(&doubles(&log, "std_error"), &[0.0, 0.125_f64.sqrt(), error, error], 1e-15, "error");
    assert_close(&doubles(&log, "cumulative_hazard_low")[2..3], &[(-z * error).exp()], 1e-14, "low");
    assert_close(&doubles(&log, "cumulative_hazard_high")[2..3], &[(z * error).exp()], 1e-14, "high");
    let plain = run(&Factory, &[("confidence", Literal::Float(0.9)), ("interval", text("plain"))], &rows);
    assert_close(&doubles(&plain, "cumulative_hazard_low"), &[0.0; 4], 1e-15, "low is cut at 0");
    assert_close(&doubles(&plain, "cumulative_hazard_high")[2..3], &[1.0 + z * error], 1e-14, "high");
}

#[test]
fn empty_input_gives_empty_output() {
    let nobody = subjects(&[]);
    assert!(run_on(&Factory, &[], nobody.schema(), vec![nobody], 1).unwrap().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn the_hazard_rises_and_bounds_the_curve(rows in any_subjects()) {
        let rows = subjects(&rows);
        let hazard = doubles(&run(&Factory, &[("entry", text("late"))], &rows), "cumulative_hazard");
        let curve = run(&crate::kaplan_meier::Factory, &[("entry", text("late"))], &rows);
        prop_assert!(hazard.windows(2).all(|pair| pair[1] >= pair[0]));
        // exp(-x) >= 1 - x, factor by factor
        for (hazard, survival) in hazard.iter().zip(doubles(&curve, "survival")) {
            prop_assert!((-hazard).exp() >= survival - 1e-12);
        }
    }

    #[test]
    fn layout_changes_no_byte(rows in any_subjects(), cut in 1_usize..20) {
        assert_independent_of_layout(&Factory, &[("by", text("group")), ("entry", text("late"))], &rows, cut);
    }
}
