//! The graph does not depend on what only shapes the rows.

use causeway_core::Literal;

use super::Factory;
use crate::calls::*;

#[test]
fn rows_noise_and_form_change_no_edge() {
    let graph = [("n_variables", Literal::Integer(12)), ("seed", Literal::Integer(3))];
    let rows = [
        ("n_rows", Literal::Integer(7)),
        ("noise", text("laplace")),
        ("noise_high", Literal::Integer(9)),
        ("form", text("lognormal")),
    ];
    let plain = run(&Factory, &graph, &[], 1).unwrap().batches;
    let shaped = run(&Factory, &[&graph[..], &rows[..]].concat(), &[], 1).unwrap().batches;
    assert_eq!(plain, shaped);
    assert_eq!(plain[0].num_rows(), 12);
    let weights = doubles(&plain[0], "weight");
    assert!(weights.iter().any(|weight| *weight < 0.0) && weights.iter().any(|weight| *weight > 0.0));
}
