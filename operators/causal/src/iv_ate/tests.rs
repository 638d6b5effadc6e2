//! Reference estimates of a simulated study, by plain numpy code.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, UInt32Array};
use arrow::compute::take_record_batch;
use causeway_core::{Cancel, Literal, Relation, RunContext};
use serde_json::Value;

use super::debiased::Inference;
use super::reference::{abadie, columns, expected, rows};
use super::*;
use crate::calls::*;

/// The study with x1, x2, x3, x1^2, x2^2 and x1^2 + x2^2 + 0.5 as covariates 0 to 5.
fn sample() -> Sample {
    let columns = columns();
    let flags = |column: &[f64]| column.iter().map(|value| *value > 0.5).collect::<Vec<bool>>();
    let square = |column: &[f64]| column.iter().map(|value| value * value).collect::<Vec<f64>>();
    let (first, second) = (square(&columns[3]), square(&columns[4]));
    let both = first.iter().zip(&second).map(|(first, second)| first + second + 0.5).collect();
    Sample {
        outcome: columns[0].clone(),
        treatment: flags(&columns[1]),
        instrument: flags(&columns[2]),
        covariates: vec![columns[3].clone(), columns[4].clone(), columns[5].clone(), first, second, both],
    }
}

fn right() -> Models {
    let all = 0..3;
    Models {
        instrument: Basis::of(all.clone(), InstrumentTerms::Absent),
        treatment: Basis::of(all.clone(), InstrumentTerms::Interacted),
        outcome: Basis::of(all.clone(), InstrumentTerms::Interacted),
        confounding: Basis::of(all.clone(), InstrumentTerms::Absent),
        effect: Basis::of(all, InstrumentTerms::Absent),
    }
}

fn wrong() -> Models {
    Models {
        instrument: Basis::of([3], InstrumentTerms::Absent),
        treatment: Basis::of([3], InstrumentTerms::Added),
        outcome: Basis::of([4], InstrumentTerms::Absent),
        confounding: Basis { constant: false, covariates: vec![5], instrument: InstrumentTerms::Absent },
        effect: Basis::of([3], InstrumentTerms::Absent),
    }
}

const GUARD: Guard = Guard { min_d: 0.01, weak_share: 0.0 };

fn assert_close(found: f64, expected: &Value, tolerance: f64, what: &str) {
    let expected = expected.as_f64().unwrap();
    assert!((found - expected).abs() <= tolerance * expected.abs().max(1.0), "{what}: {found} is not {expected}");
}

#[test]
fn every_sub_model_agrees() {
    let (sample, expected) = (sample(), expected());
    let cases = [
        ("all_ok", right()),
        (
            "only_pi_p_ok",
            Models { outcome: wrong().outcome, confounding: wrong().confounding, effect: wrong().effect, ..right() },
        ),
        ("pi_h_beta_ok", Models { treatment: wrong().treatment, confounding: wrong().confounding, ..right() }),
        ("rho_p_beta_ok", Models { instrument: wrong().instrument, outcome: wrong().outcome, ..right() }),
        ("rho_h_beta_ok", Models { instrument: wrong().instrument, treatment: wrong().treatment, ..right() }),
        ("all_bad", wrong()),
    ];
    for (name, models) in cases {
        let found = multiply_robust(&sample, &models, &GUARD, &Cancel::default()).unwrap();
        let case = &expected["estimates"][name];
        assert_close(found.ate, &case["ate"], 1e-8, name);
        assert_close(found.std_error_influence, &case["se_if"], 1e-8, name);
        assert_close(found.plug_in, &case["plugin"], 1e-8, name);
        for (found, expected) in found.effect.iter().zip(case["detail"]["alpha"].as_array().unwrap()) {
            assert_close(found.0, expected, 1e-8, name);
        }
        let least = found.relevance.iter().copied().fold(f64::INFINITY, f64::min);
        assert_close(least, &case["detail"]["min_abs_D"], 1e-8, name);
    }
}

#[test]
fn the_sandwich_agrees() {
    let found = multiply_robust(&sample(), &right(), &GUARD, &Cancel::default()).unwrap();
    assert_close(found.std_error, &expected()["sandwich_se_all_ok"], 1e-8, "sandwich");
    let mean = found.influence.iter().sum::<f64>() / 5000.0;
    assert!(mean.abs() < 1e-9, "{mean}");
}

