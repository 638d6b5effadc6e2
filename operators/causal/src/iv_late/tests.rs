use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use approx::assert_relative_eq;
use arrow::array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray};
use causeway_core::{Literal, OperatorError, Output, Relation, RunContext};
use serde_json::Value;

use super::algorithm::{
    ConfidenceSet, Estimate, Interactive, Scores, clip, interactive_scores, median_of, ratio, weak_robust_set,
};
use super::*;
use crate::calls::{counts, doubles, refusal, run, run_relations, text, texts};

fn path(file: &str) -> PathBuf {
    PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../../tests/data/causal/iv").join(file)
}

fn expected() -> Value {
    serde_json::from_str(&std::fs::read_to_string(path("expected_late.json")).unwrap()).unwrap()
}

/// Reads a file of numbers, an empty cell as null; the folds as text.
fn table(file: &str) -> RecordBatch {
    let content = std::fs::read_to_string(path(file)).unwrap();
    let mut lines = content.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let mut columns: Vec<Vec<&str>> = vec![Vec::new(); names.len()];
    for line in lines {
        columns.iter_mut().zip(line.split(',')).for_each(|(column, cell)| column.push(cell));
    }
    let arrays = names.iter().zip(&columns).map(|(name, column)| -> (&str, ArrayRef) {
        if *name == "fold" {
            return (name, Arc::new(StringArray::from_iter_values(column)));
        }
        (name, Arc::new(column.iter().map(|cell| cell.parse::<f64>().ok()).collect::<Float64Array>()))
    });
    RecordBatch::try_from_iter(arrays).unwrap()
}

fn names(names: &[&str]) -> Literal {
    Literal::List(names.iter().map(|name| text(name)).collect())
}

/// Calls the operator on one of the reference data sets.
fn reference(case: &str, expected: &Value, more: &[(&str, Literal)]) -> RecordBatch {
    let own = &expected[case];
    let covariates: Vec<&str> = own["covariates"].as_array().unwrap().iter().map(|x| x.as_str().unwrap()).collect();
    let mut options = vec![("covariates", names(&covariates)), ("folds", text("fold"))];
    for role in ["outcome", "treatment", "instrument"] {
        options.push((role, text(own[role].as_str().unwrap())));
    }
    options.extend_from_slice(more);
    let found = run(&Factory, &options, &[table(&format!("{case}.csv"))], 2).unwrap().batches.remove(0);
    assert_eq!(counts(&found, "n_used")[0], own["n"].as_u64().unwrap());
    found
}

#[test]
fn the_interactive_model_equals_the_reference() {
    let expected = expected();
    for case in ["abadie_401ksubs", "card1995"] {
        for (normalise, which) in [(false, "plain"), (true, "normalised")] {
            let found = reference(case, &expected, &[("normalise", Literal::Boolean(normalise))]);
            let own = &expected[case][which];
            let number = |name: &str| own[name].as_f64().unwrap();
            assert_eq!(texts(&found, "term"), ["late", "first_stage", "reduced_form", "anderson_rubin"]);
            let estimates = doubles(&found, "estimate");
            assert_relative_eq!(estimates[0], number("late"), max_relative = 1e-6);
            assert_relative_eq!(estimates[1], number("itt_a"), max_relative = 1e-6);
            assert_relative_eq!(estimates[2], number("itt_y"), max_relative = 1e-6);
            assert_relative_eq!(doubles(&found, "std_error")[0], number("se"), max_relative = 1e-6);
        }
    }
}

#[test]
fn weights_are_normalised_by_the_instrument_not_by_the_treatment() {
    let expected = expected();
    let found = reference("abadie_401ksubs", &expected, &[("normalise", Literal::Boolean(true))]);
    let estimate = doubles(&found, "estimate")[0];
    assert_relative_eq!(estimate, 12.420_318_5, max_relative = 1e-7);
    let of_peer = expected["abadie_401ksubs"]["peer_normalised_by_treatment"].as_f64().unwrap();
    assert!((estimate - of_peer).abs() > 12.0, "the peer's wrong value is {of_peer}");
}

