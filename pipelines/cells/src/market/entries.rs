//! The entries of a Matrix Market file in coordinate form: `gene cell value`, counted from 1.

use std::path::Path;

use crate::block::{Block, Seen, ValueSource};
use crate::error::{CellsError, Result};
use crate::limits::Budget;
use crate::market::lines::Lines;
use crate::sparse::Lengths;

/// Integers up to here are exact as doubles.
const LARGEST_EXACT: u64 = 1 << 53;
/// How to write a file that is read.
const REWRITE: &str = "write it with `scipy.io.mmwrite(path, scipy.sparse.csc_matrix(counts), symmetry=\"general\")`";

/// The type of the values that a file declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Integer,
    Real,
}

/// A matrix file, being read from front to back.
pub(crate) struct Entries {
    lines: Lines,
    budget: Budget,
    field: Field,
    n_stored: u64,
    n_read: u64,
    order: Order,
    lengths: Lengths,
}

impl Entries {
    /// Reads the header and compares it with the numbers of names.
    pub(crate) fn open(path: &Path, lengths: Lengths, mut budget: Budget) -> Result<Self> {
        let mut lines = Lines::open(path)?;
        let field = read_field(&mut lines, &mut budget)?;
        let [n_rows, n_columns, n_stored] = read_size(&mut lines, &mut budget)?;
        let (genes, cells) = (u64::from(lengths.genes), u64::from(lengths.cells));
        if (n_rows, n_columns) != (genes, cells) {
            let hint = if (n_rows, n_columns) == (cells, genes) { ": transpose it" } else { "" };
            let problem = format!(
                "declares {n_rows} rows and {n_columns} columns; the tables beside it name {genes} genes (rows) and \
                 {cells} cells (columns){hint}"
            );
            return Err(lines.malformed(&problem));
        }
        budget.store(n_stored)?;
        budget.hold(Seen::bytes(genes + cells), "the positions of a row")?;
        Ok(Self { lines, budget, field, n_stored, n_read: 0, order: Order::new(lengths), lengths })
    }

    /// Values stored, zeros included.
    pub(crate) fn n_stored(&self) -> u64 {
        self.n_stored
    }

    /// Reads the next entry: cell, gene, value.
    fn next(&mut self) -> Result<Option<(u32, u32, f64)>> {
        let Some(line) = self.lines.next(&mut self.budget)? else {
            if self.n_read == self.n_stored {
                return Ok(None);
            }
            let problem =
                format!("is the last; the header declares {} entries, {} are there", self.n_stored, self.n_read);
            return Err(self.lines.malformed(&problem));
        };
        let entry = parse(line, self.field);
        if self.n_read == self.n_stored {
            return Err(self
                .lines
                .malformed(&format!("follows the {} entries that the header declares", self.n_stored)));
        }
        self.n_read += 1;
        let (gene, cell, value) = entry.map_err(|problem| self.lines.malformed(problem))?;
        let Lengths { cells, genes } = self.lengths;
        let below = |number: u64, length: u32| {
            u32::try_from(number).ok().and_then(|number| number.checked_sub(1)).filter(|position| *position < length)
        };
        match (below(cell, cells), below(gene, genes)) {
            (Some(cell), Some(gene)) => Ok(Some((cell, gene, value))),
            _ => Err(self.lines.malformed(&format!("leads outside the {genes} rows and {cells} columns"))),
        }
    }

    fn check_order(&mut self, cell: u32, gene: u32) -> Result<()> {
        let file = self.lines.file().to_owned();
        match self.order.note(cell, gene) {
            Noted::New => Ok(()),
            Noted::Repeated => Err(CellsError::Values {
                file,
                problem: format!("line {} repeats a cell and gene; sum such entries first", self.lines.number()),
            }),
            Noted::Unordered => Err(CellsError::Unsupported {
                file,
                problem: "the entries are grouped neither by cell nor by gene".to_owned(),
                fix: REWRITE.to_owned(),
            }),
        }
    }
}

impl ValueSource for Entries {
    fn fill(&mut self, block: &mut Block, rows: usize) -> Result<bool> {
        while block.len() < rows {
            let Some((cell, gene, value)) = self.next()? else { return Ok(false) };
            self.check_order(cell, gene)?;
            block.push(cell, gene, value, self.lines.file())?;
        }
        Ok(true)
    }
}

