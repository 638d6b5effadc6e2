//! Adding to the log: what the store keeps for one event.

use crate::digest::{Digest, LogId, PublicKey};
use crate::error::Result;
use crate::merkle::{Frontier, Node, leaf_hash};
use crate::record::{Action, Event, Object, ObjectKind, Outcome, Record};
use crate::time::Timestamp;

/// The facts of the first record.
pub(crate) const LOG: &str = "log";
pub(crate) const KEY: &str = "key";

/// What one event adds to the log. All of it belongs in one transaction with the frontier's new state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// The record's place in the log, from 0.
    pub sequence: u64,
    /// The record's canonical text, to be stored byte for byte.
    pub content: String,
    /// The leaf hash of the content.
    pub leaf_hash: Digest,
    /// The subtrees above the leaves that this record completes; proofs are read out of them.
    pub nodes: Vec<Node>,
}

/// Adds an event at the end of the log and moves the frontier on.
///
/// # Errors
/// Those of [`Record::new`]; the frontier is then as it was.
pub fn append_event(frontier: &mut Frontier, time: &Timestamp, event: Event) -> Result<Appended> {
    let sequence = frontier.size();
    let content = Record::new(sequence, time.clone(), event)?.encode()?;
    let leaf_hash = leaf_hash(content.as_bytes());
    let nodes = frontier.append(leaf_hash);
    Ok(Appended { sequence, content, leaf_hash, nodes })
}

/// Returns the event that every log starts with: its name and its first key.
pub fn log_start(actor: impl Into<String>, log: &LogId, key: &PublicKey) -> Event {
    Event::new(actor, Action::LogStart, Outcome::succeeded())
        .object(Object::new(ObjectKind::Key, key.id().to_string()))
        .fact(LOG, log.to_string())
        .fact(KEY, key.to_string())
}
