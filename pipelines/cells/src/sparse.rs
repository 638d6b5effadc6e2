//! Compressed sparse matrices: the starts of the rows (or columns), then positions and values side by side.

use crate::block::{Block, Seen, ValueSource};
use crate::error::Result;
use crate::h5::{Array, Folder, Kind, Source};
use crate::limits::Budget;

/// Bytes of values read at once, unless a chunk is larger.
const WINDOW_BYTES: u64 = 2 << 20;

/// The axis along which a matrix is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Major {
    /// Cell after cell: AnnData's `csr_matrix`, and what 10x writes.
    Cells,
    /// Gene after gene: AnnData's `csc_matrix`.
    Genes,
}

/// The two lengths of a matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lengths {
    pub(crate) cells: u32,
    pub(crate) genes: u32,
}

/// A compressed sparse matrix, being read from front to back.
pub(crate) struct Sparse {
    source: Source,
    major: Major,
    n_minor: u32,
    /// Where each row starts, and the end of the last.
    starts: Vec<u64>,
    data: Array,
    indices: Array,
    seen: Seen,
    /// The row of the next value.
    row: u32,
    /// The number of the first value that is not yet read from the file.
    next: u64,
    window: Window,
    window_rows: u64,
}

#[derive(Default)]
struct Window {
    /// The number of the window's first value.
    start: u64,
    at: usize,
    values: Vec<f64>,
    minors: Vec<i64>,
}

impl Sparse {
    /// Opens `data`, `indices` and `indptr` of a group and checks that they fit each other and the lengths.
    pub(crate) fn open(
        folder: &Folder,
        major: Major,
        lengths: Lengths,
        source: &Source,
        budget: &mut Budget,
    ) -> Result<Self> {
        let (n_major, n_minor) = match major {
            Major::Cells => (lengths.cells, lengths.genes),
            Major::Genes => (lengths.genes, lengths.cells),
        };
        let data = number_array(folder, "data", source, budget)?;
        let indices = number_array(folder, "indices", source, budget)?;
        check_integers(&indices, source)?;
        budget.store(data.n_rows())?;
        if data.n_rows() != indices.n_rows() {
            let problem = format!("`{}` and `{}` differ in length", data.path, indices.path);
            return Err(source.malformed("sparse matrix", problem));
        }
        let starts = read_starts(folder, n_major, data.n_rows(), source, budget)?;
        let window_rows = data.window_rows(WINDOW_BYTES);
        data.hold_window(window_rows, budget)?;
        indices.hold_window(window_rows, budget)?;
        budget.hold(Seen::bytes(u64::from(n_minor)), "the positions of a row")?;
        let seen = Seen::new(usize::try_from(n_minor).unwrap_or(usize::MAX));
        let (source, window) = (source.clone(), Window::default());
        Ok(Self { source, major, n_minor, starts, data, indices, seen, row: 0, next: 0, window, window_rows })
    }

    /// Values stored, zeros included.
    pub(crate) fn n_stored(&self) -> u64 {
        self.data.n_rows()
    }

    fn read_window(&mut self) -> Result<bool> {
        let count = self.window_rows.min(self.n_stored().saturating_sub(self.next));
        if count == 0 {
            return Ok(false);
        }
        let values = self.data.doubles(self.next, count)?;
        let minors = self.indices.integers(self.next, count)?;
        self.window = Window { start: self.next, at: 0, values, minors };
        self.next += count;
        Ok(true)
    }

    /// The row to which the value of that number belongs; rows are only ever moved on.
    fn move_to(&mut self, number: u64) -> u32 {
        while self.starts.get(self.row as usize + 1).is_some_and(|end| *end <= number) {
            self.row += 1;
        }
        self.row
    }

    fn check_position(&mut self, row: u32, minor: i64) -> Result<u32> {
        let position = u32::try_from(minor).ok().filter(|position| *position < self.n_minor);
        let Some(position) = position else {
            let problem = format!("a position in `{}` is not below {}", self.indices.path, self.n_minor);
            return Err(self.source.malformed("sparse matrix", problem));
        };
        match self.seen.note(row, position as usize) {
            Some(true) => Ok(position),
            _ => Err(self.source.values(format!(
                "`{}` stores a value for the same cell and gene twice; write the file again after \
                 `adata.X.sum_duplicates()`",
                self.indices.path
            ))),
        }
    }
}

impl ValueSource for Sparse {
    fn fill(&mut self, block: &mut Block, rows: usize) -> Result<bool> {
        while block.len() < rows {
            let at = self.window.at;
            let (Some(value), Some(minor)) = (self.window.values.get(at), self.window.minors.get(at)) else {
                if self.read_window()? {
                    continue;
                }
                return Ok(false);
            };
            let (value, minor) = (*value, *minor);
            self.window.at += 1;
            let row = self.move_to(self.window.start + at as u64);
            let position = self.check_position(row, minor)?;
            let (cell, gene) = match self.major {
                Major::Cells => (row, position),
                Major::Genes => (position, row),
            };
            block.push(cell, gene, value, &self.source.file)?;
        }
        Ok(true)
    }
}

/// Reads where the rows start, and checks that they follow each other to the end.
fn read_starts(folder: &Folder, n_major: u32, n_stored: u64, source: &Source, budget: &mut Budget) -> Result<Vec<u64>> {
    let array = number_array(folder, "indptr", source, budget)?;
    check_integers(&array, source)?;
    let wrong = |problem: &str| Err(source.malformed("sparse matrix", format!("`{}` {problem}", array.path)));
    if array.n_rows() != u64::from(n_major) + 1 {
        return wrong(&format!("has {} entries; {n_major} rows need {}", array.n_rows(), u64::from(n_major) + 1));
    }
    budget.hold(array.n_rows().saturating_mul(24), "the starts of the rows")?;
    let starts = array.integers(0, array.n_rows())?;
    let starts: Option<Vec<u64>> = starts.into_iter().map(|start| u64::try_from(start).ok()).collect();
    let Some(starts) = starts else { return wrong("holds a negative start") };
    if !starts.is_sorted() {
        return wrong("goes backwards");
    }
    if starts.first() != Some(&0) || starts.last() != Some(&n_stored) {
        return wrong(&format!("does not lead from 0 to the {n_stored} values that are stored"));
    }
    Ok(starts)
}

fn number_array(folder: &Folder, name: &str, source: &Source, budget: &mut Budget) -> Result<Array> {
    let array = folder.dataset(name, "sparse matrix")?.array(budget)?;
    match array {
        Some(array) if array.kind.is_number() && array.shape.len() == 1 => Ok(array),
        _ => {
            let problem = format!("`{}/{name}` is not a list of numbers that is read", folder.path);
            Err(source
                .unsupported(problem, "write integers, or floats of 32 or 64 bits: `adata.X.astype(\"float32\")`"))
        }
    }
}

fn check_integers(array: &Array, source: &Source) -> Result<()> {
    if matches!(array.kind, Kind::Integer { .. }) {
        return Ok(());
    }
    Err(source.malformed("sparse matrix", format!("`{}` does not hold integers", array.path)))
}
