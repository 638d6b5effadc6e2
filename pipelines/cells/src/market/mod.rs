//! Matrix Market folders, as Cell Ranger, STARsolo and many archives lay them out: the values in `matrix.mtx`,
//! the cells in `barcodes.tsv`, the genes in `features.tsv` (or `genes.tsv`), each plain or packed with gzip.
//!
//! The matrix is genes by cells. Genes are named by the first column of their table, the identifier.

mod entries;
mod lines;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::StringArray;

use crate::error::{CellsError, Result};
use crate::frame::Column;
use crate::h5::Source;
use crate::layout::file_name;
use crate::limits::{Budget, Limits};
use crate::matrix::{Content, Opened};
use crate::names::{self, Axis, Names};
use crate::options::{Options, Part};
use entries::Entries;
use lines::Lines;

/// Memory for a text besides its bytes.
const BYTES_PER_TEXT: u64 = 48;
/// The columns of the table of genes, after the identifier.
const GENE_COLUMNS: [&str; 2] = ["name", "feature_type"];

/// The three files of a matrix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MarketFiles {
    pub(crate) matrix: PathBuf,
    pub(crate) barcodes: PathBuf,
    pub(crate) features: PathBuf,
}

impl MarketFiles {
    /// Finds the files: in a folder, or beside a matrix file, whose name may begin with a prefix that they share.
    pub(crate) fn find(path: &Path) -> Result<Self> {
        let file = file_name(path);
        let io_error = |source| CellsError::Io { file: file.clone(), source };
        let (folder, prefix, matrix) = if std::fs::metadata(path).map_err(io_error)?.is_dir() {
            let matrix = one_of(path, "", &["matrix.mtx", "matrix.mtx.gz"], &file)?;
            (path, String::new(), matrix)
        } else {
            let plain = file.strip_suffix(".gz").unwrap_or(&file);
            let prefix = plain.strip_suffix("matrix.mtx").unwrap_or_default().to_owned();
            (path.parent().unwrap_or(Path::new("")), prefix, path.to_path_buf())
        };
        let barcodes = one_of(folder, &prefix, &["barcodes.tsv", "barcodes.tsv.gz"], &file)?;
        let tables = ["features.tsv", "features.tsv.gz", "genes.tsv", "genes.tsv.gz"];
        let features = one_of(folder, &prefix, &tables, &file)?;
        Ok(Self { matrix, barcodes, features })
    }
}

/// The one file of several names that is there.
fn one_of(folder: &Path, prefix: &str, names: &[&str], file: &str) -> Result<PathBuf> {
    let mut found = Vec::new();
    for name in names {
        let path = folder.join(format!("{prefix}{name}"));
        if path.try_exists().map_err(|source| CellsError::Io { file: file_name(&path), source })? {
            found.push(path);
        }
    }
    let listed = names.iter().map(|name| format!("`{prefix}{name}`")).collect::<Vec<_>>().join(", ");
    match found.len() {
        1 => Ok(found.swap_remove(0)),
        0 => Err(CellsError::Missing {
            file: file.to_owned(),
            what: format!("table beside it named {listed}"),
            fix: "put the three files of the matrix into one folder".to_owned(),
        }),
        _ => Err(CellsError::Layout {
            file: file.to_owned(),
            problem: format!("more than one of {listed} is there; keep one"),
        }),
    }
}

/// Opens a folder of three files, or a matrix file with its tables beside it.
pub(crate) fn open(path: &Path, options: &Options, limits: &Limits) -> Result<Opened> {
    let files = MarketFiles::find(path)?;
    let mut n_bytes = 0_u64;
    for path in [&files.matrix, &files.barcodes, &files.features] {
        let metadata = std::fs::metadata(path);
        n_bytes += metadata.map_err(|source| CellsError::Io { file: file_name(path), source })?.len();
    }
    let mut budget = Budget::new(&file_name(&files.matrix), limits, n_bytes);
    let mut left_out = Vec::new();
    let mut cells = Table::read(&files.barcodes, &mut budget)?;
    let mut genes = Table::read(&files.features, &mut budget)?;
    let names = Names { cells: cells.names(Axis::Cells)?, genes: genes.names(Axis::Genes)? };
    let source = Source { file: Arc::from(file_name(&files.matrix)) };
    let content = match options.part {
        Part::Values => {
            let entries = Entries::open(&files.matrix, names.lengths(), budget)?;
            Content::Values { n_stored: entries.n_stored(), values: Box::new(entries) }
        }
        Part::Cells => Content::Frame(cells.columns(&[], &mut left_out)?),
        Part::Genes => Content::Frame(genes.columns(&GENE_COLUMNS, &mut left_out)?),
    };
    Ok(Opened { names, content, left_out, source })
}

/// A table of texts without a header, column by column.
struct Table {
    file: String,
    columns: Vec<Vec<String>>,
}

impl Table {
    fn read(path: &Path, budget: &mut Budget) -> Result<Self> {
        let mut lines = Lines::open(path)?;
        let mut columns: Vec<Vec<String>> = Vec::new();
        while let Some(line) = lines.next(budget)? {
            let fields: Vec<&str> = line.split('\t').collect();
            budget.hold(line.len() as u64 + BYTES_PER_TEXT * fields.len() as u64, "the names of cells and genes")?;
            if columns.is_empty() {
                columns.resize_with(fields.len(), Vec::new);
            }
            if columns.len() != fields.len() {
                let problem = format!("has {} fields, the first line has {}", fields.len(), columns.len());
                return Err(lines.malformed(&problem));
            }
            for (column, field) in columns.iter_mut().zip(fields) {
                column.push(field.to_owned());
            }
        }
        Ok(Self { file: file_name(path), columns })
    }

    /// Takes the first column, which names the rows.
    fn names(&mut self, axis: Axis) -> Result<StringArray> {
        let names = if self.columns.is_empty() { Vec::new() } else { self.columns.remove(0) };
        names::check(&names, axis, &self.file)
    }

    /// The other columns by their names; those beyond are left out and named by their place.
    fn columns(self, names: &[&str], left_out: &mut Vec<String>) -> Result<Vec<Column>> {
        let mut columns = Vec::with_capacity(names.len());
        for (place, texts) in self.columns.into_iter().enumerate() {
            let Some(name) = names.get(place) else {
                left_out.push(format!("column {} of {}", place + 2, self.file));
                continue;
            };
            let n_bytes: usize = texts.iter().map(String::len).sum();
            if i32::try_from(n_bytes).is_err() {
                let problem = format!("column {} holds more than 2 GiB of text", place + 2);
                return Err(CellsError::Values { file: self.file, problem });
            }
            columns.push(Column::ready(name, StringArray::from_iter_values(texts)));
        }
        Ok(columns)
    }
}
