//! Which column tells the outcomes apart.

use super::super::{Features, LearnError, is};

/// Names the column that separates the outcomes alone, if the weights grew without bound and one does.
pub(super) fn explain(error: LearnError, features: &Features, outcomes: &[f64]) -> LearnError {
    let LearnError::Separation { .. } = error else { return error };
    let alone = features.columns().iter().position(|column| separates(column, outcomes));
    alone.map_or(error, |column| LearnError::Separation { column, alone: true })
}

/// Returns true if the values of one class lie on one side of those of the other, shared ends included.
fn separates(column: &[f64], outcomes: &[f64]) -> bool {
    let range = |class: f64| {
        let values = column.iter().zip(outcomes).filter(|(_, outcome)| is(**outcome, class)).map(|(value, _)| *value);
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
    };
    let (zeros, ones) = (range(0.0), range(1.0));
    zeros.1 <= ones.0 || ones.1 <= zeros.0
}
