use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use causeway_core::{Literal, MemoryBudget, OperatorFactory as _, Output, Relation, RunContext, Scratch, ScratchFile};
use proptest::prelude::*;
use serde_json::Value;

use super::Factory;
use crate::calls::{doubles, refusal, run, run_relations, text, texts};
use crate::linear_iv::testing::{array, assert_close, data, expected, roles_of, rows_of, with_column};

fn fit(pairs: &[(&str, Literal)], more: &[(&'static str, Literal)], rows: &RecordBatch) -> Output {
    let pairs = [pairs, more].concat();
    run(&Factory, &pairs, std::slice::from_ref(rows), 2).unwrap()
}

/// The value of a column in the last row: the treatment.
fn last(found: &Output, column: &str) -> f64 {
    *doubles(&found.batches[0], column).last().unwrap()
}

fn cases() -> Vec<(String, Value, RecordBatch)> {
    let expected = expected();
    let cases = expected["linear_iv"].as_object().unwrap().iter();
    cases.map(|(name, case)| (name.clone(), case.clone(), rows_of(name))).collect()
}

#[test]
fn two_stage_least_squares_equals_the_reference() {
    for (name, case, rows) in cases() {
        let roles = roles_of(&case);
        let expected = &case["results"]["2sls"];
        for (key, se, small_sample) in [
            ("se_classic_df", "classic", true),
            ("se_classic_n", "classic", false),
            ("se_hc0", "hc0", true),
            ("se_hc1", "hc1", true),
        ] {
            let found = fit(&roles, &[("se", text(se)), ("small_sample", Literal::Boolean(small_sample))], &rows);
            assert_close(last(&found, "std_error"), expected[key].as_f64().unwrap(), 1e-8, &format!("{name} {key}"));
            let terms = texts(&found.batches[0], "term").into_iter().zip(doubles(&found.batches[0], "estimate"));
            for (term, estimate) in terms {
                let all = expected["all_coefs"][&term].as_f64().unwrap();
                assert_close(estimate, all, 1e-8, &format!("{name} {term}"));
            }
        }
        let found = fit(&roles, &[("se", text("hc0")), ("distribution", text("normal"))], &rows);
        for (column, end) in [("conf_low", 0), ("conf_high", 1)] {
            let end = expected["ci95_hc0_normal"][end].as_f64().unwrap();
            assert_close(last(&found, column), end, 1e-8, &format!("{name} {column}"));
        }
    }
}

#[test]
fn clusters_equal_the_reference() {
    let expected = expected();
    let case = &expected["linear_iv"]["card_nearc4_cluster_region"];
    let floats = rows_of("card_nearc4_cluster_region");
    let names: Vec<String> = doubles(&floats, "region").iter().map(|region| format!("region {region}")).collect();
    let mut columns: Vec<(String, ArrayRef)> = floats
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .zip(floats.columns().iter().cloned())
        .collect();
    columns.push(("area".to_owned(), Arc::new(StringArray::from(names))));
    let rows = RecordBatch::try_from_iter(columns).unwrap();
    for (method, tolerance) in [("2sls", 1e-8), ("liml", 1e-6)] {
        for (key, small_sample) in [("se_cluster", false), ("se_cluster_debiased", true)] {
            let more =
                [("cluster", text("area")), ("small_sample", Literal::Boolean(small_sample)), ("method", text(method))];
            let found = fit(&roles_of(case), &more, &rows);
            let expected = case["results"][method][key].as_f64().unwrap();
            assert_close(last(&found, "std_error"), expected, tolerance, key);
            assert_eq!(last(&found, "df").to_bits(), 8.0_f64.to_bits());
        }
    }
}

#[test]
fn liml_and_gmm_equal_the_reference() {
    for (name, case, rows) in cases() {
        let roles = roles_of(&case);
        let results = &case["results"];
        let found = fit(&roles, &[("se", text("hc0")), ("method", text("liml"))], &rows);
        let kappa = found.report["kappa"].as_f64().unwrap();
        assert_close(kappa, results["liml"]["kappa"].as_f64().unwrap(), 1e-10, &format!("{name} kappa"));
        assert_close(last(&found, "estimate"), results["liml"]["coef"].as_f64().unwrap(), 1e-6, &name);
        assert_close(last(&found, "std_error"), results["liml"]["se_hc0"].as_f64().unwrap(), 1e-6, &name);
        for (key, se) in [("se_classic_df", "classic"), ("se_hc1", "hc1")] {
            let found = fit(&roles, &[("se", text(se)), ("method", text("liml"))], &rows);
            let what = format!("{name} liml {key}");
            assert_close(last(&found, "std_error"), results["liml"][key].as_f64().unwrap(), 1e-6, &what);
        }
        if let Some(expected) = results["gmm2step_robust"].as_object() {
            let found = fit(&roles, &[("se", text("hc0")), ("method", text("gmm"))], &rows);
            assert_close(last(&found, "estimate"), expected["coef"].as_f64().unwrap(), 1e-6, &name);
            assert_close(last(&found, "std_error"), expected["se"].as_f64().unwrap(), 1e-6, &name);
            assert_close(found.report["hansen_j"].as_f64().unwrap(), expected["J"].as_f64().unwrap(), 1e-6, &name);
        }
    }
}

#[test]
fn absorbed_regions_equal_their_indicators() {
    let expected = expected();
    let case = &expected["linear_iv"]["card_nearc2_nearc4"];
    let rows = rows_of("card_nearc2_nearc4");
    let indicators = roles_of(case);
    let mut absorbed = indicators.clone();
    absorbed[3].1 = array(&["exper", "expersq", "black", "smsa", "south", "smsa66"]);
    for (method, se) in [("2sls", "classic"), ("2sls", "hc0"), ("2sls", "hc1"), ("liml", "hc1"), ("fuller", "classic")]
    {
        let more = [("method", text(method)), ("se", text(se))];
        let by_indicators = fit(&indicators, &more, &rows);
        let regions = region_as_integer(&rows);
        let within = fit(&absorbed, &[&more[..], &[("absorb", text("region_id"))]].concat(), &regions);
        assert_eq!(within.report["absorbed_degrees_of_freedom"], 9);
        let terms = texts(&within.batches[0], "term");
        assert_eq!(terms.len(), 7, "no constant");
        for column in ["estimate", "std_error", "p_value", "conf_low", "df"] {
            let all: Vec<(String, f64)> = texts(&by_indicators.batches[0], "term")
                .into_iter()
                .zip(doubles(&by_indicators.batches[0], column))
                .collect();
            for (term, value) in terms.iter().zip(doubles(&within.batches[0], column)) {
                let (_, expected) = all.iter().find(|(name, _)| name == term).unwrap();
                assert!((value - expected).abs() < 1e-9 * expected.abs().max(1e-3), "{method} {se} {term} {column}");
            }
        }
    }
}

fn region_as_integer(rows: &RecordBatch) -> RecordBatch {
    let regions = doubles(rows, "region").into_iter().map(|region| format!("{region:.0}").parse::<i64>().unwrap());
    add(rows, "region_id", Arc::new(Int64Array::from_iter_values(regions)))
}

fn add(rows: &RecordBatch, name: &str, column: ArrayRef) -> RecordBatch {
    let schema = rows.schema();
    let columns =
        schema.fields().iter().zip(rows.columns()).map(|(field, column)| (field.name().as_str(), Arc::clone(column)));
    RecordBatch::try_from_iter(columns.chain([(name, column)])).unwrap()
}

/// Rows of a linear system with a hidden cause: outcome, dose, z1, z2, x1, x2 (mean 1e6), unit and year.
fn simulate(n_rows: u32, seed: u64) -> RecordBatch {
    let mut state = seed;
    let mut uniform = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        f64::from(u32::try_from((z ^ (z >> 31)) >> 32).unwrap()) / 4_294_967_296.0 - 0.5
    };
    let mut columns: [Vec<f64>; 6] = std::array::from_fn(|_| Vec::new());
    let (mut units, mut years) = (Vec::new(), Vec::new());
    for row in 0..n_rows {
        let (unit, year) = (row % 37, row / 37 % 11);
        let [hidden, z1, z2, x1, noise, more] = std::array::from_fn(|_| uniform());
        let x2 = 1e6 + uniform() * 3.0 + 0.5 * x1;
        let effect = f64::from(unit % 5) + 0.3 * f64::from(year);
        let dose = z1 + 0.5 * z2 + 0.3 * x1 + hidden + 0.2 * effect + 0.5 * more;
        let outcome = 1.5 * dose - 2.0 * hidden + x1 + 0.7 * (x2 - 1e6) + effect + noise * (1.0 + z1);
        for (column, value) in columns.iter_mut().zip([outcome, dose, z1, z2, x1, x2]) {
            column.push(value);
        }
        units.push(format!("unit {unit}"));
        years.push(i64::from(year));
    }
    let numbers = ["outcome", "dose", "z1", "z2", "x1", "x2"].into_iter().zip(columns);
    let numbers = numbers.map(|(name, column)| (name, Arc::new(Float64Array::from(column)) as ArrayRef));
    let categories: [(&str, ArrayRef); 2] =
        [("unit", Arc::new(StringArray::from(units))), ("year", Arc::new(Int64Array::from(years)))];
    RecordBatch::try_from_iter(numbers.chain(categories)).unwrap()
}

fn simulated_roles() -> Vec<(&'static str, Literal)> {
    vec![("treatment", text("dose")), ("instruments", array(&["z1", "z2"])), ("covariates", array(&["x1", "x2"]))]
}

fn numbers_of(found: &Output) -> Vec<Vec<u64>> {
    let columns = ["estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high"];
    columns.map(|column| doubles(&found.batches[0], column).into_iter().map(f64::to_bits).collect()).to_vec()
}

fn assert_same(found: &Output, expected: &Output, tolerance: f64, what: &str) {
    for column in ["estimate", "std_error", "conf_low", "conf_high"] {
        let pairs = doubles(&found.batches[0], column).into_iter().zip(doubles(&expected.batches[0], column));
        for (found, expected) in pairs {
            assert!((found - expected).abs() <= tolerance * expected.abs(), "{what} {column}: {found}, {expected}");
        }
    }
}

#[test]
fn threads_and_batches_change_no_bit_and_spilled_rows_neither() {
    let rows = simulate(300_000, 1);
    for more in [
        vec![("se", text("hc1"))],
        vec![("cluster", text("unit"))],
        vec![("absorb", array(&["unit", "year"])), ("method", text("gmm"))],
    ] {
        let pairs = [simulated_roles(), more].concat();
        let expected = numbers_of(&run(&Factory, &pairs, std::slice::from_ref(&rows), 1).unwrap());
        for (threads, size) in [(2, 100_000), (8, 8_191), (1, 1_000_003)] {
            let batches: Vec<RecordBatch> = (0..rows.num_rows())
                .step_by(size)
                .map(|start| rows.slice(start, size.min(rows.num_rows() - start)))
                .collect();
            let input = Relation::from_batches(rows.schema(), batches);
            let mut context = RunContext::for_test(threads).unwrap();
            let found = run_relations(&Factory, &pairs, vec![input], &mut context).unwrap();
            assert_eq!(numbers_of(&found), expected, "{threads} threads, batches of {size}");
        }
    }
}

#[test]
fn the_order_of_rows_changes_nothing_beyond_rounding() {
    let rows = simulate(20_000, 2);
    let backwards: arrow::array::UInt32Array = (0..20_000_u32).rev().collect();
    let turned = arrow::compute::take_record_batch(&rows, &backwards).unwrap();
    for more in [vec![("se", text("hc1"))], vec![("cluster", text("unit"))]] {
        let pairs = [simulated_roles(), more].concat();
        let (found, expected) = (fit(&pairs, &[], &turned), fit(&pairs, &[], &rows));
        // the constant is the difference of numbers near 7e5 and carries their rounding
        let without_constant = |found: &Output| Output {
            batches: vec![found.batches[0].slice(1, found.batches[0].num_rows() - 1)],
            report: found.report.clone(),
        };
        assert_same(&without_constant(&found), &without_constant(&expected), 1e-12, "order");
        assert_same(&found, &expected, 1e-10, "order");
    }
}

#[test]
fn a_column_far_from_zero_loses_no_digits() {
    let rows = simulate(50_000, 3);
    let far = doubles(&rows, "x2");
    // 2^20 and 1e6 differ by a whole number: the shifted column is exact
    let near = far.iter().map(|value| value - 1e6).collect();
    let shifted = with_column(&rows, "near", near);
    let mut pairs = simulated_roles();
    let expected = {
        pairs[2].1 = array(&["x1", "near"]);
        fit(&pairs, &[], &shifted)
    };
    let found = fit(&simulated_roles(), &[], &rows);
    for column in ["estimate", "std_error"] {
        let (found, expected) = (doubles(&found.batches[0], column), doubles(&expected.batches[0], column));
        for index in 1..4 {
            assert_close(found[index], expected[index], 1e-11, column);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(12) })]

    #[test]
    fn units_of_covariates_do_not_matter(seed in any::<u64>(), factor in -50.0_f64..50.0, shift in -100.0_f64..100.0) {
        prop_assume!(factor.abs() > 0.01);
        let rows = simulate(500, seed);
        let scaled = doubles(&rows, "x1").iter().map(|value| factor * value + shift).collect();
        let rows = with_column(&rows, "scaled", scaled);
        let mut pairs = simulated_roles();
        let plain = fit(&pairs, &[], &rows);
        pairs[2].1 = array(&["scaled", "x2"]);
        let found = fit(&pairs, &[], &rows);
        assert_close(last(&found, "estimate"), last(&plain, "estimate"), 1e-9, "effect");
        assert_close(last(&found, "std_error"), last(&plain, "std_error"), 1e-9, "its error");
        let slope = doubles(&found.batches[0], "estimate")[1] * factor;
        assert_close(slope, doubles(&plain.batches[0], "estimate")[1], 1e-8, "the covariate's own slope");
    }

    #[test]
    fn with_one_instrument_all_methods_agree(seed in any::<u64>()) {
        let rows = simulate(400, seed);
        let mut pairs = simulated_roles();
        pairs[1].1 = text("z1");
        let plain = fit(&pairs, &[("se", text("hc0"))], &rows);
        for method in ["liml", "gmm"] {
            let found = fit(&pairs, &[("se", text("hc0")), ("method", text(method))], &rows);
            assert_close(last(&found, "estimate"), last(&plain, "estimate"), 1e-8, method);
            assert_close(last(&found, "std_error"), last(&plain, "std_error"), 1e-7, method);
        }
    }

    #[test]
    fn two_way_effects_equal_their_indicators(seed in any::<u64>()) {
        let rows = simulate(900, seed);
        let (units, years) = (texts(&rows, "unit"), Arc::clone(&rows["year"]));
        let years: &Int64Array = arrow::array::AsArray::as_primitive(&years);
        let mut all = rows.clone();
        let mut names = vec!["x1".to_owned(), "x2".to_owned()];
        for unit in 1..37 {
            let name = format!("unit {unit}");
            let flags = units.iter().map(|of_row| *of_row == name).collect::<Vec<bool>>();
            all = add(&all, &name, Arc::new(BooleanArray::from(flags)));
            names.push(name);
        }
        for year in 1..11 {
            let name = format!("year {year}");
            let flags = years.values().iter().map(|of_row| *of_row == year).collect::<Vec<bool>>();
            all = add(&all, &name, Arc::new(BooleanArray::from(flags)));
            names.push(name);
        }
        let mut pairs = simulated_roles();
        let within = fit(&pairs, &[("absorb", array(&["unit", "year"]))], &rows);
        prop_assert_eq!(&within.report["absorbed_degrees_of_freedom"], 37 + 11 - 1);
        pairs[2].1 = array(&names.iter().map(String::as_str).collect::<Vec<&str>>());
        let indicators = fit(&pairs, &[], &all);
        for column in ["estimate", "std_error", "p_value", "df"] {
            let (found, expected) = (last(&within, column), last(&indicators, column));
            prop_assert!((found - expected).abs() <= 1e-8 * expected.abs().max(1e-3), "{} {} {}", column, found, expected);
        }
    }
}

