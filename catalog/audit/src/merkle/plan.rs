//! Which stored nodes a proof is made of.

use super::frontier::NodeId;
use super::root_of;
use crate::digest::Digest;
use crate::error::{AuditError, Result};

/// A proof before its hashes are known: for each element, the complete subtrees it is folded from.
///
/// A store fetches [`Plan::nodes`], at most two per level of the tree, and calls [`Plan::resolve`].
///
/// ```
/// use causeway_audit::{Plan, Tree, leaf_hash, verify_inclusion};
///
/// # fn main() -> causeway_audit::Result<()> {
/// let leaves: Vec<_> = (0_u8..5).map(|leaf| leaf_hash(&[leaf])).collect();
/// let tree = Tree::from_leaves(leaves.iter().copied());
/// let path = Plan::inclusion(2, 5)?.resolve(|id| tree.node(id))?;
/// verify_inclusion(&leaves[2], 2, 5, &path, &tree.root(5)?)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    elements: Vec<Vec<NodeId>>,
}

impl Plan {
    /// Plans the path that proves that leaf `index` is in the tree of `size` leaves.
    ///
    /// # Errors
    /// [`AuditError::Range`] unless `index < size`.
    pub fn inclusion(index: u64, size: u64) -> Result<Self> {
        if index >= size {
            return Err(AuditError::Range(format!("record {index} is not in a log of {size} records")));
        }
        let mut elements = Vec::new();
        let (mut start, mut end) = (0, size);
        while end - start > 1 {
            let middle = start + split(end - start);
            if index < middle {
                elements.push(cover(middle, end));
                end = middle;
            } else {
                elements.push(cover(start, middle));
                start = middle;
            }
        }
        elements.reverse();
        Ok(Self { elements })
    }

    /// Plans the path that proves that the tree of `old` leaves is the start of the one of `new`.
    ///
    /// # Errors
    /// [`AuditError::Range`] if `old > new`.
    pub fn consistency(old: u64, new: u64) -> Result<Self> {
        if old > new {
            return Err(AuditError::Range(format!("a log of {old} records does not grow into one of {new}")));
        }
        let mut elements = Vec::new();
        let (mut start, mut end) = (0, new);
        while old != 0 && old < end {
            let middle = start + split(end - start);
            if old <= middle {
                elements.push(cover(middle, end));
                end = middle;
            } else {
                elements.push(cover(start, middle));
                start = middle;
            }
        }
        // The old tree's root stands for itself where it is one of the new tree's nodes.
        if start != 0 {
            elements.push(cover(start, end));
        }
        elements.reverse();
        Ok(Self { elements })
    }

    /// Plans the root of the tree of the first `size` leaves.
    pub fn root(size: u64) -> Self {
        Self { elements: vec![cover(0, size)] }
    }

    /// Lists the nodes that are needed; level 0 are leaf hashes.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.elements.iter().flatten().copied()
    }

    /// Makes the path of the nodes' hashes.
    ///
    /// # Errors
    /// [`AuditError::Tree`] if a hash is not there.
    pub fn resolve(&self, mut hash: impl FnMut(NodeId) -> Option<Digest>) -> Result<Vec<Digest>> {
        let mut known = |id: NodeId| hash(id).ok_or_else(|| missing(id));
        self.elements
            .iter()
            .map(|element| {
                let hashes = element.iter().map(|id| known(*id)).collect::<Result<Vec<_>>>()?;
                Ok(root_of(hashes.into_iter()))
            })
            .collect()
    }
}

fn missing(id: NodeId) -> AuditError {
    AuditError::Tree(format!("node {} of level {} of the tree is not stored", id.index, id.level))
}

/// Returns the largest power of two below `size`, which is at least 2.
fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// Covers the leaves from `start` up to `end` with complete subtrees, the largest first. `start` is
/// a multiple of the first one's size, since it is where a tree was split, or 0.
fn cover(mut start: u64, end: u64) -> Vec<NodeId> {
    let mut nodes = Vec::new();
    while start < end {
        let level = (end - start).ilog2();
        nodes.push(NodeId { level, index: start >> level });
        start += 1 << level;
    }
    nodes
}
