//! What lineage keeps of a fit.

use causeway_core::Report;
use serde_json::{Map, Value, json};

use super::algorithm::{Attempt, Fit};
use super::params::Colide;
use crate::moments::Moments;

/// Returns the facts about a fit and its graph.
pub(super) fn describe(params: &Colide, moments: &Moments, fit: &Fit, weights: &[f64]) -> Report {
    let n = moments.names.len();
    let scales = moments.names.iter().zip(fit.point.scales(n));
    let scales: Map<String, Value> = scales.map(|(name, scale)| (name.clone(), json!(scale))).collect();
    let variances: Vec<f64> = (0..n).map(|index| moments.covariance[index * n + index]).collect();
    let mut report = Report::from([
        ("n_rows", moments.n_rows.into()),
        ("n_variables", n.into()),
        ("n_edges", n_edges(weights).into()),
        ("variant", params.variant.name().into()),
        ("noise_scales", Value::Object(scales)),
        ("varsortability", json!(varsortability(weights, &variances))),
        ("stages", fit.attempts.iter().map(stage).collect()),
    ]);
    if let Some(last) = fit.attempts.last() {
        report.insert("objective", json!(last.value.objective));
        report.insert("score", json!(last.value.score));
        report.insert("acyclicity", json!(last.value.acyclicity));
        report.insert("converged", last.converged.into());
    }
    report
}

/// Adds what the other variant found.
pub(super) fn add_comparison(report: &mut Report, other: &Fit, weights: &[f64], others: &[f64]) {
    let shared = weights.iter().zip(others).filter(|(a, b)| a.abs() > 0.0 && b.abs() > 0.0).count();
    if let Some(last) = other.attempts.last() {
        report.insert("other_objective", json!(last.value.objective));
        report.insert("other_score", json!(last.value.score));
    }
    report.insert("other_n_edges", n_edges(others).into());
    report.insert("n_shared_edges", shared.into());
}

fn n_edges(weights: &[f64]) -> usize {
    weights.iter().filter(|weight| weight.abs() > 0.0).count()
}

fn stage(attempt: &Attempt) -> Value {
    json!({
        "stage": attempt.stage, "mu": attempt.constants.mu, "s": attempt.constants.s,
        "learning_rate": attempt.learning_rate, "n_steps": attempt.n_steps, "in_domain": attempt.in_domain,
        "converged": attempt.converged, "objective": attempt.value.objective,
    })
}

/// Returns the share of directed paths whose end has the greater variance; a tie counts half, and
/// paths of equal length between the same variables count once (Reisach, Seiler and Weichwald 2021).
/// `None` without an edge. The graph must be acyclic.
pub(super) fn varsortability(weights: &[f64], variances: &[f64]) -> Option<f64> {
    let n = variances.len();
    let children: Vec<Vec<usize>> =
        (0..n).map(|i| (0..n).filter(|j| weights[i * n + j].abs() > 0.0).collect()).collect();
    let mut ends = children.clone();
    let (mut n_paths, mut n_sorted) = (0.0, 0.0);
    for _ in 0..n {
        for (source, ends) in ends.iter().enumerate() {
            for end in ends {
                n_paths += 1.0;
                n_sorted += match variances[source].total_cmp(&variances[*end]) {
                    std::cmp::Ordering::Less => 1.0,
                    std::cmp::Ordering::Equal => 0.5,
                    std::cmp::Ordering::Greater => 0.0,
                };
            }
        }
        ends = ends.iter().map(|ends| next_ends(ends, &children)).collect();
    }
    (n_paths > 0.0).then(|| n_sorted / n_paths)
}

fn next_ends(ends: &[usize], children: &[Vec<usize>]) -> Vec<usize> {
    let mut next: Vec<usize> = ends.iter().flat_map(|end| children[*end].iter().copied()).collect();
    next.sort_unstable();
    next.dedup();
    next
}
