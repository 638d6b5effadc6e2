//! Checking a whole log, record by record.

use std::collections::BTreeMap;

use crate::append::{self, Appended};
use crate::digest::{Digest, LogId, PublicKey};
use crate::error::AuditError;
use crate::export::Export;
use crate::finding::{Finding, Place, Problem};
use crate::head::SignedHead;
use crate::merkle::{Frontier, leaf_hash};
use crate::record::{Action, CoveredRow, Record};
use crate::rotation::{KeyRing, KeyRotation};

/// A record as the store holds it.
#[derive(Debug, Clone, Copy)]
pub struct StoredRecord<'a> {
    /// The stored sequence number.
    pub sequence: u64,
    /// The stored content.
    pub content: &'a [u8],
    /// The stored leaf hash.
    pub leaf_hash: &'a [u8],
}

impl<'a> From<&'a Appended> for StoredRecord<'a> {
    fn from(appended: &'a Appended) -> Self {
        let Appended { sequence, content, leaf_hash, .. } = appended;
        Self { sequence: *sequence, content: content.as_bytes(), leaf_hash: leaf_hash.as_bytes() }
    }
}

/// A row of the catalog as the last record that covers it left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Covered<'a> {
    /// The catalog's table.
    pub table: &'a str,
    /// The row's key.
    pub key: &'a str,
    /// The digest of its content; none if the record removed it.
    pub digest: Option<Digest>,
    /// The record.
    pub sequence: u64,
}

/// What was checked in a log that is as it was recorded and signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The log.
    pub log: LogId,
    /// The number of records.
    pub n_records: u64,
    /// The root over all of them.
    pub root: Digest,
    /// The number of exported heads.
    pub n_heads: usize,
    /// The size of the largest exported head. Records from there on are consistent, but nothing
    /// outside the catalog vouches for them yet.
    pub n_signed: u64,
    /// The number of rows of the catalog that were compared.
    pub n_rows: usize,
    /// The key in force.
    pub key: PublicKey,
}

/// Takes the records of a log one after another and stops at the first that is wrong.
///
/// The anchor is the log's first public key, kept outside the catalog; later keys follow from the
/// rotations in the log. Every leaf is recomputed from the stored content. A head is checked when the
/// log reaches its size. After an error the verifier must not be used further.
#[derive(Debug, Clone)]
pub struct Verifier {
    keys: KeyRing,
    first_key: PublicKey,
    log: Option<LogId>,
    /// By size, each with its place in the exported file.
    heads: Vec<(usize, SignedHead)>,
    n_checked: usize,
    rotations: Vec<KeyRotation>,
    frontier: Frontier,
    leaves: Vec<Digest>,
    /// The largest size whose root agreed with a signed head.
    n_signed: u64,
    covered: BTreeMap<(String, String), (Option<Digest>, u64)>,
}

impl Verifier {
    /// Starts with the log's first public key and what was exported.
    pub fn new(first_key: PublicKey, export: Export) -> Self {
        let mut heads: Vec<_> = (1..).zip(export.heads).collect();
        heads.sort_by_key(|(_, head)| head.size());
        Self {
            keys: KeyRing::new(first_key),
            first_key,
            log: None,
            heads,
            n_checked: 0,
            rotations: export.rotations,
            frontier: Frontier::new(),
            leaves: Vec::new(),
            n_signed: 0,
            covered: BTreeMap::new(),
        }
    }

