//! The exact test as the limit, calibration, refusals.

use arrow::array::{Array, AsArray};
use arrow::datatypes::UInt64Type;
use causeway_core::Literal;

use super::Factory;
use crate::histogram::LogRank;
use crate::histogram::testing::*;

#[test]
fn exact_counts_of_distinct_times_give_the_test_of_lifelines() {
    for name in ["lung", "rossi", "gbsg2", "waltons", "leukemia", "larynx"] {
        let (times, events, groups) = subjects(name);
        let scale = if name == "larynx" { 10.0 } else { 1.0 }; // its times are tenths of years
        let whole = times.iter().map(|time| (scale * time).round()).collect();
        let release = exact_release((whole, events, groups), 1.0, true);
        let found = run(&Factory, &[("by", text("group"))], &release);
        let expected = exact(name)["logrank"]["chi2"].as_f64().unwrap();
        assert_close(&doubles(&found, "chi_square"), &[expected; 2], 1e-9, name);
        let p_value = exact(name)["logrank"]["p"].as_f64().unwrap();
        assert_close(&doubles(&found, "uncalibrated_p_value"), &[p_value; 2], 1e-9, name);
        assert_eq!(found["degrees_of_freedom"].as_primitive::<UInt64Type>().values(), &[1, 1]);
        let first = &exact(name)["logrank"]["OEV_first_group"];
        let number = |key: &str| first[key].as_f64().unwrap();
        let (observed, expected) = (doubles(&found, "observed"), doubles(&found, "expected"));
        let group = observed.iter().position(|observed| (observed - number("O1")).abs() < 1e-9).unwrap();
        assert!((expected[group] - number("E1")).abs() < 1e-9, "{name}");
    }
}

#[test]
fn without_noise_the_calibrated_p_value_is_that_of_chi_square() {
    let release = exact_release(subjects("rossi"), 1.0, true);
    let found = run(&Factory, &[("by", text("group")), ("draws", Literal::Integer(4000))], &release);
    let (calibrated, plain) = (doubles(&found, "p_value")[0], doubles(&found, "uncalibrated_p_value")[0]);
    assert!((calibrated - plain).abs() < 4.0 * (plain * (1.0 - plain) / 4000.0).sqrt() + 0.005, "{calibrated} {plain}");
}

#[test]
fn it_is_the_test_inside_the_release() {
    let rows = table(subjects("lung"));
    let pairs = [
        ("epsilon", Literal::Float(1.0)),
        ("horizon", Literal::Float(1024.0)),
        ("strata", text("group")),
        ("strata_values", list(&["1", "2"])),
        ("log_rank", Literal::Boolean(true)),
        ("bins", Literal::Integer(8)),
    ];
    let release = run(&crate::dp_kaplan_meier::Factory, &pairs, &rows);
    let found = run(&Factory, &[("by", text("group"))], &release);
    assert_close(
        &doubles(&found, "chi_square"),
        &[doubles(&release, "log_rank_chi_square")[0]; 2],
        1e-12,
        "chi-square",
    );
    let p_values = (doubles(&found, "p_value")[0], doubles(&release, "log_rank_p_value")[0]);
    assert!((p_values.0 - p_values.1).abs() < 0.15, "{p_values:?} differ by their draws alone");
}

#[test]
fn size_is_kept_with_noise_where_the_plain_test_rejects_too_often() {
    // 228 people in two groups of one hazard at epsilon 1; 100 cohorts, the whole of it in study_dp
    let mut rejected = (0, 0);
    for cohort in 0..100_u64 {
        let mut context = repeatable(cohort);
        let rows = table(simulated(228, 1.0, context.rng()));
        let pairs = [
            ("epsilon", Literal::Float(1.0)),
            ("horizon", Literal::Float(1024.0)),
            ("strata", text("group")),
            ("strata_values", list(&["0", "1"])),
            ("bins", Literal::Integer(8)),
            ("bands", text("none")),
        ];
        let release = run_in(&mut context, &crate::dp_kaplan_meier::Factory, &pairs, &rows);
        let options = [("by", text("group")), ("draws", Literal::Integer(59))];
        let found = run_in(&mut context, &Factory, &options, &release);
        rejected.0 += u32::from(doubles(&found, "p_value")[0] <= 0.05);
        rejected.1 += u32::from(doubles(&found, "uncalibrated_p_value")[0] <= 0.05);
    }
    println!("rejected of 100: calibrated {}, plain {}", rejected.0, rejected.1);
    assert!(rejected.0 <= 12, "calibrated: {} of 100, more than 5 + 3 sd", rejected.0);
    assert!(rejected.0 <= rejected.1);
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let release = exact_release(subjects("lung"), 1.0 / 64.0, true);
    let refused = |pairs: &[(&str, Literal)], rows| call_on(&Factory, pairs, vec![rows], 1).unwrap_err().to_string();
    assert!(refused(&[], release.clone()).contains("option `by`"));
    let one = exact_release(subjects("lung"), 1.0 / 64.0, false);
    let alone = refused(&[("by", text("reliable"))], one.slice(0, 1));
    assert!(alone.contains("at least two strata"), "{alone}");
    let by = [("by", text("group"))];
    assert!(refused(&by, release.slice(0, release.num_rows() - 1)).contains("same bins"));
    assert!(refused(&by, release.slice(1, 17)).contains("must follow each other from 0"));
}

#[test]
fn without_events_nothing_is_compared() {
    let censored = (vec![1.0, 2.0, 3.0, 4.0], vec![false; 4], ["a", "b", "a", "b"].map(str::to_owned).to_vec());
    let found = run(&Factory, &[("by", text("group"))], &exact_release(censored, 1.0, true));
    assert_eq!((found["chi_square"].null_count(), found["p_value"].null_count()), (2, 2));
    assert_eq!(LogRank::new(&[]).statistic.rank, 0);
}
