//! Golden paths of the public implementation, recovery, invariants and refusals.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use causeway_core::{Cancel, Literal, OperatorError, Relation, RunContext};
use serde_json::Value;

use super::Factory;
use super::algorithm::{Point, Problem, Stage};
use super::descent::Descent;
use super::params::{Schedule, Variant};
use super::prune::{prune, topological_order};
use super::report::varsortability;
use crate::calls::*;

const CASES: [&str; 3] = ["c1_d5_ev", "c2_d10_ev", "c3_d20_nv"];
const VARIANTS: [(&str, Variant); 2] = [("ev", Variant::EqualVariance), ("nv", Variant::NonEqualVariance)];
const SCHEDULE: Schedule = Schedule { learning_rate: 3e-4, max_steps: 70_000 };

fn golden(file: &str) -> String {
    let folder = std::path::PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap());
    std::fs::read_to_string(folder.join("../../tests/data/causal/colide").join(file)).unwrap()
}

fn golden_matrix(file: &str) -> Vec<f64> {
    golden(file).lines().flat_map(|line| line.split(',').map(|cell| cell.parse().unwrap())).collect()
}

/// One case: the number of variables, the covariance and what is expected.
fn case(name: &str) -> (usize, Vec<f64>, Value) {
    let expected: Value = serde_json::from_str(&golden(&format!("{name}/expected.json"))).unwrap();
    let n = usize::try_from(expected["d"].as_u64().unwrap()).unwrap();
    (n, golden_matrix(&format!("{name}/cov.csv")), expected)
}

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(numbers).collect(),
        number => vec![number.as_f64().unwrap()],
    }
}

