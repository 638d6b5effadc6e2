//! Replacing the signing key: the old key signs the new one.

use serde::{Deserialize, Serialize};

use crate::append::LOG;
use crate::canonical;
use crate::digest::{KeyId, LogId, PublicKey, Signature};
use crate::error::{AuditError, Result};
use crate::key::LogKey;
use crate::record::{Action, Event, Object, ObjectKind, Outcome, Record};

/// What its text says it is.
pub(crate) const KIND: &str = "causeway-audit-key-rotation";
const FORMAT: u32 = 1;

/// The facts of the record.
const NEW_KEY: &str = "new_key";
const OLD_KEY: &str = "old_key";
const SIGNATURE: &str = "signature";

/// The old key's word that a new key signs from here on. It is a record of the log, a line of the
/// exported file and a link of a proof's key chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRotation {
    format: u32,
    kind: String,
    log: LogId,
    new_key: PublicKey,
    old_key: KeyId,
    signature: Signature,
}

/// The keys of a log in the order they came into force.
#[derive(Debug, Clone)]
pub(crate) struct KeyRing {
    first: PublicKey,
    later: Vec<PublicKey>,
}

/// What is signed: the rotation without its signature.
#[derive(Serialize)]
struct Signed<'a> {
    format: u32,
    kind: &'a str,
    log: &'a LogId,
    new_key: &'a PublicKey,
    old_key: &'a KeyId,
}

impl KeyRotation {
    /// Hands the log over from the old key to the new one.
    ///
    /// # Errors
    /// [`AuditError::Key`] if both are the same key.
    pub fn sign(log: LogId, old: &LogKey, new: &PublicKey) -> Result<Self> {
        if old.public() == *new {
            return Err(AuditError::Key("the new key is the old one".to_owned()));
        }
        let mut rotation = Self {
            format: FORMAT,
            kind: KIND.to_owned(),
            log,
            new_key: *new,
            old_key: old.id(),
            signature: Signature::from_bytes([0; 64]),
        };
        rotation.signature = old.sign(rotation.message()?.as_bytes());
        Ok(rotation)
    }

    /// Returns the new key.
    pub fn new_key(&self) -> &PublicKey {
        &self.new_key
    }

    /// Returns the id of the key that signed.
    pub fn old_key(&self) -> &KeyId {
        &self.old_key
    }

    /// Checks that `old` signed this for the log.
    ///
    /// # Errors
    /// [`AuditError::Key`] if it did not.
    pub fn verify(&self, log: &LogId, old: &PublicKey) -> Result<()> {
        let fault = if self.format != FORMAT || self.kind != KIND {
            "it is not a rotation of a known form"
        } else if self.log != *log {
            "it belongs to another log"
        } else if self.old_key != old.id() {
            "it is not signed by the key in force"
        } else if !old.verifies(self.message()?.as_bytes(), &self.signature) {
            "its signature does not hold"
        } else {
            return Ok(());
        };
        Err(AuditError::Key(format!("the rotation to key {}: {fault}", self.new_key.id())))
    }

    /// Returns the event that records it.
    pub fn event(&self, actor: impl Into<String>) -> Event {
        Event::new(actor, Action::KeyRotation, Outcome::succeeded())
            .object(Object::new(ObjectKind::Key, self.old_key.to_string()))
            .object(Object::new(ObjectKind::Key, self.new_key.id().to_string()))
            .fact(LOG, self.log.to_string())
            .fact(NEW_KEY, self.new_key.to_string())
            .fact(OLD_KEY, self.old_key.to_string())
            .fact(SIGNATURE, self.signature.to_string())
    }

    /// Reads it back from its record; none if the record is of another kind or incomplete.
    pub fn from_record(record: &Record) -> Option<Self> {
        let fact =
            |name| record.facts().get(name).map(String::as_str).filter(|_| record.action() == Action::KeyRotation);
        Some(Self {
            format: FORMAT,
            kind: KIND.to_owned(),
            log: fact(LOG)?.parse().ok()?,
            new_key: fact(NEW_KEY)?.parse().ok()?,
            old_key: fact(OLD_KEY)?.parse().ok()?,
            signature: fact(SIGNATURE)?.parse().ok()?,
        })
    }

    fn message(&self) -> Result<String> {
        canonical::encode(&Signed {
            format: self.format,
            kind: &self.kind,
            log: &self.log,
            new_key: &self.new_key,
            old_key: &self.old_key,
        })
    }
}

impl KeyRing {
    /// Starts with the key that is trusted.
    pub(crate) fn new(first: PublicKey) -> Self {
        Self { first, later: Vec::new() }
    }

    /// Returns the key in force.
    pub(crate) fn current(&self) -> &PublicKey {
        self.later.last().unwrap_or(&self.first)
    }

    /// Finds a key that is or was in force.
    pub(crate) fn find(&self, id: &KeyId) -> Option<&PublicKey> {
        std::iter::once(&self.first).chain(&self.later).find(|key| key.id() == *id)
    }

    /// Follows a rotation.
    pub(crate) fn rotate(&mut self, log: &LogId, rotation: &KeyRotation) -> Result<()> {
        rotation.verify(log, self.current())?;
        let id = rotation.new_key.id();
        if self.find(&id).is_some() {
            return Err(AuditError::Key(format!("the rotation to key {id}: the key was in force before")));
        }
        self.later.push(rotation.new_key);
        Ok(())
    }
}
