//! Proof documents: they hold offline, and no byte of them can be changed.

use super::lab::{LOG, Lab, key};
use crate::{AuditError, Digest, InclusionProof, KeyChain, KeyRotation, Plan, Record, verify_proof};

/// A log of nine records whose key was replaced once.
fn lab() -> Lab {
    let mut lab = Lab::of(4);
    lab.rotate(1, 2);
    while lab.frontier.size() < 9 {
        lab.append_sample();
    }
    lab
}

fn path(lab: &Lab, index: u64) -> Vec<Digest> {
    let plan = Plan::inclusion(index, lab.frontier.size()).unwrap();
    plan.resolve(|id| lab.nodes.get(&id).copied()).unwrap()
}

fn record(lab: &Lab, index: u64) -> Record {
    Record::decode(lab.stored[usize::try_from(index).unwrap()].content.as_bytes()).unwrap()
}

fn chain(lab: &Lab) -> KeyChain {
    KeyChain::new(key(1).public(), lab.export.rotations.clone())
}

fn proof(lab: &Lab, index: u64) -> InclusionProof {
    InclusionProof::new(record(lab, index), path(lab, index), lab.head(2), chain(lab)).unwrap()
}

fn reason(document: &str) -> String {
    match verify_proof(document.as_bytes(), &key(1).public()) {
        Err(AuditError::Proof(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_record_can_be_proved() {
    let lab = lab();
    for index in 0..9 {
        let document = proof(&lab, index).to_json().unwrap();
        let proved = verify_proof(document.as_bytes(), &key(1).public()).unwrap();
        assert_eq!(*proved.record(), record(&lab, index));
        assert_eq!((proved.head().size(), proved.head().log()), (9, &LOG));
        verify_proof(format!("{document}\n").as_bytes(), &key(1).public()).unwrap();
    }
}

#[test]
fn no_byte_of_a_document_can_be_changed() {
    let lab = lab();
    let document = proof(&lab, 6).to_json().unwrap();
    for place in 0..document.len() {
        for bit in 0..8 {
            let mut bytes = document.clone().into_bytes();
            bytes[place] ^= 1 << bit;
            let error = verify_proof(&bytes, &key(1).public()).unwrap_err();
            assert_eq!(error.code(), "CW0710", "byte {place}");
            assert!(!error.to_string().is_empty());
        }
        let mut shorter = document.clone().into_bytes();
        shorter.remove(place);
        assert!(verify_proof(&shorter, &key(1).public()).is_err(), "without byte {place}");
        let mut longer = document.clone().into_bytes();
        longer.insert(place, b' ');
        assert!(verify_proof(&longer, &key(1).public()).is_err(), "with a blank at {place}");
    }
    for more in ["\n\n", " ", "\r\n", "{}"] {
        assert!(verify_proof(format!("{document}{more}").as_bytes(), &key(1).public()).is_err(), "{more:?}");
    }
}

#[test]
fn each_field_that_is_exchanged_gives_its_reason() {
    let lab = lab();
    let document = proof(&lab, 6).to_json().unwrap();
    let other = proof(&lab, 5).to_json().unwrap();
    let part =
        |document: &str, name: &str| serde_json::from_str::<serde_json::Value>(document).unwrap()[name].to_string();
    let exchange = |name: &str, value: &str| {
        let old = format!("\"{name}\":{}", part(&document, name));
        assert!(document.contains(&old), "{name}");
        reason(&document.replacen(&old, &format!("\"{name}\":{value}"), 1))
    };
    assert_eq!(exchange("leaf", &part(&other, "leaf")), "the index is not the record's number");
    assert_eq!(exchange("index", "5"), "the index is not the record's number");
    assert_eq!(exchange("path", &part(&other, "path")), "the path does not lead to the root");
    assert_eq!(exchange("path", "[]"), "the path is too short");
    assert_eq!(exchange("kind", "\"other\""), "it is not a document of a known form");
    let unknown = exchange("format", "1,\"new\":2");
    assert!(unknown.starts_with("the document is not the expected JSON from column "), "{unknown}");
    // The first `size` is the head's, so the document's own is left behind.
    assert_eq!(exchange("size", "10"), "the size is not the head's");
}

#[test]
fn heads_keys_and_trust_belong_together() {
    let lab = lab();
    let document = proof(&lab, 6).to_json().unwrap();
    let error = verify_proof(document.as_bytes(), &key(2).public()).unwrap_err();
    assert!(error.to_string().contains("first key is not the one that is trusted"), "{error}");

    let new = |head, keys| InclusionProof::new(record(&lab, 6), path(&lab, 6), head, keys);
    let without = new(lab.head(2), KeyChain::new(key(1).public(), vec![])).unwrap_err();
    assert!(without.to_string().contains("keys do not end at the head's key"), "{without}");
    let retired = new(lab.head(1), chain(&lab)).unwrap_err();
    assert!(retired.to_string().contains("keys do not end at the head's key"), "{retired}");
    let stranger = KeyRotation::sign(LOG, &key(3), &key(2).public()).unwrap();
    let unsigned = new(lab.head(2), KeyChain::new(key(1).public(), vec![stranger])).unwrap_err();
    assert!(unsigned.to_string().contains("not signed by the key in force"), "{unsigned}");
    let forged = lab.head(2).to_json().unwrap().replace("09:00:00.123456Z", "09:00:00.123457Z");
    let forged = new(serde_json::from_str(&forged).unwrap(), chain(&lab)).unwrap_err();
    assert!(forged.to_string().contains("signature does not hold"), "{forged}");
}
