//! Which rows are left out together.

use std::fmt::Write as _;

use causeway_core::{Literals, OperatorError, Result};

use super::rows::{Rows, mix};

/// Folds that a column may name.
const MOST_FOLDS: usize = 100;

/// How rows come into folds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FoldsBy {
    /// By the hash of key and seed.
    Hash {
        /// Folds.
        n: u32,
    },
    /// By a column.
    Column,
}

impl FoldsBy {
    /// Reads the option `folds`, whose text names a column and is bound as a role.
    pub(crate) fn from_literals(operator: &'static str, literals: &Literals) -> Result<Self> {
        match (literals.integer("folds"), literals.text("folds")) {
            (Some(n), _) => Ok(Self::Hash { n: u32::try_from(n).unwrap_or(2) }),
            (None, Some(_)) => Ok(Self::Column),
            _ => Err(OperatorError::Internal { operator, problem: "option `folds` is unchecked".to_owned() }),
        }
    }
}

/// The fold of each row.
#[derive(Debug, Clone)]
pub(crate) struct Folds {
    of_row: Vec<u32>,
    names: Vec<String>,
}

impl Folds {
    /// Divides rows into folds; each repetition divides them anew unless a column does.
    pub(crate) fn new(operator: &'static str, by: FoldsBy, rows: &Rows, seed: u64, repetition: u64) -> Result<Self> {
        let folds = match by {
            FoldsBy::Hash { n } => {
                let salt = mix(seed ^ mix(repetition));
                let of_row = rows.keys.iter().map(|key| share(mix(key ^ salt), n)).collect();
                Self { of_row, names: (1..=n).map(|fold| fold.to_string()).collect() }
            }
            FoldsBy::Column => Self { of_row: rows.fold_of_row.clone(), names: rows.fold_values.clone() },
        };
        folds.check(operator, by)?;
        Ok(folds)
    }

    fn check(&self, operator: &'static str, by: FoldsBy) -> Result<()> {
        let refuse = |problem: String| Err(OperatorError::Data { operator, problem });
        if by == FoldsBy::Column && !(2..=MOST_FOLDS).contains(&self.names.len()) {
            return refuse(format!(
                "the column of `folds` has {} different values, it must have 2 to {MOST_FOLDS}",
                self.names.len()
            ));
        }
        let mut sizes = vec![0_usize; self.names.len()];
        self.of_row.iter().for_each(|fold| sizes[*fold as usize] += 1);
        match sizes.iter().position(|size| *size == 0) {
            None => Ok(()),
            Some(_) => refuse(format!(
                "{} rows are too few for {} folds, one of them is empty; set a smaller `folds` or name a column",
                self.of_row.len(),
                self.names.len()
            )),
        }
    }

    /// Returns the number of folds.
    pub(crate) fn n(&self) -> usize {
        self.names.len()
    }

    /// Returns what messages call a fold: its number from 1, or the value of the column.
    pub(crate) fn name(&self, fold: usize) -> &str {
        self.names.get(fold).map_or("", String::as_str)
    }

    /// Returns the rows of a fold, in order.
    pub(crate) fn rows(&self, fold: usize) -> Vec<usize> {
        self.select(|own| own as usize == fold)
    }

    /// Returns the rows of all other folds, in order.
    pub(crate) fn others(&self, fold: usize) -> Vec<usize> {
        self.select(|own| own as usize != fold)
    }

    fn select(&self, wanted: impl Fn(u32) -> bool) -> Vec<usize> {
        let rows = self.of_row.iter().enumerate().filter(|(_, fold)| wanted(**fold));
        rows.map(|(row, _)| row).collect()
    }

    /// Returns 16 digits for lineage, the same if and only if (up to chance) every key has the same fold.
    pub(crate) fn fingerprint(&self, rows: &Rows) -> String {
        let pairs = rows.keys.iter().zip(&self.of_row);
        let sum = pairs.fold(0_u64, |sum, (key, fold)| sum.wrapping_add(mix(key ^ mix(u64::from(*fold)))));
        let mut text = String::with_capacity(16);
        let _ = write!(text, "{sum:016x}");
        text
    }
}

/// Returns a whole number below `n`, each for an equal share of the hashes.
fn share(hash: u64, n: u32) -> u32 {
    (((hash >> 32) * u64::from(n)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(n: u64) -> Rows {
        Rows { keys: (0..n).map(mix).collect(), ..Rows::default() }
    }

    fn by_hash(rows: &Rows, n: u32, seed: u64, repetition: u64) -> Folds {
        Folds::new("test", FoldsBy::Hash { n }, rows, seed, repetition).unwrap()
    }

    #[test]
    fn every_row_is_left_out_once() {
        let rows = rows(1000);
        let folds = by_hash(&rows, 7, 3, 0);
        let mut seen: Vec<usize> = (0..7).flat_map(|fold| folds.rows(fold)).collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..1000).collect::<Vec<usize>>());
        for fold in 0..7 {
            assert_eq!(folds.rows(fold).len() + folds.others(fold).len(), 1000);
        }
    }

    #[test]
    fn folds_are_of_like_size_and_the_seed_and_the_repetition_change_them() {
        let rows = rows(50_000);
        let folds = by_hash(&rows, 5, 0, 0);
        // chi-square with 4 degrees of freedom: 18.5 is its 0.999 quantile
        let chi_square: f64 = (0..5).map(|fold| (folds.rows(fold).len() as f64 - 1e4).powi(2) / 1e4).sum();
        assert!(chi_square < 18.5, "{chi_square}");
        for other in [by_hash(&rows, 5, 1, 0), by_hash(&rows, 5, 0, 1)] {
            let same = folds.of_row.iter().zip(&other.of_row).filter(|(a, b)| a == b).count();
            assert!((same as f64 / 50_000.0 - 0.2).abs() < 0.01);
            assert_ne!(folds.fingerprint(&rows), other.fingerprint(&rows));
        }
    }

    #[test]
    fn a_key_keeps_its_fold_whatever_other_rows_there_are() {
        let (few, many) = (rows(100), rows(1000));
        let (small, large) = (by_hash(&few, 5, 9, 2), by_hash(&many, 5, 9, 2));
        assert_eq!(small.of_row[..], large.of_row[..100]);
    }

    #[test]
    fn an_empty_fold_and_a_column_of_many_values_are_refused() {
        let refusal = |by, rows: &Rows| Folds::new("test", by, rows, 0, 0).unwrap_err().to_string();
        assert!(refusal(FoldsBy::Hash { n: 5 }, &rows(3)).contains("3 rows are too few for 5 folds"));
        let named = |n: u32| Rows {
            fold_of_row: (0..n).collect(),
            fold_values: (0..n).map(|fold| fold.to_string()).collect(),
            ..rows(u64::from(n))
        };
        assert!(refusal(FoldsBy::Column, &named(101)).contains("101 different values"));
        assert!(refusal(FoldsBy::Column, &named(1)).contains("1 different values, it must have 2 to 100"));
    }
}
