//! The tamper-evident audit log, as pure logic: what a record is, how it is hashed, signed, proved
//! and checked.
//!
//! ```text
//! Event ──append_event──> content ──0x00──> leaf hash ──0x01──> Merkle root ──sign──> SignedHead
//!   (who, what, on what)  canonical JSON     SHA-256            RFC 9162             one line of an
//!                                                                                    exported file
//! stored records + exported heads + first public key ──Verifier──> Summary | first bad record
//! leaf + path + signed head + key chain ──verify_proof──> this record is in the log
//! origin + that of its record ──verify_certificate──> this is what the table was made from
//! ```
//!
//! A record holds names, ids, versions and digests, never a value of a row. Its bytes, the tree, the
//! signed messages and the documents are described in `FORMAT.md` beside this crate's manifest, so
//! that an outsider can recompute all of it. The store keeps what [`append_event`] returns; nothing
//! here knows SQL, a clock or a network.
//!
//! ```
//! use causeway_audit::{
//!     Action, Event, Export, Frontier, LogId, LogKey, Outcome, StoredRecord, Timestamp, TreeHead,
//!     Verifier, append_event, log_start,
//! };
//!
//! # fn main() -> causeway_audit::Result<()> {
//! let (log, key) = (LogId::generate()?, LogKey::generate()?);
//! let time = Timestamp::new("2026-11-24T09:00:00Z")?;
//! let mut frontier = Frontier::new();
//! let grant = Event::new("admin", Action::Grant, Outcome::succeeded()).fact("privilege", "SELECT");
//! let stored = [
//!     append_event(&mut frontier, &time, log_start("admin", &log, &key.public()))?,
//!     append_event(&mut frontier, &time, grant)?,
//! ];
//! let head = TreeHead::new(log, frontier.size(), frontier.root(), time)?.sign(&key)?;
//!
//! let export = Export { heads: vec![head], ..Export::default() };
//! let mut verifier = Verifier::new(key.public(), export);
//! for record in &stored {
//!     verifier.record(&StoredRecord::from(record))?;
//! }
//! let summary = verifier.finish(|_table, _key| None)?;
//! assert_eq!((summary.n_records, summary.n_heads), (2, 1));
//! # Ok(())
//! # }
//! ```
//!
//! Where to look next: [`Event`] for what is recorded, [`Plan`] for how a proof is read out of a
//! store, [`Verifier`] for what is checked, [`Export`] for what lies outside the catalog.

mod append;
mod canonical;
mod certificate;
mod digest;
mod error;
mod export;
mod finding;
mod head;
mod key;
mod merkle;
mod proof;
mod record;
mod rotation;
mod row;
#[cfg(test)]
mod tests;
mod time;
mod verifier;

pub use append::{Appended, append_event, log_start};
pub use certificate::{Certificate, Making, Origin, SourceFile, is_certificate, verify_certificate};
pub use digest::{Digest, KeyId, LogId, PublicKey, Signature};
pub use error::{AuditError, Result};
pub use export::{Export, append_head, append_rotation};
pub use finding::{Finding, Place, Problem};
pub use head::{SignedHead, TreeHead};
pub use key::LogKey;
pub use merkle::{
    Frontier, Node, NodeId, Plan, Tree, empty_root, leaf_hash, node_hash, verify_consistency, verify_inclusion,
};
pub use proof::{InclusionProof, KeyChain, verify_proof};
pub use record::{Action, Context, CoveredRow, Event, Object, ObjectKind, Outcome, OutcomeState, Record};
pub use rotation::KeyRotation;
pub use row::RowDigest;
pub use time::Timestamp;
pub use verifier::{Covered, StoredRecord, Summary, Verifier};