    /// Checks the next record.
    ///
    /// # Errors
    /// The finding, if it is the first bad record, or a head of the size reached does not hold.
    pub fn record(&mut self, stored: &StoredRecord<'_>) -> Result<(), Finding> {
        let expected = self.frontier.size();
        if stored.sequence != expected {
            return Err(out_of_order(expected, stored.sequence));
        }
        let hash = leaf_hash(stored.content);
        if hash.as_bytes() != stored.leaf_hash {
            return Err(Finding::record(expected, Problem::ContentChanged));
        }
        let record = Record::decode(stored.content)
            .map_err(|error| Finding::record(expected, Problem::Malformed(error.to_string())))?;
        if record.sequence() != expected {
            return Err(self.displaced(record.sequence(), &hash));
        }
        self.follow(&record).map_err(|problem| Finding::record(expected, problem))?;
        for CoveredRow { before, digest, key, table } in record.into_covers() {
            let left = self.covered.get(&(table.clone(), key.clone()));
            if let (Some(found), Some((Some(left), since))) = (before, left)
                && found != *left
            {
                return Err(Finding::record(*since, Problem::RowTouched { table, key, before: expected }));
            }
            self.covered.insert((table, key), (digest, expected));
        }
        self.leaves.push(hash);
        self.frontier.push(hash, |_| ());
        self.check_heads()
    }

    /// Lists the rows of the catalog that the records so far cover, by table and key.
    pub fn covered(&self) -> impl Iterator<Item = Covered<'_>> + '_ {
        self.covered.iter().map(|((table, key), (digest, sequence))| Covered {
            table,
            key,
            digest: *digest,
            sequence: *sequence,
        })
    }

    /// Ends the log: checks that it is not shorter than a signed head, and that each covered row is
    /// as its last record left it. `present(table, key)` returns the digest of the row's content now.
    ///
    /// # Errors
    /// The finding.
    pub fn finish(mut self, mut present: impl FnMut(&str, &str) -> Option<Digest>) -> Result<Summary, Finding> {
        let log = self.check_end()?;
        let changed = self.covered().filter_map(|row| {
            let problem = compare(&row, present(row.table, row.key))?;
            Some(Finding::record(row.sequence, problem))
        });
        if let Some(first) = changed.min_by_key(|finding| sequence_of(finding.place)) {
            return Err(first);
        }
        Ok(self.summary(log, self.covered.len()))
    }

    /// Ends the log where the catalog is not at hand: as [`Verifier::finish`], without the covered rows.
    ///
    /// # Errors
    /// The finding.
    pub fn finish_without_rows(mut self) -> Result<Summary, Finding> {
        let log = self.check_end()?;
        Ok(self.summary(log, 0))
    }

    fn summary(&self, log: LogId, n_rows: usize) -> Summary {
        Summary {
            log,
            n_records: self.frontier.size(),
            root: self.frontier.root(),
            n_heads: self.heads.len(),
            n_signed: self.n_signed,
            n_rows,
            key: *self.keys.current(),
        }
    }

    /// Names what is wrong where the content says another number than its place.
    fn displaced(&self, found: u64, hash: &Digest) -> Finding {
        let expected = self.frontier.size();
        if found > expected {
            return Finding::record(expected, Problem::Displaced { found });
        }
        let original = usize::try_from(found).ok().and_then(|index| self.leaves.get(index));
        if original == Some(hash) {
            Finding::record(expected, Problem::Copy { of: found })
        } else if found < self.n_signed {
            // A signed head vouches for the one that stands there, so this one is wrong.
            Finding::record(expected, Problem::Displaced { found })
        } else {
            Finding::record(found, Problem::Inserted { pushed_to: expected })
        }
    }

    /// Follows the records that say which key is in force.
    fn follow(&mut self, record: &Record) -> Result<(), Problem> {
        match (self.log, record.action()) {
            (None, Action::LogStart) => {
                self.log = Some(start(record, &self.first_key)?);
                Ok(())
            }
            (None, _) => Err(Problem::WrongStart("the log does not start with its first record")),
            (Some(_), Action::LogStart) => Err(Problem::WrongStart("the log starts a second time")),
            (Some(log), Action::KeyRotation) => {
                let rotation = KeyRotation::from_record(record)
                    .ok_or_else(|| Problem::BadRotation("the rotation is not complete".to_owned()))?;
                self.keys.rotate(&log, &rotation).map_err(bad_rotation)
            }
            (Some(_), _) => Ok(()),
        }
    }

