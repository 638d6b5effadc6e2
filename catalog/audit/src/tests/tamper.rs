//! Every way to touch a small log, and the first bad record each must name.

use super::lab::{Lab, key, time};
use crate::{Finding, LogId, Place, Problem, StoredRecord, TreeHead, Verifier};

/// A log of twelve records with a head at 5, a rotation, and a head over all.
fn small() -> Lab {
    let mut lab = Lab::of(5);
    lab.export_head(1);
    lab.append_sample();
    lab.rotate(1, 2);
    while lab.frontier.size() < 12 {
        lab.append_sample();
    }
    lab.export_head(2);
    lab.verify().unwrap();
    lab
}

fn found(lab: &Lab) -> (Place, Problem) {
    let Finding { place, problem } = lab.verify().unwrap_err();
    (place, problem)
}

fn at(index: usize) -> Place {
    Place::Record(index as u64)
}

/// Calls `check` for each record with a verifier that has seen all before it.
fn for_each_record(lab: &Lab, mut check: impl FnMut(usize, &Verifier)) {
    let mut verifier = lab.verifier();
    for (index, record) in lab.stored.iter().enumerate() {
        check(index, &verifier);
        verifier.record(&StoredRecord::from(record)).unwrap();
    }
}

#[test]
fn any_byte_of_any_content_counts() {
    let lab = small();
    for_each_record(&lab, |index, before| {
        let record = &lab.stored[index];
        let mut content = record.content.clone().into_bytes();
        for place in 0..content.len() {
            let good = content[place];
            for bit in 0..8 {
                content[place] = good ^ (1 << bit);
                let stored = StoredRecord { content: &content, ..StoredRecord::from(record) };
                let finding = before.clone().record(&stored).unwrap_err();
                assert_eq!((finding.place, finding.problem), (at(index), Problem::ContentChanged), "byte {place}");
            }
            content[place] = good;
        }
    });
}

#[test]
fn any_byte_of_any_stored_hash_counts() {
    let lab = small();
    for_each_record(&lab, |index, before| {
        let record = &lab.stored[index];
        for place in 0..32 {
            for bit in 0..8 {
                let mut hash = *record.leaf_hash.as_bytes();
                hash[place] ^= 1 << bit;
                let stored = StoredRecord { leaf_hash: &hash, ..StoredRecord::from(record) };
                let finding = before.clone().record(&stored).unwrap_err();
                assert_eq!((finding.place, finding.problem), (at(index), Problem::ContentChanged), "byte {place}");
            }
        }
        for length in [0, 31] {
            let leaf_hash = &record.leaf_hash.as_bytes()[..length];
            assert!(before.clone().record(&StoredRecord { leaf_hash, ..StoredRecord::from(record) }).is_err());
        }
    });
}

/// The hash is changed with the content: what does not read as a record is named at once, the rest
/// by the next signed head.
#[test]
fn any_byte_changed_together_with_its_hash_is_found() {
    let good = small();
    for index in 0..good.stored.len() {
        let (since, size) = if index < 5 { (0, 5) } else { (5, 12) };
        for place in 0..good.stored[index].content.len() {
            let mut bytes = good.stored[index].content.clone().into_bytes();
            bytes[place] ^= 1;
            let Ok(content) = String::from_utf8(bytes) else { continue };
            let mut lab = good.clone();
            lab.forge(index, |_| content);
            let (found_at, problem) = found(&lab);
            match problem {
                Problem::RootDiffers { .. } => {
                    assert_eq!(problem, Problem::RootDiffers { since, size }, "record {index}, byte {place}");
                }
                // Another number, named by where the two disagree.
                Problem::Inserted { pushed_to } => {
                    assert_eq!(pushed_to, index as u64);
                    assert!(matches!(found_at, Place::Record(inserted) if inserted >= since), "{found_at} is signed");
                }
                // Another log's name in the first record.
                Problem::OtherLog => assert_eq!((index, found_at), (0, Place::Head { number: 1, size: 5 })),
                _ => assert_eq!(found_at, at(index), "record {index}, byte {place}: {problem}"),
            }
        }
    }
}