#[test]
fn the_effect_is_recovered_where_least_squares_is_biased() {
    let rows = simulate(200_000, 7);
    let found = fit(&simulated_roles(), &[], &rows);
    let (estimate, error) = (last(&found, "estimate"), last(&found, "std_error"));
    assert!((estimate - 1.5).abs() < 4.0 * error && error < 0.02, "{estimate} ({error})");
}

#[test]
fn two_treatments_have_two_effects() {
    let rows = simulate(100_000, 9);
    // a second treatment that z2 moves
    let (z2, x1, outcome) = (doubles(&rows, "z2"), doubles(&rows, "x1"), doubles(&rows, "outcome"));
    let second: Vec<f64> = (0..z2.len()).map(|row| z2[row] + 0.2 * outcome[row] + x1[row]).collect();
    let total = (0..z2.len()).map(|row| outcome[row] - 0.4 * second[row]).collect();
    let rows = with_column(&with_column(&rows, "second", second), "total", total);
    let mut pairs = simulated_roles();
    pairs[0].1 = array(&["dose", "second"]);
    pairs.push(("outcome", text("total")));
    let found = fit(&pairs, &[], &rows);
    let (estimates, errors) = (doubles(&found.batches[0], "estimate"), doubles(&found.batches[0], "std_error"));
    assert!((estimates[3] - 1.5).abs() < 4.0 * errors[3] && (estimates[4] + 0.4).abs() < 4.0 * errors[4]);
}

