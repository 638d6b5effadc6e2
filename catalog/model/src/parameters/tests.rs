use super::*;

fn one(text: &str) -> Result<ParameterValue, ParameterError> {
    Parameters::parse([text]).map(|given| given.iter().next().map(|(_, value)| value.clone()).unwrap())
}

fn shown(text: &str) -> String {
    let value = one(text).unwrap();
    format!("{} {value}", value.parameter_type())
}

fn refused(text: &str) -> String {
    one(text).unwrap_err().to_string()
}

#[test]
fn a_value_is_what_it_looks_like() {
    let cases = [
        ("n=3", "bigint 3"),
        ("n=-9223372036854775808", "bigint -9223372036854775808"),
        ("n=0", "bigint 0"),
        ("n=0.5", "double 0.5"),
        ("n=-1e3", "double -1000.0"),
        ("n=.5", "double 0.5"),
        ("n=true", "boolean true"),
        ("n=2026-01-31", "date 2026-01-31"),
        ("n=2026-01-31T02:30:00Z", "timestamp 2026-01-31T02:30:00Z"),
        ("n=2026-01-31 03:30:00.250+01:00", "timestamp 2026-01-31T02:30:00.250Z"),
        ("n=2026-01-31 02:30", "timestamp 2026-01-31T02:30:00Z"),
        ("n=007", "text 007"),
        ("n=-0", "text -0"),
        ("n=00.5", "text 00.5"),
        ("n=", "text "),
        ("n=NaN", "text NaN"),
        ("n=TRUE", "text TRUE"),
        ("n=a=b:c", "text a=b:c"),
        ("n='; DROP TABLE a.t; --", "text '; DROP TABLE a.t; --"),
    ];
    for (given, expected) in cases {
        assert_eq!(shown(given), expected, "{given}");
    }
}

#[test]
fn a_type_that_is_named_decides() {
    assert_eq!(shown("n:text=3"), "text 3");
    assert_eq!(shown("n:double=3"), "double 3.0");
    assert_eq!(shown("n:BIGINT= 3 "), "bigint 3");
    assert_eq!(shown("n:timestamp=2026-01-31"), "timestamp 2026-01-31T00:00:00Z");
    assert_eq!(shown("n:boolean=False"), "boolean false");
    assert!(refused("n:integer=3").contains("there is no type `integer`; types are bigint, double"));
}

#[test]
fn what_looks_like_a_number_or_day_and_is_none_is_refused() {
    let cases = [
        ("n=9223372036854775808", "a bigint is a whole number from"),
        ("n=99999999999999999999999999", "name:text=…"),
        ("n=1e999", "finite"),
        ("n:double=NaN", "finite"),
        ("n:double=inf", "finite"),
        ("n:double=0x10", "finite"),
        ("n=2026-02-30", "a date is a day of the calendar"),
        ("n:date=31.01.2026", "a date is a day of the calendar"),
        ("n:date=20260-1-31", "a date is a day of the calendar"),
        ("n:date=0000-01-01", "a date is a day of the calendar"),
        ("n=2026-01-31T25:00:00Z", "a timestamp is an instant"),
        ("n=2026-01-31T02:30:00.0000001Z", "to the microsecond"),
        ("n=2026-06-30T23:59:60Z", "a timestamp is an instant"),
        ("n:text=a\0b", "no NUL"),
    ];
    for (given, expected) in cases {
        let error = refused(given);
        assert!(error.starts_with("parameter `n`: ") && error.contains(expected), "{given}: {error}");
    }
}

#[test]
fn names_are_names_and_are_given_once() {
    for given in ["=3", "a b=3", "1a=3", "a\"=3", "ä=3", "a;DROP=1", "novalue"] {
        assert!(one(given).is_err(), "{given}");
    }
    let twice = Parameters::parse(["Site=3", "site=4"]).unwrap_err();
    assert_eq!(twice.to_string(), "parameter `site` is given twice");
    assert!(Parameters::parse(["Site=3"]).unwrap().get("SITE").is_some());
    let many: Vec<String> = (0..101).map(|number| format!("p{number}=1")).collect();
    assert!(Parameters::parse(many.iter().map(String::as_str)).unwrap_err().to_string().contains("more than 100"));
}

#[test]
fn no_error_holds_a_value() {
    for given in ["secret", "n=2026-99-99", "n:double=secret", "n:date=secret", "n:bigint=secret", "n:boolean=secret"] {
        let error = refused(given);
        assert!(!error.contains("secret") && !error.contains("2026-99"), "{error}");
    }
}

#[test]
fn what_is_stored_is_read_back_as_the_same() {
    let given = Parameters::parse([
        "i=-5",
        "d:double=0.1",
        "big:double=1e300",
        "t=it's \"quoted\" \\ ü",
        "b=false",
        "day=2026-01-31",
        "at=2026-01-31T02:30:00.000001Z",
    ])
    .unwrap();
    let stored = given.to_json().to_string();
    assert!(stored.contains(r#""i":{"bigint":-5}"#), "{stored}");
    assert_eq!(serde_json::from_str::<Parameters>(&stored).unwrap(), given);
    assert_eq!(serde_json::to_value(&given).unwrap(), given.to_json());
    for damaged in [r#"{"n":{"double":"NaN"}}"#, r#"{"n":{"date":"today"}}"#, r#"{"n n":{"bigint":1}}"#, r#"{"n":3}"#] {
        assert!(serde_json::from_str::<Parameters>(damaged).is_err(), "{damaged}");
    }
}
