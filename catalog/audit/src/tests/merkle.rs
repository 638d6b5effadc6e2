//! The tree against the recursive definition of RFC 9162, section 2.1.

use proptest::prelude::*;

use crate::{AuditError, Digest, Frontier, NodeId, Plan, Tree, empty_root, leaf_hash, node_hash};
use crate::{verify_consistency, verify_inclusion};

const LARGEST: usize = 70;

fn leaves(count: usize) -> Vec<Digest> {
    (0..count).map(|leaf| leaf_hash(&leaf.to_be_bytes())).collect()
}

fn split(size: usize) -> usize {
    let mut k = 1;
    while 2 * k < size {
        k *= 2;
    }
    k
}

fn naive_root(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node_hash(&naive_root(left), &naive_root(right))
        }
    }
}

fn naive_path(index: usize, leaves: &[Digest]) -> Vec<Digest> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let k = split(leaves.len());
    let (left, right) = leaves.split_at(k);
    let (mut path, sibling) =
        if index < k { (naive_path(index, left), right) } else { (naive_path(index - k, right), left) };
    path.push(naive_root(sibling));
    path
}

fn naive_consistency(old: usize, leaves: &[Digest], whole: bool) -> Vec<Digest> {
    if old == leaves.len() {
        return if whole { Vec::new() } else { vec![naive_root(leaves)] };
    }
    let k = split(leaves.len());
    let (left, right) = leaves.split_at(k);
    let (mut path, sibling) = if old <= k {
        (naive_consistency(old, left, whole), right)
    } else {
        (naive_consistency(old - k, right, false), left)
    };
    path.push(naive_root(sibling));
    path
}

#[test]
fn every_tree_up_to_70_has_the_defined_root() {
    let leaves = leaves(LARGEST);
    let tree = Tree::from_leaves(leaves.iter().copied());
    let mut frontier = Frontier::new();
    for size in 0..=LARGEST {
        let root = naive_root(&leaves[..size]);
        assert_eq!(tree.root(size as u64).unwrap(), root, "size {size}");
        assert_eq!(frontier.root(), root, "size {size}");
        assert_eq!(Frontier::from_bytes(&frontier.to_bytes()).unwrap(), frontier);
        if let Some(leaf) = leaves.get(size) {
            frontier.append(*leaf);
        }
    }
}

#[test]
fn every_inclusion_path_up_to_70_is_the_defined_one_and_holds() {
    let leaves = leaves(LARGEST);
    let tree = Tree::from_leaves(leaves.iter().copied());
    for size in 1..=LARGEST {
        let root = tree.root(size as u64).unwrap();
        for index in 0..size {
            let path = tree.inclusion(index as u64, size as u64).unwrap();
            assert_eq!(path, naive_path(index, &leaves[..size]), "{index} in {size}");
            verify_inclusion(&leaves[index], index as u64, size as u64, &path, &root).unwrap();
        }
    }
}

#[test]
fn every_consistency_path_up_to_70_is_the_defined_one_and_holds() {
    let leaves = leaves(LARGEST);
    let tree = Tree::from_leaves(leaves.iter().copied());
    for new in 1..=LARGEST {
        let new_root = tree.root(new as u64).unwrap();
        for old in 1..=new {
            let path = tree.consistency(old as u64, new as u64).unwrap();
            assert_eq!(path, naive_consistency(old, &leaves[..new], true), "{old} to {new}");
            let old_root = tree.root(old as u64).unwrap();
            verify_consistency((old as u64, &old_root), (new as u64, &new_root), &path).unwrap();
        }
        assert_eq!(tree.consistency(0, new as u64).unwrap(), []);
        verify_consistency((0, &empty_root()), (new as u64, &new_root), &[]).unwrap();
    }
}

/// Everything that is near a path and not it.
fn spoilt(path: &[Digest], other: Digest) -> Vec<Vec<Digest>> {
    let mut spoilt = vec![[path, &[other]].concat(), [&[other], path].concat()];
    for index in 0..path.len() {
        let mut changed = path.to_vec();
        changed[index] = other;
        spoilt.push(changed);
        spoilt.push([&path[..index], &path[index + 1..]].concat());
        if index > 0 {
            let mut swapped = path.to_vec();
            swapped.swap(index - 1, index);
            spoilt.push(swapped);
        }
    }
    spoilt
}

