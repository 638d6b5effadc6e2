//! A driver of dropout is found, dropout by the own value passes.

use approx::assert_abs_diff_eq;
use arrow::array::RecordBatch;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;

use super::Factory;
use super::algorithm::false_discovery_rates;
use crate::testing::*;

const N_CELLS: usize = 2000;

/// b follows a, c follows b; `lost` says from a, b, c and a uniform number whether c drops out.
fn chain(lost: impl Fn(f64, f64, f64, f64) -> bool) -> RecordBatch {
    let mut rng = ChaCha20Rng::seed_from_u64(5);
    let mut columns = vec![Vec::new(); 3];
    for _ in 0..N_CELLS {
        let mut normal = || (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
        let a = 10.0 + normal();
        let b = a + normal();
        let c = b + normal();
        let dropped = lost(a, b, c, rng.random());
        columns[0].push(a);
        columns[1].push(b);
        columns[2].push(if dropped { 0.0 } else { c });
    }
    wide(&columns)
}

fn p_value(rows: &RecordBatch, gene: &str, driver: &str) -> f64 {
    let [genes, drivers] = ["gene", "driver"].map(|column| texts(rows, column));
    let row = genes.iter().zip(&drivers).position(|pair| pair == (&gene.to_owned(), &driver.to_owned()));
    doubles(rows, "p_value")[row.unwrap()]
}

#[test]
fn dropout_at_a_fixed_rate_passes() {
    let found = run(&Factory, &[], &chain(|_, _, _, chance| chance < 0.4));
    assert!(p_value(&found, "g02", "g00") > 0.01);
    assert_eq!(texts(&found, "given"), ["g01", "g01"]);
    assert_eq!(texts(&found, "status"), ["constant", "ok"]); // a has no zeros
}

#[test]
fn a_driver_is_found_given_the_separating_set_and_given_the_neighbours() {
    let cells = chain(|a, _, _, chance| chance < 0.2 || a > 10.5);
    for given in ["sepset", "neighbours"] {
        let found = run(&Factory, &[("given", text(given))], &cells);
        assert!(p_value(&found, "g02", "g00") < 1e-20, "{given}");
        let correlation = doubles(&found, "correlation");
        assert!(correlation[correlation.len() - 1] > 0.3, "{given}");
    }
}

#[test]
fn a_driver_shows_as_an_edge_if_only_zeros_of_the_set_are_removed() {
    let cells = chain(|a, _, _, chance| chance < 0.2 || a > 10.5);
    let output = call_on(&Factory, &[("deletion", text("cond"))], vec![cells], 1).unwrap();
    assert_eq!(output.report["n_edges"], 3);
    assert_eq!(output.report["n_checks"], 0);
}

#[test]
fn adjusted_p_values_are_those_of_the_step_up_rule() {
    let found = false_discovery_rates(&[0.01, 0.04, f64::NAN, 0.03, 0.5]);
    for (found, expected) in found.iter().zip([0.04, 0.16 / 3.0, f64::NAN, 0.16 / 3.0, 0.5]) {
        assert!(found.is_nan() == expected.is_nan());
        if !expected.is_nan() {
            assert_abs_diff_eq!(*found, expected, epsilon = 1e-15);
        }
    }
}
