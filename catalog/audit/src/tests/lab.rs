//! A log in memory with its keys, heads and catalog rows.

use std::collections::BTreeMap;

use crate::{
    Action, Appended, Digest, Event, Export, Finding, Frontier, KeyRotation, LogId, LogKey, NodeId, Object, ObjectKind,
    Outcome, RowDigest, SignedHead, StoredRecord, Summary, Timestamp, TreeHead, Verifier, append_event, leaf_hash,
    log_start,
};

/// The rows of the catalog that records cover, by table and key.
pub(super) type Rows = BTreeMap<(String, String), Digest>;

pub(super) const LOG: LogId = LogId::from_bytes([7; 16]);

/// A log as the store keeps it.
#[derive(Clone, Default)]
pub(super) struct Lab {
    pub(super) frontier: Frontier,
    pub(super) stored: Vec<Appended>,
    pub(super) nodes: BTreeMap<NodeId, Digest>,
    pub(super) export: Export,
    pub(super) rows: Rows,
}

pub(super) fn key(number: u8) -> LogKey {
    LogKey::from_seed(&[number; 32])
}

pub(super) fn time() -> Timestamp {
    Timestamp::new("2026-11-24T09:00:00.123456Z").unwrap()
}

impl Lab {
    /// Starts a log with key 1.
    pub(super) fn start() -> Self {
        let mut lab = Self::default();
        lab.append(log_start("admin", &LOG, &key(1).public()));
        lab
    }

    /// A log of `size` records that covers a row with every third one.
    pub(super) fn of(size: u64) -> Self {
        let mut lab = Self::start();
        while lab.frontier.size() < size {
            lab.append_sample();
        }
        lab
    }

    /// Adds a record with as little in it as one can have.
    pub(super) fn append_short(&mut self) {
        let number = self.frontier.size().to_string();
        self.append(Event::new("ana", Action::Query, Outcome::succeeded()).fact("n_rows", number));
    }

    /// Adds a record like those of real statements.
    pub(super) fn append_sample(&mut self) {
        let number = self.frontier.size();
        let statement = Digest::of(&number.to_be_bytes());
        let mut event = Event::new("ana", Action::Query, Outcome::succeeded())
            .object(Object::new(ObjectKind::Table, "clinical.lung").id(4).version(2).digest(statement))
            .fact("n_rows", number.to_string());
        if number.is_multiple_of(3) {
            let row = (String::from("grant_row"), (number % 30).to_string());
            let content =
                RowDigest::new("grant_row").text("role", Some("analyst")).integer("made", i64::try_from(number).ok());
            event = event.covers(&row.0, &row.1, content.finish());
            self.rows.insert(row, content.finish());
        }
        self.append(event);
    }

    pub(super) fn append(&mut self, event: Event) {
        let appended = append_event(&mut self.frontier, &time(), event).unwrap();
        self.nodes.insert(NodeId { level: 0, index: appended.sequence }, appended.leaf_hash);
        self.nodes.extend(appended.nodes.iter().map(|node| (node.id, node.hash)));
        self.stored.push(appended);
    }

    /// Hands the log over to another key, in the log and in the export.
    pub(super) fn rotate(&mut self, old: u8, new: u8) -> KeyRotation {
        let rotation = KeyRotation::sign(LOG, &key(old), &key(new).public()).unwrap();
        self.append(rotation.event("admin"));
        self.export.rotations.push(rotation.clone());
        rotation
    }

    /// Signs what the log is now.
    pub(super) fn head(&self, number: u8) -> SignedHead {
        TreeHead::new(LOG, self.frontier.size(), self.frontier.root(), time()).unwrap().sign(&key(number)).unwrap()
    }

    /// Signs what the log is now and exports it.
    pub(super) fn export_head(&mut self, number: u8) {
        self.export.heads.push(self.head(number));
    }

    pub(super) fn verifier(&self) -> Verifier {
        Verifier::new(key(1).public(), self.export.clone())
    }

    /// Checks the whole log.
    pub(super) fn verify(&self) -> Result<Summary, Finding> {
        let mut verifier = self.verifier();
        for record in &self.stored {
            verifier.record(&StoredRecord::from(record))?;
        }
        verifier.finish(|table, key| present(&self.rows, table, key))
    }

    /// Numbers the stored records in the order they stand, as one would who hides an insertion.
    pub(super) fn renumber(&mut self) {
        for (number, record) in (0..).zip(&mut self.stored) {
            record.sequence = number;
        }
    }

    /// Changes a stored content and stores the hash that belongs to it.
    pub(super) fn forge(&mut self, index: usize, change: impl FnOnce(&str) -> String) {
        let record = &mut self.stored[index];
        record.content = change(&record.content);
        record.leaf_hash = leaf_hash(record.content.as_bytes());
    }
}

pub(super) fn present(rows: &Rows, table: &str, key: &str) -> Option<Digest> {
    rows.get(&(table.to_owned(), key.to_owned())).copied()
}
