//! Which keys were met already, as 128-bit hashes.
//!
//! A hash takes about 20 bytes, whatever the key's columns. The hash functions are drawn anew for
//! every load, so nobody can prepare keys that collide; among 10^9 keys chance alone makes two equal
//! with probability 10^-21.

use std::collections::HashSet;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};

use arrow::array::{ArrayRef, RecordBatch};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};

use crate::contract::Contract;

/// Bytes that a key takes in the set while it grows.
const BYTES_PER_KEY: u64 = 34;
const N_SHARDS: usize = 64;

/// Hashes the keys of batches that have the contract's columns.
#[derive(Debug)]
pub(crate) struct KeyHasher {
    key: Vec<usize>,
    converter: RowConverter,
    functions: [RandomState; 2],
}

impl KeyHasher {
    /// Makes a hasher for the contract's key; `None` if it has none.
    pub(crate) fn new(contract: &Contract) -> Result<Option<Self>, ArrowError> {
        if contract.key.is_empty() {
            return Ok(None);
        }
        let columns = contract.key.iter().filter_map(|idx| contract.columns.get(*idx));
        let fields = columns.map(|column| SortField::new(column.column_type.arrow())).collect();
        let functions = [RandomState::new(), RandomState::new()];
        Ok(Some(Self { key: contract.key.clone(), converter: RowConverter::new(fields)?, functions }))
    }

    /// Returns one hash a row.
    pub(crate) fn hash(&self, batch: &RecordBatch) -> Result<Vec<u128>, ArrowError> {
        let columns: Vec<ArrayRef> = self.key.iter().map(|idx| ArrayRef::clone(batch.column(*idx))).collect();
        self.hash_columns(&columns)
    }

    /// Returns one hash a row for the key's columns alone, in the key's order.
    pub(crate) fn hash_columns(&self, columns: &[ArrayRef]) -> Result<Vec<u128>, ArrowError> {
        let rows = self.converter.convert_columns(columns)?;
        let [first, second] = &self.functions;
        let hash = |row: &[u8]| u128::from(first.hash_one(row)) << 64 | u128::from(second.hash_one(row));
        Ok(rows.iter().map(|row| hash(row.as_ref())).collect())
    }
}

/// A set of hashed keys, in shards so that growing one doubles little memory.
#[derive(Debug)]
pub(crate) struct KeySet {
    shards: Vec<HashSet<u128, BuildHasherDefault<LowBits>>>,
    n_keys: u64,
}

impl Default for KeySet {
    fn default() -> Self {
        Self { shards: vec![HashSet::default(); N_SHARDS], n_keys: 0 }
    }
}

impl KeySet {
    /// Adds a key; returns false if it was there.
    pub(crate) fn insert(&mut self, key: u128) -> bool {
        let is_new = self.shards[shard(key)].insert(key);
        self.n_keys += u64::from(is_new);
        is_new
    }

    pub(crate) fn contains(&self, key: u128) -> bool {
        self.shards[shard(key)].contains(&key)
    }

    pub(crate) fn len(&self) -> u64 {
        self.n_keys
    }

    /// Returns about how many bytes the set takes.
    pub(crate) fn n_bytes(&self) -> u64 {
        self.n_keys * BYTES_PER_KEY
    }
}

fn shard(key: u128) -> usize {
    (key >> 122) as usize // the six upper bits
}

/// Takes the lower half of a key, which is a hash already.
#[derive(Debug, Default, Clone)]
struct LowBits(u64);

impl Hasher for LowBits {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "the lower half is wanted")]
    fn write_u128(&mut self, key: u128) {
        self.0 = key as u64;
    }
}
