//! Moments that the designs promise, and that nothing but the options matters.

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use causeway_core::{Literal, RunContext};

use super::Factory;
use crate::calls::*;

const N: u32 = 200_000;

fn columns(pairs: &[(&str, Literal)], threads: usize) -> Vec<Vec<f64>> {
    let batches = run(&Factory, pairs, &[], threads).unwrap().batches;
    let names: Vec<String> = batches[0].schema().fields().iter().map(|field| field.name().clone()).collect();
    let column = |name: &String| -> Vec<f64> {
        let values = |batch: &arrow::array::RecordBatch| match batch[name.as_str()].as_primitive_opt::<Int64Type>() {
            Some(flags) => flags.values().iter().map(|flag| if *flag == 1 { 1.0 } else { 0.0 }).collect(),
            None => doubles(batch, name),
        };
        batches.iter().flat_map(values).collect()
    };
    names.iter().map(column).collect()
}

fn whole(design: &str) -> Vec<Vec<f64>> {
    let pairs = [("design", text(design)), ("n_rows", Literal::Integer(N.into())), ("reveal", Literal::Boolean(true))];
    columns(&pairs, 2)
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0.0), |(sum, n), value| (sum + value, n + 1.0));
    sum / n
}

#[test]
fn the_mean_effect_is_the_one_promised() {
    for (design, ate, deviation) in [("a", 2.25, 0.63), ("b", -1.3, 0.55), ("c", 0.0, 0.0)] {
        let found = whole(design);
        let margin = 5.0 * deviation / f64::from(N).sqrt();
        assert!((mean(found[7].iter().copied()) - ate).abs() <= margin, "{design}");
        let report = run(&Factory, &[("design", text(design))], &[], 1).unwrap().report;
        assert!((report["ate"].as_f64().unwrap() - ate).abs() < 1e-12);
    }
}

/// Cov(A, Y - effect A | Z) is k s / 3 in both arms, and the variance of A differs between them.
#[test]
fn confounding_is_stable_and_the_instrument_relevant_in_the_second_moment() {
    for (design, rho) in [("a", 0.4 / 3.0), ("b", -0.5 / 3.0), ("c", 0.36 / 3.0)] {
        let [y, a, z, x1, x2, x3, u, effect] = <[Vec<f64>; 8]>::try_from(whole(design)).unwrap();
        let mut variances = Vec::new();
        for arm in [0.0, 1.0] {
            // near one value of X, so that what X moves is small
            let rows: Vec<usize> = (0..y.len())
                .filter(|row| {
                    (z[*row] - arm).abs() < 0.5 && x1[*row].abs() < 0.2 && x2[*row].abs() < 0.2 && x3[*row] < 0.5
                })
                .collect();
            let of = |column: &[f64]| mean(rows.iter().map(|row| column[*row]));
            let rest: Vec<f64> = (0..y.len()).map(|row| y[row] - effect[row] * a[row]).collect();
            let (mean_a, mean_rest) = (of(&a), of(&rest));
            let products = |row: &usize| (a[*row] - mean_a) * (rest[*row] - mean_rest);
            let found = mean(rows.iter().map(products));
            let n = f64::from(u32::try_from(rows.len()).unwrap());
            let spread = mean(rows.iter().map(|row| (products(row) - found).powi(2))).sqrt() / n.sqrt();
            assert!((found - rho).abs() < 5.0 * spread, "{design} {arm}: {found} is not {rho} +- {spread}");
            assert!(mean(rows.iter().map(|row| u[*row])).abs() < 5.0 * (1.0 / 3.0 / n).sqrt());
            variances.push(mean_a * (1.0 - mean_a));
        }
        assert!(variances[1] - variances[0] > 0.08, "{design}: {variances:?}");
    }
}

#[test]
fn a_valid_instrument_gives_the_effect_by_its_contrast() {
    // in design c the effect is 0: with direct_effect 0 the arms have the same outcome, given x1
    let pairs = |direct: i64| {
        [("design", text("c")), ("n_rows", Literal::Integer(N.into())), ("direct_effect", Literal::Integer(direct))]
    };
    let contrast = |direct: i64| {
        let found = columns(&pairs(direct), 2);
        let arm = |which: f64| {
            let rows = (0..found[0].len()).filter(|row| (found[2][*row] - which).abs() < 0.5);
            mean(rows.map(|row| found[0][row] + 0.5 * found[3][row] - 0.4 * found[4][row]))
        };
        arm(1.0) - arm(0.0)
    };
    // standard error 2 / sqrt(n / 2) times 2
    assert!(contrast(0).abs() < 0.05, "{}", contrast(0));
    assert!((contrast(1) - 1.0).abs() < 0.05);
    assert!((contrast(-2) + 2.0).abs() < 0.05);
}

#[test]
fn only_the_options_matter() {
    let pairs = |n: i64, seed: i64| [("n_rows", Literal::Integer(n)), ("seed", Literal::Integer(seed))];
    let many = columns(&pairs(20_000, 3), 1);
    assert_eq!(many.len(), 6);
    let few = columns(&pairs(9000, 3), 2);
    for (few, many) in few.iter().zip(&many) {
        assert!(few[..] == many[..9000]);
    }
    assert!(columns(&pairs(20_000, 3), 8) == many);
    assert!(columns(&pairs(20_000, 4), 1)[0] != many[0]);
}

#[test]
fn edges_of_the_design() {
    assert!(run(&Factory, &[("n_rows", Literal::Integer(0))], &[], 1).unwrap().batches.is_empty());
    assert!(refusal(&Factory, &[("design", text("d"))], &[]).contains("one of 'a', 'b', 'c'"));
    let cancel = causeway_core::Cancel::default();
    cancel.cancel();
    let mut context = RunContext::for_test(1).unwrap().with_cancel(cancel);
    assert!(run_relations(&Factory, &[], vec![], &mut context).is_err());
}