#[test]
fn the_partially_linear_model_equals_the_reference() {
    let expected = expected();
    for case in ["abadie_401ksubs", "card1995"] {
        let found = reference(case, &expected, &[("model", text("partially_linear"))]);
        let own = &expected[case]["partially_linear"];
        assert_eq!(texts(&found, "term")[0], "effect");
        assert_relative_eq!(doubles(&found, "estimate")[0], own["theta"].as_f64().unwrap(), max_relative = 1e-6);
        assert_relative_eq!(doubles(&found, "std_error")[0], own["se"].as_f64().unwrap(), max_relative = 1e-6);
    }
}

#[test]
fn forests_lie_near_the_median_of_the_reference() {
    let expected = expected();
    for case in ["abadie_401ksubs", "card1995"] {
        let found = reference(case, &expected, &[("learner", text("forest"))]);
        let (median, error) = (&expected[case]["forest"]["median"], &expected[case]["forest"]["median_se"]);
        let (median, error) = (median.as_f64().unwrap(), error.as_f64().unwrap());
        let (estimate, std_error) = (doubles(&found, "estimate")[0], doubles(&found, "std_error")[0]);
        assert!((estimate - median).abs() < 2.0 * error, "{case}: {estimate} against {median}");
        assert!((std_error / error - 1.0).abs() < 0.25, "{case}: {std_error} against {error}");
    }
}

#[test]
fn without_covariates_the_scores_are_those_of_wald() {
    // by hand: treated 1 of 4 and 3 of 4, mean outcomes 2 and 5: (5 - 2) / (0.75 - 0.25) = 6
    let instrument = [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0];
    let treatment = [0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0];
    let outcome = [1.0, 2.0, 0.0, 5.0, 3.0, 7.0, 4.0, 6.0];
    let fitted =
        Interactive { outcome: [&[2.0; 8], &[5.0; 8]], treatment: [&[0.25; 8], &[0.75; 8]], instrument: &[0.5; 8] };
    for normalise in [false, true] {
        let scores = interactive_scores(&outcome, &treatment, &instrument, fitted, normalise);
        let effect = ratio(&scores.outcome, &scores.treatment);
        assert_relative_eq!(effect.value, 6.0, max_relative = 1e-14);
        // u = y - 6 a has, by arm, the variances 2.6875 * ... : sqrt(var_0 / 4 + var_1 / 4) / 0.5
        let variance = |arm: std::ops::Range<usize>| {
            let u: Vec<f64> = arm.map(|row| outcome[row] - 6.0 * treatment[row]).collect();
            let mean = u.iter().sum::<f64>() / 4.0;
            u.iter().map(|u| (u - mean).powi(2)).sum::<f64>() / 4.0
        };
        let expected = (variance(0..4) / 4.0 + variance(4..8) / 4.0).sqrt() / 0.5;
        assert_relative_eq!(effect.std_error, expected, max_relative = 1e-14);
    }
}

#[test]
fn the_set_is_an_interval_two_rays_or_the_line() {
    let scores =
        |outcome: &[f64], treatment: &[f64]| Scores { outcome: outcome.to_vec(), treatment: treatment.to_vec() };
    let contains = |set: ConfidenceSet, theta: f64| match set {
        ConfidenceSet::Interval(low, high) => (low..=high).contains(&theta),
        ConfidenceSet::TwoRays(low, high) => theta <= low || theta >= high,
        ConfidenceSet::Line => true,
    };
    // by the definition: n mean(u)^2 <= z^2 var(u), u = b - theta a
    let accepted = |scores: &Scores, theta: f64| {
        let u: Vec<f64> = scores.outcome.iter().zip(&scores.treatment).map(|(b, a)| b - theta * a).collect();
        let n = u.len() as f64;
        let mean = u.iter().sum::<f64>() / n;
        let variance = u.iter().map(|u| (u - mean).powi(2)).sum::<f64>() / n;
        n * mean * mean <= 1.959_963_984_540_054_f64.powi(2) * variance
    };
    let cases = [
        scores(&[3.0, 2.0, 2.5, 1.5, 2.2], &[1.1, 0.9, 1.0, 1.2, 0.8]),
        scores(&[9.0, 8.0, 9.5, 8.5, 9.2], &[1.1, -0.9, 1.0, -1.2, 0.8]),
        scores(&[3.0, -2.0, 2.5, -1.5, 0.2], &[1.1, -0.9, -1.0, 1.2, 0.1]),
    ];
    let sets: Vec<ConfidenceSet> = cases.iter().map(|scores| weak_robust_set(scores, 0.95)).collect();
    assert!(matches!(sets[0], ConfidenceSet::Interval(..)), "{:?}", sets[0]);
    assert!(matches!(sets[1], ConfidenceSet::TwoRays(..)), "{:?}", sets[1]);
    assert_eq!(sets[2], ConfidenceSet::Line);
    for (scores, set) in cases.iter().zip(&sets) {
        for step in -400..400 {
            let theta = f64::from(step) * 0.25 + 0.013;
            assert_eq!(contains(*set, theta), accepted(scores, theta), "{set:?} {theta}");
        }
    }
}

