//! What a sound log gives, and what heads, keys and covered rows catch.

use super::lab::{LOG, Lab, Rows, key, time};
use crate::{
    Action, Covered, Digest, Event, Export, Finding, LogId, Outcome, Place, Problem, RowDigest, StoredRecord, TreeHead,
    Verifier, log_start,
};

fn place_and_problem(finding: Finding) -> (Place, Problem) {
    (finding.place, finding.problem)
}

#[test]
fn a_sound_log_is_summed_up() {
    let mut lab = Lab::of(7);
    lab.export_head(1);
    lab.rotate(1, 2);
    lab.export_head(2);
    lab.append_sample();
    let summary = lab.verify().unwrap();
    assert_eq!((summary.log, summary.n_records, summary.root), (LOG, 9, lab.frontier.root()));
    assert_eq!((summary.n_heads, summary.n_signed, summary.n_rows), (2, 8, 2));
    assert_eq!(summary.key, key(2).public());
}

#[test]
fn heads_may_come_in_any_order_and_twice() {
    let mut lab = Lab::start();
    for _ in 0..5 {
        lab.append_sample();
        lab.export_head(1);
    }
    lab.export.heads.reverse();
    lab.export.heads.extend_from_within(..2);
    assert_eq!(lab.verify().unwrap().n_heads, 7);
}

#[test]
fn an_empty_log_is_none() {
    let verifier = Verifier::new(key(1).public(), Export::default());
    let finding = verifier.finish(|_, _| None).unwrap_err();
    assert_eq!(place_and_problem(finding), (Place::Record(0), Problem::Empty));
}

#[test]
fn a_log_starts_once_and_with_the_trusted_key() {
    let start = || log_start("admin", &LOG, &key(1).public());
    let with = |events: Vec<Event>| {
        let mut lab = Lab::default();
        events.into_iter().for_each(|event| lab.append(event));
        lab.verify().unwrap_err()
    };
    let other = with(vec![log_start("admin", &LOG, &key(2).public())]);
    assert!(matches!(place_and_problem(other), (Place::Record(0), Problem::WrongStart(_))));
    let nameless = with(vec![Event { facts: [("key".to_owned(), key(1).public().to_string())].into(), ..start() }]);
    assert!(matches!(place_and_problem(nameless), (Place::Record(0), Problem::WrongStart(_))));
    let none = with(vec![Event::new("ana", Action::Query, Outcome::succeeded())]);
    assert!(matches!(place_and_problem(none), (Place::Record(0), Problem::WrongStart(_))));
    let twice = with(vec![start(), start()]);
    assert!(matches!(place_and_problem(twice), (Place::Record(1), Problem::WrongStart(_))));
}

#[test]
fn a_rewritten_log_does_not_give_the_signed_root() {
    let mut lab = Lab::of(4);
    lab.export_head(1);
    while lab.frontier.size() < 9 {
        lab.append_sample();
    }
    lab.export_head(1);
    lab.forge(6, |content| content.replace("\"ana\"", "\"bob\""));
    let problem = Problem::RootDiffers { since: 4, size: 9 };
    assert_eq!(place_and_problem(lab.verify().unwrap_err()), (Place::Record(4), problem));
}

#[test]
fn heads_that_do_not_agree_cannot_both_hold() {
    let mut lab = Lab::of(5);
    lab.export_head(1);
    let fork = TreeHead::new(LOG, 5, Digest::of(b"fork"), time()).unwrap().sign(&key(1)).unwrap();
    lab.export.heads.push(fork);
    let finding = lab.verify().unwrap_err();
    assert!(matches!(finding.problem, Problem::RootDiffers { size: 5, .. }), "{finding}");
}

#[test]
fn a_head_of_another_key_or_log_is_no_head() {
    let lab = Lab::of(5);
    let with = |log: LogId, signer: u8| {
        let mut lab = lab.clone();
        let head = TreeHead::new(log, 5, lab.frontier.root(), time()).unwrap();
        lab.export.heads.push(head.sign(&key(signer)).unwrap());
        place_and_problem(lab.verify().unwrap_err())
    };
    let place = Place::Head { number: 1, size: 5 };
    assert_eq!(with(LOG, 2), (place, Problem::UnknownKey { key: key(2).id() }));
    assert_eq!(with(LogId::from_bytes([8; 16]), 1), (place, Problem::OtherLog));
}