    /// Checks the heads of the size that was reached.
    fn check_heads(&mut self) -> Result<(), Finding> {
        let size = self.frontier.size();
        while let Some((number, head)) = self.heads.get(self.n_checked).filter(|(_, head)| head.size() <= size) {
            let place = Place::Head { number: *number, size: head.size() };
            self.check_signature(head).map_err(|problem| Finding { place, problem })?;
            if *head.root() != self.frontier.root() {
                let since = self.n_signed;
                return Err(Finding::record(since, Problem::RootDiffers { since, size }));
            }
            self.n_signed = size;
            self.n_checked += 1;
        }
        Ok(())
    }

    /// Checks that the key in force signed a head for this log.
    fn check_signature(&self, head: &SignedHead) -> Result<(), Problem> {
        let current = self.keys.current();
        if self.log.is_some_and(|log| log != *head.log()) {
            return Err(Problem::OtherLog);
        }
        if *head.key() != current.id() {
            let key = *head.key();
            let was_known = self.keys.find(&key).is_some();
            return Err(if was_known { Problem::RetiredKey { key } } else { Problem::UnknownKey { key } });
        }
        if head.is_signed_by(current) { Ok(()) } else { Err(Problem::BadSignature) }
    }

    /// Checks that no signed head speaks of a size that the log does not reach. The missing records
    /// may hold rotations, so those of the export count too.
    fn check_end(&mut self) -> Result<LogId, Finding> {
        let size = self.frontier.size();
        let Some((number, first)) = self.heads.get(self.n_checked) else {
            return self.log.ok_or(Finding::record(0, Problem::Empty));
        };
        let log = self.log.unwrap_or(*first.log());
        let unproven = Finding {
            place: Place::Head { number: *number, size: first.size() },
            problem: self.check_signature(first).err().unwrap_or(Problem::BadSignature),
        };
        for rotation in &self.rotations {
            // Those that are in the log are behind already and do not follow from the key in force.
            self.keys.rotate(&log, rotation).ok();
        }
        let beyond = self.heads.iter().skip(self.n_checked).map(|(_, head)| head);
        let proven = beyond.filter(|head| *head.log() == log && self.is_signed(head));
        match proven.map(SignedHead::size).max() {
            Some(signed) => {
                Err(Finding::record(size, Problem::Truncated { signed, missing: signed.saturating_sub(size) }))
            }
            None => Err(unproven),
        }
    }

    fn is_signed(&self, head: &SignedHead) -> bool {
        self.keys.find(head.key()).is_some_and(|key| head.is_signed_by(key))
    }
}

/// Names what is wrong where the stored number is not the next one.
fn out_of_order(expected: u64, found: u64) -> Finding {
    if found > expected {
        Finding::record(expected, Problem::Missing { found })
    } else {
        Finding::record(found, Problem::Repeated)
    }
}

/// Reads the first record.
fn start(record: &Record, first_key: &PublicKey) -> Result<LogId, Problem> {
    let fact = |name| record.facts().get(name).map(String::as_str);
    if fact(append::KEY) != Some(first_key.to_string().as_str()) {
        return Err(Problem::WrongStart("the log starts with another key than the one that is trusted"));
    }
    fact(append::LOG).and_then(|log| log.parse().ok()).ok_or(Problem::WrongStart("the first record names no log"))
}

fn bad_rotation(error: AuditError) -> Problem {
    Problem::BadRotation(error.to_string())
}

/// Says what is wrong with a covered row.
fn compare(row: &Covered<'_>, present: Option<Digest>) -> Option<Problem> {
    let (table, key) = (row.table.to_owned(), row.key.to_owned());
    match (row.digest, present) {
        (left, right) if left == right => None,
        (Some(_), Some(_)) => Some(Problem::RowChanged { table, key }),
        (Some(_), None) => Some(Problem::RowGone { table, key }),
        (None, _) => Some(Problem::RowBack { table, key }),
    }
}

fn sequence_of(place: Place) -> u64 {
    match place {
        Place::Record(sequence) => sequence,
        Place::Head { size, .. } => size,
        Place::Catalog => u64::MAX,
    }
}
