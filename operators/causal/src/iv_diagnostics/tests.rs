use arrow::array::RecordBatch;
use arrow::compute::filter_record_batch;
use causeway_core::{Literal, Output};
use serde_json::Value;

use super::Factory;
use crate::calls::{doubles, run, text, texts};
use crate::linear_iv::testing::{array, assert_close, data, expected, roles_of, rows_of, with_column};

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
        let rows = rows_of(name);
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
        let rows = rows_of(name);
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

#[test]
fn two_treatments_equal_the_reference() {
    let rows = data("card1995.csv");
    let pairs = [
        ("outcome", text("lwage")),
        ("treatment", array(&["educ", "smsa"])),
        ("instruments", array(&["nearc2", "nearc4", "smsa66"])),
        ("covariates", array(&["exper", "expersq", "black", "south"])),
        ("se", text("hc0")),
    ];
    let found = run(&Factory, &pairs, &[rows], 2).unwrap();
    // linearmodels 7.1, the eigenvalue by numpy 2.4
    for (diagnostic, expected) in [
        ("wu_hausman", 2.170_544_214_066_638),
        ("sargan", 2.760_933_337_827_45),
        ("wooldridge_score", 2.764_542_628_241_852),
        ("cragg_donald_f", 4.599_848_751_053_531),
        ("partial_r2", 0.015_696_498_717_213_13),
        ("first_stage_f_classic", 15.957_438_970_014_11),
        ("first_stage_f_robust", 16.554_498_124_600_41),
    ] {
        assert_close(value(&found, diagnostic, "statistic"), expected, 1e-8, diagnostic);
    }
    let names = texts(&found.batches[0], "diagnostic");
    let treatments = texts(&found.batches[0], "treatment");
    let second = names.iter().zip(&treatments).position(|(name, of)| name == "first_stage_f_robust" && of == "smsa");
    assert_close(doubles(&found.batches[0], "statistic")[second.unwrap()], 508.520_782_632_406_7, 1e-8, "smsa");
    assert!(!names.iter().any(|name| name.starts_with("ar_set")), "sets are of one treatment");
}

/// What a diagnostic says with regions absorbed and with their indicators.
#[test]
fn absorbed_regions_equal_their_indicators() {
    let expected = expected();
    let case = &expected["linear_iv"]["card_nearc2_nearc4"];
    let rows = rows_of("card_nearc2_nearc4");
    let names: arrow::array::StringArray =
        doubles(&rows, "region").iter().map(|region| Some(region.to_string())).collect();
    let schema = rows.schema();
    let columns = schema
        .fields()
        .iter()
        .zip(rows.columns())
        .map(|(field, column)| (field.name().as_str(), std::sync::Arc::clone(column)));
    let more: (&str, arrow::array::ArrayRef) = ("area", std::sync::Arc::new(names));
    let rows = RecordBatch::try_from_iter(columns.chain([more])).unwrap();
    let by_indicators = diagnose(case, &rows, &[]);
    let mut pairs = roles_of(case);
    pairs[3].1 = array(&["exper", "expersq", "black", "smsa", "south", "smsa66"]);
    pairs.push(("absorb", text("area")));
    let within = run(&Factory, &pairs, &[rows], 1).unwrap();
    for column in ["statistic", "df1", "df2", "low", "high"] {
        let names = texts(&within.batches[0], "diagnostic");
        let pairs = doubles(&within.batches[0], column).into_iter().zip(doubles(&by_indicators.batches[0], column));
        for ((found, expected), name) in pairs.zip(names).filter(|((_, expected), _)| !expected.is_nan()) {
            // scores lack those of the constant and the indicators, which the weight of J would have
            let tolerance = if name == "j_robust" { 1e-2 } else { 1e-7 };
            assert_close(found, expected, tolerance, &format!("{name} {column}"));
        }
    }
}

