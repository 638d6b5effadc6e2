//! One text per record, one record per text.

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use super::lab::time;
use crate::{
    Action, AuditError, Context, CoveredRow, Digest, Event, Object, ObjectKind, Outcome, OutcomeState, Record,
    RowDigest, Timestamp, leaf_hash,
};

const LARGEST: i64 = (1 << 53) - 1;

fn actions() -> impl Strategy<Value = Action> {
    prop::sample::select(vec![Action::Query, Action::Call, Action::Grant, Action::BudgetCharge, Action::RefusedAttempt])
}

fn objects() -> impl Strategy<Value = Object> {
    let kinds = prop::sample::select(vec![ObjectKind::Table, ObjectKind::Model, ObjectKind::User]);
    (option::of(digests()), option::of(0..=LARGEST), kinds, any::<String>(), option::of(0..=LARGEST))
        .prop_map(|(digest, id, kind, name, version)| Object { digest, id, kind, name, version })
}

fn digests() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest::from_bytes)
}

fn rows() -> impl Strategy<Value = CoveredRow> {
    (option::of(digests()), option::of(digests()), any::<String>(), any::<String>())
        .prop_map(|(before, digest, key, table)| CoveredRow { before, digest, key, table })
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    let states = prop::sample::select(vec![OutcomeState::Succeeded, OutcomeState::Failed, OutcomeState::Refused]);
    (option::of(any::<String>()), states).prop_map(|(code, state)| Outcome { code, state })
}

fn contexts() -> impl Strategy<Value = Context> {
    (option::of(0_u64..1 << 53), option::of(any::<String>()), option::of(any::<String>()), option::of(0..=LARGEST))
        .prop_map(|(previous, run, session, step)| Context { previous, run, session, step })
}

fn events() -> impl Strategy<Value = Event> {
    let facts = btree_map("[a-z0-9_]{1,9}", "\\PC{0,60}", 0..4);
    (any::<String>(), actions(), outcomes(), vec(objects(), 0..3), facts, contexts(), vec(rows(), 0..3)).prop_map(
        |(actor, action, outcome, objects, facts, context, covers)| Event {
            actor,
            action,
            outcome,
            objects,
            facts,
            context,
            covers,
        },
    )
}

fn records() -> impl Strategy<Value = Record> {
    (0_u64..1 << 53, events()).prop_map(|(sequence, event)| Record::new(sequence, time(), event).unwrap())
}

proptest! {
    #[test]
    fn a_record_comes_back_from_its_text(record in records()) {
        let text = record.encode().unwrap();
        prop_assert_eq!(Record::decode(text.as_bytes()).unwrap(), record);
    }

    #[test]
    fn different_records_have_different_texts_and_hashes(left in records(), right in records()) {
        let (left_text, right_text) = (left.encode().unwrap(), right.encode().unwrap());
        prop_assert_eq!(left == right, left_text == right_text);
        prop_assert_eq!(left == right, leaf_hash(left_text.as_bytes()) == leaf_hash(right_text.as_bytes()));
    }

    #[test]
    fn a_text_with_one_byte_changed_is_another_record_or_none(record in records(), at in any::<prop::sample::Index>(), mask in 1_u8..) {
        let mut text = record.encode().unwrap().into_bytes();
        let place = at.index(text.len());
        text[place] ^= mask;
        if let Ok(other) = Record::decode(&text) {
            prop_assert_ne!(other, record);
        }
    }
}

fn sample() -> Record {
    let event = Event::new("ana", Action::Query, Outcome::succeeded())
        .object(Object::new(ObjectKind::Table, "clinical.lung").id(4))
        .fact("a", "1")
        .fact("b", "2");
    Record::new(5, time(), event).unwrap()
}

