//! The exact sums as the limit, the release it reads, refusals.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::compute::{SortColumn, SortOptions, lexsort_to_indices, take_record_batch};
use causeway_core::Literal;

use super::Factory;
use crate::histogram::testing::*;

#[test]
fn exact_counts_give_the_sums_of_the_data() {
    for name in DATA {
        let (times, events, _) = subjects(name);
        // by hand: sum of d / n over the distinct times
        let mut distinct = times.clone();
        distinct.sort_unstable_by(f64::total_cmp);
        distinct.dedup();
        let count = |keep: &dyn Fn(f64, bool) -> bool| {
            times.iter().zip(&events).filter(|(time, event)| keep(**time, **event)).count() as f64
        };
        let mut sum = 0.0;
        let mut expected = Vec::new();
        for t in &distinct {
            sum += count(&|time, event| event && time.total_cmp(t).is_eq()) / count(&|time, _| time >= *t);
            expected.push((*t, sum));
        }
        let doubled = times.iter().zip(&events).map(|(time, event)| 2.0 * time + if *event { 0.0 } else { 1.0 });
        let subjects = (doubled.collect(), events.clone(), vec![String::new(); events.len()]);
        let found = run(&Factory, &[("bands", text("none"))], &exact_release(subjects, 1.0, false));
        let (starts, sums) = (doubles(&found, "time_low"), doubles(&found, "cumulative_hazard"));
        let reliable = found["reliable"].as_boolean();
        for (time, expected) in expected {
            let bin = starts.iter().rposition(|start| *start <= 2.0 * time).unwrap();
            assert!(!reliable.value(bin) || (sums[bin] - expected).abs() < 1e-9, "{name} at {time}");
        }
    }
}

#[test]
fn it_is_the_hazard_of_the_release_in_any_order_of_rows() {
    let rows = table(subjects("lung"));
    let pairs = [
        ("epsilon", Literal::Float(1.0)),
        ("horizon", Literal::Float(1024.0)),
        ("bins", Literal::Integer(16)),
        ("strata", text("group")),
        ("strata_values", list(&["1", "2"])),
    ];
    let release = run(&crate::dp_kaplan_meier::Factory, &pairs, &rows);
    let backward = SortOptions { descending: true, nulls_first: false };
    let order =
        ["events", "censored"].map(|name| SortColumn { values: Arc::clone(&release[name]), options: Some(backward) });
    let shuffled = take_record_batch(&release, &lexsort_to_indices(&order, None).unwrap()).unwrap();
    for rows in [release.clone(), shuffled] {
        let found = run(&Factory, &[("by", text("group"))], &rows);
        assert_close(&doubles(&found, "cumulative_hazard"), &doubles(&release, "cumulative_hazard"), 1e-12, "hazard");
        assert_eq!(&found["reliable"], &release["reliable"]);
        let (low, high) = (doubles(&found, "cumulative_hazard_low"), doubles(&found, "cumulative_hazard_high"));
        assert!(low.iter().zip(&high).all(|(low, high)| *low >= 0.0 && low <= high));
    }
}

#[test]
fn what_is_no_release_is_refused() {
    let release = exact_release(subjects("lung"), 1.0 / 64.0, false);
    let refused = |rows| call_on(&Factory, &[], vec![rows], 1).unwrap_err().to_string();
    assert!(refused(release.slice(1, 5)).contains("must follow each other from 0"));
    let published =
        [("epsilon", Literal::Float(1.0)), ("horizon", Literal::Float(1024.0)), ("mechanism", text("published"))];
    let heuristic = run(&crate::dp_kaplan_meier::Factory, &published, &table(subjects("lung")));
    assert!(refused(heuristic).contains("column `events` must hold numbers that are not negative"));
    let other = exact_release(subjects("rossi"), 1.0, false);
    let mixed = arrow::compute::concat_batches(&release.schema(), [&release, &other]).unwrap();
    assert!(refused(mixed).contains("must follow each other"));
}