/// Reads the first line; symmetric, pattern, complex and array files are refused.
fn read_field(lines: &mut Lines, budget: &mut Budget) -> Result<Field> {
    let file = lines.file().to_owned();
    let header = lines.next(budget)?.unwrap_or_default().to_ascii_lowercase();
    let words: Vec<&str> = header.split_ascii_whitespace().collect();
    let ["%%matrixmarket", "matrix", format, field, symmetry] = words[..] else {
        let expected = "is not the header `%%MatrixMarket matrix coordinate integer general` (or `real`)";
        return Err(lines.malformed(expected));
    };
    let refuse =
        |problem: &str| Err(CellsError::Unsupported { file, problem: problem.to_owned(), fix: REWRITE.to_owned() });
    match (format, field, symmetry) {
        ("coordinate", "integer", "general") => Ok(Field::Integer),
        ("coordinate", "real" | "double", "general") => Ok(Field::Real),
        ("array", _, _) => refuse("it is a dense `array`; read is `coordinate`"),
        ("coordinate", "pattern", _) => {
            refuse("a `pattern` has positions and no values; read are `integer` and `real`")
        }
        ("coordinate", "complex", _) => refuse("its values are `complex`; read are `integer` and `real`"),
        ("coordinate", "integer" | "real" | "double", "symmetric" | "skew-symmetric" | "hermitian") => {
            refuse("it is symmetric, which genes by cells cannot be; read is `general`")
        }
        _ => Err(lines.malformed("has a header of unknown words")),
    }
}

/// Reads the line of sizes, after comments: rows, columns, entries.
fn read_size(lines: &mut Lines, budget: &mut Budget) -> Result<[u64; 3]> {
    while let Some(line) = lines.next(budget)? {
        if line.starts_with('%') {
            continue;
        }
        let numbers: Option<Vec<u64>> = line.split_ascii_whitespace().map(|word| word.parse().ok()).collect();
        return match numbers.as_deref() {
            Some(&[n_rows, n_columns, n_stored]) => Ok([n_rows, n_columns, n_stored]),
            _ => Err(lines.malformed("does not hold the numbers of rows, columns and entries")),
        };
    }
    Err(lines.malformed("is the last; the line of sizes is missing"))
}

/// Reads `gene cell value`; the positions are not yet compared with the sizes.
fn parse(line: &str, field: Field) -> Result<(u64, u64, f64), &'static str> {
    let mut words = line.split_ascii_whitespace();
    let (Some(gene), Some(cell), Some(value), None) = (words.next(), words.next(), words.next(), words.next()) else {
        return Err("does not hold a row, a column and a value");
    };
    let position = |word: &str| word.parse::<u64>().map_err(|_| "does not begin with two positions");
    let value = match field {
        Field::Real => value.parse::<f64>().map_err(|_| "does not end with a number")?,
        Field::Integer => {
            let integer = value.parse::<i64>().map_err(|_| "does not end with an integer")?;
            if integer.unsigned_abs() > LARGEST_EXACT {
                return Err("has an integer beyond 2^53, which a double cannot hold");
            }
            #[expect(clippy::cast_precision_loss, reason = "at most 2^53")]
            let exact = integer as f64;
            exact
        }
    };
    Ok((position(gene)?, position(cell)?, value))
}

/// Follows the order of entries: grouped by cell, by gene, or by both.
struct Order {
    by_cell: Option<Grouped>,
    by_gene: Option<Grouped>,
}

struct Grouped {
    seen: Seen,
    group: u32,
}

enum Noted {
    New,
    Repeated,
    Unordered,
}

impl Order {
    fn new(lengths: Lengths) -> Self {
        let grouped = |n: u32| Some(Grouped { seen: Seen::new(n as usize), group: 0 });
        Self { by_cell: grouped(lengths.genes), by_gene: grouped(lengths.cells) }
    }

    /// Notes an entry. While a grouping holds it tells for certain whether a position was there before.
    fn note(&mut self, cell: u32, gene: u32) -> Noted {
        let by_cell = note_grouped(&mut self.by_cell, cell, gene);
        let by_gene = note_grouped(&mut self.by_gene, gene, cell);
        match (by_cell, by_gene) {
            (None, None) => Noted::Unordered,
            (Some(false), _) | (_, Some(false)) => Noted::Repeated,
            _ => Noted::New,
        }
    }
}

fn note_grouped(grouped: &mut Option<Grouped>, group: u32, position: u32) -> Option<bool> {
    let state = grouped.as_mut()?;
    if group < state.group {
        *grouped = None;
        return None;
    }
    state.group = group;
    state.seen.note(group, position as usize)
}
