//! Hand-checked distances, the intervention distance against linear systems, and refusals.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use causeway_core::Literal;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;

use super::Factory;
use super::algorithm::{Dag, Graph, Mark, intervention_distance};
use crate::calls::*;

fn edges(rows: &[(&str, &str, &str)]) -> RecordBatch {
    let column = |values: Vec<&str>| Arc::new(StringArray::from(values)) as ArrayRef;
    RecordBatch::try_from_iter([
        ("source", column(rows.iter().map(|row| row.0).collect())),
        ("mark", column(rows.iter().map(|row| row.1).collect())),
        ("target", column(rows.iter().map(|row| row.2).collect())),
    ])
    .unwrap()
}

fn compare(estimate: &[(&str, &str, &str)], truth: &[(&str, &str, &str)]) -> RecordBatch {
    run(&Factory, &[], &[edges(estimate), edges(truth)], 2).unwrap().batches.remove(0)
}

fn count(found: &RecordBatch, column: &str) -> u64 {
    counts(found, column)[0]
}

#[test]
fn every_difference_of_a_pair_counts_one() {
    let truth = [("a", "->", "b"), ("b", "->", "c"), ("c", "--", "d"), ("d", "->", "e")];
    let same = [("b", "<-", "a"), ("b", "->", "c"), ("d", "--", "c"), ("d", "->", "e"), ("d", "->", "e")];
    assert_eq!(count(&compare(&same, &truth), "shd"), 0);
    // b -> c turned round, c -- d directed, d -> e missing, a -> e too many
    let other = [("a", "->", "b"), ("c", "->", "b"), ("c", "->", "d"), ("a", "->", "e")];
    let found = compare(&other, &truth);
    assert_eq!(["n_nodes", "n_edges_estimate", "shd", "n_shared"].map(|name| count(&found, name)), [5, 4, 4, 3]);
    for measure in ["skeleton_precision", "skeleton_recall", "skeleton_f1"] {
        assert_eq!(doubles(&found, measure), [0.75]);
    }
    assert_eq!(count(&found, "sid"), u64::MAX); // null: the truth has an undirected edge
}

#[test]
fn the_example_of_the_paper_has_its_distances() {
    // Peters and Bühlmann 2015, example 2: G, and H1, H2 with one edge more or turned, both of Hamming distance 1
    let others = ["y1", "y2", "y3"];
    let mut g = vec![("x1", "->", "x2")];
    for other in others {
        g.extend([("x1", "->", other), ("x2", "->", other)]);
    }
    let more = [&g[..], &[("y1", "->", "y2")]].concat();
    let turned = [&[("x2", "->", "x1")], &g[1..]].concat();
    let (more, turned) = (compare(&more, &g), compare(&turned, &g));
    assert_eq!((count(&more, "shd"), count(&more, "sid")), (1, 0));
    assert_eq!((count(&turned, "shd"), count(&turned, "sid")), (1, 8));
}

/// A random graph on a random order, with its marks.
fn random_graph(n: usize, random: &mut ChaCha20Rng) -> Graph {
    let mut place: Vec<usize> = (0..n).collect();
    for last in (1..n).rev() {
        place.swap(last, random.random_range(0..=last));
    }
    let mut graph = Graph::new();
    for larger in 0..n {
        for smaller in 0..larger {
            if random.random_bool(0.5) {
                let mark = if place[smaller] < place[larger] { Mark::Forward } else { Mark::Backward };
                graph.insert((smaller, larger), mark);
            }
        }
    }
    graph
}

fn has_edge(graph: &Graph, source: usize, target: usize) -> bool {
    let mark = if source < target { Mark::Forward } else { Mark::Backward };
    graph.get(&(source.min(target), source.max(target))) == Some(&mark)
}

/// Solves a small system by elimination with row exchange.
fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Vec<f64> {
    let n = right.len();
    for pivot in 0..n {
        let best = (pivot..n).max_by(|a, b| matrix[*a][pivot].abs().total_cmp(&matrix[*b][pivot].abs())).unwrap();
        matrix.swap(pivot, best);
        right.swap(pivot, best);
        for row in pivot + 1..n {
            let factor = matrix[row][pivot] / matrix[pivot][pivot];
            let lead = matrix[pivot].clone();
            for (entry, lead) in matrix[row].iter_mut().zip(lead) {
                *entry -= factor * lead;
            }
            right[row] -= factor * right[pivot];
        }
    }
    for row in (0..n).rev() {
        let known: f64 = (row + 1..n).map(|column| matrix[row][column] * right[column]).sum();
        right[row] = (right[row] - known) / matrix[row][row];
    }
    right
}

