//! What a file may ask for, and what of it has been granted.

use crate::error::{CellsError, Result};

/// Unpacked bytes after which the ratio is looked at; small files may be very regular.
const RATIO_GRACE_BYTES: u64 = 64 << 20;

/// What is accepted of a file. Everything is checked before memory is taken for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes that the parts which are read may unpack to.
    pub max_bytes_uncompressed: u64,
    /// The largest ratio of unpacked to packed bytes, looked at beyond 64 MiB.
    pub max_ratio: u64,
    /// The most values that a matrix may store.
    pub max_values: u64,
    /// The most bytes held in memory at once: names, row starts, categories and one window of values.
    pub max_bytes_held: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_bytes_uncompressed: 256 << 30, max_ratio: 200, max_values: 20_000_000_000, max_bytes_held: 4 << 30 }
    }
}

/// The limits of one file, and what has been asked of them.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    file: String,
    limits: Limits,
    packed: u64,
    unpacked: u64,
    held: u64,
}

impl Budget {
    /// A budget for a file of `packed` bytes.
    pub(crate) fn new(file: &str, limits: &Limits, packed: u64) -> Self {
        Self { file: file.to_owned(), limits: limits.clone(), packed: packed.max(1), unpacked: 0, held: 0 }
    }

    /// Asks for `bytes` more to be unpacked.
    pub(crate) fn unpack(&mut self, bytes: u64) -> Result<()> {
        self.unpacked = self.unpacked.saturating_add(bytes);
        let allowed = self.limits.max_bytes_uncompressed;
        if self.unpacked > allowed {
            return self.refuse(format!("unpacks to more than {allowed} bytes"), "max_bytes_uncompressed");
        }
        let ratio = self.limits.max_ratio;
        if self.unpacked > RATIO_GRACE_BYTES && self.unpacked / self.packed > ratio {
            return self.refuse(format!("unpacks to more than {ratio} times its size"), "max_ratio");
        }
        Ok(())
    }

    /// Asks for `bytes` more to be held in memory until the file is read.
    pub(crate) fn hold(&mut self, bytes: u64, what: &str) -> Result<()> {
        self.held = self.held.saturating_add(bytes);
        let allowed = self.limits.max_bytes_held;
        if self.held > allowed {
            let problem = format!("{what} would bring the bytes held in memory above {allowed}");
            return self.refuse(problem, "max_bytes_held");
        }
        Ok(())
    }

    /// Checks the number of stored values.
    pub(crate) fn store(&self, values: u64) -> Result<()> {
        let allowed = self.limits.max_values;
        if values > allowed {
            return self.refuse(format!("stores {values} values, more than {allowed}"), "max_values");
        }
        Ok(())
    }

    fn refuse(&self, problem: String, limit: &'static str) -> Result<()> {
        Err(CellsError::TooLarge { file: self.file.clone(), problem, limit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_is_named() {
        let limits = Limits { max_bytes_uncompressed: 1 << 30, max_ratio: 10, max_values: 100, max_bytes_held: 1000 };
        let mut budget = Budget::new("a.h5ad", &limits, 1 << 20);
        budget.hold(1000, "names").unwrap();
        budget.unpack(64 << 20).unwrap();
        budget.store(100).unwrap();
        let text = |result: Result<()>| result.unwrap_err().to_string();
        assert!(text(budget.hold(1, "names")).contains("raise `max_bytes_held`"));
        assert!(text(budget.unpack(1 << 20)).contains("raise `max_ratio`"));
        assert!(text(budget.unpack(u64::MAX)).contains("raise `max_bytes_uncompressed`"));
        assert!(text(budget.store(101)).contains("raise `max_values`"));
    }
}
