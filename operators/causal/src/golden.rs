//! Reference cases: tests, skeletons and graphs of simulated expression, by plain numpy code.

use std::io::Read as _;
use std::path::PathBuf;

use causeway_core::{Result, RunContext};
use serde_json::Value;

use crate::ci::{Deletion, Finding, IndependenceTest as _, MinRows, Queries, Workers};
use crate::expression::{Expression, Transform};
use crate::fisher_z::FisherZ;
use crate::ges::bic_gain;
use crate::graph::Graph;
use crate::orientation::{by_largest_p, by_sepsets};
use crate::pc::{Fate, Rules, Skeleton, Untestable, Watch, skeleton};

pub(crate) const CASES: [&str; 6] = ["case01", "case02", "case03", "case04", "case05", "case06"];

const PUBLISHED: MinRows = MinRows::Fixed(0);

fn path(file: &str) -> PathBuf {
    PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../../tests/data/causal/grn").join(file)
}

/// Returns what is expected of a case.
pub(crate) fn expected(case: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path(&format!("{case}.json"))).unwrap()).unwrap()
}

/// Returns the columns of a case, `observed` or `latent`, if it has them.
pub(crate) fn columns(case: &str, which: &str) -> Option<Vec<Vec<f64>>> {
    let file = std::fs::File::open(path(&format!("{case}_{which}.csv.gz"))).ok()?;
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    let mut lines = text.lines();
    let mut columns = vec![Vec::new(); lines.next().unwrap().split(',').count()];
    for line in lines {
        for (column, cell) in columns.iter_mut().zip(line.split(',')) {
            column.push(cell.parse().unwrap());
        }
    }
    Some(columns)
}

fn expression(case: &str, which: &str) -> Option<Expression> {
    columns(case, which).map(|columns| Expression::new("test", columns, Transform::None).unwrap())
}

fn deletion(name: &str) -> Deletion {
    match name {
        "cond" => Deletion::Conditioned,
        "all" => Deletion::All,
        _ => Deletion::None,
    }
}

pub(crate) fn numbers(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|number| usize::try_from(number.as_u64().unwrap()).unwrap()).collect()
}

fn ask(test: &FisherZ<'_>, x: usize, y: usize, set: &[usize]) -> Finding {
    let mut queries = Queries::new(set.len());
    queries.push(x, y, set);
    test.evaluate(&queries).unwrap()[0]
}

fn assert_gain(found: &Finding, n_cells: usize, expected: &Value, what: &str) {
    for (name, penalty) in [("bic_gain_penalty1", 1.0), ("bic_gain_penalty2", 2.0)] {
        if let Some(gain) = expected[name].as_f64() {
            let found = bic_gain(found, n_cells, penalty);
            assert!((found - gain).abs() <= 1e-8 * gain.abs().max(1.0), "{what} {name}: {found} is not {gain}");
        }
    }
}

fn assert_finding(found: &Finding, expected: &Value, what: &str) {
    assert_eq!(found.n_used as u64, expected["n"].as_u64().unwrap(), "{what}: n");
    assert_eq!(found.status.as_str(), expected["status"].as_str().unwrap(), "{what}: status");
    if found.status.as_str() == "singular" {
        return;
    }
    let [r, z, p] = ["r", "z", "p"].map(|name| expected[name].as_f64().unwrap());
    assert!((found.correlation.unwrap_or(0.0) - r).abs() <= 1e-10, "{what}: r {:?} is not {r}", found.correlation);
    assert!((found.statistic - z).abs() <= 1e-8 * z.abs().max(1e-8), "{what}: z {} is not {z}", found.statistic);
    if p > 1e-30 {
        assert!((found.p_value / p - 1.0).abs() <= 1e-6, "{what}: p {} is not {p}", found.p_value);
    } else if p > 0.0 {
        let log_p = causeway_numerics::ln_normal_two_sided(found.statistic);
        assert!((log_p / p.ln() - 1.0).abs() <= 1e-6, "{what}: log p {log_p} is not {}", p.ln());
    }
}

fn found_skeleton(expression: &Expression, test: &FisherZ<'_>, rules: &Rules) -> Result<(Skeleton, Graph, Graph)> {
    let context = RunContext::for_test(1)?;
    let watch = Watch { progress: &|_| {}, context: &context, keep_tests: false, cell_limit: usize::MAX };
    let skeleton = skeleton(expression.n_genes(), test, rules, &watch)?;
    let by_sepsets = by_sepsets(&skeleton);
    let (by_largest_p, _) = by_largest_p(&skeleton, test, rules, &watch)?;
    Ok((skeleton, by_sepsets, by_largest_p))
}

