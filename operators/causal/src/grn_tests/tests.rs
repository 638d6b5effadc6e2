//! The tests listed are those of the reference code.

use causeway_core::Literal;

use super::Factory;
use crate::golden::{columns, expected};
use crate::testing::*;

#[test]
fn the_tests_of_each_level_are_as_many_as_in_the_reference() {
    for case in ["case01", "case03", "case05"] {
        let (expected, cells) = (expected(case), wide(&columns(case, "observed").unwrap()));
        let options = [
            ("test", text("fisher_z")),
            ("deletion", text("cond")),
            ("negative", text("allow")),
            ("min_rows", Literal::Integer(0)),
            ("orientation", text("max_p")),
        ];
        let found = run(&Factory, &options, &cells);
        let levels = counts(&found, "level");
        let phases = texts(&found, "phase");
        for (level, n_tests) in expected["pc"]["cond"]["distinct_tests_by_level"].as_object().unwrap() {
            let level: u64 = level.parse().unwrap();
            let listed = levels.iter().zip(&phases).filter(|(of, phase)| **of == level && *phase == "skeleton");
            assert_eq!(listed.count() as u64, n_tests.as_u64().unwrap(), "{case} level {level}");
        }
    }
}

#[test]
fn a_pair_ends_with_the_test_that_separates_it() {
    let cells = wide(&columns("case02", "observed").unwrap());
    let found = run(&Factory, &[], &cells);
    let [x, y, verdict] = ["x", "y", "verdict"].map(|column| texts(&found, column));
    let rows: Vec<(String, &String)> = x.iter().zip(&y).map(|(x, y)| format!("{x} {y}")).zip(&verdict).collect();
    for (index, (pair, verdict)) in rows.iter().enumerate() {
        let later = rows[index + 1..].iter().any(|(other, _)| other == pair);
        assert!(*verdict != "independent" || !later, "{pair}");
    }
    assert!(doubles(&found, "correlation").iter().all(|r| r.abs() < 1.0));
}

#[test]
fn a_test_that_could_not_be_run_has_no_numbers() {
    let found = run(&Factory, &[], &wide(&[vec![1.0, 2.0], vec![2.0, 1.0]]));
    assert_eq!(texts(&found, "verdict"), ["untestable"]);
    for column in ["correlation", "statistic", "p_value", "log_p_value"] {
        assert!(doubles(&found, column)[0].is_nan());
    }
}
