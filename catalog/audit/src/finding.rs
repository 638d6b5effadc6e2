//! What a check of the log finds.

use std::fmt;

use crate::digest::KeyId;

/// The first thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub place: Place,
    /// What.
    pub problem: Problem,
}

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A record of the log, by its sequence number.
    Record(u64),
    /// A signed head.
    Head {
        /// Its place among the heads of the exported file, from 1.
        number: usize,
        /// The size it speaks of.
        size: u64,
    },
    /// The catalog beside the log.
    Catalog,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The stored content and the stored hash do not belong together.
    #[error("its content does not match its hash")]
    ContentChanged,
    /// The stored content is not the canonical text of a record.
    #[error("{0}")]
    Malformed(String),
    /// The next record that is stored has a higher number.
    #[error("it is missing; the next one is record {found}")]
    Missing {
        /// The number found.
        found: u64,
    },
    /// The number is stored twice.
    #[error("it is stored twice")]
    Repeated,
    /// Another record stands in its place: swapped, or moved up after a deletion.
    #[error("record {found} stands in its place")]
    Displaced {
        /// The record that stands there.
        found: u64,
    },
    /// The same record stands in an earlier place.
    #[error("it is a copy of record {of}")]
    Copy {
        /// The original.
        of: u64,
    },
    /// A record was put before the one that has this number, which now stands further back.
    #[error("it was inserted; the record of this number stands in place {pushed_to}")]
    Inserted {
        /// Where the original stands.
        pushed_to: u64,
    },
    /// The log does not start as it must, or starts a second time.
    #[error("{0}")]
    WrongStart(&'static str),
    /// A key rotation does not hold.
    #[error("{0}")]
    BadRotation(String),
    /// The records from this one up to the signed size are not those that were signed.
    #[error("the records {since} to {last} do not give the root that was signed at size {size}; the first bad one is among them",
        last = .size.saturating_sub(1))]
    RootDiffers {
        /// The first record after the last size at which the root agreed.
        since: u64,
        /// The size that was signed.
        size: u64,
    },
    /// The log ends before the size that was signed.
    #[error("the log ends here, {missing} record(s) short of the size {signed} that was signed")]
    Truncated {
        /// The largest size that was signed.
        signed: u64,
        /// How many records are missing, at least.
        missing: u64,
    },
    /// The log has no record.
    #[error("the log is empty")]
    Empty,
    /// The head names a key that was never in force.
    #[error("it is signed by the unknown key {key}")]
    UnknownKey {
        /// The key it names.
        key: KeyId,
    },
    /// The head names a key that was no longer in force at its size.
    #[error("it is signed by key {key}, which had been replaced by then")]
    RetiredKey {
        /// The key it names.
        key: KeyId,
    },
    /// The head's signature does not hold.
    #[error("its signature does not hold")]
    BadSignature,
    /// The head belongs to another log.
    #[error("it belongs to another log")]
    OtherLog,
    /// A row of the catalog is not as the record left it.
    #[error("the row `{key}` of the catalog's `{table}` is not as this record left it")]
    RowChanged {
        /// The table.
        table: String,
        /// The key.
        key: String,
    },
    /// A row of the catalog is gone and no record says so.
    #[error("the row `{key}` of the catalog's `{table}` is gone")]
    RowGone {
        /// The table.
        table: String,
        /// The key.
        key: String,
    },
    /// A row of the catalog is there again and no record says so.
    #[error("the row `{key}` of the catalog's `{table}`, which this record removed, is there")]
    RowBack {
        /// The table.
        table: String,
        /// The key.
        key: String,
    },
    /// A row of the catalog was touched between the record and the next one that covers it.
    #[error(
        "the row `{key}` of the catalog's `{table}` was no longer as this record left it when record {before} was made"
    )]
    RowTouched {
        /// The table.
        table: String,
        /// The key.
        key: String,
        /// The next record that covers it.
        before: u64,
    },
    /// A row of the catalog came after the log started and no record speaks of it.
    #[error("no record says how the row `{key}` of `{table}` came to be")]
    RowUnrecorded {
        /// The table.
        table: String,
        /// The key.
        key: String,
    },
    /// A charge on a privacy budget, or the chain of charges up to it, is not as it was written.
    #[error("charge {charge} on a privacy budget, or the one before it, is not as it was written")]
    ChargeChanged {
        /// The charge's number.
        charge: i64,
    },
    /// The stored result of a charge is not the one that was released.
    #[error("the stored result of charge {charge} is not the one that was released")]
    ReleaseChanged {
        /// The charge's number.
        charge: i64,
    },
    /// What an account says is spent is not the sum of its charges.
    #[error("what is spent of the privacy budget of `{dataset}` is not the sum of its charges")]
    SpentDiffers {
        /// The dataset.
        dataset: String,
    },
    /// The stored state of the tree is not that of the records.
    #[error("the stored state of the tree does not belong to the records")]
    StateDiffers,
}

impl Finding {
    /// Says that something is wrong with a record.
    pub(crate) fn record(sequence: u64, problem: Problem) -> Self {
        Self { place: Place::Record(sequence), problem }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.problem)
    }
}

impl std::error::Error for Finding {}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(sequence) => write!(f, "record {sequence}"),
            Self::Head { number, size } => write!(f, "exported head {number} (size {size})"),
            Self::Catalog => f.write_str("the catalog"),
        }
    }
}