#[test]
fn sets_of_one_instrument_hold_the_estimate_and_end_where_the_test_does() {
    let expected = expected();
    let case = &expected["linear_iv"]["card_nearc4"];
    let rows = rows_of("card_nearc4");
    let found = diagnose(case, &rows, &[]);
    let estimate = case["results"]["2sls"]["coef"].as_f64().unwrap();
    for set in ["ar_set_classic", "ar_set_robust"] {
        let (low, high) = (value(&found, set, "low"), value(&found, set, "high"));
        assert!(low < estimate && estimate < high);
        // at an end the test of no effect, on the outcome less that effect, has p = 0.05
        for end in [low, high] {
            let (wages, school) = (doubles(&rows, "lwage"), doubles(&rows, "educ"));
            let less = wages.iter().zip(&school).map(|(wage, school)| wage - end * school).collect();
            let mut pairs = roles_of(case);
            pairs[0].1 = text("less");
            let moved = run(&Factory, &pairs, &[with_column(&rows, "less", less)], 1).unwrap();
            assert_close(value(&moved, set, "p_value"), 0.05, 1e-8, set);
        }
    }
    assert!(word(&found, "first_stage_f_effective", "note").starts_with("weak: below 23.1,"));
    assert_close(value(&found, "first_stage_f_effective", "df1"), 1.0, 1e-12, "one instrument, one degree of freedom");
}

#[test]
fn robust_sets_of_two_instruments_end_where_the_test_does() {
    let all = data("weak_iv_ar_shapes.csv");
    let names = texts(&all, "case");
    let rows = filter_record_batch(&all, &names.iter().map(|case| Some(case == "overid_empty")).collect()).unwrap();
    let pairs = |outcome: &str| {
        [
            ("outcome", text(outcome)),
            ("treatment", text("d")),
            ("instruments", array(&["z1", "z2"])),
            ("covariates", text("x")),
        ]
    };
    let found = run(&Factory, &pairs("y"), std::slice::from_ref(&rows), 1).unwrap();
    assert_eq!(word(&found, "ar_set_robust", "shape"), "empty");
    // with an own effect of z2 taken off the instruments agree
    let (y, d, z2) = (doubles(&rows, "y"), doubles(&rows, "d"), doubles(&rows, "z2"));
    let shapes = (0..8).map(|step| {
        let own = 0.5 * f64::from(step) - 2.0;
        let less = (0..y.len()).map(|row| y[row] - own * z2[row]).collect();
        let rows = with_column(&rows, "less", less);
        let found = run(&Factory, &pairs("less"), std::slice::from_ref(&rows), 1).unwrap();
        let shape = word(&found, "ar_set_robust", "shape");
        if shape == "interval" {
            for end in ["low", "high"].map(|column| value(&found, "ar_set_robust", column)) {
                let at_end = (0..y.len()).map(|row| y[row] - own * z2[row] - end * d[row]).collect();
                let moved = run(&Factory, &pairs("at_end"), &[with_column(&rows, "at_end", at_end)], 1).unwrap();
                assert_close(value(&moved, "ar_set_robust", "p_value"), 0.05, 1e-7, "end");
            }
        }
        shape
    });
    let shapes: Vec<String> = shapes.collect();
    assert!(
        shapes.iter().any(|shape| shape == "interval") && shapes.iter().any(|shape| shape == "empty"),
        "{shapes:?}"
    );
}

#[test]
fn tests_that_cannot_be_computed_say_so() {
    let rows = rows_of("card_nearc4_cluster_region");
    let few: arrow::array::Int64Array =
        doubles(&rows, "smsa").iter().map(|smsa| Some(i64::from(*smsa > 0.5))).collect();
    let schema = rows.schema();
    let columns = schema
        .fields()
        .iter()
        .zip(rows.columns())
        .map(|(field, column)| (field.name().as_str(), std::sync::Arc::clone(column)));
    let more: (&str, arrow::array::ArrayRef) = ("town", std::sync::Arc::new(few));
    let rows = RecordBatch::try_from_iter(columns.chain([more])).unwrap();
    let pairs = [
        ("outcome", text("lwage")),
        ("treatment", text("educ")),
        ("instruments", array(&["nearc2", "nearc4", "age"])),
        ("covariates", array(&["black", "south"])),
        ("cluster", text("town")),
    ];
    let found = run(&Factory, &pairs, &[rows], 1).unwrap();
    assert!(value(&found, "first_stage_f_robust", "statistic").is_nan());
    assert!(word(&found, "first_stage_f_robust", "note").contains("fewer clusters than instruments"));
    assert!(value(&found, "j_robust", "statistic").is_nan());
    assert!(value(&found, "sargan", "statistic") > 0.0);
}
