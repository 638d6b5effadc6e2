//! A whole tree in memory.

use super::frontier::{Frontier, NodeId};
use super::plan::Plan;
use crate::digest::Digest;
use crate::error::{AuditError, Result};

/// Every complete subtree's hash, 64 bytes a leaf: for whom has the leaves and no stored nodes.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    frontier: Frontier,
    levels: Vec<Vec<Digest>>,
}

impl Tree {
    /// Builds the tree over leaf hashes.
    pub fn from_leaves(leaves: impl IntoIterator<Item = Digest>) -> Self {
        let mut tree = Self::default();
        for leaf in leaves {
            tree.push(leaf);
        }
        tree
    }

    /// Adds a leaf.
    pub fn push(&mut self, leaf: Digest) {
        keep(&mut self.levels, 0, leaf);
        let levels = &mut self.levels;
        self.frontier.push(leaf, |node| keep(levels, node.id.level, node.hash));
    }

    /// Returns the number of leaves.
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Returns the hash of a complete subtree.
    pub fn node(&self, id: NodeId) -> Option<Digest> {
        let level = self.levels.get(usize::try_from(id.level).ok()?)?;
        level.get(usize::try_from(id.index).ok()?).copied()
    }

    /// Returns the root over the first `size` leaves.
    ///
    /// # Errors
    /// [`AuditError::Range`] if there are fewer.
    pub fn root(&self, size: u64) -> Result<Digest> {
        self.holds(size)?;
        let root = Plan::root(size).resolve(|id| self.node(id))?;
        root.first().copied().ok_or_else(|| AuditError::Internal("a plan without an element".to_owned()))
    }

    /// Returns the path of leaf `index` in the tree of the first `size` leaves.
    ///
    /// # Errors
    /// [`AuditError::Range`] unless `index < size` and there are so many leaves.
    pub fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Digest>> {
        self.holds(size)?;
        Plan::inclusion(index, size)?.resolve(|id| self.node(id))
    }

    /// Returns the path from the tree of the first `old` leaves to the one of the first `new`.
    ///
    /// # Errors
    /// [`AuditError::Range`] unless `old <= new` and there are so many leaves.
    pub fn consistency(&self, old: u64, new: u64) -> Result<Vec<Digest>> {
        self.holds(new)?;
        Plan::consistency(old, new)?.resolve(|id| self.node(id))
    }

    fn holds(&self, size: u64) -> Result<()> {
        if size <= self.size() {
            return Ok(());
        }
        Err(AuditError::Range(format!("the log has {} records, not {size}", self.size())))
    }
}

/// Adds the next hash of a level. Levels are 64 at most, and the first hash of one comes right after
/// the one below has two.
fn keep(levels: &mut Vec<Vec<Digest>>, level: u32, hash: Digest) {
    let level = usize::try_from(level).unwrap_or(usize::MAX);
    if level >= levels.len() {
        levels.push(Vec::new());
    }
    if let Some(hashes) = levels.get_mut(level) {
        hashes.push(hash);
    }
}
