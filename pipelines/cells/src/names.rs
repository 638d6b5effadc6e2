//! The names of cells and genes: one each, all different.

use std::collections::HashSet;

use arrow::array::{Array, StringArray};

use crate::error::{CellsError, Result};
use crate::sparse::Lengths;

/// The longest name accepted, in bytes.
const LONGEST_NAME: usize = 4096;

/// The axis that names belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Axis {
    Cells,
    Genes,
}

impl Axis {
    /// The axis in the plural, for messages.
    pub(crate) fn plural(self) -> &'static str {
        match self {
            Self::Cells => "cells",
            Self::Genes => "genes",
        }
    }

    /// The column that holds the names.
    pub(crate) fn column(self) -> &'static str {
        match self {
            Self::Cells => "cell",
            Self::Genes => "gene",
        }
    }

    /// How names are made different in AnnData.
    fn repair(self) -> &'static str {
        match self {
            Self::Cells => "`adata.obs_names_make_unique()`",
            Self::Genes => "`adata.var_names_make_unique()`",
        }
    }
}

/// The names of both axes.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    pub(crate) cells: StringArray,
    pub(crate) genes: StringArray,
}

impl Names {
    /// The number of cells and of genes. [`check`] let no more pass than fit.
    pub(crate) fn lengths(&self) -> Lengths {
        let length = |names: &StringArray| u32::try_from(names.len()).unwrap_or(u32::MAX);
        Lengths { cells: length(&self.cells), genes: length(&self.genes) }
    }
}

/// Checks that names can name rows: all different, none too long.
pub(crate) fn check(names: &[String], axis: Axis, file: &str) -> Result<StringArray> {
    let refuse = |problem: String| Err(CellsError::Names { file: file.to_owned(), axis: axis.plural(), problem });
    let mut different = HashSet::with_capacity(names.len());
    different.extend(names.iter().map(String::as_str));
    let n_repeated = names.len() - different.len();
    if n_repeated > 0 {
        let repair = axis.repair();
        return refuse(format!("{n_repeated} repeat an earlier name; make them different, in AnnData with {repair}"));
    }
    let n_long = names.iter().filter(|name| name.len() > LONGEST_NAME).count();
    if n_long > 0 {
        return refuse(format!("{n_long} are longer than {LONGEST_NAME} bytes; shorten them"));
    }
    let n_bytes: usize = names.iter().map(String::len).sum();
    if i32::try_from(n_bytes).is_err() || u32::try_from(names.len()).is_err() {
        return refuse("they take more than 2 GiB; split the file by cells".to_owned());
    }
    Ok(StringArray::from_iter_values(names))
}

/// The longest of texts, in bytes.
pub(crate) fn longest(texts: &StringArray) -> usize {
    texts.iter().flatten().map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_names_are_counted_not_shown() {
        let names: Vec<String> = ["b", "a", "a", "b", "a"].map(str::to_owned).into();
        let text = check(&names, Axis::Genes, "a.h5ad").unwrap_err().to_string();
        let expected = "names of genes in `a.h5ad`: 3 repeat an earlier name; make them different, in AnnData with \
                        `adata.var_names_make_unique()`";
        assert_eq!(text, expected);
    }

    #[test]
    fn long_names_are_refused() {
        let names = vec!["x".repeat(4096)];
        assert_eq!(longest(&check(&names, Axis::Cells, "a").unwrap()), 4096);
        let names = vec!["x".repeat(4097)];
        assert!(check(&names, Axis::Cells, "a").unwrap_err().to_string().contains("longer than 4096 bytes"));
    }
}
