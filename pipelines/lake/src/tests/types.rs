//! Every Arrow type goes round, becomes its stored neighbour, or is refused with advice.

use std::sync::Arc;

use arrow::array::*;
use arrow::datatypes::{DataType, Field, Int32Type, IntervalUnit, Schema, TimeUnit, i256};

use super::helpers::*;
use crate::{LakeError, Result, TableOptions};

/// Writes one column and reads it back.
async fn round_trip(column: ArrayRef) -> Result<ArrayRef> {
    let home = Home::memory();
    let field = Field::new("x", column.data_type().clone(), true);
    let batch = RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![column]).unwrap();
    let (schema, options) = (batch.schema(), TableOptions::default());
    home.lake.overwrite("t", vec![stream(batch)], schema, &options, "CREATE TABLE", &marker("1")).await?;
    let snapshot = latest(&home.lake, "t").await;
    let read = sql(&snapshot, "SELECT x FROM t").await;
    assert_eq!(read[0].schema_ref().field(0).data_type(), snapshot.schema().field(0).data_type());
    Ok(Arc::clone(read[0].column(0)))
}

fn stored_as_is() -> Vec<ArrayRef> {
    vec![
        Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
        Arc::new(Int8Array::from(vec![Some(i8::MIN), None])),
        Arc::new(Int16Array::from(vec![Some(i16::MAX), None])),
        Arc::new(Int32Array::from(vec![Some(i32::MIN), None])),
        Arc::new(Int64Array::from(vec![Some(i64::MAX), None])),
        Arc::new(Float32Array::from(vec![Some(0.1), None, Some(f32::INFINITY)])),
        Arc::new(Float64Array::from(vec![Some(-0.1), None, Some(f64::MAX)])),
        Arc::new(StringArray::from(vec![Some("Größe"), None, Some("")])),
        Arc::new(BinaryArray::from(vec![Some(&b"\0\xff"[..]), None])),
        Arc::new(Date32Array::from(vec![Some(-1), None, Some(20_000)])),
        Arc::new(TimestampMicrosecondArray::from(vec![Some(-1), None])),
        Arc::new(TimestampMicrosecondArray::from(vec![Some(1), None]).with_timezone("UTC")),
        Arc::new(Decimal128Array::from(vec![Some(12_345), None]).with_precision_and_scale(20, 3).unwrap()),
    ]
}

#[tokio::test]
async fn plain_types_come_back_as_they_went() {
    for column in stored_as_is() {
        assert_eq!(&round_trip(Arc::clone(&column)).await.unwrap(), &column);
    }
}

#[tokio::test]
async fn other_types_become_their_stored_neighbour() {
    let nanos = |zone: Option<&str>| TimestampNanosecondArray::from(vec![Some(1_500), None]).with_timezone_opt(zone);
    let micros = |zone: Option<&str>| TimestampMicrosecondArray::from(vec![Some(1), None]).with_timezone_opt(zone);
    let words = || vec![Some("a"), None, Some("a")];
    let cases: Vec<(ArrayRef, ArrayRef)> = vec![
        (Arc::new(StringViewArray::from(words())), Arc::new(StringArray::from(words()))),
        (Arc::new(LargeStringArray::from(words())), Arc::new(StringArray::from(words()))),
        (Arc::new(DictionaryArray::<Int32Type>::from_iter(words())), Arc::new(StringArray::from(words()))),
        (Arc::new(BinaryViewArray::from(vec![Some(&b"x"[..])])), Arc::new(BinaryArray::from(vec![Some(&b"x"[..])]))),
        (Arc::new(UInt8Array::from(vec![u8::MAX])), Arc::new(Int16Array::from(vec![255]))),
        (Arc::new(UInt16Array::from(vec![u16::MAX])), Arc::new(Int32Array::from(vec![65_535]))),
        (Arc::new(UInt32Array::from(vec![u32::MAX])), Arc::new(Int64Array::from(vec![4_294_967_295]))),
        (Arc::new(UInt64Array::from(vec![7])), Arc::new(Int64Array::from(vec![7]))),
        (Arc::new(nanos(None)), Arc::new(micros(None))),
        (Arc::new(nanos(Some("Europe/Berlin"))), Arc::new(micros(Some("UTC")))),
        (Arc::new(TimestampSecondArray::from(vec![2])), Arc::new(TimestampMicrosecondArray::from(vec![2_000_000]))),
        (Arc::new(Date64Array::from(vec![86_400_000])), Arc::new(Date32Array::from(vec![1]))),
        (
            Arc::new(Decimal256Array::from(vec![i256::from_i128(5)]).with_precision_and_scale(30, 2).unwrap()),
            Arc::new(Decimal128Array::from(vec![5]).with_precision_and_scale(30, 2).unwrap()),
        ),
    ];
    for (written, expected) in cases {
        let read = round_trip(Arc::clone(&written)).await.unwrap();
        assert_eq!(&read, &expected, "{}", written.data_type());
    }
}

