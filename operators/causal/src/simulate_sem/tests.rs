//! Recovery of the drawn system, its form, and that nothing but the options matters.

use causeway_core::{Literal, RunContext};

use super::Factory;
use crate::calls::*;
use crate::simulate_sem_edges;

fn options(extra: &[(&'static str, Literal)]) -> Vec<(&'static str, Literal)> {
    [&[("n_variables", Literal::Integer(4)), ("n_rows", Literal::Integer(20_000))], extra].concat()
}

fn column(batches: &[arrow::array::RecordBatch], name: &str) -> Vec<f64> {
    batches.iter().flat_map(|batch| doubles(batch, name)).collect()
}

fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let n = f64::from(u32::try_from(values.len()).unwrap());
    let mean = values.iter().sum::<f64>() / n;
    (mean, (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt())
}

#[test]
fn a_variable_with_one_parent_has_its_slope_and_noise() {
    let pairs = [
        ("n_variables", Literal::Integer(2)),
        ("n_rows", Literal::Integer(20_000)),
        ("degree", Literal::Integer(1)),
        ("noise_low", Literal::Float(1.5)),
        ("noise_high", Literal::Float(1.5)),
    ];
    for noise in ["gaussian", "uniform", "exponential", "laplace"] {
        let pairs = [&pairs[..], &[("noise", text(noise))]].concat();
        let edges = run(&simulate_sem_edges::Factory, &pairs, &[], 1).unwrap().batches.remove(0);
        let (source, target) = (texts(&edges, "source").remove(0), texts(&edges, "target").remove(0));
        let weight = doubles(&edges, "weight")[0];
        assert!((0.25..=1.0).contains(&weight.abs()));
        let rows = run(&Factory, &pairs, &[], 2).unwrap().batches;
        let (cause, effect) = (column(&rows, &source), column(&rows, &target));
        let residual: Vec<f64> = effect.iter().zip(&cause).map(|(effect, cause)| effect - weight * cause).collect();
        let (mean, deviation) = mean_and_deviation(&residual);
        assert!((-1.05..=1.05).contains(&mean), "{noise}: {mean}");
        // five standard errors: 1.5 sqrt((kurtosis - 1) / 4 / n), kurtosis at most 9
        assert!((deviation - 1.5).abs() < 5.0 * 1.5 * (2.0_f64 / 20_000.0).sqrt(), "{noise}: {deviation}");
        let (cause_mean, cause_deviation) = mean_and_deviation(&cause);
        let covariance: f64 = cause.iter().zip(&residual).map(|(a, b)| (a - cause_mean) * (b - mean)).sum();
        let correlation = covariance / 20_000.0 / (cause_deviation * deviation);
        assert!(correlation.abs() < 5.0 / 20_000.0_f64.sqrt(), "{noise}: {correlation}");
    }
}

#[test]
fn the_logarithm_of_a_lognormal_variable_is_standard() {
    let rows = run(&Factory, &options(&[("form", text("lognormal"))]), &[], 1).unwrap().batches;
    for name in ["x1", "x2", "x3", "x4"] {
        let logarithms: Vec<f64> = column(&rows, name).iter().map(|value| value.ln()).collect();
        let (mean, deviation) = mean_and_deviation(&logarithms);
        assert!(mean.abs() < 0.04 && (deviation - 1.0).abs() < 0.03, "{name}: {mean} {deviation}"); // five standard errors
    }
}

#[test]
fn graphs_have_the_edges_asked_for_and_no_cycle() {
    for (graph, expected) in [("erdos_renyi", 60), ("scale_free", 2 * 40 - 3)] {
        for seed in 0..5 {
            let pairs = [
                ("n_variables", Literal::Integer(40)),
                ("degree", Literal::Integer(if graph == "scale_free" { 4 } else { 3 })),
                ("graph", text(graph)),
                ("seed", Literal::Integer(seed)),
            ];
            let edges = run(&simulate_sem_edges::Factory, &pairs, &[], 1).unwrap().batches.remove(0);
            assert_eq!(edges.num_rows(), expected, "{graph}");
            let index = |name: &String| name[1..].parse::<usize>().unwrap() - 1;
            let mut left: Vec<(usize, usize)> =
                texts(&edges, "source").iter().map(index).zip(texts(&edges, "target").iter().map(index)).collect();
            while !left.is_empty() {
                let before = left.len();
                let targets: Vec<usize> = left.iter().map(|(_, target)| *target).collect();
                left.retain(|(source, _)| targets.contains(source));
                assert!(left.len() < before, "{graph} has a cycle");
            }
        }
    }
}

#[test]
fn only_the_options_matter() {
    let few = run(&Factory, &options(&[("n_rows", Literal::Integer(9000))]), &[], 1).unwrap().batches;
    let many = run(&Factory, &options(&[]), &[], 1).unwrap().batches;
    assert!(column(&few, "x3")[..] == column(&many, "x3")[..9000]);
    for threads in [2, 8] {
        assert!(run(&Factory, &options(&[]), &[], threads).unwrap().batches == many);
    }
    let other = run(&Factory, &options(&[("seed", Literal::Integer(1))]), &[], 1).unwrap().batches;
    assert!(column(&other, "x3") != column(&many, "x3"));
    assert!((column(&many, "x1")[0] - FIRST).abs() < 1e-12, "{}", column(&many, "x1")[0]);
}

/// The first value of seed 0: a change of it is a change of every simulated table.
const FIRST: f64 = -0.558_355_697_372_131;

#[test]
fn edges_of_the_design() {
    let none = run(&Factory, &options(&[("n_rows", Literal::Integer(0))]), &[], 1).unwrap();
    assert!(none.batches.is_empty());
    let alone = run(&Factory, &[("n_variables", Literal::Integer(1))], &[], 1).unwrap();
    assert_eq!(alone.batches[0].num_columns(), 1);
    assert_eq!(alone.report["n_edges"], 0);
    assert!(
        run(&simulate_sem_edges::Factory, &[("n_variables", Literal::Integer(1))], &[], 1).unwrap().batches.is_empty()
    );
    let message = refusal(&Factory, &options(&[("weight_low", Literal::Integer(3))]), &[]);
    assert_eq!(message, "option `weight_low` of simulate_sem must be at most `weight_high`, 1, got 3");
    assert!(refusal(&Factory, &[], &[]).starts_with("simulate_sem needs option `n_variables`"));
    let cancel = causeway_core::Cancel::default();
    cancel.cancel();
    let mut context = RunContext::for_test(1).unwrap().with_cancel(cancel);
    assert!(run_relations(&Factory, &options(&[]), vec![], &mut context).is_err());
}
