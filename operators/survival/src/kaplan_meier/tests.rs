//! Textbook, reference values, invariants and edges of the Kaplan–Meier operator, and the reading of
//! rows that all operators share.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float64Array, Int8Array,
    Int32Array, Int64Array, LargeStringArray, RecordBatch, StringArray, StringViewArray, UInt16Array, UInt64Array,
};
use arrow::datatypes::{DataType, Float64Type, Int8Type};
use causeway_core::{Cancel, Literal, MemoryBudget, OperatorError, OperatorFactory, Relation, RunContext, call};
use proptest::prelude::*;

use super::Factory;
use crate::testing::*;

fn batch<const N: usize>(columns: [(&str, ArrayRef); N]) -> RecordBatch {
    RecordBatch::try_from_iter(columns).unwrap()
}

fn one_event_per_row(times: ArrayRef) -> RecordBatch {
    let events: ArrayRef = Arc::new(BooleanArray::from(vec![true; times.len()]));
    batch([("time", times), ("event", events)])
}

#[test]
fn textbook_curve_of_the_treated_leukemia_patients() {
    // Freireich et al. 1963, 6-MP arm; Klein and Moeschberger 2003, table 4.1
    let table = run(&Factory, &[("by", text("group"))], &data_set("leukemia"));
    let treated: Vec<usize> =
        (0..table.num_rows()).filter(|row| table["group"].as_string::<i32>().value(*row) == "0").collect();
    let survival = doubles(&table, "survival");
    let at = |time: f64| treated.iter().rfind(|row| doubles(&table, "time")[**row] <= time).map(|row| survival[*row]);
    for (time, expected) in [(6.0, 0.857), (7.0, 0.807), (10.0, 0.753), (13.0, 0.690), (22.0, 0.538), (23.0, 0.448)] {
        assert!((at(time).unwrap() - expected).abs() < 5e-4, "time {time}");
    }
}