fn edges(graph: &Graph) -> Value {
    let edges = graph.edges().into_iter().map(|edge| serde_json::json!([edge.source, edge.target, edge.mark.as_str()]));
    edges.collect()
}

fn assert_search(case: &str, expression: &Expression, test: &FisherZ<'_>, expected: &Value, untestable: Untestable) {
    let rules = Rules { alpha: 0.05, max_level: 30, untestable };
    let (skeleton, by_sepsets, by_largest_p) = found_skeleton(expression, test, &rules).unwrap();
    let kept = skeleton.pairs().filter(|(_, _, pair)| pair.fate == Fate::Adjacent);
    let kept: Value = kept.map(|(i, j, _)| serde_json::json!([i, j])).collect();
    assert_eq!(kept, expected["skeleton"], "{case}: skeleton");
    let separated = skeleton.pairs().filter(|(_, _, pair)| pair.fate == Fate::Separated);
    let sepsets: Value = separated
        .map(|(i, j, pair)| serde_json::json!({"i": i, "j": j, "S": pair.set.to_vec(), "level": pair.set.len()}))
        .collect();
    assert_eq!(sepsets, expected["sepsets"], "{case}: sepsets");
    assert_eq!(edges(&by_sepsets), expected["cpdag"], "{case}: cpdag by sepsets");
    assert_eq!(edges(&by_largest_p), expected["cpdag_max_p"], "{case}: cpdag by the largest p");
    for (level, n_tests) in skeleton.tally.by_level.iter().enumerate() {
        let expected = &expected["distinct_tests_by_level"][level.to_string()];
        assert_eq!(*n_tests as u64, expected.as_u64().unwrap_or(0), "{case}: tests of level {level}");
    }
}

#[test]
fn every_test_of_independence_agrees() {
    let context = RunContext::for_test(1).unwrap();
    let mut n_tests = 0;
    for case in CASES {
        let expected = expected(case);
        for (which, name) in [("observed", "none"), ("observed", "cond"), ("observed", "all"), ("latent", "latent")] {
            let Some(expression) = expression(case, which) else { continue };
            let test = FisherZ::new(&expression, deletion(name), PUBLISHED, Workers::of(&context)).unwrap();
            for asked in expected["ci_tests"].as_array().unwrap() {
                let [x, y] = ["x", "y"].map(|end| usize::try_from(asked[end].as_u64().unwrap()).unwrap());
                let set = numbers(&asked["S"]);
                let (found, what) = (ask(&test, x, y, &set), format!("{case} {x} {y} {set:?} {name}"));
                assert_finding(&found, &asked[name], &what);
                assert_gain(&found, expression.n_cells(), &asked[name], &what);
                n_tests += 1;
            }
        }
    }
    assert_eq!(n_tests, 1045);
}

#[test]
fn every_skeleton_sepset_and_graph_agrees_for_any_number_of_threads() {
    let searches = [
        ("none", "full", "observed"),
        ("cond", "cond", "observed"),
        ("all", "all", "observed"),
        ("none", "oracle", "latent"),
    ];
    for threads in [1, 2, 8] {
        let context = RunContext::for_test(threads).unwrap();
        for case in &CASES[..5] {
            let expected = expected(case);
            for (name, search, which) in searches {
                let Some(expression) = expression(case, which) else { continue };
                let test = FisherZ::new(&expression, deletion(name), PUBLISHED, Workers::of(&context)).unwrap();
                for untestable in [Untestable::Independent, Untestable::Inconclusive] {
                    let what = format!("{case} {search} {threads}");
                    assert_search(&what, &expression, &test, &expected["pc"][search], untestable);
                }
            }
        }
    }
}

#[test]
fn answers_do_not_depend_on_what_else_is_asked() {
    let context = RunContext::for_test(2).unwrap();
    let observed = expression("case02", "observed").unwrap();
    for deletion in [Deletion::None, Deletion::Conditioned, Deletion::All] {
        let test = FisherZ::new(&observed, deletion, PUBLISHED, Workers::of(&context)).unwrap();
        let mut queries = Queries::new(2);
        for x in 0..6 {
            for y in x + 1..8 {
                queries.push(x, y, &[8, 9]);
                queries.push(x, 8, &[if y == 7 { 7 } else { 6 }, 9]);
            }
        }
        for (index, found) in test.evaluate(&queries).unwrap().iter().enumerate() {
            let (x, y) = queries.pair(index);
            assert_eq!(*found, ask(&test, x, y, queries.set(index)));
        }
    }
}
