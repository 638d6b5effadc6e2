//! A document that proves offline that a record is in the log.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::canonical;
use crate::digest::{Digest, LogId, PublicKey};
use crate::error::{AuditError, Result};
use crate::head::SignedHead;
use crate::merkle::{leaf_hash, verify_inclusion};
use crate::record::Record;
use crate::rotation::{KeyRing, KeyRotation};

/// What the document says it is.
const KIND: &str = "causeway-audit-proof";
const FORMAT: u32 = 1;

/// A log's first public key and the rotations that lead from it to the key of a head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyChain {
    first: PublicKey,
    rotations: Vec<KeyRotation>,
}

impl KeyChain {
    /// Chains rotations, oldest first.
    pub fn new(first: PublicKey, rotations: Vec<KeyRotation>) -> Self {
        Self { first, rotations }
    }

    /// Returns the first key.
    pub fn first(&self) -> &PublicKey {
        &self.first
    }

    /// Follows the rotations and returns the last key.
    ///
    /// # Errors
    /// [`AuditError::Key`] if a rotation does not hold.
    pub fn last(&self, log: &LogId) -> Result<PublicKey> {
        let mut ring = KeyRing::new(self.first);
        for rotation in &self.rotations {
            ring.rotate(log, rotation)?;
        }
        Ok(*ring.current())
    }
}

/// A record, its path to a root, the signed head of that root and the keys up to its signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InclusionProof {
    format: u32,
    head: SignedHead,
    index: u64,
    keys: KeyChain,
    kind: String,
    leaf: Record,
    path: Vec<Digest>,
    size: u64,
}

impl InclusionProof {
    /// Puts a proof together and checks it.
    ///
    /// # Errors
    /// [`AuditError::Proof`] if it does not hold: the stored nodes, the head or the record are not
    /// those of one log, or the key chain does not end at the head's key.
    pub fn new(leaf: Record, path: Vec<Digest>, head: SignedHead, keys: KeyChain) -> Result<Self> {
        let (index, size) = (leaf.sequence(), head.size());
        let proof = Self { format: FORMAT, head, index, keys, kind: KIND.to_owned(), leaf, path, size };
        proof.verify(&proof.keys.first)?;
        Ok(proof)
    }

    /// Returns the document, without a newline.
    ///
    /// # Errors
    /// None that a caller can cause.
    pub fn to_json(&self) -> Result<String> {
        canonical::encode(self)
    }

    /// Returns the record.
    pub fn record(&self) -> &Record {
        &self.leaf
    }

    /// Returns the signed head.
    pub fn head(&self) -> &SignedHead {
        &self.head
    }

    /// Cheap checks come first, so that the reason is the nearest one.
    pub(crate) fn verify(&self, trusted: &PublicKey) -> Result<()> {
        if self.format != FORMAT || self.kind != KIND {
            return refuse("it is not a document of a known form");
        }
        if let Some(fault) = self.leaf.fault() {
            return refuse(fault);
        }
        if self.index != self.leaf.sequence() {
            return refuse("the index is not the record's number");
        }
        if self.size != self.head.size() {
            return refuse("the size is not the head's");
        }
        if self.keys.first != *trusted {
            return refuse("its first key is not the one that is trusted");
        }
        let leaf = leaf_hash(self.leaf.encode()?.as_bytes());
        verify_inclusion(&leaf, self.index, self.size, &self.path, self.head.root())?;
        let key = self.keys.last(self.head.log()).map_err(|error| AuditError::Proof(error.to_string()))?;
        if *self.head.key() != key.id() {
            return refuse("its keys do not end at the head's key");
        }
        if !self.head.is_signed_by(&key) {
            return refuse("the head's signature does not hold");
        }
        Ok(())
    }
}

/// Checks a document against the log's first public key, without a catalog. One newline may follow
/// the document; nothing else may differ from its canonical text.
///
/// # Errors
/// [`AuditError::Proof`] with the reason.
pub fn verify_proof(document: &[u8], trusted: &PublicKey) -> Result<InclusionProof> {
    let proof: InclusionProof = read(document)?;
    proof.verify(trusted)?;
    Ok(proof)
}

/// Reads a document that one newline may follow.
pub(crate) fn read<T: Serialize + DeserializeOwned>(document: &[u8]) -> Result<T> {
    let text = document.strip_suffix(b"\n").unwrap_or(document);
    canonical::decode(text).map_err(|malformed| AuditError::Proof(format!("the document is {malformed}")))
}

fn refuse(reason: &str) -> Result<()> {
    Err(AuditError::Proof(reason.to_owned()))
}
