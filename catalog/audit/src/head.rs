//! Tree heads: what the log was at a size, signed.

use serde::{Deserialize, Serialize};

use crate::canonical;
use crate::digest::{Digest, KeyId, LogId, PublicKey, Signature};
use crate::error::{AuditError, Result};
use crate::key::LogKey;
use crate::time::Timestamp;

/// What its text says it is.
pub(crate) const KIND: &str = "causeway-audit-head";
const FORMAT: u32 = 1;

/// A log's root at a size and a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeHead {
    /// The log.
    pub log: LogId,
    /// The number of records, at least 1.
    pub size: u64,
    /// The root over them.
    pub root: Digest,
    /// When it was signed.
    pub time: Timestamp,
}

/// A tree head with its signature, as it is exported: one canonical JSON line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedHead {
    format: u32,
    key: KeyId,
    kind: String,
    log: LogId,
    root: Digest,
    signature: Signature,
    size: u64,
    time: Timestamp,
}

/// What is signed: the head without its signature.
#[derive(Serialize)]
struct Signed<'a> {
    format: u32,
    key: &'a KeyId,
    kind: &'a str,
    log: &'a LogId,
    root: &'a Digest,
    size: u64,
    time: &'a Timestamp,
}

impl TreeHead {
    /// Describes a log at a size.
    ///
    /// # Errors
    /// [`AuditError::Range`] if the size is 0 (a log has its first record before its first head) or
    /// has no exact text.
    pub fn new(log: LogId, size: u64, root: Digest, time: Timestamp) -> Result<Self> {
        if size == 0 || !canonical::is_exact(size) {
            return Err(AuditError::Range(format!("a head's size must be from 1 to 2^53 - 1, not {size}")));
        }
        Ok(Self { log, size, root, time })
    }

    /// Signs it.
    ///
    /// # Errors
    /// None that a caller can cause.
    pub fn sign(self, key: &LogKey) -> Result<SignedHead> {
        let Self { log, size, root, time } = self;
        let signature = Signature::from_bytes([0; 64]);
        let mut head =
            SignedHead { format: FORMAT, key: key.id(), kind: KIND.to_owned(), log, root, signature, size, time };
        head.signature = key.sign(head.message()?.as_bytes());
        Ok(head)
    }
}

impl SignedHead {
    /// Returns the log.
    pub fn log(&self) -> &LogId {
        &self.log
    }

    /// Returns the number of records.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns the root over them.
    pub fn root(&self) -> &Digest {
        &self.root
    }

    /// Returns when it was signed.
    pub fn time(&self) -> &Timestamp {
        &self.time
    }

    /// Returns the id of the key that signed.
    pub fn key(&self) -> &KeyId {
        &self.key
    }

    /// Returns true if this key signed it.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        let is_known = self.format == FORMAT && self.kind == KIND && self.size > 0 && self.key == key.id();
        is_known && self.message().is_ok_and(|message| key.verifies(message.as_bytes(), &self.signature))
    }

    /// Returns the canonical JSON text, without a newline.
    ///
    /// # Errors
    /// None that a caller can cause.
    pub fn to_json(&self) -> Result<String> {
        canonical::encode(self)
    }

    fn message(&self) -> Result<String> {
        canonical::encode(&Signed {
            format: self.format,
            key: &self.key,
            kind: &self.kind,
            log: &self.log,
            root: &self.root,
            size: self.size,
            time: &self.time,
        })
    }
}
