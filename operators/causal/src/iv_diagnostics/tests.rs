use arrow::array::RecordBatch;
use arrow::compute::filter_record_batch;
use causeway_core::{Literal, Output};
use serde_json::Value;

use super::Factory;
use crate::calls::{doubles, run, text, texts};
use crate::linear_iv::testing::{array, assert_close, data, expected, roles_of, rows_of};

/// The value of a column in the row of a diagnostic; null is NaN.
fn value(found: &Output, diagnostic: &str, column: &str) -> f64 {
    doubles(&found.batches[0], column)[row(found, diagnostic)]
}

fn word(found: &Output, diagnostic: &str, column: &str) -> String {
    texts(&found.batches[0], column)[row(found, diagnostic)].clone()
}

fn row(found: &Output, diagnostic: &str) -> usize {
    texts(&found.batches[0], "diagnostic").iter().position(|name| name == diagnostic).unwrap()
}

fn diagnose(case: &Value, rows: &RecordBatch, more: &[(&'static str, Literal)]) -> Output {
    let pairs = [roles_of(case).as_slice(), more].concat();
    run(&Factory, &pairs, std::slice::from_ref(rows), 2).unwrap()
}

fn check_set(found: &Output, diagnostic: &str, expected: &Value, tolerance: f64, what: &str) {
    assert_eq!(word(found, diagnostic, "shape"), expected["shape"].as_str().unwrap(), "{what}");
    for (column, index) in [("low", 0), ("high", 1)] {
        match expected["endpoints"][index].as_f64() {
            Some(end) => assert_close(value(found, diagnostic, column), end, tolerance, what),
            None => assert!(value(found, diagnostic, column).is_nan(), "{what}"),
        }
    }
}

#[test]
fn tests_equal_the_reference() {
    for (name, case) in expected()["linear_iv"].as_object().unwrap() {
        let rows = rows_of(name).unwrap();
        let results = &case["results"];
        let stage = &results["first_stage"];
        for se in ["hc0", "hc1"] {
            let found = diagnose(case, &rows, &[("se", text(se))]);
            let close = |diagnostic: &str, column: &str, expected: &Value, tolerance: f64| {
                let what = format!("{name} {diagnostic} {column} {se}");
                assert_close(value(&found, diagnostic, column), expected.as_f64().unwrap(), tolerance, &what);
            };
            close("partial_r2", "statistic", &stage["partial_r2"], 1e-8);
            close("first_stage_f_classic", "statistic", &stage["F_classic"], 1e-8);
            close("first_stage_f_robust", "statistic", &stage[format!("F_robust_{se}")], 1e-8);
            close("first_stage_f_effective", "statistic", &stage[format!("F_effective_{se}")], 1e-8);
            close("wu_hausman", "statistic", &results["wu_hausman"]["stat"], 1e-8);
            close("wu_hausman", "p_value", &results["wu_hausman"]["p"], 1e-8);
            if results["sargan"].is_object() {
                close("sargan", "statistic", &results["sargan"]["stat"], 1e-8);
                close("sargan", "p_value", &results["sargan"]["p"], 1e-8);
                close("basmann", "statistic", &results["basmann"]["stat"], 1e-8);
                close("wooldridge_score", "statistic", &results["wooldridge_overid"]["stat"], 1e-8);
                close("j_robust", "statistic", &results["gmm2step_robust"]["J"], 1e-6);
                close("j_robust", "p_value", &results["gmm2step_robust"]["J_p"], 1e-6);
            } else {
                assert!(value(&found, "j_robust", "statistic").is_nan());
            }
            if results["ar_classic"].is_object() {
                close("ar_set_classic", "statistic", &results["ar_classic"]["stat_at_0"], 1e-8);
                close("ar_set_classic", "p_value", &results["ar_classic"]["p_at_0"], 1e-8);
            }
            if se == "hc1" && results["ar_robust_hc1"].is_object() {
                let robust = &results["ar_robust_hc1"];
                close("ar_set_robust", "statistic", &robust["stat_at_0"], 1e-8);
                // the reference was inverted numerically
                close("ar_set_robust", "low", &robust["ci95"][0], 1e-7);
                close("ar_set_robust", "high", &robust["ci95"][1], 1e-7);
            }
        }
    }
}

#[test]
fn anderson_rubin_sets_equal_the_reference_also_where_they_are_empty() {
    let mut shapes = Vec::new();
    for (name, case) in expected()["linear_iv"].as_object().unwrap() {
        let rows = rows_of(name).unwrap();
        for (key, confidence) in [("level_0.9", 0.9), ("level_0.95", 0.95), ("level_0.99", 0.99)] {
            let found = diagnose(case, &rows, &[("confidence", Literal::Float(confidence))]);
            let expected = &case["results"]["ar_classic_set"][key];
            check_set(&found, "ar_set_classic", expected, 1e-8, &format!("{name} {key}"));
            shapes.push(expected["shape"].as_str().unwrap().to_owned());
        }
    }
    assert!(shapes.iter().any(|shape| shape == "empty"));
}

#[test]
fn the_four_shapes_of_weak_instruments() {
    let all = data("weak_iv_ar_shapes.csv");
    let names = texts(&all, "case");
    for (name, case) in expected()["weak_iv_ar_shapes"]["cases"].as_object().unwrap() {
        let rows = filter_record_batch(&all, &names.iter().map(|case| Some(case == name)).collect()).unwrap();
        let instruments: Vec<&str> = case["z"].as_array().unwrap().iter().map(|z| z.as_str().unwrap()).collect();
        let pairs = [
            ("outcome", text("y")),
            ("treatment", text("d")),
            ("instruments", array(&instruments)),
            ("covariates", text("x")),
        ];
        let found = run(&Factory, &pairs, &[rows], 1).unwrap();
        check_set(&found, "ar_set_classic", &case["ar_95"], 1e-8, name);
        let f = value(&found, "first_stage_f_classic", "statistic");
        assert_close(f, case["first_stage_F"].as_f64().unwrap(), 1e-8, name);
        let warnings = found.report["warnings"].as_array().unwrap().len();
        assert_eq!(warnings == 0, name == "strong", "{name}: {:?}", found.report["warnings"]);
    }
}
