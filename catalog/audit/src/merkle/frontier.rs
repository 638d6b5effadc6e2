//! The right edge of a growing tree: all that appending needs.

use super::root_of;
use crate::digest::Digest;
use crate::error::{AuditError, Result};
use crate::merkle::node_hash;

/// The place of a complete subtree: the one of `2^level` leaves from leaf `index * 2^level` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId {
    /// The height above the leaves; 0 is a leaf.
    pub level: u32,
    /// The place among the subtrees of this height, from 0.
    pub index: u64,
}

/// A complete subtree with its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// Its place.
    pub id: NodeId,
    /// Its hash.
    pub hash: Digest,
}

/// The number of leaves and the hashes of the complete subtrees that cover them, the largest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Digest>,
}

impl Frontier {
    /// Starts an empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns the root of the tree.
    pub fn root(&self) -> Digest {
        root_of(self.peaks.iter().copied())
    }

    /// Adds a leaf and returns the inner nodes it completes, lowest first.
    pub fn append(&mut self, leaf: Digest) -> Vec<Node> {
        let mut completed = Vec::new();
        self.push(leaf, |node| completed.push(node));
        completed
    }

    /// Adds a leaf and shows the inner nodes it completes.
    pub(crate) fn push(&mut self, leaf: Digest, mut completed: impl FnMut(Node)) {
        let mut hash = leaf;
        let mut id = NodeId { level: 0, index: self.size };
        while id.index % 2 == 1
            && let Some(left) = self.peaks.pop()
        {
            hash = node_hash(&left, &hash);
            id = NodeId { level: id.level + 1, index: id.index / 2 };
            completed(Node { id, hash });
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// Returns the state to be stored: the number of leaves in 8 bytes, most significant first, then
    /// the hashes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.size.to_be_bytes().to_vec();
        bytes.extend(self.peaks.iter().flat_map(Digest::as_bytes));
        bytes
    }

    /// Takes up a stored state.
    ///
    /// # Errors
    /// [`AuditError::Tree`] if the bytes are not such a state.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let damaged = || AuditError::Tree("the stored state of the tree has the wrong length".to_owned());
        let (size, hashes) = bytes.split_first_chunk::<8>().ok_or_else(damaged)?;
        let size = u64::from_be_bytes(*size);
        let (peaks, rest) = hashes.as_chunks::<32>();
        let wanted = usize::try_from(size.count_ones()).map_err(|_| damaged())?;
        if !rest.is_empty() || peaks.len() != wanted {
            return Err(damaged());
        }
        Ok(Self { size, peaks: peaks.iter().copied().map(Digest::from_bytes).collect() })
    }
}
