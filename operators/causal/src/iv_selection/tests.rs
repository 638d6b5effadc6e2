//! The table of tuples beside the reference, and beside `iv_ate`.

use arrow::array::AsArray;
use arrow::record_batch::RecordBatch;
use causeway_core::Literal;

use super::Factory;
use crate::calls::*;
use crate::iv_ate::reference::{expected, rows};

fn options(extra: &[(&'static str, Literal)]) -> Vec<(&'static str, Literal)> {
    let names = [("outcome", text("y")), ("treatment", text("a")), ("instrument", text("z")), ("folds", text("fold"))];
    names.into_iter().chain(extra.to_vec()).collect()
}

fn call(extra: &[(&'static str, Literal)], threads: usize) -> RecordBatch {
    run(&Factory, &options(extra), &[rows()], threads).unwrap().batches.remove(0)
}

fn tuples(found: &RecordBatch) -> Vec<String> {
    let learners =
        ["instrument", "treatment", "outcome", "confounding"].map(|name| texts(found, &format!("{name}_learner")));
    (0..found.num_rows()).map(|row| learners.each_ref().map(|names| names[row].as_str()).join("|")).collect()
}

#[test]
fn risks_and_estimates_agree() {
    let (found, expected) = (call(&[], 2), expected());
    let (tuples, risks, estimates) = (tuples(&found), doubles(&found, "pseudo_risk"), doubles(&found, "estimate"));
    assert_eq!(tuples.len(), 16);
    let name = |text: &str| text.replace("logit", "linear").replace("ols", "linear").replace("const", "constant");
    for (tuple, risk) in expected["selection_pseudo_risk"].as_object().unwrap() {
        let row = tuples.iter().position(|found| *found == name(tuple)).unwrap();
        assert!((risks[row] - risk.as_f64().unwrap()).abs() < 1e-8, "{tuple}");
        let by_fold = expected["selection_psi_by_fold"][tuple].as_array().unwrap();
        let mean = by_fold.iter().map(|value| value.as_f64().unwrap()).sum::<f64>() / 5.0;
        assert!((estimates[row] - mean).abs() < 1e-8, "{tuple}"); // the folds have 1000 rows each
    }
    let chosen: Vec<usize> = (0..16).filter(|row| found["chosen"].as_boolean().value(*row)).collect();
    assert_eq!(chosen.len(), 1);
    assert_eq!(tuples[chosen[0]], name(expected["selection_chosen"].as_str().unwrap()));
    assert_eq!(counts(&found, "rank")[chosen[0]], 1);
    let mut ranks = counts(&found, "rank");
    ranks.sort_unstable();
    assert_eq!(ranks, (1..=16).collect::<Vec<u64>>());
}

#[test]
fn the_chosen_row_is_what_iv_ate_gives() {
    let found = call(&[], 1);
    let ate = run(&crate::iv_ate::Factory, &options(&[("estimator", text("selective"))]), &[rows()], 2).unwrap();
    let row = (0..16).find(|row| found["chosen"].as_boolean().value(*row)).unwrap();
    assert!(doubles(&found, "estimate")[row].to_bits() == doubles(&ate.batches[0], "estimate")[0].to_bits());
    assert!(doubles(&found, "std_error")[row].to_bits() == doubles(&ate.batches[0], "std_error")[0].to_bits());
}

#[test]
fn one_candidate_is_one_tuple_without_risk_and_threads_do_not_matter() {
    let found = call(&[("learners", text("linear"))], 1);
    assert_eq!((found.num_rows(), doubles(&found, "pseudo_risk")), (1, vec![0.0]));
    assert!(call(&[], 1) == call(&[], 8));
}
