//! Aligned columns for people.

use std::fmt;

use comfy_table::{CellAlignment, ContentArrangement, Table};

/// A rule under the header, bars between columns, nothing around.
const PRESET: &str = "     ─┼ │          ";

/// A table of texts.
pub(crate) struct Grid(Table);

impl Grid {
    /// Makes a table with a header.
    pub(crate) fn new(header: &[&str]) -> Self {
        let mut table = Table::new();
        table.load_preset(PRESET).set_content_arrangement(ContentArrangement::Disabled).set_header(header);
        Self(table)
    }

    /// Wraps cells where the table is wider than the terminal of standard output.
    #[must_use]
    pub(crate) fn fitted(mut self) -> Self {
        self.0.set_content_arrangement(ContentArrangement::Dynamic);
        self
    }

    /// Aligns columns to the right, for numbers.
    #[must_use]
    pub(crate) fn right(mut self, columns: impl IntoIterator<Item = usize>) -> Self {
        for column in columns {
            if let Some(column) = self.0.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        self
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.0.add_row(cells);
    }
}

impl fmt::Display for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.lines().map(|line| line.trim_end().to_owned()).collect();
        f.write_str(&lines.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_right_and_nothing_stands_around() {
        let mut grid = Grid::new(&["name", "rows"]).right([1]);
        grid.row(["lung".to_owned(), "228".to_owned()]);
        grid.row(["dd".to_owned(), "1808".to_owned()]);
        assert_eq!(grid.to_string(), " name │ rows\n──────┼──────\n lung │  228\n dd   │ 1808");
    }
}
