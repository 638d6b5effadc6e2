//! Compares with values that were computed elsewhere: `tests/data/README.md` says where.

use serde::Deserialize;

use crate::{
    Action, Context, Digest, Event, LogId, Object, ObjectKind, Outcome, PublicKey, Record, RowDigest, Timestamp, Tree,
    empty_root, leaf_hash, log_start, node_hash, verify_consistency, verify_inclusion,
};

#[derive(Deserialize)]
struct Vectors {
    leaves: Vec<String>,
    roots: Vec<Digest>,
    nodes: Vec<Vec<Digest>>,
    inclusion: Vec<Inclusion>,
    consistency: Vec<Consistency>,
}

#[derive(Deserialize)]
struct Inclusion {
    index: u64,
    size: u64,
    path: Vec<Digest>,
}

#[derive(Deserialize)]
struct Consistency {
    old: u64,
    new: u64,
    path: Vec<Digest>,
}

#[derive(Deserialize)]
struct Golden {
    row: Digest,
    contents: Vec<String>,
    leaf_hashes: Vec<Digest>,
    root: Digest,
}

fn vectors() -> (Vectors, Tree) {
    let vectors: Vectors = serde_json::from_str(include_str!("../../tests/data/rfc6962.json")).unwrap();
    let leaves = vectors.leaves.iter().map(|leaf| leaf_hash(&hex::decode(leaf).unwrap()));
    let tree = Tree::from_leaves(leaves);
    (vectors, tree)
}

#[test]
fn hashes_are_those_of_the_reference() {
    assert_eq!(empty_root().to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_eq!(leaf_hash(b"L123456").to_string(), "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56");
    let (left, right) = (leaf_hash(b"Hello"), leaf_hash(b"World"));
    let both = [*left.as_bytes(), *right.as_bytes()].concat();
    assert_ne!(node_hash(&left, &right), leaf_hash(&both));
    assert_ne!(node_hash(&left, &right), node_hash(&right, &left));
}

#[test]
fn roots_and_subtrees_are_those_of_the_reference() {
    let (vectors, tree) = vectors();
    for (size, root) in (0..).zip(&vectors.roots) {
        assert_eq!(tree.root(size).unwrap(), *root, "size {size}");
    }
    for (level, hashes) in (0..).zip(&vectors.nodes) {
        for (index, hash) in (0..).zip(hashes) {
            assert_eq!(tree.node(crate::NodeId { level, index }), Some(*hash), "level {level}, index {index}");
        }
    }
}

#[test]
fn inclusion_paths_are_those_of_the_reference() {
    let (vectors, tree) = vectors();
    for Inclusion { index, size, path } in &vectors.inclusion {
        assert_eq!(tree.inclusion(*index, *size).unwrap(), *path, "{index} in {size}");
        let leaf = leaf_hash(&hex::decode(&vectors.leaves[usize::try_from(*index).unwrap()]).unwrap());
        verify_inclusion(&leaf, *index, *size, path, &tree.root(*size).unwrap()).unwrap();
    }
}

#[test]
fn consistency_paths_are_those_of_the_reference() {
    let (vectors, tree) = vectors();
    for Consistency { old, new, path } in &vectors.consistency {
        assert_eq!(tree.consistency(*old, *new).unwrap(), *path, "{old} to {new}");
        let (old_root, new_root) = (tree.root(*old).unwrap(), tree.root(*new).unwrap());
        verify_consistency((*old, &old_root), (*new, &new_root), path).unwrap();
    }
}

/// The events of `recompute.py`, with their times.
fn golden_events(row: Digest) -> Vec<(&'static str, Event)> {
    let key: PublicKey = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a".parse().unwrap();
    let log: LogId = "000102030405060708090a0b0c0d0e0f".parse().unwrap();
    let context = Context {
        previous: Some(0),
        run: Some("r".to_owned()),
        session: Some("s".to_owned()),
        step: Some(9_007_199_254_740_991),
    };
    let grant = Event::new("Zoë \"the\" admin\\\t\u{1}\u{7f}\u{2028} 😀", Action::Grant, Outcome::succeeded())
        .context(context)
        .covers("grant_row", "7", row)
        .removes("grant_row", "6")
        .fact("privilege", "SELECT")
        .fact("epsilon", "0.1")
        .object(Object::new(ObjectKind::Table, "clinical.lung").id(3).version(0).digest(row))
        .object(Object::new(ObjectKind::Role, ""));
    vec![
        ("2026-11-24T09:00:00Z", log_start("admin", &log, &key)),
        ("2026-11-24T09:00:00.000000001Z", grant),
        ("2024-02-29T23:59:59.5Z", Event::new("", Action::RefusedAttempt, Outcome::refused("CW0107"))),
    ]
}

#[test]
fn an_outsider_computes_the_same_texts_and_root() {
    let golden: Golden = serde_json::from_str(include_str!("../../tests/data/golden.json")).unwrap();
    let row = RowDigest::new("grant_row")
        .integer("id", Some(-7))
        .text("role", Some("Ärztin"))
        .boolean("admin", Some(true))
        .text("expires", None)
        .bytes("secret", Some(&[0, 255]));
    assert_eq!(row.finish(), golden.row);
    let mut tree = Tree::default();
    for (number, (time, event)) in (0..).zip(golden_events(golden.row)) {
        let record = Record::new(number, Timestamp::new(time).unwrap(), event).unwrap();
        let index = usize::try_from(number).unwrap();
        let content = record.encode().unwrap();
        assert_eq!(content, golden.contents[index]);
        assert_eq!(leaf_hash(content.as_bytes()), golden.leaf_hashes[index]);
        assert_eq!(Record::decode(content.as_bytes()).unwrap(), record);
        tree.push(leaf_hash(content.as_bytes()));
    }
    assert_eq!(tree.root(3).unwrap(), golden.root);
}
