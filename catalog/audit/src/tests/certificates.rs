//! Certificates of origin: they hold offline, and no byte of them can be changed.

use super::lab::{Lab, key};
use crate::{
    Action, AuditError, Certificate, Digest, Event, InclusionProof, KeyChain, Making, Object, ObjectKind, Origin,
    Outcome, Plan, Record, SourceFile, is_certificate, verify_certificate,
};

fn origin() -> Origin {
    Origin {
        files: vec![SourceFile { name: "gbsg2.csv".to_owned(), sha256: Digest::of(b"rows") }],
        n_rows: Some(686),
        steps: vec![Making {
            actor: "ana".to_owned(),
            binary: "0.1.0".to_owned(),
            ended: Some("2026-11-24T09:00:00Z".to_owned()),
            fingerprint: "f00d".to_owned(),
            inputs: vec!["gbsg2.csv".to_owned()],
            kind: "create_table_as".to_owned(),
            operators: vec!["kaplan_meier 1".to_owned()],
            outputs: vec!["clinical.risks@3".to_owned()],
            run: "01a20dbf".to_owned(),
            seed: i64::MIN.to_string(),
            statement: Digest::of(b"CREATE TABLE"),
            step: 12,
        }],
        table: "clinical.risks".to_owned(),
        version: 3,
    }
}

/// Returns a log that ends with a record, and the proof of that.
fn proved(event: Event) -> InclusionProof {
    let mut lab = Lab::of(6);
    lab.append(event);
    let plan = Plan::inclusion(6, lab.frontier.size()).unwrap();
    let path = plan.resolve(|id| lab.nodes.get(&id).copied()).unwrap();
    let record = Record::decode(lab.stored[6].content.as_bytes()).unwrap();
    InclusionProof::new(record, path, lab.head(1), KeyChain::new(key(1).public(), vec![])).unwrap()
}

fn certificate() -> Certificate {
    Certificate::new(origin(), proved(origin().event("ana").unwrap())).unwrap()
}

#[test]
fn a_certificate_holds_without_a_catalog() {
    let document = certificate().to_json().unwrap();
    assert!(is_certificate(document.as_bytes()) && !is_certificate(b"{}"));
    for text in [document.clone(), format!("{document}\n")] {
        let read = verify_certificate(text.as_bytes(), &key(1).public()).unwrap();
        assert_eq!((read.origin(), read.proof().record().sequence()), (&origin(), 6));
    }
    assert!(verify_certificate(document.as_bytes(), &key(2).public()).is_err());
}

#[test]
fn no_byte_of_a_certificate_can_be_changed() {
    let document = certificate().to_json().unwrap();
    for place in 0..document.len() {
        for bit in 0..8 {
            let mut bytes = document.clone().into_bytes();
            bytes[place] ^= 1 << bit;
            let error = verify_certificate(&bytes, &key(1).public()).unwrap_err();
            assert_eq!(error.code(), "CW0710", "byte {place}");
        }
        let (mut shorter, mut longer) = (document.clone().into_bytes(), document.clone().into_bytes());
        shorter.remove(place);
        longer.insert(place, b' ');
        for bytes in [shorter, longer] {
            assert!(verify_certificate(&bytes, &key(1).public()).is_err(), "byte {place}");
        }
    }
}

#[test]
fn a_record_that_issues_nothing_or_something_else_is_no_certificate() {
    let of = |event: Event| Certificate::new(origin(), proved(event)).unwrap_err();
    let query = Event::new("ana", Action::Query, Outcome::succeeded());
    assert!(of(query).to_string().contains("issues no certificate"));
    let refused = Event { outcome: Outcome::refused("CW0109"), ..origin().event("ana").unwrap() };
    assert!(of(refused).to_string().contains("issues no certificate"));
    let other = Origin { n_rows: Some(687), ..origin() };
    assert!(of(other.event("ana").unwrap()).to_string().contains("not what the log was told"));
    let more = origin().event("ana").unwrap().object(Object::new(ObjectKind::Table, "clinical.more"));
    assert!(of(more).to_string().contains("not what the log was told"));
    let huge = Origin { version: 1 << 53, ..origin() };
    assert!(matches!(Certificate::new(huge, certificate().proof().clone()), Err(AuditError::Proof(_))));
}