fn refused(more: &[(&'static str, Literal)], rows: &RecordBatch) -> String {
    let mut pairs = simulated_roles();
    for (name, value) in more {
        pairs.retain(|(known, _)| known != name);
        pairs.push((name, value.clone()));
    }
    refusal(&Factory, &pairs, std::slice::from_ref(rows))
}

#[test]
fn bad_calls_name_the_option_and_the_column() {
    let rows = simulate(100, 4);
    assert!(
        refused(&[("covariates", array(&["x1", "z1"]))], &rows)
            .contains("column `z1`, which plays `covariates` already")
    );
    assert!(refused(&[("covariates", array(&["x1", "x1"]))], &rows).contains("column `x1`, which plays `covariates`"));
    assert!(
        refused(&[("covariates", text("unit"))], &rows)
            .contains("column `unit` plays `covariates` and must be a number")
    );
    assert!(refused(&[("covariates", text("x3"))], &rows).contains("no column `x3` to play `covariates`"));
    assert!(
        refused(&[("treatment", array(&["dose", "x1", "x2"])), ("covariates", Literal::Null)], &rows)
            .contains("at least as many columns as `treatment` has (3)")
    );
    assert!(refused(&[("se", text("cluster"))], &rows).contains("option `cluster`"));
    assert!(
        refused(&[("se", text("hc0")), ("cluster", text("unit"))], &rows).contains("'cluster' when `cluster` is given")
    );
    assert!(refused(&[("method", text("gmm")), ("se", text("classic"))], &rows).contains("with method => 'gmm'"));
    assert!(refused(&[("method", text("3sls"))], &rows).contains("one of '2sls', 'liml', 'fuller', 'gmm'"));
    assert!(refused(&[("instrument", text("z1"))], &rows).contains("did you mean `instruments`?"));
    let no_instruments = [("treatment", text("dose"))];
    assert!(refusal(&Factory, &no_instruments, std::slice::from_ref(&rows)).contains("option `instruments`"));
}

#[test]
fn unusable_columns_are_refused_by_name() {
    let rows = simulate(200, 5);
    let (z1, x1) = (doubles(&rows, "z1"), doubles(&rows, "x1"));
    let combined = (0..z1.len()).map(|row| 2.0 * z1[row] - x1[row]).collect();
    let random = simulate(200, 6);
    let rows = with_column(&rows, "combined", combined);
    let rows = with_column(&rows, "constant", vec![0.1; 200]);
    let rows = with_column(&rows, "by_year", doubles(&rows, "z1"));
    let rows = with_column(&rows, "unrelated", doubles(&random, "z1"));
    let message = refused(&[("instruments", array(&["z1", "combined"]))], &rows);
    assert_eq!(
        message,
        "iv_regression: column `combined`, which plays `instruments`, is a linear combination of the covariates and \
         instruments before it; leave it out"
            .replace("`instruments`", "`instrument`")
    );
    for (role, option) in [("treatment", "treatment"), ("outcome", "outcome"), ("instruments", "instruments")] {
        let message = refused(&[(option, text("constant"))], &rows);
        assert!(message.contains(&format!("column `constant` plays `{role}` and has one value")), "{message}");
    }
    let message = refused(&[("covariates", array(&["x1", "combined", "by_year"])), ("instruments", text("z2"))], &rows);
    assert!(message.contains("column `by_year`, which plays `covariate`, is a linear combination"), "{message}");
    let copied = [("treatment", text("by_year")), ("covariates", text("z1")), ("instruments", text("z2"))];
    let message = refused(&copied, &rows);
    assert!(message.contains("column `by_year`, which plays `treatment`, is a linear combination"), "{message}");
    let quarter = |odd: &[usize]| (0..200).map(|row| if odd.contains(&(row % 4)) { 1.0 } else { 0.0 }).collect();
    let rows = with_column(&with_column(&rows, "lottery", quarter(&[2, 3])), "unmoved", quarter(&[1, 3]));
    let orthogonal = [("treatment", text("unmoved")), ("covariates", Literal::Null), ("instruments", text("lottery"))];
    let message = refused(&orthogonal, &rows);
    assert!(message.contains("the instruments do not move column `unmoved`"), "{message}");
    let few = refused(&[], &rows.slice(0, 5));
    assert!(few.contains("5 complete rows cannot carry 5 covariates and instruments"), "{few}");
    assert!(refused(&[], &rows.slice(0, 0)).contains("at least two complete rows, there are 0"));
    let unit = refused(&[("absorb", text("unit")), ("covariates", text("constant_within"))], &{
        let within = texts(&rows, "unit").iter().map(|unit| f64::from(u32::try_from(unit.len()).unwrap())).collect();
        with_column(&rows, "constant_within", within)
    });
    assert!(unit.contains("column `constant_within` plays `covariate` and does not vary within"), "{unit}");
}

#[test]
fn missing_values_are_counted_and_dropped_on_request() {
    let rows = simulate(1000, 8);
    let mut dose: Vec<Option<f64>> = doubles(&rows, "dose").into_iter().map(Some).collect();
    dose[3] = None;
    dose[700] = Some(f64::NAN);
    let units = texts(&rows, "unit");
    let units: StringArray = units.iter().enumerate().map(|(row, unit)| (row != 5).then_some(unit.as_str())).collect();
    let holes = add(&add(&rows, "hole", Arc::new(Float64Array::from(dose))), "ward", Arc::new(units));
    let more = [("treatment", text("hole")), ("cluster", text("ward"))];
    assert_eq!(
        refused(&more, &holes),
        "iv_regression: column `hole` is null in 1 row, column `hole` is NaN or infinite in 1 row, column `ward` is null in \
         1 row; filter such rows in the SELECT, or leave them out with missing => 'drop'"
    );
    let mut pairs = simulated_roles();
    pairs[0].1 = text("hole");
    let found = fit(&pairs, &[("cluster", text("ward")), ("missing", text("drop"))], &holes);
    assert_eq!(found.report["n_dropped"], 3);
    let kept: Vec<RecordBatch> = [(0, 3), (4, 1), (6, 694), (701, 299)].map(|(start, n)| rows.slice(start, n)).to_vec();
    let complete = concat_batches(&rows.schema(), &kept).unwrap();
    let expected = fit(&simulated_roles(), &[("cluster", text("unit"))], &complete);
    assert_eq!(numbers_of(&found), numbers_of(&expected));
}

#[test]
fn booleans_and_integers_count_as_numbers() {
    let rows = simulate(3000, 10);
    let flags: Vec<bool> = doubles(&rows, "z1").iter().map(|value| *value > 0.0).collect();
    let numbers: Vec<i64> = flags.iter().map(|flag| i64::from(*flag)).collect();
    let floats = flags.iter().map(|flag| f64::from(u8::from(*flag))).collect();
    let rows = with_column(&rows, "float", floats);
    let rows = add(&rows, "flag", Arc::new(BooleanArray::from(flags)));
    let rows = add(&rows, "whole", Arc::new(Int64Array::from(numbers)));
    let with = |name: &str| {
        let mut pairs = simulated_roles();
        pairs[1].1 = text(name);
        numbers_of(&fit(&pairs, &[], &rows))
    };
    assert_eq!(with("flag"), with("float"));
    assert_eq!(with("whole"), with("float"));
}

#[test]
fn the_schema_is_as_promised() {
    let rows = simulate(100, 11);
    let found = fit(&simulated_roles(), &[], &rows);
    let names: Vec<String> = found.batches[0].schema().fields().iter().map(|field| field.name().clone()).collect();
    let promised: Vec<&str> = Factory.spec().output.iter().map(|column| column.name).collect();
    assert_eq!(names, promised);
    assert_eq!(texts(&found.batches[0], "role"), ["constant", "covariate", "covariate", "treatment"]);
    assert!(data("card1995.csv").num_rows() == 3010);
}

/// Scratch files in memory.
struct Folder(Arc<std::sync::Mutex<usize>>);

struct InMemory(Vec<u8>, Arc<std::sync::Mutex<usize>>);

impl Scratch for Folder {
    fn create(&self) -> Result<Box<dyn ScratchFile>, String> {
        Ok(Box::new(InMemory(Vec::new(), Arc::clone(&self.0))))
    }
}

impl ScratchFile for InMemory {
    fn append(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.0.extend_from_slice(bytes);
        *self.1.lock().unwrap() += bytes.len();
        Ok(())
    }

    fn reader(&mut self) -> Result<Box<dyn std::io::Read + Send>, String> {
        Ok(Box::new(std::io::Cursor::new(self.0.clone())))
    }
}

/// A budget that is spent after some bytes.
struct Budget(std::sync::atomic::AtomicUsize);

impl MemoryBudget for Budget {
    fn grow(&self, bytes: usize) -> Result<(), String> {
        let spend = |left: usize| left.checked_sub(bytes);
        let order = std::sync::atomic::Ordering::Relaxed;
        self.0.fetch_update(order, order, spend).map(|_| ()).map_err(|left| format!("{left} bytes are left"))
    }
}

#[test]
fn rows_beyond_the_memory_are_spilled_and_without_a_place_refused() {
    let rows = add(&simulate(400_000, 12), "whole", Arc::new(Int64Array::from_iter_values(0..400_000)));
    let mut pairs = simulated_roles();
    pairs[2].1 = array(&["x1", "x2", "whole"]);
    pairs.push(("cluster", text("unit")));
    let input = || Relation::from_batches(rows.schema(), vec![rows.clone()]);
    let budget = || Arc::new(Budget(std::sync::atomic::AtomicUsize::new(10 << 20)));
    let expected = run_relations(&Factory, &pairs, vec![input()], &mut RunContext::for_test(2).unwrap()).unwrap();
    assert_eq!(expected.report["spilled_bytes"], 0);
    let written = Arc::new(std::sync::Mutex::new(0));
    let mut context =
        RunContext::for_test(2).unwrap().with_memory(budget()).with_scratch(Arc::new(Folder(Arc::clone(&written))));
    let found = run_relations(&Factory, &pairs, vec![input()], &mut context).unwrap();
    assert_eq!(numbers_of(&found), numbers_of(&expected));
    // the first of four segments fits: 131 072 rows of 7 columns and a cluster
    let n_spilled = (400_000 - 131_072) * (7 * 8 + 4);
    assert_eq!((*written.lock().unwrap(), &found.report["spilled_bytes"]), (n_spilled, &n_spilled.into()));
    let mut context = RunContext::for_test(2).unwrap().with_memory(budget());
    let refused = run_relations(&Factory, &pairs, vec![input()], &mut context).unwrap_err().to_string();
    assert!(refused.contains("memory limit is reached"), "{refused}");
    let classic = [simulated_roles(), vec![("se", text("classic"))]].concat();
    let mut context = RunContext::for_test(2).unwrap().with_memory(budget());
    assert!(run_relations(&Factory, &classic, vec![input()], &mut context).is_ok(), "read once, kept nowhere");
}