#[test]
fn a_key_signs_only_while_it_is_in_force() {
    let mut lab = Lab::of(3);
    lab.export_head(2);
    assert_eq!(lab.verify().unwrap_err().problem, Problem::UnknownKey { key: key(2).id() });
    lab.export.heads.clear();
    lab.rotate(1, 2);
    lab.export_head(1);
    let finding = lab.verify().unwrap_err();
    assert_eq!(
        place_and_problem(finding),
        (Place::Head { number: 1, size: 4 }, Problem::RetiredKey { key: key(1).id() })
    );
}

#[test]
fn a_rotation_that_does_not_hold_is_named() {
    let with = |change: fn(Event) -> Event| {
        let mut lab = Lab::of(3);
        let rotation = crate::KeyRotation::sign(LOG, &key(1), &key(2).public()).unwrap();
        lab.append(change(rotation.event("admin")));
        lab.verify()
    };
    with(|event| event).unwrap();
    let spoilt: [fn(Event) -> Event; 4] = [
        |event| event.fact("new_key", key(3).public().to_string()),
        |event| event.fact("old_key", key(3).id().to_string()),
        |event| event.fact("log", "00"),
        |event| event.fact("signature", key(3).sign(b"").to_string()),
    ];
    for change in spoilt {
        let finding = with(change).unwrap_err();
        assert!(matches!((finding.place, &finding.problem), (Place::Record(3), Problem::BadRotation(_))), "{finding}");
    }
}

#[test]
fn a_log_cut_before_a_rotation_is_measured_by_the_new_keys_head() {
    let mut lab = Lab::of(4);
    lab.export_head(1);
    lab.append_sample();
    lab.rotate(1, 2);
    lab.append_sample();
    lab.export_head(2);
    lab.stored.truncate(3);
    let problem = Problem::Truncated { signed: 7, missing: 4 };
    assert_eq!(place_and_problem(lab.verify().unwrap_err()), (Place::Record(3), problem));
}

#[test]
fn a_head_beyond_the_end_that_nobody_signed_cuts_nothing() {
    let mut lab = Lab::of(4);
    lab.export_head(1);
    let head = TreeHead::new(LOG, 9, lab.frontier.root(), time()).unwrap();
    lab.export.heads.push(head.sign(&key(5)).unwrap());
    let finding = lab.verify().unwrap_err();
    assert_eq!(
        place_and_problem(finding),
        (Place::Head { number: 2, size: 9 }, Problem::UnknownKey { key: key(5).id() })
    );
}

/// A log with three writes to two rows, the last of which removes one.
fn with_rows() -> Lab {
    let mut lab = Lab::start();
    let content = |role: &str| RowDigest::new("grant_row").text("role", Some(role)).finish();
    let event = || Event::new("admin", Action::Grant, Outcome::succeeded());
    lab.append(event().covers("grant_row", "1", content("old")).covers("grant_row", "2", content("b")));
    lab.append(event().covers("grant_row", "1", content("new")));
    lab.append(event().removes("grant_row", "2"));
    lab.rows = Rows::from([(("grant_row".to_owned(), "1".to_owned()), content("new"))]);
    lab
}

#[test]
fn the_last_record_of_a_row_counts() {
    let lab = with_rows();
    assert_eq!(lab.verify().unwrap().n_rows, 2);
    let mut verifier = lab.verifier();
    lab.stored.iter().for_each(|record| verifier.record(&StoredRecord::from(record)).unwrap());
    let covered: Vec<Covered<'_>> = verifier.covered().collect();
    assert_eq!(covered.iter().map(|row| (row.key, row.sequence)).collect::<Vec<_>>(), [("1", 2), ("2", 3)]);
    assert_eq!((covered[0].digest.is_some(), covered[1].digest), (true, None));
}

#[test]
fn a_row_that_was_touched_is_named_with_its_record() {
    let first = ("grant_row".to_owned(), "1".to_owned());
    let second = ("grant_row".to_owned(), "2".to_owned());
    let other = Digest::of(b"other");
    let sound = with_rows().rows;
    let both = sound.clone().into_iter().chain([(second.clone(), other)]).collect();
    let cases = [
        (Rows::from([(first, other)]), 2, "is not as this record left it"),
        (Rows::new(), 2, "is gone"),
        (both, 3, "is there"),
        (Rows::from([(second, other)]), 2, "is gone"),
    ];
    for (rows, record, words) in cases {
        let finding = Lab { rows, ..with_rows() }.verify().unwrap_err();
        assert_eq!((finding.place, finding.code()), (Place::Record(record), "CW0709"));
        assert!(finding.to_string().contains(words), "{finding}");
    }
}
