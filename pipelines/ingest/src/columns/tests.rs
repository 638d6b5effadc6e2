use super::{Calendar, number};
use crate::fault::Reason;
use crate::testing::{read_csv, read_named};

#[test]
fn whole_numbers_keep_their_range() {
    assert_eq!(number::bigint(b"-9223372036854775808"), Ok(i64::MIN));
    assert_eq!(number::bigint(b"9223372036854775807"), Ok(i64::MAX));
    assert_eq!(number::bigint(b"9223372036854775808"), Err(Reason::OutOfRange));
    assert_eq!(number::bigint(b"+000000000000000000000000000000000000000007"), Ok(7));
    assert_eq!(number::int(b"2147483648"), Err(Reason::OutOfRange));
    for wrong in [&b""[..], b"-", b"1.0", b"1e3", b"0x10", b"--1", b"1_000", b"1 2", "١".as_bytes()] {
        assert_eq!(number::bigint(wrong), Err(Reason::NotANumber), "{wrong:?}");
    }
}

#[test]
fn doubles_are_finite_and_exact() {
    for text in
        ["0.1", "-1e-300", "+5", ".5", "5.", "123456789012345678901234567890", "4.9e-324", "2.2250738585072011e-308"]
    {
        assert_eq!(
            number::double(text.as_bytes()).unwrap().to_bits(),
            text.parse::<f64>().unwrap().to_bits(),
            "{text}"
        );
    }
    assert_eq!(number::double(b"1e400"), Err(Reason::OutOfRange));
    for wrong in ["nan", "NaN", "inf", "-Infinity", "1,5", "1.2.3", "e5", "", "-", ".", "1e"] {
        assert_eq!(number::double(wrong.as_bytes()), Err(Reason::NotANumber), "{wrong}");
    }
}

#[test]
fn decimals_scale_and_refuse_what_they_cannot_hold() {
    assert_eq!(number::decimal(b"12.3", 5, 2), Ok(1230));
    assert_eq!(number::decimal(b"-0.05", 5, 2), Ok(-5));
    assert_eq!(number::decimal(b"7", 5, 2), Ok(700));
    assert_eq!(number::decimal(b"1.2300", 5, 2), Ok(123));
    assert_eq!(number::decimal(b"1.234", 5, 2), Err(Reason::TooManyDecimals));
    assert_eq!(number::decimal(b"1000", 5, 2), Err(Reason::OutOfRange));
    assert_eq!(number::decimal(b"9".repeat(60).as_slice(), 38, 0), Err(Reason::OutOfRange));
    for wrong in ["", ".", "-", "1.2x4", "1e3", "1..2"] {
        assert_eq!(number::decimal(wrong.as_bytes(), 5, 2), Err(Reason::NotANumber), "{wrong}");
    }
}

#[test]
fn iso_dates_agree_with_chrono_on_every_day() {
    let first = chrono::NaiveDate::from_ymd_opt(1, 1, 1).unwrap();
    let epoch = chrono::NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
    for day in first.iter_days().take(800_000).step_by(7) {
        let expected = i32::try_from(day.signed_duration_since(epoch).num_days()).unwrap();
        assert_eq!(Calendar::Iso.date(day.to_string().as_bytes()), Ok(expected), "{day}");
    }
    for wrong in
        ["2023-02-29", "1900-02-29", "2024-13-01", "2024-00-10", "2024-04-31", "24-01-01", "2024-1-1", "0000-01-01"]
    {
        assert_eq!(Calendar::Iso.date(wrong.as_bytes()), Err(Reason::BadDate), "{wrong}");
    }
    assert!(Calendar::Iso.date(b"2000-02-29").is_ok());
}

#[test]
fn iso_timestamps_know_zones_and_fractions() {
    let read = |text: &str| Calendar::Iso.timestamp(text.as_bytes());
    let expected = chrono::DateTime::parse_from_rfc3339("2024-03-01T12:30:05.123456Z").unwrap().timestamp_micros();
    for text in [
        "2024-03-01T12:30:05.123456Z",
        "2024-03-01 12:30:05.123456",
        "2024-03-01T14:30:05.123456789+02:00",
        "2024-03-01T07:00:05.123456-0530",
    ] {
        assert_eq!(read(text), Ok(expected), "{text}");
    }
    assert_eq!(read("2024-03-01"), Ok(1_709_251_200_000_000));
    assert_eq!(read("2024-03-01 12:30"), read("2024-03-01T12:30:00Z"));
    assert_eq!(read("1969-12-31T23:59:59.5Z"), Ok(-500_000));
    for wrong in [
        "2024-03-01T24:00:00",
        "2024-03-01T12:60:00",
        "2024-03-01T12",
        "2024-03-01T12:30:05.",
        "2024-03-01T12:30:05+99:00",
        "2024-03-01Tgarbage",
    ] {
        assert_eq!(read(wrong), Err(Reason::BadTimestamp), "{wrong}");
    }
}