fn largest_difference(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

fn never(_: f64) -> causeway_core::Result<()> {
    Ok(())
}

#[test]
fn one_step_is_the_golden_one() {
    for name in CASES {
        let (n, covariance, expected) = case(name);
        for (word, variant) in VARIANTS {
            let problem = Problem::new(&covariance, n, variant, 0.05);
            for step in expected[word]["one_step"].as_array().unwrap() {
                let stage = Stage { mu: step["mu"].as_f64().unwrap(), s: step["s"].as_f64().unwrap() };
                let point = Point::new(&numbers(&step["W"]), n, &numbers(&step["sigma"]));
                let (value, gradient) = Descent::new(&problem).look(&point, stage);
                for (found, key) in [(value.objective, "objective"), (value.score, "score"), (value.acyclicity, "h")] {
                    let wanted = step[key].as_f64().unwrap();
                    assert!((found - wanted).abs() <= 1e-10 * wanted.abs().max(1e-3), "{name} {word} {key}");
                }
                let wanted = numbers(&step["gradient"]);
                let scale = wanted.iter().fold(0.0_f64, |scale, value| scale.max(value.abs()));
                assert!(largest_difference(&gradient, &wanted) <= 1e-10 * scale, "{name} {word} gradient");
            }
        }
    }
}

#[test]
fn the_first_steps_are_the_golden_ones() {
    for name in CASES {
        let (n, covariance, expected) = case(name);
        for (word, variant) in VARIANTS {
            let problem = Problem::new(&covariance, n, variant, 0.05);
            for prefix in expected[word]["first_steps"].as_array().unwrap() {
                let n_steps = u32::try_from(prefix["iterations"].as_u64().unwrap()).unwrap();
                let mut point = problem.start();
                let stage = Stage { mu: 1.0, s: 1.0 };
                let end = Descent::new(&problem).stage(&mut point, stage, 3e-4, n_steps, &never).unwrap();
                assert_eq!(Some(end.in_domain), prefix["ok"].as_bool());
                let tolerance = if n_steps <= 100 { 1e-9 } else { 1e-7 }; // rounding grows along the path
                let what = format!("{name} {word} after {n_steps} steps");
                assert!(largest_difference(&point.weights(n), &numbers(&prefix["W"])) <= tolerance, "{what}");
                let sigma = numbers(&prefix["sigma"]);
                assert!(largest_difference(&point.scales(n)[..sigma.len()], &sigma) <= tolerance, "{what}");
            }
        }
    }
}

#[test]
fn the_end_of_the_path_is_the_golden_one() {
    for name in CASES {
        let (n, covariance, expected) = case(name);
        for (word, variant) in VARIANTS {
            let fit = Problem::new(&covariance, n, variant, 0.05).fit(&SCHEDULE, &never).unwrap();
            let weights = fit.point.weights(n);
            // the sign of the penalty near 0 magnifies rounding: honest codes differ by up to 5e-4
            let difference = largest_difference(&weights, &golden_matrix(&format!("{name}/W_{word}.csv")));
            assert!(difference <= 5e-3, "{name} {word}: {difference}");
            let kept: Vec<bool> = prune(&weights, n, 0.3).iter().map(|weight| weight.abs() > 0.0).collect();
            let wanted = golden_matrix(&format!("{name}/W_{word}_pruned.csv"));
            assert_eq!(kept, wanted.iter().map(|weight| weight.abs() > 0.0).collect::<Vec<_>>(), "{name} {word}");
            let last = fit.attempts.last().unwrap();
            let objective = expected[word]["objective_last_stage"].as_f64().unwrap();
            assert!((last.value.objective / objective - 1.0).abs() <= 1e-6, "{name} {word} objective");
            assert!(last.converged);
            // a gradient continued too far would keep the weights near 0 swinging, and the stages from ending
            let n_steps: u32 = fit.attempts.iter().map(|attempt| attempt.n_steps).sum();
            let stages = expected[word]["stages"].as_array().unwrap().iter();
            let of_reference: f64 = stages.map(|stage| stage["iterations"].as_f64().unwrap()).sum();
            assert!(f64::from(n_steps) <= 1.25 * of_reference, "{name} {word}: {n_steps} steps, not {of_reference}");
        }
    }
}

#[test]
fn cycles_are_cut_at_the_smallest_weight() {
    let weights = [0.0, 0.9, 0.0, 0.0, 0.0, 0.8, 0.5, 0.2, 0.0]; // 0 -> 1 -> 2 -> 0, and 2 -> 1
    assert_eq!(topological_order(&weights, 3), None);
    let kept = prune(&weights, 3, 0.3);
    assert_eq!(kept, [0.0, 0.9, 0.0, 0.0, 0.0, 0.8, 0.0, 0.0, 0.0]);
    assert_eq!(topological_order(&kept, 3).unwrap(), [0, 1, 2]);
    assert!(prune(&weights, 3, 1.0).iter().all(|weight| *weight == 0.0));
}

#[test]
fn varsortability_counts_paths() {
    let chain = [0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]; // 0 -> 1 -> 2
    assert_eq!(varsortability(&chain, &[1.0, 2.0, 3.0]), Some(1.0));
    assert_eq!(varsortability(&chain, &[3.0, 2.0, 1.0]), Some(0.0));
    assert_eq!(varsortability(&chain, &[1.0, 3.0, 2.0]), Some(2.0 / 3.0));
    assert_eq!(varsortability(&chain, &[1.0, 1.0, 1.0]), Some(0.5));
    assert_eq!(varsortability(&[0.0; 9], &[1.0, 1.0, 1.0]), None);
}

/// The rows of the first case, as columns `x0` to `x4`.
fn rows() -> RecordBatch {
    let values = golden_matrix("c1_d5_ev/X.csv");
    let columns = (0..5).map(|column| {
        let column_values = values.iter().skip(column).step_by(5).copied();
        (format!("x{column}"), Arc::new(Float64Array::from_iter_values(column_values)) as ArrayRef)
    });
    RecordBatch::try_from_iter(columns).unwrap()
}

fn ev(extra: &[(&'static str, Literal)]) -> Vec<(&'static str, Literal)> {
    [&[("variant", text("ev"))], extra].concat()
}

#[test]
fn rows_give_the_golden_edges_and_a_report() {
    let found = run(&Factory, &ev(&[]), &[rows()], 2).unwrap();
    let edges = &found.batches[0];
    let wanted = golden_matrix("c1_d5_ev/W_ev_pruned.csv");
    let cells: Vec<usize> = (0..25).filter(|cell| wanted[*cell].abs() > 0.0).collect();
    assert_eq!(texts(edges, "source"), cells.iter().map(|cell| format!("x{}", cell / 5)).collect::<Vec<_>>());
    assert_eq!(texts(edges, "target"), cells.iter().map(|cell| format!("x{}", cell % 5)).collect::<Vec<_>>());
    for (found, cell) in doubles(edges, "weight").iter().zip(&cells) {
        assert!((found - wanted[*cell]).abs() <= 5e-3); // as far as honest codes end up apart
    }
    let report = found.report;
    assert_eq!(report["n_rows"], 200);
    assert_eq!(report["n_edges"], cells.len());
    assert_eq!(report["converged"], true);
    let varsortability = report["varsortability"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&varsortability));
    let expected = case("c1_d5_ev").2;
    let (found, wanted): (f64, f64) =
        (report["noise_scales"]["x3"].as_f64().unwrap(), numbers(&expected["ev"]["sigma"])[0]);
    assert!((found - wanted).abs() <= 5e-3);
}

#[test]
fn cut_threads_and_text_columns_change_nothing() {
    let whole = rows();
    let expected =
        run(&Factory, &ev(&[("max_steps", Literal::Integer(300))]), std::slice::from_ref(&whole), 1).unwrap();
    let mut columns: Vec<(String, ArrayRef)> =
        vec![("site".to_owned(), Arc::new(StringArray::from_iter_values((0..200).map(|_| "north"))))];
    columns.extend((0..5).map(|index| (format!("x{index}"), Arc::clone(whole.column(index)))));
    let labelled = RecordBatch::try_from_iter(columns).unwrap();
    for threads in [1, 2, 8] {
        let pieces = (0..200).step_by(7).map(|start| labelled.slice(start, 7.min(200 - start))).collect();
        let input = Relation::from_batches(labelled.schema(), pieces);
        let mut context = RunContext::for_test(threads).unwrap();
        let pairs = ev(&[("max_steps", Literal::Integer(300))]);
        let found = run_relations(&Factory, &pairs, vec![input], &mut context).unwrap();
        assert_eq!(found.batches, expected.batches);
        assert_eq!(found.report, expected.report);
    }
}

#[test]
fn standardised_rows_do_not_depend_on_units() {
    let whole = rows();
    let scaled = RecordBatch::try_from_iter((0..5).map(|index| {
        let factor = if index == 2 { 1024.0 } else { 1.0 }; // a power of two loses no digit
        let values = doubles(&whole, &format!("x{index}")).into_iter().map(|value| value * factor);
        (format!("x{index}"), Arc::new(Float64Array::from_iter_values(values)) as ArrayRef)
    }))
    .unwrap();
    let pairs = ev(&[("standardise", Literal::Boolean(true)), ("threshold", Literal::Float(0.1))]);
    let (one, other) = (run(&Factory, &pairs, &[whole], 1).unwrap(), run(&Factory, &pairs, &[scaled], 1).unwrap());
    assert_eq!(one.batches, other.batches);
    assert_ne!(one.report["varsortability"], Value::Null);
}

#[test]
fn columns_too_large_for_single_precision_keep_to_double() {
    let whole = rows();
    let scaled = RecordBatch::try_from_iter((0..5).map(|index| {
        let values = doubles(&whole, &format!("x{index}")).into_iter().map(|value| value * 2.0_f64.powi(80));
        (format!("x{index}"), Arc::new(Float64Array::from_iter_values(values)) as ArrayRef)
    }))
    .unwrap();
    // no penalty of cycles holds against such a score, so there is little to learn; but all numbers are numbers
    let report = run(&Factory, &ev(&[("max_steps", Literal::Integer(1500))]), &[scaled], 1).unwrap().report;
    assert!((0..5).all(|index| report["noise_scales"][format!("x{index}")].as_f64().is_some()));
}

#[test]
fn both_variants_are_told_if_asked() {
    let pairs = ev(&[("compare_variants", Literal::Boolean(true))]);
    let report = run(&Factory, &pairs, &[rows()], 1).unwrap().report;
    let expected = case("c1_d5_ev").2;
    for (key, word) in [("objective", "ev"), ("other_objective", "nv")] {
        let wanted = expected[word]["objective_last_stage"].as_f64().unwrap();
        assert!((report[key].as_f64().unwrap() / wanted - 1.0).abs() < 1e-6, "{key}");
    }
    assert!(report["n_shared_edges"].as_u64() <= report["other_n_edges"].as_u64());
}

#[test]
fn unusable_input_is_refused() {
    let column = |values: Vec<Option<f64>>| Arc::new(Float64Array::from(values)) as ArrayRef;
    let fine = column(vec![Some(1.0), Some(2.0), Some(4.0)]);
    let refuse = |other: ArrayRef| {
        let rows = RecordBatch::try_from_iter([("a", Arc::clone(&fine)), ("b", other)]).unwrap();
        refusal(&Factory, &ev(&[]), &[rows])
    };
    assert!(refuse(column(vec![Some(1.0), None, None])).starts_with("colide: column `b` is null in 2 rows; "));
    assert!(refuse(column(vec![Some(f64::NAN), Some(1.0), Some(2.0)])).contains("`b` is NaN or infinite in 1 row;"));
    assert_eq!(
        refuse(Arc::new(Int64Array::from(vec![7, 7, 7]))),
        "colide: constant columns have no variance: b; leave them out"
    );
    assert!(refuse(column(vec![Some(1e200), Some(-1e200), Some(0.0)])).contains("overflow"));
    assert!(refuse(Arc::new(StringArray::from(vec!["a", "b", "c"]))).contains("at least two number columns, found 1"));
    let one = rows().slice(0, 1);
    assert!(refusal(&Factory, &ev(&[]), &[one]).contains("at least two rows, the input has 1"));
    assert!(refusal(&Factory, &[], &[rows()]).starts_with("colide needs option `variant`"));
    let word = refusal(&Factory, &[("variant", text("auto"))], &[rows()]);
    assert!(word.contains("one of 'ev', 'nv'"), "{word}");
}

#[test]
fn fewer_rows_than_columns_still_end() {
    let rows = rows().slice(0, 3);
    let found = run(&Factory, &ev(&[("max_steps", Literal::Integer(2000))]), &[rows], 1).unwrap();
    assert_eq!(found.report["n_rows"], 3);
}

#[test]
fn a_run_reports_progress_and_can_be_cancelled() {
    let cancel = Cancel::default();
    let seen = Arc::new(AtomicU64::new(0));
    let (stop, count) = (cancel.clone(), Arc::clone(&seen));
    let mut context = RunContext::for_test(1).unwrap().with_cancel(cancel).with_progress(Arc::new(move |done| {
        assert!((0.0..=1.0).contains(&done));
        if count.fetch_add(1, Ordering::Relaxed) == 20 {
            stop.cancel();
        }
    }));
    let input = Relation::from_batches(rows().schema(), vec![rows()]);
    let error = run_relations(&Factory, &ev(&[]), vec![input], &mut context).unwrap_err();
    assert!(matches!(error, OperatorError::Cancelled));
    assert_eq!(seen.load(Ordering::Relaxed), 21);
}