#[test]
fn another_spelling_of_a_record_is_refused() {
    let text = sample().encode().unwrap();
    Record::decode(text.as_bytes()).unwrap();
    let spellings = [
        format!("{text}\n"),
        format!(" {text}"),
        text.replace(":5,", ":5.0,"),
        text.replace(":5,", ":05,"),
        text.replace("clinical.lung", "clinical\\u002elung"),
        text.replace("clinical.lung", "clinical\\/lung"),
        text.replace(r#""id":4"#, r#""digest":null,"id":4"#),
        text.replace(r#""a":"1","b":"2""#, r#""b":"2","a":"1""#),
        text.replace(r#""a":"1""#, r#""a":"0","a":"1""#),
        text.replace(r#""actor":"ana","#, ""),
        text.replace(r#""actor":"ana""#, r#""actor":"ana","actor":"ana""#),
        text.replace(r#""sequence":5"#, r#""sequence":5,"more":1"#),
        text.replace("query", "Query"),
        text.replace("123456Z", "123456+00:00"),
    ];
    for spelling in spellings {
        assert_ne!(spelling, text);
        assert!(matches!(Record::decode(spelling.as_bytes()), Err(AuditError::Content(_))), "{spelling}");
    }
}

#[test]
fn a_newer_format_is_no_damage() {
    let text = sample().encode().unwrap().replace(r#""format":1"#, r#""format":2,"new":0"#);
    let message = Record::decode(text.as_bytes()).unwrap_err().to_string();
    assert!(message.contains("its format is 2") && message.contains("newer causeway"), "{message}");
}

#[test]
fn an_error_tells_nothing_of_the_content() {
    let text = sample().encode().unwrap().replace("query", "jane_doe");
    let message = Record::decode(text.as_bytes()).unwrap_err().to_string();
    assert!(!message.contains("jane"), "{message}");
}

#[test]
fn what_has_no_exact_text_is_refused() {
    let event = || Event::new("ana", Action::Query, Outcome::succeeded());
    let object = |id| Object::new(ObjectKind::Table, "t").id(id);
    let context = Context { previous: Some(1 << 53), ..Context::default() };
    let refused = [
        (1 << 53, event()),
        (0, event().object(object(-1))),
        (0, event().object(object(1 << 53))),
        (0, event().object(Object::new(ObjectKind::Table, "t").version(-1))),
        (0, event().context(context)),
        (0, event().fact("", "1")),
        (0, event().fact("Name", "1")),
        (0, event().fact("row", "x".repeat(257))),
    ];
    for (sequence, event) in refused {
        assert!(matches!(Record::new(sequence, time(), event), Err(AuditError::Record(_))));
    }
}

#[test]
fn times_are_utc_and_have_one_form() {
    for good in ["2026-11-24T09:00:00Z", "2024-02-29T23:59:59.123456789Z", "0001-01-01T00:00:00.0Z"] {
        assert_eq!(Timestamp::new(good).unwrap().as_str(), good);
    }
    let bad = [
        "",
        "2026-11-24",
        "2026-11-24T09:00:00",
        "2026-11-24t09:00:00Z",
        "2026-11-24T09:00:00z",
        "2026-11-24 09:00:00Z",
        "2026-11-24T09:00:00+00:00",
        "2026-11-24T09:00:00-00:00",
        "2026-02-29T09:00:00Z",
        "2026-11-24T25:00:00Z",
        "2026-11-24T09:00:00.Z",
        "2026-11-24T09:00:00.0123456789Z",
        " 2026-11-24T09:00:00Z",
        "2026-11-24T09:00:00Z\n",
    ];
    for bad in bad {
        assert!(matches!(Timestamp::new(bad), Err(AuditError::Time)), "{bad:?}");
    }
}

#[test]
fn digits_have_one_form() {
    let digest = Digest::of(b"a");
    assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
    for bad in [digest.to_string().to_uppercase(), digest.to_string() + "0", String::new(), "é".repeat(32)] {
        assert!(bad.parse::<Digest>().is_err(), "{bad}");
    }
}

#[test]
fn row_digests_tell_columns_types_and_nulls_apart() {
    let row = |table| RowDigest::new(table);
    let rows = [
        row("t"),
        row("u"),
        row("t").text("a", Some("1")),
        row("t").text("a", Some("")),
        row("t").text("a", None),
        row("t").integer("a", Some(1)),
        row("t").boolean("a", Some(true)),
        row("t").bytes("a", Some(b"1")),
        row("t").text("b", Some("1")),
        row("t").text("a", Some("1")).text("b", None),
        row("t").text("a", Some("1b")),
    ];
    let digests: std::collections::BTreeSet<Digest> = rows.iter().map(RowDigest::finish).collect();
    assert_eq!(digests.len(), rows.len());
    let ordered = row("t").text("a", Some("1")).integer("b", Some(2)).finish();
    assert_eq!(row("t").integer("b", Some(2)).text("a", Some("1")).finish(), ordered);
    assert_eq!(row("t").text("a", None).finish(), row("t").integer("a", None).finish());
}