#[test]
fn the_last_records_cannot_be_deleted() {
    let good = small();
    for missing in 1..=12 {
        let mut lab = good.clone();
        lab.stored.truncate(12 - missing);
        let problem = Problem::Truncated { signed: 12, missing: missing as u64 };
        assert_eq!(found(&lab), (at(12 - missing), problem));
    }
}

#[test]
fn a_deleted_record_is_named() {
    let good = small();
    for index in 0..11 {
        let mut lab = good.clone();
        lab.stored.remove(index);
        assert_eq!(found(&lab), (at(index), Problem::Missing { found: index as u64 + 1 }));
        lab.renumber();
        assert_eq!(found(&lab), (at(index), Problem::Displaced { found: index as u64 + 1 }));
    }
}

#[test]
fn swapped_records_are_named_by_the_first() {
    let good = small();
    for first in 0..12 {
        for second in first + 1..12 {
            let displaced = (at(first), Problem::Displaced { found: second as u64 });
            let mut lab = good.clone();
            lab.stored.swap(first, second);
            assert_eq!(found(&lab), (at(first), Problem::Missing { found: second as u64 }));
            lab.renumber();
            assert_eq!(found(&lab), displaced, "{first} and {second}");
            // Only the contents change places.
            let mut lab = good.clone();
            let content = std::mem::replace(&mut lab.stored[first].content, good.stored[second].content.clone());
            lab.stored[second].content = content;
            assert_eq!(found(&lab), (at(first), Problem::ContentChanged));
        }
    }
}

#[test]
fn a_copy_is_named() {
    let good = small();
    for original in 0..12 {
        for place in original + 1..=12 {
            let mut lab = good.clone();
            lab.stored.insert(place, good.stored[original].clone());
            assert_eq!(found(&lab), (at(original), Problem::Repeated));
            lab.renumber();
            assert_eq!(found(&lab), (at(place), Problem::Copy { of: original as u64 }), "{original} at {place}");
        }
    }
}

#[test]
fn an_inserted_record_is_named() {
    let good = small();
    for place in 1..12 {
        let mut lab = good.clone();
        lab.stored.insert(place, good.stored[place].clone());
        lab.forge(place, |content| content.replace("\"actor\":\"", "\"actor\":\"x"));
        lab.renumber();
        match found(&lab) {
            // The heads were there first.
            (at, Problem::RootDiffers { since, size }) => {
                assert_eq!((at, since), (Place::Record(since), if place < 5 { 0 } else { 5 }));
                assert_eq!(size, place as u64 + 1);
            }
            named => assert_eq!(named, (at(place), Problem::Inserted { pushed_to: place as u64 + 1 })),
        }
    }
    // At the end nothing contradicts it: it is a record that no head covers yet.
    let mut lab = good.clone();
    lab.append_sample();
    assert_eq!(lab.verify().unwrap().n_signed, 12);
}

#[test]
fn any_change_of_a_head_is_found() {
    let good = small();
    for number in 0..2 {
        let line = good.export.heads[number].to_json().unwrap();
        for place in 0..line.len() {
            for bit in 0..8 {
                let mut bytes = line.clone().into_bytes();
                bytes[place] ^= 1 << bit;
                // What does not read as a head is refused with its line (see `heads`).
                let Ok(export) = crate::Export::parse(&bytes) else { continue };
                let Some(head) = export.heads.first() else { continue };
                assert_ne!(*head, good.export.heads[number]);
                let mut lab = good.clone();
                lab.export.heads[number] = head.clone();
                assert!(lab.verify().is_err(), "head {number}, byte {place}");
            }
        }
    }
}

#[test]
fn a_whole_other_log_is_not_this_one() {
    let mut lab = small();
    let other = LogId::from_bytes([9; 16]);
    let head = TreeHead::new(other, 12, lab.frontier.root(), time()).unwrap().sign(&key(2)).unwrap();
    lab.export.heads = vec![head];
    assert_eq!(found(&lab), (Place::Head { number: 1, size: 12 }, Problem::OtherLog));
}