#[test]
fn the_median_adds_the_spread_between_divisions() {
    let estimates = [(1.0, 0.5), (4.0, 0.1), (2.0, 1.0)].map(|(value, std_error)| Estimate { value, std_error });
    let found = median_of(&estimates);
    // variances 0.25 + 1, 0.01 + 4, 1 + 0
    assert_relative_eq!(found.value, 2.0);
    assert_relative_eq!(found.std_error, 1.25_f64.sqrt(), max_relative = 1e-15);
    let even = median_of(&estimates[..2]);
    assert_relative_eq!(even.value, 2.5);
}

#[test]
fn probabilities_are_clipped_and_counted() {
    let mut probabilities = [0.001, 0.5, 0.99, 1.0];
    assert_eq!(clip(&mut probabilities, 0.01), 2);
    for (found, expected) in probabilities.iter().zip([0.01, 0.5, 0.99, 0.99]) {
        assert_relative_eq!(*found, expected);
    }
}

/// Rows with a known effect: 3 + x on compliers, so 3 on average; always-takers, never-takers, confounded.
fn simulated(n: u32) -> RecordBatch {
    let noise = |row: u32, stream: u32| {
        let angle = (f64::from(row) + 1.0) * (f64::from(stream) + 2.0).sqrt() * 7.31;
        (angle.sin() * 43_758.545).fract().abs()
    };
    let mut columns: HashMap<&str, Vec<f64>> = HashMap::new();
    for row in 0..n {
        let (x, u) = (noise(row, 0) * 2.0 - 1.0, noise(row, 1));
        let z = f64::from(u8::from(noise(row, 2) < 0.5 + 0.2 * x));
        // u below 0.2 always takes, above 0.7 never does
        let a = if u < 0.2 {
            1.0
        } else if u > 0.7 {
            0.0
        } else {
            z
        };
        let y = (3.0 + x) * a + 2.0 * x - 4.0 * u + noise(row, 3);
        for (name, value) in [("y", y), ("a", a), ("z", z), ("x", x), ("w", noise(row, 4))] {
            columns.entry(name).or_default().push(value);
        }
    }
    let number = |name: &'static str| (name, Arc::new(Float64Array::from(columns[name].clone())) as ArrayRef);
    let id: ArrayRef = Arc::new(StringArray::from_iter_values((0..n).map(|row| format!("P-{row}"))));
    let mut all: Vec<(&str, ArrayRef)> = ["y", "a", "z", "x", "w"].map(number).to_vec();
    all.push(("id", id));
    RecordBatch::try_from_iter(all).unwrap()
}

