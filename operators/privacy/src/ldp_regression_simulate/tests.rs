use arrow::array::AsArray;
use arrow::datatypes::Float64Type;
use causeway_core::{Literal, Literals, Output, Result, RunContext, call};

use super::Factory;

fn simulate(n: i64, d: i64, epsilon: f64, mode: &str, seed: i64, threads: usize) -> Result<Output> {
    let mut options = Literals::default();
    options.insert("n_rows", Literal::Integer(n));
    options.insert("d", Literal::Integer(d));
    options.insert("epsilon", Literal::Float(epsilon));
    options.insert("mode", Literal::Text(mode.to_owned()));
    options.insert("seed", Literal::Integer(seed));
    options.insert("allow_noise", Literal::Boolean(true));
    call(&Factory, options, vec![], &mut RunContext::for_test(threads)?)
}

/// The 10 % and 90 % quantiles of the reference simulation.
fn golden(n: i64, d: i64, epsilon: f64, method: &str) -> (f64, f64) {
    let root = std::path::PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap());
    let text = std::fs::read_to_string(root.join("../../tests/data/ldp/golden_ldp.csv")).unwrap();
    let row = text.lines().map(|line| line.split(',').collect::<Vec<_>>()).find(|cells| {
        cells[0] == n.to_string()
            && cells[1] == d.to_string()
            && cells[3] == format!("{epsilon:.5}")
            && cells[5] == method
    });
    let row = row.unwrap();
    (row[8].parse().unwrap(), row[9].parse().unwrap())
}

fn check_median(n: i64, d: i64, epsilon: f64, mode: &str, method: &str) {
    let error = |seed| simulate(n, d, epsilon, mode, seed, 2).unwrap().report["l2_error"].as_f64().unwrap();
    let mut errors: Vec<f64> = (0..20).map(error).collect();
    errors.sort_by(f64::total_cmp);
    let median = 0.5 * (errors[9] + errors[10]);
    let (low, high) = golden(n, d, epsilon, method);
    println!("n {n} d {d} epsilon {epsilon} {method}: median {median:.3}, reference {low:.3} to {high:.3}");
    assert!(low <= median && median <= high, "{method} {epsilon}: {median} not in {low} .. {high}");
}

#[test]
fn errors_of_gradients_are_those_of_the_reference() {
    check_median(20_000, 10, 2.0, "iht", "iht");
}

#[test]
fn errors_with_public_covariates_are_those_of_the_reference() {
    check_median(20_000, 10, 2.0, "nldp_public", "nldp_pub");
}

#[test]
#[ignore = "slow: 20 studies of 20 000 senders with 65 numbers each"]
fn errors_of_moments_are_those_of_the_reference() {
    check_median(20_000, 10, 4.0, "nldp", "nldp_better");
}

#[test]
#[ignore = "slow: 540 studies, some 3 minutes on one core"]
fn errors_of_all_rows_are_those_of_the_reference() {
    for (n, d) in [(20_000, 10), (100_000, 10), (100_000, 20)] {
        for epsilon in [1.0, 2.0, 4.0] {
            check_median(n, d, epsilon, "iht", "iht");
            check_median(n, d, epsilon, "nldp_public", "nldp_pub");
            if d == 10 {
                check_median(n, d, epsilon, "nldp", "nldp_better");
            }
        }
    }
}

#[test]
fn threads_change_nothing_and_seeds_do() {
    let coefficients = |threads, seed| {
        let output = simulate(2500, 6, 4.0, "nldp", seed, threads).unwrap();
        output.batches[0]["coefficient"].as_primitive::<Float64Type>().values().to_vec()
    };
    assert_eq!(coefficients(1, 1), coefficients(4, 1));
    assert_ne!(coefficients(1, 1), coefficients(1, 2));
}

#[test]
fn too_much_noise_is_refused_with_a_way_out() {
    let mut options = Literals::default();
    options.insert("epsilon", Literal::Float(1.0));
    options.insert("n_rows", Literal::Integer(2000));
    let refused = call(&Factory, options, vec![], &mut RunContext::for_test(1).unwrap()).unwrap_err().to_string();
    assert!(refused.contains("noise_to_eigenvalue") && refused.contains("'iht'"), "{refused}");
}
