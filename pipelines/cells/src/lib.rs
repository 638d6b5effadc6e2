//! Reads expression matrices: which gene was seen how often in which cell.
//!
//! Answers the question "what is in this file?" for the three layouts in which single-cell data are passed on,
//! as Arrow batches of bounded size. Sparse matrices stay sparse: only stored values other than zero become rows.
//!
//! ```text
//!  study.h5ad          AnnData: X, layers, raw, obs, var          ─┐
//!  filtered.h5         10x: matrix/{data,indices,indptr,…}         ├─ open ─> Matrix ─> RecordBatch, RecordBatch, …
//!  folder/matrix.mtx   Matrix Market, barcodes.tsv, features.tsv  ─┘  │
//!                                                                     └ schema, n_cells, n_genes, left_out
//!
//!  Part::Values   cell: text | gene: text | value: double     one row for each stored value other than zero
//!  Part::Cells    cell: text | the columns of obs              one row a cell
//!  Part::Genes    gene: text | the columns of var              one row a gene
//! ```
//!
//! # What is read
//!
//! * Values: integers of 8 to 64 bits, floats of 32 and 64 bits, booleans. Zeros are left out and counted
//!   ([`Matrix::n_zeros`]); negative values stand; values that are not finite, integers beyond 2^53 and a cell and
//!   gene stored twice are refused.
//! * Columns of `obs` and `var`: numbers, booleans, text, categories, nullable numbers and booleans. Integers become
//!   32 bits wide where they fit, otherwise 64. A float that is not a number is null, as in pandas. Columns of another
//!   encoding are left out and named ([`Matrix::left_out`]).
//! * Names of cells and genes must be all different: they are the keys of the three tables.
//! * HDF5 filters gzip, lzf, shuffle, scale-offset and fletcher32. Others are refused by name.
//!
//! # Memory and cost
//!
//! Names, row starts and categories are held whole; values and other columns are read by windows of a few MiB (or one
//! chunk, if chunks are larger) and given in batches of at most [`Options::batch_rows`] rows. Every size that a file
//! states is compared with the [`Limits`] before memory is taken for it. Cost is linear in what the file stores.
//!
//! # Example
//!
//! ```
//! use causeway_cells::{Layout, Limits, Options, open};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path();
//! std::fs::write(path.join("barcodes.tsv"), "AAAC-1\nAAAG-1\n")?;
//! std::fs::write(path.join("features.tsv"), "ENSG1\tTP53\tGene Expression\nENSG2\tMYC\tGene Expression\n")?;
//! std::fs::write(
//!     path.join("matrix.mtx"),
//!     "%%MatrixMarket matrix coordinate integer general\n2 2 3\n1 1 5\n2 1 0\n2 2 1\n",
//! )?;
//! assert_eq!(Layout::of(path), Some(Layout::Mtx));
//!
//! let mut matrix = open(path, &Options::default(), &Limits::default())?;
//! assert_eq!((matrix.n_cells(), matrix.n_genes(), matrix.n_stored()), (2, 2, Some(3)));
//! let batch = matrix.next().expect("one batch")?;
//! assert_eq!(batch.num_rows(), 2);
//! assert_eq!(matrix.n_zeros(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Look next at [`Options`] for what can be asked and at [`CellsError`] for what is refused.

mod anndata;
mod block;
mod dense;
mod error;
mod frame;
mod h5;
mod layout;
mod limits;
mod market;
mod matrix;
mod names;
mod options;
mod sparse;
mod tenx;

#[cfg(test)]
mod tests;

pub use error::{CellsError, Result};
pub use layout::{Layout, files};
pub use limits::Limits;
pub use matrix::{Matrix, open};
pub use options::{BATCH_ROWS, Options, Part};