#[test]
fn a_spoilt_inclusion_proof_never_holds() {
    let leaves = leaves(20);
    let tree = Tree::from_leaves(leaves.iter().copied());
    for size in 1..=20 {
        let root = tree.root(size).unwrap();
        for index in 0..size {
            let leaf = leaves[usize::try_from(index).unwrap()];
            let path = tree.inclusion(index, size).unwrap();
            for other in spoilt(&path, leaf).into_iter().chain(spoilt(&path, root)) {
                assert!(verify_inclusion(&leaf, index, size, &other, &root).is_err(), "{index} in {size}");
            }
            for wrong in (0..40).filter(|wrong| *wrong != index) {
                assert!(verify_inclusion(&leaf, wrong, size, &path, &root).is_err(), "{index} as {wrong} in {size}");
            }
            assert!(verify_inclusion(&root, index, size, &path, &root).is_err() || size == 1);
            assert!(verify_inclusion(&leaf, index, size, &path, &empty_root()).is_err());
        }
    }
}

#[test]
fn a_spoilt_consistency_proof_never_holds() {
    let tree = Tree::from_leaves(leaves(20));
    for new in 1..=20 {
        let new_root = tree.root(new).unwrap();
        for old in 1..=new {
            let old_root = tree.root(old).unwrap();
            let path = tree.consistency(old, new).unwrap();
            let holds = |path: &[Digest], old_root: &Digest, new_root: &Digest| {
                verify_consistency((old, old_root), (new, new_root), path).is_ok()
            };
            for other in spoilt(&path, leaf_hash(b"other")) {
                assert!(!holds(&other, &old_root, &new_root), "{old} to {new}");
            }
            assert!(!holds(&path, &empty_root(), &new_root));
            assert!(!holds(&path, &old_root, &empty_root()));
            assert!(old == new || !holds(&path, &new_root, &old_root));
            assert!(old == new || !holds(&[], &old_root, &new_root));
            assert!(verify_consistency((new, &new_root), (old, &old_root), &path).is_err() || old == new);
        }
    }
    assert!(verify_consistency((0, &tree.root(1).unwrap()), (1, &tree.root(1).unwrap()), &[]).is_err());
}

#[test]
fn a_plan_needs_only_stored_nodes_and_few() {
    let size = 30_000_u64;
    let mut stored = std::collections::BTreeSet::new();
    let mut frontier = Frontier::new();
    for index in 0..size {
        stored.insert(NodeId { level: 0, index });
        stored.extend(frontier.append(leaf_hash(&[])).iter().map(|node| node.id));
    }
    for index in (0..size).step_by(997).chain([0, size - 1]) {
        let plan = Plan::inclusion(index, size).unwrap();
        assert!(plan.nodes().all(|id| stored.contains(&id)));
        assert!(plan.nodes().count() <= 30);
    }
    assert!(Plan::consistency(16_385, size).unwrap().nodes().all(|id| stored.contains(&id)));
}

#[test]
fn what_is_not_there_is_said() {
    let tree = Tree::from_leaves(leaves(3));
    assert!(matches!(tree.root(4), Err(AuditError::Range(_))));
    assert!(matches!(tree.inclusion(3, 3), Err(AuditError::Range(_))));
    assert!(matches!(tree.inclusion(0, 4), Err(AuditError::Range(_))));
    assert!(matches!(tree.consistency(3, 2), Err(AuditError::Range(_))));
    assert!(matches!(Plan::root(3).resolve(|_| None), Err(AuditError::Tree(_))));
    for bytes in [&[][..], &[0; 7], &[0; 9], &[0; 40], &[0, 0, 0, 0, 0, 0, 0, 3, 1]] {
        assert!(matches!(Frontier::from_bytes(bytes), Err(AuditError::Tree(_))));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_size_and_index_agrees_with_the_definition(size in 71_usize..500, at in any::<prop::sample::Index>()) {
        let leaves = leaves(size);
        let tree = Tree::from_leaves(leaves.iter().copied());
        let index = at.index(size);
        prop_assert_eq!(tree.root(size as u64).unwrap(), naive_root(&leaves));
        prop_assert_eq!(tree.inclusion(index as u64, size as u64).unwrap(), naive_path(index, &leaves));
        prop_assert_eq!(
            tree.consistency(index as u64 + 1, size as u64).unwrap(),
            naive_consistency(index + 1, &leaves, true)
        );
    }
}
