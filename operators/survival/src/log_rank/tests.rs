//! Reference values, invariants and edges of the log-rank test.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, RecordBatch, StringArray};
use arrow::compute::kernels::cmp::gt;
use causeway_core::Literal;
use proptest::prelude::*;
use serde_json::Value;

use super::Factory;
use crate::testing::*;

fn by_group(extra: &[(&'static str, Literal)]) -> Vec<(&'static str, Literal)> {
    [&[("by", text("group"))], extra].concat()
}

fn assert_test(found: &RecordBatch, expected: &Value, what: &str) {
    for column in ["observed", "expected", "variance"] {
        let values: Vec<f64> =
            expected[column].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
        assert_close(&doubles(found, column), &values, 1e-9, &format!("{what} {column}"));
    }
    let chi_square = expected["chi_square"].as_f64().unwrap();
    let p_value = expected["p_value"].as_f64().unwrap();
    let n = found.num_rows();
    assert_close(&doubles(found, "chi_square"), &vec![chi_square; n], 1e-9, what);
    assert!((doubles(found, "p_value")[0] / p_value - 1.0).abs() < 1e-8, "{what}: p_value");
    assert_eq!(counts(found, "degrees_of_freedom"), vec![expected["degrees_of_freedom"].as_u64().unwrap(); n]);
}

#[test]
fn lung_by_sex_is_the_published_test() {
    let found = run(&Factory, &by_group(&[]), &data_set("lung"));
    assert_close(&doubles(&found, "chi_square"), &[10.326_741_954_885_637; 2], 1e-12, "lung");
    assert_eq!(counts(&found, "n_rows"), [138, 90]);
    assert_eq!(counts(&found, "n_events"), [112, 53]);
    assert_close(&doubles(&found, "expected"), &[91.581_739_029_572_76, 73.418_260_970_427_24], 1e-12, "expected");
}

#[test]
fn six_data_sets_agree_with_lifelines() {
    for name in DATA {
        let golden = golden_json(&format!("golden/{name}.json"));
        let found = run(&Factory, &by_group(&[]), &data_set(name));
        let (expected, first) = (&golden["logrank"], &golden["logrank"]["OEV_first_group"]);
        assert_close(&doubles(&found, "chi_square")[..1], &[expected["chi2"].as_f64().unwrap()], 1e-9, name);
        assert!((doubles(&found, "p_value")[0] / expected["p"].as_f64().unwrap() - 1.0).abs() < 1e-9, "{name}");
        for (column, key) in [("observed", "O1"), ("expected", "E1"), ("variance", "V1")] {
            assert_close(&doubles(&found, column)[..1], &[first[key].as_f64().unwrap()], 1e-9, name);
        }
    }
}

#[test]
fn every_weight_agrees_with_lifelines_in_two_and_four_groups() {
    for case in golden_json("golden/extra.json")["log_rank"].as_array().unwrap() {
        let (name, weights) = (case["data"].as_str().unwrap(), case["weights"].as_str().unwrap());
        let mut extra = vec![("weights", text(weights))];
        if weights == "fleming_harrington" {
            extra.push(("p", Literal::Float(case["p"].as_f64().unwrap())));
            extra.push(("q", Literal::Float(case["q"].as_f64().unwrap())));
        }
        let found = run(&Factory, &by_group(&extra), &data_set(name));
        assert_test(&found, case, &format!("{name} {weights} {} {}", case["p"], case["q"]));
    }
}

#[test]
fn strata_are_compared_within() {
    let lung = data_set("lung");
    let half: ArrayRef = Arc::new((0..lung.num_rows()).map(|row| Some(row < 114)).collect::<BooleanArray>());
    let mut columns: Vec<(&str, ArrayRef)> =
        ["time", "event", "group"].map(|name| (name, Arc::clone(&lung[name]))).to_vec();
    columns.push(("half", half));
    let rows = RecordBatch::try_from_iter(columns).unwrap();
    let found = run(&Factory, &by_group(&[("strata", text("half"))]), &rows);
    assert_test(&found, &golden_json("golden/extra.json")["stratified_lung"], "lung in halves");
    assert_eq!(counts(&found, "n_rows"), [138, 90]);
}

#[test]
fn late_entry_agrees_with_the_formula_in_numpy() {
    let aids = data_set("aids");
    let mut sorted = doubles(&aids, "entry");
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let median = (sorted[middle - 1] + sorted[middle]) / 2.0;
    let late = gt(&aids["entry"], &Float64Array::new_scalar(median)).unwrap();
    let rows = RecordBatch::try_from_iter([
        ("time", Arc::clone(&aids["time"])),
        ("event", Arc::clone(&aids["event"])),
        ("entry", Arc::clone(&aids["entry"])),
        ("group", Arc::new(late) as ArrayRef),
    ])
    .unwrap();
    let found = run(&Factory, &by_group(&[]), &rows);
    assert_test(&found, &golden_json("golden/extra.json")["aids"]["logrank_late_entry"], "aids");
}

#[test]
fn edges() {
    let alone = subjects(&[(1.0, true, 0.0, 0), (2.0, true, 0.0, 0)]);
    assert_eq!(
        refusal(&Factory, &by_group(&[]), &alone),
        "log_rank: a comparison needs at least two groups, `by` forms one"
    );
    let nobody = subjects(&[]);
    assert!(run_on(&Factory, &by_group(&[]), nobody.schema(), vec![nobody], 1).unwrap().is_empty());

    let censored = run(&Factory, &by_group(&[]), &subjects(&[(1.0, false, 0.0, 0), (2.0, false, 0.0, 1)]));
    assert!(censored["chi_square"].is_null(0) && censored["p_value"].is_null(1));
    assert_eq!(counts(&censored, "degrees_of_freedom"), [0, 0]);

    // group 2 is never at risk when others have events
    let apart = [(1.0, false, 0.0, 2), (3.0, true, 0.0, 0), (4.0, true, 0.0, 1), (5.0, true, 0.0, 0)];
    assert_eq!(counts(&run(&Factory, &by_group(&[]), &subjects(&apart)), "degrees_of_freedom"), [1, 1, 1]);
}

#[test]
fn too_many_groups_are_refused() {
    let rows = RecordBatch::try_from_iter([
        ("time", Arc::new(Float64Array::from(vec![1.0; 1001])) as ArrayRef),
        ("event", Arc::new(BooleanArray::from(vec![true; 1001]))),
        ("group", Arc::new((0..1001).map(|row| Some(row.to_string())).collect::<StringArray>())),
    ])
    .unwrap();
    let message = refusal(&Factory, &by_group(&[]), &rows);
    assert_eq!(
        message,
        "log_rank: `by` forms 1001 groups, at most 1000 are compared; is one of its columns an identifier?"
    );
}

#[test]
fn options_that_do_not_fit_are_refused() {
    let lung = data_set("lung");
    assert_eq!(
        refusal(&Factory, &by_group(&[("p", Literal::Integer(1))]), &lung),
        "option `p` of log_rank must be left out unless weights => 'fleming_harrington', got 1"
    );
    assert!(refusal(&Factory, &[], &lung).starts_with("log_rank needs option `by`"));
    let peto = refusal(&Factory, &by_group(&[("weights", text("peto"))]), &lung);
    assert!(peto.contains("'logrank', 'wilcoxon', 'tarone_ware', 'fleming_harrington'"), "{peto}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn names_of_groups_do_not_matter(rows in any_subjects(), shift in 1_u8..4) {
        let renamed: Vec<Subject> = rows.iter().map(|row| (row.0, row.1, row.2, (row.3 * 3 + shift) % 4)).collect();
        let test = |rows: &[Subject]| {
            let rows = subjects(rows);
            run_on(&Factory, &by_group(&[("entry", text("late"))]), rows.schema(), vec![rows], 1).ok()
        };
        if let (Some(one), Some(other)) = (test(&rows), test(&renamed)) {
            let (one, other) = (&one[0], &other[0]);
            prop_assert_eq!(counts(one, "degrees_of_freedom")[0], counts(other, "degrees_of_freedom")[0]);
            let (a, b) = (doubles(one, "chi_square")[0], doubles(other, "chi_square")[0]);
            prop_assert!((a - b).abs() <= 1e-9 * a.max(1.0) || (a.is_nan() && b.is_nan()));
        }
    }

    #[test]
    fn observed_and_expected_have_one_sum(rows in any_subjects()) {
        let rows = subjects(&rows);
        if let Ok(found) = run_on(&Factory, &by_group(&[("entry", text("late"))]), rows.schema(), vec![rows], 1) {
            let [observed, expected] = ["observed", "expected"].map(|name| doubles(&found[0], name).iter().sum::<f64>());
            prop_assert!((observed - expected).abs() < 1e-9);
            let p_value = found[0]["p_value"].as_primitive::<arrow::datatypes::Float64Type>();
            prop_assert!(p_value.is_null(0) || (0.0..=1.0).contains(&p_value.value(0)));
        }
    }

    #[test]
    fn layout_changes_no_byte(rows in any_subjects(), cut in 1_usize..20) {
        assert_independent_of_layout(&Factory, &by_group(&[]), &rows, cut);
    }
}