fn options(more: &[(&'static str, Literal)]) -> Vec<(&'static str, Literal)> {
    let mut options = vec![
        ("outcome", text("y")),
        ("treatment", text("a")),
        ("instrument", text("z")),
        ("covariates", names(&["x", "w"])),
    ];
    options.extend_from_slice(more);
    options
}

fn estimate_with(more: &[(&'static str, Literal)], rows: &RecordBatch, threads: usize) -> Output {
    run(&Factory, &options(more), std::slice::from_ref(rows), threads).unwrap()
}

#[test]
fn every_learner_finds_the_effect_on_compliers() {
    let rows = simulated(4000);
    for learner in ["linear", "lasso", "elastic_net", "forest", "boosting"] {
        let more = [("learner", text(learner)), ("trees", Literal::Integer(40))];
        for model in ["interactive", "partially_linear"] {
            let found = estimate_with(&[more.as_slice(), &[("model", text(model))]].concat(), &rows, 2);
            let (estimate, error) =
                (doubles(&found.batches[0], "estimate")[0], doubles(&found.batches[0], "std_error")[0]);
            assert!((estimate - 3.0).abs() < 3.5 * error && error < 0.15, "{learner} {model}: {estimate} ({error})");
            let (low, high) = (doubles(&found.batches[0], "conf_low")[3], doubles(&found.batches[0], "conf_high")[3]);
            assert!(low < estimate && estimate < high && high - low < 6.0 * error);
            let nuisances = found.report["divisions"][0]["nuisances"].as_array().unwrap();
            assert_eq!(nuisances.len(), if model == "interactive" { 5 } else { 3 });
            assert!(nuisances[0]["rmse"].as_f64().unwrap() < nuisances[0]["rmse_of_mean"].as_f64().unwrap());
        }
    }
}

#[test]
fn learners_named_for_one_target_are_used_for_it() {
    let more =
        [("outcome_learner", text("boosting")), ("treatment_learner", text("linear")), ("trees", Literal::Integer(20))];
    let found = estimate_with(&more, &simulated(1500), 2);
    let nuisances = found.report["divisions"][0]["nuisances"].as_array().unwrap();
    let names: Vec<&str> = nuisances.iter().map(|nuisance| nuisance["learner"].as_str().unwrap()).collect();
    assert_eq!(names, ["boosting", "boosting", "logit", "linear", "linear"]);
    assert!((doubles(&found.batches[0], "estimate")[0] - 3.0).abs() < 0.7);
}

#[test]
fn threads_batches_and_the_order_of_keyed_rows_change_no_bit() {
    let rows = simulated(1200);
    for learner in ["linear", "forest", "boosting", "lasso"] {
        let more = options(&[
            ("learner", text(learner)),
            ("key", text("id")),
            ("trees", Literal::Integer(10)),
            ("repeats", Literal::Integer(2)),
        ]);
        let whole = run(&Factory, &more, std::slice::from_ref(&rows), 1).unwrap().batches.remove(0);
        for threads in [2, 8] {
            assert_eq!(run(&Factory, &more, std::slice::from_ref(&rows), threads).unwrap().batches[0], whole);
        }
        let order = arrow::array::UInt32Array::from_iter_values((0..1200).map(|row| row * 7 % 1200));
        let turned = arrow::compute::take_record_batch(&rows, &order).unwrap();
        let cut = vec![turned.slice(0, 500), turned.slice(500, 1), turned.slice(501, 699)];
        let relation = Relation::from_batches(rows.schema(), cut);
        let mut context = RunContext::for_test(2).unwrap();
        let found = run_relations(&Factory, &more, vec![relation], &mut context).unwrap();
        assert_eq!(found.batches[0], whole, "{learner}");
    }
}

#[test]
fn the_seed_and_the_repeats_change_the_folds() {
    let rows = simulated(800);
    let with = |more: &[(&'static str, Literal)]| estimate_with(more, &rows, 2);
    let first = with(&[("seed", Literal::Integer(1))]);
    assert_eq!(first.batches, with(&[("seed", Literal::Integer(1))]).batches);
    assert_ne!(first.batches, with(&[("seed", Literal::Integer(2))]).batches);
    let five = with(&[("seed", Literal::Integer(1)), ("repeats", Literal::Integer(5))]);
    let divisions = five.report["divisions"].as_array().unwrap();
    assert_eq!(divisions.len(), 5);
    assert_eq!(divisions[0]["folds"], first.report["divisions"][0]["folds"]);
    assert_ne!(divisions[0]["folds"], divisions[1]["folds"]);
    let mut estimates: Vec<f64> = divisions.iter().map(|division| division["estimate"].as_f64().unwrap()).collect();
    estimates.sort_by(f64::total_cmp);
    assert_relative_eq!(doubles(&five.batches[0], "estimate")[0], estimates[2]);
}

/// Replaces columns of the simulated rows.
fn with_columns(n: u32, columns: &[(&str, ArrayRef)]) -> RecordBatch {
    let rows = simulated(n);
    let mut all: Vec<(String, ArrayRef)> = rows
        .schema()
        .fields()
        .iter()
        .zip(rows.columns())
        .map(|(field, column)| (field.name().clone(), Arc::clone(column)))
        .collect();
    for (name, column) in columns {
        match all.iter_mut().find(|(other, _)| other == name) {
            Some(found) => found.1 = Arc::clone(column),
            None => all.push(((*name).to_owned(), Arc::clone(column))),
        }
    }
    RecordBatch::try_from_iter(all).unwrap()
}

fn numbers(values: impl IntoIterator<Item = f64>) -> ArrayRef {
    Arc::new(Float64Array::from_iter_values(values))
}

#[test]
fn one_sided_non_compliance_is_said_and_not_learned() {
    let rows = simulated(1000);
    let product = doubles(&rows, "a").into_iter().zip(doubles(&rows, "z")).map(|(a, z)| a * z);
    let found = estimate_with(&[], &with_columns(1000, &[("a", numbers(product))]), 1);
    let note = texts(&found.batches[0], "note")[0].clone();
    assert!(note.contains("nobody has `a` = 1 with `z` = 0, so r_0 = 0"), "{note}");
    assert_eq!(found.report["divisions"][0]["nuisances"].as_array().unwrap().len(), 4);
}

#[test]
fn a_weak_first_stage_and_clipped_probabilities_are_said() {
    let rows = simulated(600);
    let unrelated = (0..600).map(|row| f64::from(u8::from(row * 37 % 101 < 50)));
    let found = estimate_with(&[], &with_columns(600, &[("z", numbers(unrelated))]), 1);
    let notes = texts(&found.batches[0], "note");
    assert!(notes[0].contains("weak first stage") && notes[1].contains("of instrument `z` is below 10"), "{notes:?}");
    let clipped = estimate_with(&[("clip", Literal::Float(0.45))], &rows, 1);
    let note = texts(&clipped.batches[0], "note")[0].clone();
    assert!(note.contains("lay outside [0.45, 0.55]"), "{note}");
    assert!(clipped.report["divisions"][0]["share_clipped"].as_f64().unwrap() > 0.3);
}

#[test]
fn booleans_integers_and_dropped_rows_are_fine() {
    let rows = simulated(900);
    let truth = |name: &str| -> ArrayRef {
        Arc::new(doubles(&rows, name).iter().map(|value| Some(*value > 0.5)).collect::<BooleanArray>())
    };
    let plain = estimate_with(&[], &rows, 1);
    let found = estimate_with(&[], &with_columns(900, &[("a", truth("a")), ("z", truth("z"))]), 1);
    assert_eq!(found.batches, plain.batches);
    let mut x: Vec<Option<f64>> = doubles(&rows, "x").into_iter().map(Some).collect();
    (x[3], x[700], x[899]) = (None, Some(f64::NAN), None);
    let gaps = with_columns(900, &[("x", Arc::new(Float64Array::from(x)))]);
    let message = refusal(&Factory, &options(&[]), std::slice::from_ref(&gaps));
    assert!(
        message.contains("column `x` is null in 2 rows, column `x` is NaN or infinite in 1 row; filter such rows"),
        "{message}"
    );
    let found = estimate_with(&[("missing", text("drop"))], &gaps, 1);
    assert_eq!(counts(&found.batches[0], "n_used"), [897; 4]);
    assert_eq!(found.report["n_dropped"], 3);
}

#[test]
fn bad_input_is_refused_by_name() {
    let n = 400;
    let rows = simulated(n);
    let refused = |columns: &[(&str, ArrayRef)], more: &[(&'static str, Literal)]| {
        refusal(&Factory, &options(more), &[with_columns(n, columns)])
    };
    let x = doubles(&rows, "x");
    let constant = || numbers((0..n).map(|_| 1.0));
    let cases: Vec<(String, &str)> = vec![
        (refused(&[("a", constant())], &[]), "treatment `a` is constant in the 400 usable rows"),
        (refused(&[("z", constant())], &[]), "instrument `z` is constant"),
        (refused(&[("w", constant())], &[]), "covariate `w` is constant"),
        (
            refused(&[("a", numbers(x.clone()))], &[]),
            "column `a` plays `treatment` and must be 0 or 1, it is neither in 400 rows",
        ),
        (
            refused(&[("w", numbers(x.iter().map(|x| 2.0 * x - 1.0)))], &[]),
            "covariate `w` is a weighted sum of those named before it (collinear) in the rows outside fold 1 with `z` = 0",
        ),
        (
            refused(&[("w", numbers(doubles(&rows, "z").iter().zip(&x).map(|(z, x)| 3.0 * z + x * x)))], &[]),
            "covariate `w` tells `z` = 0 from 1 without error (perfect separation)",
        ),
        (refused(&[], &[("covariates", names(&["x", "x"]))]), "column `x` stands twice in `covariates`"),
        (refused(&[], &[("covariates", names(&["x", "y"]))]), "column `y` plays both `outcome` and `covariates`"),
        (
            refused(&[], &[("covariates", names(&["x", "id"]))]),
            "column `id` plays `covariates` and must be a number, it is Utf8",
        ),
        (refused(&[], &[("folds", Literal::Integer(1))]), "an integer in [2, 100], or a column name as text, got 1"),
        (refused(&[], &[("folds", text("fold"))]), "no column `fold` to play `folds`"),
        (
            refused(&[], &[("folds", text("id"))]),
            "the column of `folds` has 400 different values, it must have 2 to 100",
        ),
        (
            refused(&[("fold", numbers(doubles(&rows, "z")))], &[("folds", text("fold"))]),
            "column `fold` plays `folds` and must be text, boolean, integer or date, it is Float64",
        ),
        (
            refused(
                &[("fold", Arc::new(StringArray::from_iter_values(doubles(&rows, "z").iter().map(f64::to_string))))],
                &[("folds", text("fold"))],
            ),
            "no row is left outside fold 0 with `z` = 0; name other folds",
        ),
        (
            refused(&[], &[("model", text("partially_linear")), ("normalise", Literal::Boolean(true))]),
            "option `normalise` of iv_late must be false with model => 'partially_linear'",
        ),
    ];
    for (message, part) in cases {
        assert!(message.contains(part), "{message}\nlacks: {part}");
    }
    let few = refusal(&Factory, &options(&[]), &[rows.slice(0, 4)]);
    assert!(few.contains("4 usable rows are too few for 2 covariates; at least 5 are needed"), "{few}");
    let twenty = refusal(&Factory, &options(&[("folds", Literal::Integer(90))]), &[rows.slice(0, 20)]);
    assert!(twenty.contains("20 rows are too few for 90 folds"), "{twenty}");
}

#[test]
fn a_cancelled_run_ends() {
    let cancel = causeway_core::Cancel::default();
    let mut context = RunContext::for_test(1).unwrap().with_cancel(cancel.clone());
    let rows = simulated(500);
    let flag = cancel.clone();
    let relation = Relation::new(
        rows.schema(),
        std::iter::once(rows).map(move |rows| {
            flag.cancel();
            Ok(rows)
        }),
    );
    let found = run_relations(&Factory, &options(&[("learner", text("forest"))]), vec![relation], &mut context);
    assert!(matches!(found, Err(OperatorError::Cancelled)));
}

#[test]
fn memory_is_charged_once_for_all_repeats_and_grows_with_the_trees() {
    struct Charged(std::sync::atomic::AtomicUsize);
    impl causeway_core::MemoryBudget for Charged {
        fn grow(&self, bytes: usize) -> Result<(), String> {
            self.0.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
            Ok(())
        }
    }
    let charged = |more: &[(&'static str, Literal)]| {
        let budget = Arc::new(Charged(0.into()));
        let mut context = RunContext::for_test(1).unwrap().with_memory(Arc::clone(&budget) as _);
        let rows = simulated(300);
        let relation = Relation::from_batches(rows.schema(), vec![rows]);
        run_relations(&Factory, &options(more), vec![relation], &mut context).unwrap();
        budget.0.load(std::sync::atomic::Ordering::Relaxed)
    };
    let once = charged(&[]);
    assert!(once > 300 * 5 * 8, "{once}");
    assert_eq!(charged(&[("repeats", Literal::Integer(3))]), once);
    let forest = |n| charged(&[("learner", text("forest")), ("trees", Literal::Integer(n))]);
    assert!(forest(100) > forest(10) + 90 * 30 * 24);
}