/// Counts the pairs for which regression on i and its parents in the estimate misses the total effect of i on j in a
/// linear system on the truth with random weights.
fn distance_by_regression(estimate: &Graph, truth: &Graph, n: usize, random: &mut ChaCha20Rng) -> usize {
    let weights: Vec<Vec<f64>> = (0..n)
        .map(|source| {
            let weight = |target| if has_edge(truth, source, target) { random.random_range(0.5..2.0) } else { 0.0 };
            (0..n).map(weight).collect()
        })
        .collect();
    // total effects: T = I + W T, as W is nilpotent
    let mut effects = vec![vec![0.0; n]; n];
    for _ in 0..=n {
        let path = |source: usize, target: usize| -> f64 {
            let through: f64 = (0..n).map(|middle| weights[source][middle] * effects[middle][target]).sum();
            through + f64::from(u8::from(source == target))
        };
        effects = (0..n).map(|source| (0..n).map(|target| path(source, target)).collect()).collect();
    }
    let variances: Vec<f64> = (0..n).map(|_| random.random_range(0.5..2.0)).collect();
    let covariance = |a: usize, b: usize| (0..n).map(|k| effects[k][a] * variances[k] * effects[k][b]).sum::<f64>();
    let mut n_wrong = 0;
    for (i, effects) in effects.iter().enumerate() {
        let mut regressors: Vec<usize> = vec![i];
        regressors.extend((0..n).filter(|parent| has_edge(estimate, *parent, i)));
        for j in (0..n).filter(|j| *j != i) {
            let estimated = if regressors.contains(&j) {
                0.0
            } else {
                let matrix =
                    regressors.iter().map(|a| regressors.iter().map(|b| covariance(*a, *b)).collect()).collect();
                solve(matrix, regressors.iter().map(|a| covariance(*a, j)).collect())[0]
            };
            n_wrong += usize::from((estimated - effects[j]).abs() > 1e-9);
        }
    }
    n_wrong
}

#[test]
fn the_intervention_distance_counts_wrong_regressions() {
    let mut random = ChaCha20Rng::seed_from_u64(1);
    let mut total = 0;
    for _ in 0..600 {
        let n = random.random_range(2..7);
        let (estimate, truth) = (random_graph(n, &mut random), random_graph(n, &mut random));
        let dags = (Dag::new(&estimate, n).unwrap(), Dag::new(&truth, n).unwrap());
        let found = intervention_distance(&dags.0, &dags.1, &|| Ok(())).unwrap();
        assert_eq!(found, distance_by_regression(&estimate, &truth, n, &mut random), "{estimate:?} {truth:?}");
        assert_eq!(intervention_distance(&dags.1, &dags.1, &|| Ok(())).unwrap(), 0);
        total += found;
    }
    assert!(total > 1000);
}

#[test]
fn cycles_empty_lists_and_switched_off_distances_give_null() {
    let cycle = [("a", "->", "b"), ("b", "->", "c"), ("c", "->", "a")];
    assert_eq!(count(&compare(&cycle, &cycle), "sid"), u64::MAX);
    let empty = compare(&[], &[]);
    assert_eq!((count(&empty, "shd"), count(&empty, "sid")), (0, 0));
    for measure in ["skeleton_precision", "skeleton_recall", "skeleton_f1"] {
        assert!(doubles(&empty, measure)[0].is_nan());
    }
    let alone = [("a", "->", "b")];
    let off = [("intervention_distance", Literal::Boolean(false))];
    let found = run(&Factory, &off, &[edges(&alone), edges(&alone)], 1).unwrap().batches.remove(0);
    assert_eq!((count(&found, "shd"), count(&found, "sid")), (0, u64::MAX));
}

#[test]
fn numbers_name_variables_and_marks_are_not_needed() {
    let ends = |values: Vec<i64>| Arc::new(Int64Array::from(values)) as ArrayRef;
    let rows = RecordBatch::try_from_iter([("regulator", ends(vec![1, 2])), ("gene", ends(vec![2, 30]))]).unwrap();
    let pairs = [("source", text("regulator")), ("target", text("gene"))];
    let found = run(&Factory, &pairs, &[rows.clone(), rows], 1).unwrap().batches.remove(0);
    assert_eq!(["n_nodes", "shd", "sid"].map(|name| count(&found, name)), [3, 0, 0]);
}

#[test]
fn rows_that_are_no_edge_are_refused_or_left_out() {
    let truth = edges(&[("a", "->", "b")]);
    let refuse = |rows: &[(&str, &str, &str)]| refusal(&Factory, &[], &[truth.clone(), edges(rows)]);
    assert_eq!(
        refuse(&[("a", "->", "a"), ("a", "-->", "b"), ("c", "<-", "c")]),
        "compare_graphs: `truth` has 2 rows from a variable to itself, 1 row whose mark is none of '->', '<-', '--'; \
         filter or correct them in the SELECT"
    );
    assert!(refuse(&[("a", "->", "b"), ("b", "--", "a")]).contains("1 row joining a pair otherwise"));
    let column = |values: Vec<Option<&str>>| Arc::new(StringArray::from(values)) as ArrayRef;
    let nulls = |source, mark| {
        RecordBatch::try_from_iter_with_nullable([
            ("source", column(vec![source, Some("a")]), true),
            ("target", column(vec![Some("b"), Some("b")]), true),
            ("mark", column(vec![mark, Some("->")]), true),
        ])
        .unwrap()
    };
    let message = refusal(&Factory, &[], &[nulls(None, Some("->")), truth.clone()]);
    assert!(message.contains("`estimate` has 1 row without a source"), "{message}");
    let found = run(&Factory, &[], &[nulls(Some("z"), None), truth], 1).unwrap().batches.remove(0);
    assert_eq!((count(&found, "shd"), count(&found, "n_nodes")), (0, 2));
}