#[test]
fn six_data_sets_agree_with_lifelines() {
    for name in DATA {
        let found = run(&Factory, &[], &data_set(name));
        for (column, expected) in golden_table(&format!("golden/{name}_km.csv")) {
            let ours = match column.as_str() {
                "time" => doubles(&found, "time"),
                "at_risk" => as_doubles(&counts(&found, "at_risk")),
                "observed" => as_doubles(&counts(&found, "events")),
                "censored" => as_doubles(&counts(&found, "censored")),
                "km" => doubles(&found, "survival"),
                "greenwood_se" => doubles(&found, "std_error"),
                "ci_lower_loglog95" => doubles(&found, "survival_low"),
                "ci_upper_loglog95" => doubles(&found, "survival_high"),
                _ => continue,
            };
            assert_close(&ours, &expected, 1e-9, &format!("{name} {column}"));
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "small counts")]
fn as_doubles(counts: &[u64]) -> Vec<f64> {
    counts.iter().map(|count| *count as f64).collect()
}

#[test]
fn late_entry_agrees_with_lifelines() {
    let golden = golden_json("golden/extra.json");
    let column = |name: &str| -> Vec<f64> {
        golden["aids"][name].as_array().unwrap().iter().map(|value| value.as_f64().unwrap_or(f64::NAN)).collect()
    };
    let found = run(&Factory, &[], &data_set("aids"));
    let without_start = found.slice(1, found.num_rows() - 1);
    assert_close(&doubles(&without_start, "time"), &column("time"), 0.0, "time");
    assert_close(&as_doubles(&counts(&without_start, "at_risk")), &column("at_risk"), 0.0, "at_risk");
    assert_close(&doubles(&without_start, "survival"), &column("survival"), 1e-12, "survival");
    assert_close(&doubles(&without_start, "std_error"), &column("std_error"), 1e-12, "std_error");
}

#[test]
fn groups_are_the_curves_of_their_rows() {
    let lung = data_set("lung");
    let both = run(&Factory, &[("by", text("group"))], &lung);
    let one = run(&Factory, &[], &rows_of_group(&lung, "2"));
    let start = both.num_rows() - one.num_rows();
    assert_eq!(both.slice(start, one.num_rows()).column(0).as_string::<i32>().value(0), "2");
    assert_eq!(&both.columns()[1..].iter().map(|c| c.slice(start, one.num_rows())).collect::<Vec<_>>(), one.columns());
}

#[test]
fn every_type_of_time_gives_the_same_curve() {
    let expected = run(&Factory, &[], &one_event_per_row(Arc::new(Float64Array::from(vec![3.0, 1.0, 7.0]))));
    let times: [ArrayRef; 6] = [
        Arc::new(Int8Array::from(vec![3, 1, 7])),
        Arc::new(UInt16Array::from(vec![3, 1, 7])),
        Arc::new(Int32Array::from(vec![3, 1, 7])),
        Arc::new(Int64Array::from(vec![3, 1, 7])),
        Arc::new(UInt64Array::from(vec![3, 1, 7])),
        Arc::new(Decimal128Array::from(vec![300, 100, 700]).with_precision_and_scale(10, 2).unwrap()),
    ];
    for times in times {
        assert_eq!(run(&Factory, &[], &one_event_per_row(times)), expected);
    }
}

#[test]
fn every_type_of_event_gives_the_same_curve() {
    let times: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
    let events: [ArrayRef; 4] = [
        Arc::new(BooleanArray::from(vec![true, false, true])),
        Arc::new(Int64Array::from(vec![1, 0, 1])),
        Arc::new(Int8Array::from(vec![1, 0, 1])),
        Arc::new(Float64Array::from(vec![1.0, -0.0, 1.0])),
    ];
    for event in events {
        let found = run(&Factory, &[], &batch([("time", Arc::clone(&times)), ("event", event)]));
        assert_eq!(counts(&found, "events"), [0, 1, 0, 1]);
    }
}

#[test]
fn groups_of_every_type_keep_their_type_and_order() {
    let codes = Int8Array::from(vec![Some(1), Some(0), Some(1), None]);
    let words: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
    let columns: [ArrayRef; 8] = [
        Arc::new(StringArray::from(vec![Some("b"), Some("a"), Some("b"), None])),
        Arc::new(LargeStringArray::from(vec![Some("b"), Some("a"), Some("b"), None])),
        Arc::new(StringViewArray::from(vec![Some("b"), Some("a"), Some("b"), None])),
        Arc::new(DictionaryArray::<Int8Type>::new(codes, words)),
        Arc::new(BooleanArray::from(vec![Some(true), Some(false), Some(true), None])),
        Arc::new(Int64Array::from(vec![Some(1), Some(-4), Some(1), None])),
        Arc::new(UInt16Array::from(vec![Some(9), Some(4), Some(9), None])),
        Arc::new(Date32Array::from(vec![Some(1), Some(-1), Some(1), None])),
    ];
    for column in columns {
        let rows = batch([
            ("time", Arc::new(Int64Array::from(vec![1, 2, 3, 4])) as ArrayRef),
            ("event", Arc::new(BooleanArray::from(vec![true; 4]))),
            ("arm", Arc::clone(&column)),
        ]);
        let found = run(&Factory, &[("by", text("arm"))], &rows);
        assert_eq!(found["arm"].data_type(), column.data_type());
        assert_eq!(doubles(&found, "time"), [0.0, 2.0, 0.0, 1.0, 3.0, 0.0, 4.0], "{}", column.data_type());
        let values = arrow::compute::cast(&found["arm"], &DataType::Utf8).unwrap();
        assert!(values.is_valid(0) && values.is_null(5) && values.is_null(6), "nulls are the last group");
    }
}

#[test]
fn several_columns_form_the_groups() {
    let rows = batch([
        ("time", Arc::new(Int64Array::from(vec![1, 2, 3, 4])) as ArrayRef),
        ("event", Arc::new(BooleanArray::from(vec![true; 4]))),
        ("arm", Arc::new(StringArray::from(vec!["b", "a", "b", "a"]))),
        ("site", Arc::new(Int32Array::from(vec![2, 1, 1, 1]))),
    ]);
    let by = Literal::List(vec![text("arm"), text("site")]);
    let found = run(&Factory, &[("by", by)], &rows);
    assert_eq!(found.schema().fields()[1].name(), "site");
    assert_eq!(doubles(&found, "time"), [0.0, 2.0, 4.0, 0.0, 3.0, 0.0, 1.0]);
}

#[test]
fn edges() {
    let zero = run(&Factory, &[], &one_event_per_row(Arc::new(Int64Array::from(vec![0]))));
    assert_eq!((doubles(&zero, "time"), doubles(&zero, "survival")), (vec![0.0], vec![0.0]));
    assert!(zero["std_error"].is_null(0));

    let censored = run(
        &Factory,
        &[],
        &batch([
            ("time", Arc::new(Int64Array::from(vec![5, 5, 9])) as ArrayRef),
            ("event", Arc::new(BooleanArray::from(vec![false; 3]))),
        ]),
    );
    assert_eq!(doubles(&censored, "survival"), [1.0, 1.0, 1.0]);
    assert_eq!(doubles(&censored, "survival_low"), [1.0, 1.0, 1.0]);

    let nobody = one_event_per_row(Arc::new(Float64Array::from(Vec::<f64>::new())));
    assert!(run_on(&Factory, &[], nobody.schema(), vec![nobody.clone()], 2).unwrap().is_empty());
    assert!(run_on(&Factory, &[], nobody.schema(), vec![], 2).unwrap().is_empty());
}

#[test]
fn bad_rows_are_refused_with_their_number_and_no_value() {
    let rows = batch([
        ("days", Arc::new(Float64Array::from(vec![Some(1.0), None, Some(-77.5), Some(f64::NAN), None])) as ArrayRef),
        ("status", Arc::new(Int64Array::from(vec![Some(1), Some(0), Some(42), None, Some(1)]))),
    ]);
    assert_eq!(
        refusal(&Factory, &[("time", text("days")), ("event", text("status"))], &rows),
        "kaplan_meier: column `days` is null in 2 rows, column `days` is NaN or infinite in 1 row, column `days` is \
         negative in 1 row, column `status` is null in 1 row, column `status` is neither 0 nor 1 in 1 row; a row \
         without a usable time, event or entry cannot be counted, so filter or correct it in the SELECT; for an \
         event coded otherwise select a comparison, such as `status = 2 AS event`"
    );
}

#[test]
fn entries_are_refused_unless_before_their_time() {
    let entries = Float64Array::from(vec![Some(0.0), Some(2.0), Some(-1.0), Some(f64::INFINITY), None]);
    let rows = batch([
        ("time", Arc::new(Float64Array::from(vec![1.0, 2.0, 3.0, 4.0, 5.0])) as ArrayRef),
        ("event", Arc::new(BooleanArray::from(vec![true; 5]))),
        ("entry", Arc::new(entries)),
    ]);
    let message = refusal(&Factory, &[], &rows);
    for part in [
        "`entry` is null in 1 row",
        "`entry` is NaN or infinite in 1 row",
        "`entry` is negative in 1 row",
        "`entry` is not before `time` in 2 rows",
    ] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn confidence_and_interval_change_only_the_limits() {
    let lung = data_set("lung");
    let loglog = run(&Factory, &[], &lung);
    for interval in ["plain", "log"] {
        let other = run(&Factory, &[("interval", text(interval)), ("confidence", Literal::Float(0.5))], &lung);
        assert_eq!(doubles(&other, "std_error"), doubles(&loglog, "std_error"));
        let widths = doubles(&other, "survival_high").into_iter().zip(doubles(&other, "survival_low"));
        let wide = doubles(&loglog, "survival_high").into_iter().zip(doubles(&loglog, "survival_low"));
        assert!(widths.zip(wide).skip(1).all(|(narrow, wide)| narrow.0 - narrow.1 < wide.0 - wide.1));
    }
}

#[test]
fn a_cancelled_run_stops() {
    let lung = data_set("lung");
    let cancel = Cancel::default();
    cancel.cancel();
    let mut context = RunContext::for_test(1).unwrap().with_cancel(cancel);
    let input = Relation::from_batches(lung.schema(), vec![lung]);
    let error = call(&Factory, options(&[]), vec![input], &mut context).unwrap_err();
    assert!(matches!(error, OperatorError::Cancelled));
}

struct OneMegabyte;

impl MemoryBudget for OneMegabyte {
    fn grow(&self, bytes: usize) -> std::result::Result<(), String> {
        if bytes > 1 << 20 { Err("1 MiB is the limit".to_owned()) } else { Ok(()) }
    }
}

#[test]
fn whole_times_fit_in_little_memory_and_others_are_charged() {
    let n_rows = 400_000;
    let days: Float64Array = (0..n_rows).map(|row| f64::from(row % 4000)).collect();
    let parts: Float64Array = (0..n_rows).map(|row| f64::from(row % 4000) + 0.5).collect();
    let run = |times: Float64Array| {
        let rows = one_event_per_row(Arc::new(times));
        let mut context = RunContext::for_test(2).unwrap().with_memory(Arc::new(OneMegabyte));
        call(&Factory, options(&[]), vec![Relation::from_batches(rows.schema(), vec![rows])], &mut context)
    };
    assert!(run(days).is_ok());
    assert!(matches!(run(parts), Err(OperatorError::Memory { .. })));
}

#[test]
fn the_output_has_the_promised_schema() {
    let lung = data_set("lung");
    let checked = options(&[("by", text("group"))]).check(Factory.spec()).unwrap();
    let roles = causeway_core::Roles::resolve(Factory.spec(), &checked, &[lung.schema()]).unwrap();
    let promised = Factory.bind(&checked, roles).unwrap().output_schema().unwrap();
    assert_eq!(run(&Factory, &[("by", text("group"))], &lung).schema(), promised);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn the_curve_falls_between_its_limits(rows in any_subjects()) {
        let found = run(&Factory, &[("entry", text("late"))], &subjects(&rows));
        let survival = doubles(&found, "survival");
        prop_assert!(survival.windows(2).all(|pair| pair[1] <= pair[0]));
        prop_assert!(survival.iter().all(|value| (0.0..=1.0).contains(value)));
        let low = found["survival_low"].as_primitive::<Float64Type>();
        let high = found["survival_high"].as_primitive::<Float64Type>();
        for (row, value) in survival.iter().enumerate() {
            prop_assert!(low.value(row) <= value + 1e-15 && *value <= high.value(row) + 1e-15);
        }
        let ends: u64 = counts(&found, "events").iter().sum::<u64>() + counts(&found, "censored").iter().sum::<u64>();
        prop_assert_eq!(ends, rows.len() as u64);
    }

    #[test]
    fn layout_changes_no_byte(rows in any_subjects(), cut in 1_usize..20) {
        assert_independent_of_layout(&Factory, &[("entry", text("late"))], &rows, cut);
        assert_independent_of_layout(&Factory, &[("by", text("group"))], &rows, cut);
    }
}