fn list(words: &[&str]) -> Literal {
    Literal::List(words.iter().map(|word| text(word)).collect())
}

/// The options that name the columns, and others.
fn options(extra: &[(&'static str, Literal)]) -> Vec<(&'static str, Literal)> {
    let names = [
        ("outcome", text("y")),
        ("treatment", text("a")),
        ("instrument", text("z")),
        ("covariates", list(&["x1", "x2", "x3"])),
    ];
    names.into_iter().filter(|(name, _)| !extra.iter().any(|(other, _)| other == name)).chain(extra.to_vec()).collect()
}

fn call(extra: &[(&'static str, Literal)], rows: &RecordBatch) -> RecordBatch {
    run(&Factory, &options(extra), std::slice::from_ref(rows), 2).unwrap().batches.remove(0)
}

fn refused(extra: &[(&'static str, Literal)], rows: &RecordBatch) -> String {
    refusal(&Factory, &options(extra), std::slice::from_ref(rows))
}

/// A number of the row of a term.
fn of(found: &RecordBatch, term: &str, column: &str) -> f64 {
    let row = texts(found, "term").iter().position(|name| name == term).unwrap_or_else(|| panic!("no row {term}"));
    doubles(found, column)[row]
}

fn note(found: &RecordBatch, term: &str) -> String {
    let row = texts(found, "term").iter().position(|name| name == term).unwrap();
    texts(found, "note").remove(row)
}

/// Replaces a column.
fn with(rows: &RecordBatch, name: &str, change: impl Fn(usize, f64) -> f64) -> RecordBatch {
    let columns = rows.schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<String>>();
    RecordBatch::try_from_iter(columns.into_iter().map(|column| {
        let values = ArrayRef::clone(&rows[column.as_str()]);
        if column != name {
            return (column, values);
        }
        let changed = doubles(rows, name).into_iter().enumerate().map(|(row, value)| change(row, value));
        (column, Arc::new(Float64Array::from_iter_values(changed)) as ArrayRef)
    }))
    .unwrap()
}

#[test]
fn the_operator_gives_the_reference_estimates() {
    let (found, expected) = (call(&[], &rows()), expected());
    let right = &expected["estimates"]["all_ok"];
    assert_close(of(&found, "ate", "estimate"), &right["ate"], 1e-8, "ate");
    assert_close(of(&found, "ate", "std_error"), &expected["sandwich_se_all_ok"], 1e-8, "sandwich");
    assert_close(of(&found, "ate", "std_error_influence"), &right["se_if"], 1e-8, "influence");
    assert_close(of(&found, "plug_in", "estimate"), &right["plugin"], 1e-8, "plug-in");
    assert_close(of(&found, "min_abs_d", "estimate"), &right["detail"]["min_abs_D"], 1e-8, "D");
    for (index, name) in [(1, "x1"), (2, "x2"), (3, "x3")] {
        let slope = of(&found, &format!("effect_modifier:{name}"), "estimate");
        assert_close(slope, &right["detail"]["alpha"][index], 1e-8, name);
    }
    let two_stage = &expected["naive_2sls_biased"];
    assert_close(of(&found, "two_stage_least_squares", "estimate"), &two_stage["coef"], 1e-8, "2sls");
    assert_close(of(&found, "two_stage_least_squares", "std_error"), &two_stage["se_hc0"], 1e-8, "2sls error");
    assert_eq!(counts(&found, "n_used")[0], 5000);
    assert_eq!(note(&found, "ate"), "NULL");
}

#[test]
fn cross_fitting_agrees() {
    let extra = [("estimator", text("dml")), ("folds", text("fold"))];
    let (found, expected) = (call(&extra, &rows()), &expected()["crossfit_logit_ols"]);
    assert_close(of(&found, "ate", "estimate"), &expected["ate"], 1e-6, "ate");
    assert_close(of(&found, "ate", "std_error"), &expected["se"], 1e-6, "error");
    assert!(of(&found, "rmse_treatment", "estimate") < 0.5);
    assert!(of(&found, "share_clipped", "estimate").abs() < 1e-15);
}

#[test]
fn the_selected_tuple_agrees() {
    let extra = [("estimator", text("selective")), ("folds", text("fold"))];
    let output = run(&Factory, &options(&extra), &[rows()], 2).unwrap();
    let expected = expected();
    assert_close(of(&output.batches[0], "ate", "estimate"), &expected["selection_ate"], 1e-6, "ate");
    let names = |text: &str| text.replace("logit", "linear").replace("ols", "linear").replace("const", "constant");
    let chosen = names(expected["selection_chosen"].as_str().unwrap());
    assert_eq!(output.report["learners"], chosen.as_str());
    assert!(note(&output.batches[0], "ate").starts_with(&format!("learners chosen: {chosen}")));
    for (tuple, risk) in expected["selection_pseudo_risk"].as_object().unwrap() {
        let found =
            output.report["pseudo_risks"].as_array().unwrap().iter().find(|pair| pair[0] == names(tuple).as_str());
        assert_close(found.unwrap()[1].as_f64().unwrap(), risk, 1e-8, tuple);
    }
}

/// The conditions say nothing about a direct effect, so adding one to the outcome must change nothing.
#[test]
fn a_direct_effect_of_the_instrument_changes_only_what_rests_on_exclusion() {
    let rows = rows();
    let z = doubles(&rows, "z");
    let direct = with(&rows, "y", |row, y| y + z[row] * 10.0);
    for estimator in ["mr", "dml"] {
        let extra = [("estimator", text(estimator)), ("folds", text("fold"))];
        let (before, after) = (call(&extra, &rows), call(&extra, &direct));
        let change = of(&after, "ate", "estimate") - of(&before, "ate", "estimate");
        assert!(change.abs() < 1e-8, "{estimator}: {change}");
        assert!((of(&after, "ate", "std_error") - of(&before, "ate", "std_error")).abs() < 1e-8);
        assert!(
            of(&after, "two_stage_least_squares", "estimate")
                > of(&before, "two_stage_least_squares", "estimate") + 20.0
        );
        assert!(of(&after, "exclusion_contrast", "statistic") < -20.0);
    }
}

#[test]
fn units_and_the_names_of_the_arms_do_not_matter() {
    let rows = rows();
    let found = call(&[], &rows);
    let near = |other: &RecordBatch, column: &str, factor: f64| {
        let (found, other) = (of(&found, "ate", column), of(other, "ate", column));
        assert!(
            (other - factor * found).abs() < 1e-7 * found.abs().max(1.0),
            "{column}: {other} is not {factor} {found}"
        );
    };
    let moved = with(&rows, "x1", |_, x| 1e6 + 250.0 * x);
    let moved = call(&[], &with(&moved, "y", |_, y| 3.0 * y - 40.0));
    near(&moved, "estimate", 3.0);
    near(&moved, "std_error", 3.0);
    let slope = of(&found, "effect_modifier:x1", "estimate");
    assert!((of(&moved, "effect_modifier:x1", "estimate") - 3.0 * slope / 250.0).abs() < 1e-9);
    let swapped = call(&[], &with(&rows, "z", |_, z| 1.0 - z));
    near(&swapped, "estimate", 1.0);
    near(&swapped, "std_error", 1.0);
    let untreated = call(&[], &with(&rows, "a", |_, a| 1.0 - a));
    near(&untreated, "estimate", -1.0);
    near(&untreated, "std_error", 1.0);
}

#[test]
fn threads_and_batches_change_no_bit_and_a_key_forgets_the_order() {
    let rows = rows();
    let key: ArrayRef = Arc::new(Int64Array::from_iter_values(0..5000));
    let columns = ["y", "a", "z", "x1", "x2", "x3"].map(|name| (name, ArrayRef::clone(&rows[name])));
    let keyed = RecordBatch::try_from_iter(columns.into_iter().chain([("key", key)])).unwrap();
    let backwards: Vec<u32> = (0..5000).rev().collect();
    let backwards = take_record_batch(&keyed, &UInt32Array::from(backwards)).unwrap();
    for extra in [vec![], vec![("estimator", text("selective")), ("repeats", Literal::Integer(2))]] {
        let options = options(&extra);
        let one = run(&Factory, &options, std::slice::from_ref(&keyed), 1).unwrap().batches;
        for threads in [2, 8] {
            assert!(run(&Factory, &options, std::slice::from_ref(&keyed), threads).unwrap().batches == one);
        }
        assert!(run(&Factory, &options, std::slice::from_ref(&backwards), 2).unwrap().batches == one);
        let cut = [keyed.slice(0, 1234), keyed.slice(1234, 3766)];
        let relation = Relation::from_batches(keyed.schema(), cut.to_vec());
        let mut context = RunContext::for_test(2).unwrap();
        assert!(run_relations(&Factory, &options, vec![relation], &mut context).unwrap().batches == one);
    }
}

#[test]
fn repeats_give_the_median_and_count_the_spread() {
    let extra = |repeats: i64, seed: i64| {
        [("estimator", text("dml")), ("repeats", Literal::Integer(repeats)), ("seed", Literal::Integer(seed))]
    };
    let rows = rows();
    let found = run(&Factory, &options(&extra(3, 5)), std::slice::from_ref(&rows), 2).unwrap();
    assert_eq!(found.report["folds"].as_array().unwrap().len(), 3);
    let three = Inference::median(&[
        Inference { estimate: 2.0, std_error: 0.3 },
        Inference { estimate: 1.0, std_error: 0.5 },
        Inference { estimate: 2.5, std_error: 0.1 },
    ]);
    // variances 0.09, 0.25 + 1, 0.01 + 0.25
    assert!((three.estimate - 2.0).abs() < 1e-15 && (three.std_error - 0.26_f64.sqrt()).abs() < 1e-15);
    let two =
        Inference::median(&[Inference { estimate: 1.0, std_error: 0.0 }, Inference { estimate: 2.0, std_error: 0.0 }]);
    assert!((two.estimate - 1.5).abs() < 1e-15 && (two.std_error - 0.5).abs() < 1e-15);
    let single = call(&extra(1, 5), &rows);
    assert!((of(&found.batches[0], "ate", "estimate") - of(&single, "ate", "estimate")).abs() < 0.2);
}

/// Trees find the small D less well than the logit that is right here, so intervals are wider: 0.3 with a logit.
#[test]
fn forests_boosting_and_the_lasso_come_near() {
    let count = |name: &'static str, n: i64| (name, Literal::Integer(n));
    for (learner, setting) in
        [("forest", count("min_leaf", 100)), ("boosting", count("trees", 20)), ("lasso", count("folds", 5))]
    {
        let extra = [("estimator", text("dml")), ("learner", text(learner)), setting, count("seed", 1)];
        let found = call(&extra, &rows());
        let distance = of(&found, "ate", "estimate") - 2.25;
        assert!(distance.abs() < 3.0 * of(&found, "ate", "std_error"), "{learner}: {distance}");
        assert!(of(&found, "ate", "std_error") < 0.6, "{learner}");
    }
}

#[test]
fn one_sided_non_compliance_is_said() {
    let rows = rows();
    let z = doubles(&rows, "z");
    let one_sided = with(&rows, "a", |row, a| a * z[row]);
    for estimator in ["mr", "dml", "selective"] {
        let found = call(&[("estimator", text(estimator)), ("folds", text("fold"))], &one_sided);
        let note = note(&found, "ate");
        assert!(note.contains("one-sided non-compliance: `a` = 0 in every row with `z` = 0"), "{note}");
        assert!(of(&found, "ate", "std_error") > 0.0);
    }
    let all = with(&rows, "a", |row, _| z[row]);
    assert!(refused(&[], &all).contains("`a` has one value only in the rows with `z` = 0 and in those with `z` = 1"));
}

/// Nobody takes part in a 401(k) without being eligible. Expected: plain numpy code, p(0, X) exactly 0.
#[test]
fn the_401k_data_are_one_sided() {
    let options = |estimator: &str| {
        [
            ("outcome", text("nettfa")),
            ("treatment", text("p401k")),
            ("instrument", text("e401k")),
            ("covariates", list(&["inc", "incsq", "age", "agesq", "marr", "fsize"])),
            ("folds", text("fold")),
            ("estimator", text(estimator)),
        ]
    };
    let cases =
        [("mr", 8.646_671_642_081_879, 4.550_124_608_149_498), ("dml", 5.084_660_242_145_092, 11.311_233_970_246_51)];
    for (estimator, ate, std_error) in cases {
        let found = run(&Factory, &options(estimator), &[abadie()], 2).unwrap().batches.remove(0);
        let near = |column: &str, expected: f64| {
            let value = of(&found, "ate", column);
            assert!((value / expected - 1.0).abs() < 1e-6, "{estimator} {column}: {value} is not {expected}");
        };
        near("estimate", ate);
        near("std_error", std_error);
        assert!(note(&found, "ate").contains("`p401k` = 0 in every row with `e401k` = 0"));
        // linearmodels 7.1: 13.641056 (1.979511)
        assert!((of(&found, "two_stage_least_squares", "estimate") - 13.641_056).abs() < 1e-6);
        assert!((of(&found, "two_stage_least_squares", "std_error") - 1.979_511).abs() < 1e-6);
    }
}

#[test]
fn models_take_covariates_of_their_own() {
    let rows = rows();
    let extra = [("effect_modifiers", list(&["x1"])), ("instrument_covariates", list(&["x1", "x3"]))];
    let found = call(&extra, &rows);
    let terms = texts(&found, "term");
    assert!(terms.contains(&"effect_modifier:x1".to_owned()) && !terms.contains(&"effect_modifier:x2".to_owned()));
    let models = Models {
        effect: Basis::of([0], InstrumentTerms::Absent),
        instrument: Basis::of([0, 2], InstrumentTerms::Absent),
        ..right()
    };
    let expected = multiply_robust(&sample(), &models, &GUARD, &Cancel::default()).unwrap();
    assert!((of(&found, "ate", "estimate") - expected.ate).abs() < 1e-9);
    assert!((of(&found, "ate", "std_error") - expected.std_error).abs() < 1e-9);
    let message = refused(&[("estimator", text("dml")), ("effect_modifiers", list(&["x1"]))], &rows);
    assert!(
        message.contains("option `effect_modifiers` of iv_ate must be left out with estimator => 'dml'"),
        "{message}"
    );
    let message = refused(&[("effect_modifiers", list(&["fold"]))], &rows);
    assert_eq!(message, "iv_ate: column `fold` plays `effect_modifiers` and must be a number, it is Utf8");
}

#[test]
fn a_weak_instrument_is_refused_and_told() {
    let rows = rows();
    let (x1, x2) = (doubles(&rows, "x1"), doubles(&rows, "x2"));
    // p1 + p0 = 1: the instrument moves the treatment but not its variance
    let z = doubles(&rows, "z");
    let share = |row: usize| (x1[row] * 12.9898 + x2[row] * 78.233).sin().mul_add(43_758.545, 0.0).rem_euclid(1.0);
    let mirrored = with(&rows, "a", |row, _| f64::from(u8::from(share(row) < if z[row] > 0.5 { 0.7 } else { 0.3 })));
    let message = refused(&[("covariates", list(&["x3"]))], &mirrored);
    assert!(message.starts_with("iv_ate: the instrument `z` is too weak: in "), "{message}");
    assert!(message.contains("of 5000 rows it changes the variance of `a`"), "{message}");
    let open = [("covariates", list(&["x3"])), ("weak_share", Literal::Integer(1))];
    let found = call(&open, &mirrored);
    assert!(of(&found, "share_weak", "estimate") > 0.05);
    assert!(note(&found, "ate").contains("|D(X)| was raised to 0.01 in "), "{}", note(&found, "ate"));
}

#[test]
fn bad_input_is_named() {
    let rows = rows();
    let constant = |name: &str| refused(&[], &with(&rows, name, |_, _| 1.0));
    assert_eq!(constant("a"), "iv_ate: column `a` is constant; the method compares rows with 0 and with 1");
    assert_eq!(constant("z"), "iv_ate: column `z` is constant; the method compares rows with 0 and with 1");
    assert_eq!(constant("x2"), "iv_ate: covariate `x2` is constant; leave it out");
    let message = refused(&[], &with(&rows, "a", |row, a| if row < 3 { 2.0 } else { a }));
    assert_eq!(message, "iv_ate: column `a` must be 0 or 1 (or boolean), it is neither in 3 rows");
    let message = refused(&[], &with(&rows, "x1", |row, x| if row == 7 { f64::NAN } else { x }));
    assert!(message.starts_with("iv_ate: column `x1` is NaN or infinite in 1 row;"), "{message}");
    let kept = call(&[("missing", text("drop"))], &with(&rows, "x1", |row, x| if row == 7 { f64::NAN } else { x }));
    assert_eq!(counts(&kept, "n_used")[0], 4999);
    let x1 = doubles(&rows, "x1");
    let message = refused(&[], &with(&rows, "x2", |row, _| 2.0 * x1[row] - 1.0));
    assert!(message.contains("covariate `x2` is a weighted sum of those named before it"), "{message}");
    let message = refused(&[], &with(&rows, "z", |row, _| f64::from(u8::from(x1[row] > 0.2))));
    assert!(message.contains("covariate `x1` tells `z` = 0 from 1 without error (perfect separation)"), "{message}");
    let message = refused(&[], &rows.slice(0, 20));
    assert!(
        message.contains("20 rows are too few for models with so many covariates, which take at least 2"),
        "{message}"
    );
    let message = refused(&[("covariates", list(&["x1", "a"]))], &rows);
    assert!(message.contains("column `a` plays both"), "{message}");
    assert!(refused(&[("instrument", text("zz"))], &rows).contains("no column `zz` to play `instrument`"));
    assert!(refused(&[("learners", text("bayes"))], &rows).contains("one or an array of 'constant', 'linear'"));
}

#[test]
fn folds_without_an_arm_are_named() {
    let rows = rows();
    let z = doubles(&rows, "z");
    let folds: StringArray = z.iter().map(|z| Some(if *z > 0.5 { "with" } else { "without" })).collect();
    let columns = ["y", "a", "z", "x1", "x2", "x3"].map(|name| (name, ArrayRef::clone(&rows[name])));
    let rows = RecordBatch::try_from_iter(columns.into_iter().chain([("fold", Arc::new(folds) as ArrayRef)])).unwrap();
    let message = refused(&[("estimator", text("dml")), ("folds", text("fold"))], &rows);
    assert!(
        message.contains("in the rows outside fold with") || message.contains("left outside fold with"),
        "{message}"
    );
}

#[test]
fn the_contrast_is_about_zero_if_the_instrument_is_valid() {
    let contrast = |direct: i64| {
        let design = [
            ("design", text("c")),
            ("n_rows", Literal::Integer(20_000)),
            ("direct_effect", Literal::Integer(direct)),
            ("seed", Literal::Integer(11)),
        ];
        let batches = run(&crate::simulate_iv::Factory, &design, &[], 2).unwrap().batches;
        let relation = Relation::from_batches(batches[0].schema(), batches);
        let mut context = RunContext::for_test(2).unwrap();
        let found = run_relations(&Factory, &[], vec![relation], &mut context).unwrap().batches.remove(0);
        of(&found, "exclusion_contrast", "statistic")
    };
    assert!(contrast(0).abs() < 3.0, "{}", contrast(0));
    assert!(contrast(1) < -10.0, "{}", contrast(1));
}

#[test]
fn a_cancelled_run_ends() {
    for estimator in ["mr", "dml", "selective"] {
        let cancel = Cancel::default();
        let flag = cancel.clone();
        // after the rows are read
        let progress = Arc::new(move |_: f64| flag.cancel());
        let mut context = RunContext::for_test(2).unwrap().with_cancel(cancel).with_progress(progress);
        let relation = Relation::from_batches(rows().schema(), vec![rows()]);
        let options = options(&[("estimator", text(estimator)), ("repeats", Literal::Integer(3))]);
        let error = run_relations(&Factory, &options, vec![relation], &mut context).unwrap_err();
        assert_eq!(error.to_string(), "cancelled", "{estimator}");
    }
}
