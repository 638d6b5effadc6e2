//! The Merkle tree of RFC 9162 (and RFC 6962) over SHA-256.
//!
//! A leaf is hashed as `SHA-256(0x00 || content)`, an inner node as `SHA-256(0x01 || left || right)`,
//! and a tree of n leaves splits at the largest power of two below n. [`Frontier`] appends in
//! O(log n), [`Plan`] names the stored nodes a proof is made of, [`Tree`] holds all nodes in memory.

mod frontier;
mod plan;
mod tree;
mod verify;

pub use frontier::{Frontier, Node, NodeId};
pub use plan::Plan;
pub use tree::Tree;
pub use verify::{verify_consistency, verify_inclusion};

use crate::digest::Digest;

/// Returns the hash of a leaf.
pub fn leaf_hash(content: &[u8]) -> Digest {
    Digest::of_parts(&[&[0x00], content])
}

/// Returns the hash of an inner node.
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    Digest::of_parts(&[&[0x01], left.as_bytes(), right.as_bytes()])
}

/// Returns the root of a tree without leaves.
pub fn empty_root() -> Digest {
    Digest::of(&[])
}

/// Returns the root over complete subtrees that stand side by side, the largest first.
fn root_of(subtrees: impl DoubleEndedIterator<Item = Digest>) -> Digest {
    subtrees.rev().reduce(|right, left| node_hash(&left, &right)).unwrap_or_else(empty_root)
}
