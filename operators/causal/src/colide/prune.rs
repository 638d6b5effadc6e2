//! The final cut of the weights to a DAG.

/// Keeps the weights above the threshold; while there is a cycle, drops the smallest left.
pub(super) fn prune(weights: &[f64], n_variables: usize, threshold: f64) -> Vec<f64> {
    let mut kept: Vec<f64> =
        weights.iter().map(|weight| if weight.abs() <= threshold { 0.0 } else { *weight }).collect();
    let mut by_size: Vec<usize> = (0..kept.len()).filter(|index| kept[*index].abs() > 0.0).collect();
    by_size.sort_by(|a, b| kept[*a].abs().total_cmp(&kept[*b].abs()));
    for index in by_size {
        if topological_order(&kept, n_variables).is_some() {
            break;
        }
        kept[index] = 0.0;
    }
    kept
}

/// Returns the variables so that every edge points forward, `None` if there is a cycle.
pub(super) fn topological_order(weights: &[f64], n_variables: usize) -> Option<Vec<usize>> {
    let is_edge = |source: usize, target: usize| weights[source * n_variables + target].abs() > 0.0;
    let mut n_parents: Vec<usize> =
        (0..n_variables).map(|target| (0..n_variables).filter(|source| is_edge(*source, target)).count()).collect();
    let mut order: Vec<usize> = (0..n_variables).filter(|variable| n_parents[*variable] == 0).collect();
    let mut next = 0;
    while let Some(&source) = order.get(next) {
        next += 1;
        for target in (0..n_variables).filter(|target| is_edge(source, *target)) {
            n_parents[target] -= 1;
            if n_parents[target] == 0 {
                order.push(target);
            }
        }
    }
    (order.len() == n_variables).then_some(order)
}
