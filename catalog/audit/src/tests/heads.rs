//! Signed heads and the file they are exported to.

use std::fs;

use super::lab::{LOG, Lab, key, time};
use crate::{AuditError, Digest, Export, TreeHead, append_head, append_rotation};

#[test]
fn a_head_speaks_of_at_least_one_record() {
    for size in [0, 1 << 53] {
        assert!(matches!(TreeHead::new(LOG, size, Digest::of(b""), time()), Err(AuditError::Range(_))));
    }
}

#[test]
fn only_its_key_signed_a_head() {
    let head = Lab::of(3).head(1);
    assert!(head.is_signed_by(&key(1).public()));
    assert!(!head.is_signed_by(&key(2).public()));
}

/// Writes an export with two heads and a rotation between them.
fn exported(path: &std::path::Path) -> Lab {
    let mut lab = Lab::of(3);
    lab.export_head(1);
    let rotation = lab.rotate(1, 2);
    lab.export_head(2);
    append_head(path, &lab.export.heads[0]).unwrap();
    append_rotation(path, &rotation).unwrap();
    append_head(path, &lab.export.heads[1]).unwrap();
    lab
}

#[test]
fn an_export_comes_back_line_by_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heads.jsonl");
    let lab = exported(&path);
    assert_eq!(Export::read(&path).unwrap(), lab.export);
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 3);
    assert!(text.ends_with('\n'));
    assert_eq!(text.lines().next().unwrap(), lab.export.heads[0].to_json().unwrap());
}

#[test]
fn what_was_cut_off_is_no_head_and_goes_with_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heads.jsonl");
    let lab = exported(&path);
    let whole = fs::read(&path).unwrap();
    let kept = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    for length in kept + 1..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let n_heads = if length == whole.len() - 1 { 2 } else { 1 };
        let cut = Export::read(&path).unwrap();
        assert_eq!((cut.heads.len(), cut.cut_off), (n_heads, n_heads == 1), "length {length}");
        append_head(&path, &lab.export.heads[1]).unwrap();
        let healed = Export::read(&path).unwrap();
        assert_eq!(healed.heads.len(), n_heads + 1, "length {length}");
        assert_eq!(healed.heads.last(), lab.export.heads.last());
    }
}

#[test]
fn a_bad_line_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heads.jsonl");
    exported(&path);
    let good = fs::read_to_string(&path).unwrap();
    let second = good.lines().nth(1).unwrap().to_owned();
    for bad in ["", "{}", "{\"kind\":\"other\"}", &second.replace(':', ": "), "\u{0}"] {
        fs::write(&path, good.replace(&second, bad)).unwrap();
        let error = Export::read(&path).unwrap_err();
        assert_eq!(error.code(), "CW0705");
        assert!(error.to_string().contains("line 2 is "), "{error}");
    }
}

#[test]
fn any_byte_of_an_export_counts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heads.jsonl");
    let mut lab = exported(&path);
    let good = fs::read(&path).unwrap();
    let n_bytes = good.len();
    for place in 0..n_bytes {
        let mut bytes = good.clone();
        bytes[place] ^= 1;
        let Ok(export) = Export::parse(&bytes) else { continue };
        if place == n_bytes - 1 {
            assert!(export.cut_off);
            continue;
        }
        // A rotation stands in the log as well; the file's copy only counts where the log was cut.
        let is_rotation = export.heads == lab.export.heads;
        if is_rotation {
            assert_ne!(export.rotations, lab.export.rotations, "byte {place}");
            let rotation = &export.rotations[0];
            assert!(rotation.verify(&LOG, &key(1).public()).is_err(), "byte {place}");
            continue;
        }
        let exported = std::mem::replace(&mut lab.export, export);
        assert!(lab.verify().is_err(), "byte {place}");
        lab.export = exported;
    }
}