#[tokio::test]
async fn nested_types_go_round() {
    let list: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(vec![
        Some(vec![Some(1), None]),
        None,
        Some(vec![]),
    ]));
    let read = round_trip(Arc::clone(&list)).await.unwrap();
    assert_eq!(read.as_list::<i32>().value(0).as_ref(), list.as_list::<i32>().value(0).as_ref());
    assert_eq!((read.null_count(), read.len()), (1, 3));

    let dose: ArrayRef = Arc::new(Float64Array::from(vec![Some(0.5), None]));
    let fields = vec![Field::new("dose", DataType::Float64, true)].into();
    let record: ArrayRef = Arc::new(StructArray::new(fields, vec![dose], None));
    assert_eq!(&round_trip(Arc::clone(&record)).await.unwrap(), &record);
}

#[tokio::test]
async fn refusals_name_column_type_and_cast() {
    let refused: Vec<(ArrayRef, &str)> = vec![
        (Arc::new(NullArray::new(2)), "Null"),
        (Arc::new(Time64MicrosecondArray::from(vec![1])), "Time64"),
        (new_null_array(&DataType::Interval(IntervalUnit::MonthDayNano), 1), "Interval"),
        (new_null_array(&DataType::Duration(TimeUnit::Second), 1), "Duration"),
        (new_null_array(&DataType::Decimal256(60, 2), 1), "Decimal256"),
    ];
    for (column, name) in refused {
        let error = round_trip(column).await.unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, LakeError::UnsupportedType { .. }), "{text}");
        assert!(text.contains("`x`") && text.contains(name) && text.contains("CAST(\"x\""), "{text}");
    }
}

#[tokio::test]
async fn an_unsigned_value_out_of_range_is_refused_unseen() {
    let error = round_trip(Arc::new(UInt64Array::from(vec![u64::MAX]))).await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, LakeError::OutOfRange { .. }), "{text}");
    assert!(text.contains("`x`") && !text.contains("18446744073709551615"), "{text}");
}

#[tokio::test]
async fn rows_must_fit_the_table() {
    let home = Home::memory();
    filled(&home.lake, "t", 1).await;
    let patients = || -> ArrayRef { Arc::new(StringArray::from(vec![Some("p"), None])) };
    let days: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let text: ArrayRef = Arc::new(StringArray::from(vec!["1", "2"]));
    let small: ArrayRef = Arc::new(Int32Array::from(vec![4, 5]));
    let named: ArrayRef = Arc::new(StringViewArray::from(vec!["q", "r"]));
    let batch = |columns: Vec<(&str, ArrayRef)>| vec![stream(RecordBatch::try_from_iter(columns).unwrap())];
    let refused = [
        (batch(vec![("days", Arc::clone(&days))]), "CW0309", "column `patient` is missing"),
        (
            batch(vec![("days", Arc::clone(&days)), ("patient", Arc::clone(&named)), ("extra", Arc::clone(&days))]),
            "CW0309",
            "no column `extra`",
        ),
        (
            batch(vec![("patient", Arc::clone(&named)), ("days", text)]),
            "CW0309",
            "column `days` is Int64 in the table and Utf8",
        ),
        (batch(vec![("patient", patients()), ("days", days)]), "CW0308", "`patient` does not allow nulls"),
    ];
    for (rows, code, message) in refused {
        let error = home.lake.append("t", rows, &marker(message)).await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(message), "{error}");
    }
    // Another order and narrower or view types are adapted.
    let fits = batch(vec![("days", small), ("patient", named)]);
    assert_eq!(home.lake.append("t", fits, &marker("fits")).await.unwrap().n_rows, 3);
}

#[tokio::test]
async fn names_that_differ_by_case_only_are_refused() {
    let home = Home::memory();
    let schema =
        Arc::new(Schema::new(vec![Field::new("Age", DataType::Int64, true), Field::new("age", DataType::Int64, true)]));
    let error = home.lake.create("t", schema, &TableOptions::default(), &marker("1")).await.unwrap_err();
    assert!(error.to_string().contains("`age` occurs twice"), "{error}");
}

#[tokio::test]
async fn a_nan_suppresses_the_bounds_of_its_column() {
    let home = Home::memory();
    let values: ArrayRef = Arc::new(Float64Array::from(vec![1.0, f64::NAN, 2.0]));
    let batch = RecordBatch::try_from_iter([("value", values)]).unwrap();
    let (schema, options) = (batch.schema(), TableOptions::default());
    home.lake.overwrite("t", vec![stream(batch)], schema, &options, "CREATE TABLE", &marker("1")).await.unwrap();
    let log = log_text(&home.lake, "t").await;
    assert!(log.contains(r#"\"minValues\":{}"#) && log.contains(r#"\"nullCount\":{\"value\":0}"#), "{log}");
}