const ALL_TYPES: &str = r#"
column = [
  { name = "b", type = "boolean" }, { name = "i", type = "int" }, { name = "l", type = "bigint" },
  { name = "d", type = "double" }, { name = "m", type = "decimal(8,2)" }, { name = "t", type = "text" },
  { name = "y", type = "date", format = "%d.%m.%Y" }, { name = "s", type = "timestamp" },
]"#;

#[test]
fn every_type_is_read() {
    let csv = "b,i,l,d,m,t,y,s\nyes, 7 ,8,1.5,2.5, kept ,01.02.2020,2020-01-02T03:04:05Z\n,NA,NA,,NA,NA,,\n";
    let outcome = read_csv(csv, ALL_TYPES).unwrap();
    assert_eq!(outcome.shown(), ["true|7|8|1.5|2.50| kept |2020-02-01|2020-01-02T03:04:05Z", "∅|∅|∅|∅|∅|∅|∅|∅"]);
}

#[test]
fn a_quoted_text_is_never_null_but_a_quoted_blank_number_is() {
    let outcome =
        read_csv("a,n\n\"\",\"\"\n\"NA\",\"NA\"\nNA,1\n", "column = [{name='a',type='text'},{name='n',type='int'}]");
    assert_eq!(outcome.unwrap().shown(), ["NA|∅", "|∅", "∅|1"]);
}

#[test]
fn rules_name_the_first_column_at_fault() {
    let contract = r#"
[[column]]
name = "age"
type = "int"
nullable = false
min = 0
max = 120
[[column]]
name = "sex"
type = "text"
categories = ["f", "m"]
[[column]]
name = "ward"
type = "int"
categories = [1, 2]
[[column]]
name = "code"
type = "text"
pattern = "[A-Z][0-9]+"
[[column]]
name = "seen"
type = "date"
min = 2000-01-01
[[column]]
name = "dose"
type = "decimal(5,1)"
max = 99.5
"#;
    let good = "30,f,1,A1,2020-01-01,1.5\n";
    let rows = [
        ",f,1,A1,2020-01-01,1.5",
        "121,x,1,A1,2020-01-01,1.5",
        "5,x,1,A1,2020-01-01,1.5",
        "5,m,3,A1,2020-01-01,1.5",
        "5,m,2,A1b,2020-01-01,1.5",
        "5,m,2,A1,1999-12-31,1.5",
        "5,m,2,A1,2020-01-01,99.6",
        "x,x,x,x,x,x",
        "1,,,,,",
    ];
    let text = format!("age,sex,ward,code,seen,dose\n{good}{}\n", rows.join("\n"));
    let outcome = read_csv(&text, contract).unwrap();
    assert_eq!(
        outcome.faults(),
        [
            "2 age missing_value",
            "3 age out_of_range",
            "4 sex not_in_categories",
            "5 ward not_in_categories",
            "6 code pattern_mismatch",
            "7 seen out_of_range",
            "8 dose out_of_range",
            "9 age not_a_number",
        ]
    );
    assert_eq!(outcome.shown(), ["1|∅|∅|∅|∅|∅", "30|f|1|A1|2020-01-01|1.5"]);
    assert_eq!(outcome.raw()[0], rows[0]);
}

#[test]
fn json_lines_have_the_same_types_and_rules() {
    let lines = concat!(
        r#"{"t":"a\"b\u00e9","i":7,"b":true,"d":1.5e1,"l":null,"m":2.5,"y":"01.02.2020"}"#,
        "\n",
        r#"{"t":"x","i":"7"}"#,
        "\r\n\n",
        r#"{"t":["nested"],"i":1}"#,
        "\n",
        r#"{"t":{"a":1}}"#,
        "\n",
        r#"{"i":1.5}"#,
        "\n",
        r#"{"i":1"#,
        "\n",
        "[1,2]\n",
        "42\n",
        r#"{"i":1} {"i":2}"#,
        "\n",
        r#"{"wrong":1}"#,
        "\n",
        r#"{"b":"maybe"}"#,
    );
    let outcome = read_named("t.jsonl", lines.as_bytes(), ALL_TYPES).unwrap();
    assert_eq!(outcome.shown(), ["true|7|∅|15.0|2.50|a\"bé|2020-02-01|∅", "∅|7|∅|∅|∅|x|∅|∅"]);
    assert_eq!(
        outcome.faults(),
        [
            "3 t nested_value",
            "4 t nested_value",
            "5 i not_a_number",
            "6 - bad_json",
            "7 - bad_json",
            "8 - bad_json",
            "9 - bad_json",
            "10 - unknown_field",
            "11 b not_a_boolean",
        ]
    );
    assert_eq!(outcome.lines()[0], Some(4), "blank lines are lines but no rows");
}
