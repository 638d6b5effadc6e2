//! Checking proofs: the algorithms of RFC 9162, sections 2.1.3.2 and 2.1.4.2.

use super::{empty_root, node_hash};
use crate::digest::Digest;
use crate::error::{AuditError, Result};

/// Checks that a leaf hash stands at `index` in the tree of `size` leaves with this root.
///
/// # Errors
/// [`AuditError::Proof`] if the path does not show it.
pub fn verify_inclusion(leaf: &Digest, index: u64, size: u64, path: &[Digest], root: &Digest) -> Result<()> {
    if index >= size {
        return refuse("the record's place is not in the tree");
    }
    let mut edge = Edge { node: index, last: size - 1 };
    let mut hash = *leaf;
    for sibling in path {
        if edge.is_root() {
            return refuse("the path is too long");
        }
        hash = if edge.has_left_sibling() { node_hash(sibling, &hash) } else { node_hash(&hash, sibling) };
        edge.climb();
    }
    match (edge.is_root(), hash == *root) {
        (false, _) => refuse("the path is too short"),
        (true, false) => refuse("the path does not lead to the root"),
        (true, true) => Ok(()),
    }
}

/// Checks that the tree of `old` leaves is the start of the tree of `new` leaves.
///
/// # Errors
/// [`AuditError::Proof`] if the path does not show it.
pub fn verify_consistency(
    (old, old_root): (u64, &Digest),
    (new, new_root): (u64, &Digest),
    path: &[Digest],
) -> Result<()> {
    if old > new {
        return refuse("the older tree is larger than the newer one");
    }
    if old == 0 || old == new {
        let same = if old == new { old_root == new_root } else { *old_root == empty_root() };
        return if same && path.is_empty() { Ok(()) } else { refuse("the trees do not agree") };
    }
    // A complete old tree is itself the node that the path starts from.
    let (first, rest) = match path.split_first() {
        None => return refuse("the path is too short"),
        Some(_) if old.is_power_of_two() => (old_root, path),
        Some((first, rest)) => (first, rest),
    };
    let mut edge = Edge { node: old - 1, last: new - 1 };
    edge.skip_right_nodes();
    let (mut old_hash, mut new_hash) = (*first, *first);
    for sibling in rest {
        if edge.is_root() {
            return refuse("the path is too long");
        }
        if edge.has_left_sibling() {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        edge.climb();
    }
    match (edge.is_root(), old_hash == *old_root, new_hash == *new_root) {
        (false, ..) => refuse("the path is too short"),
        (true, false, _) => refuse("the path does not lead to the older root"),
        (true, true, false) => refuse("the path does not lead to the newer root"),
        (true, true, true) => Ok(()),
    }
}

/// A node and the last node of its level: `fn` and `sn` in the RFC.
struct Edge {
    node: u64,
    last: u64,
}

impl Edge {
    fn is_root(&self) -> bool {
        self.last == 0
    }

    /// Returns true if the sibling stands on the left. The last node of a level may have none on
    /// this level; it climbs until it has.
    fn has_left_sibling(&self) -> bool {
        self.node % 2 == 1 || self.node == self.last
    }

    fn climb(&mut self) {
        if self.has_left_sibling() {
            while self.node != 0 && self.node.is_multiple_of(2) {
                self.up();
            }
        }
        self.up();
    }

    fn skip_right_nodes(&mut self) {
        while self.node % 2 == 1 {
            self.up();
        }
    }

    fn up(&mut self) {
        self.node >>= 1;
        self.last >>= 1;
    }
}

fn refuse(reason: &str) -> Result<()> {
    Err(AuditError::Proof(reason.to_owned()))
}
