//! The table for people: buffered, since a column is as wide as its widest cell.

use std::io::Write;

use anyhow::Context as _;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::util::display::ArrayFormatter;

use super::BatchWriter;
use super::grid::Grid;
use super::values::{options, visible};

/// Collects the first rows and counts the others.
pub(crate) struct TableWriter<W: Write> {
    grid: Grid,
    max_rows: usize,
    n_shown: usize,
    n_hidden: usize,
    has_columns: bool,
    output: W,
}

impl<W: Write> TableWriter<W> {
    pub(crate) fn new(schema: &SchemaRef, max_rows: usize, output: W) -> Self {
        let header: Vec<String> = schema.fields().iter().map(|field| visible(field.name())).collect();
        let header: Vec<&str> = header.iter().map(String::as_str).collect();
        let numbers = schema.fields().iter().enumerate().filter(|(_, field)| field.data_type().is_numeric());
        Self {
            grid: Grid::new(&header).fitted().right(numbers.map(|(index, _)| index)),
            max_rows: if max_rows == 0 { usize::MAX } else { max_rows },
            n_shown: 0,
            n_hidden: 0,
            has_columns: !header.is_empty(),
            output,
        }
    }
}

/// The longest value a table shows; the other formats show all of it.
const MAX_SHOWN: usize = 2000;

fn shortened(text: String) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

impl<W: Write> BatchWriter for TableWriter<W> {
    fn write(&mut self, batch: &RecordBatch) -> anyhow::Result<()> {
        let n_taken = batch.num_rows().min(self.max_rows - self.n_shown);
        self.n_shown += n_taken;
        self.n_hidden += batch.num_rows() - n_taken;
        if n_taken == 0 || !self.has_columns {
            return Ok(());
        }
        let options = options("NULL");
        let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options));
        let columns: Vec<_> = columns.collect::<Result<_, _>>().context("a column cannot be printed")?;
        for row in 0..n_taken {
            self.grid.row(columns.iter().map(|column| visible(&shortened(column.value(row).to_string()))));
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> anyhow::Result<usize> {
        if self.has_columns {
            writeln!(self.output, "{}", self.grid)?;
        }
        self.output.flush()?;
        Ok(self.n_hidden)
    }
}
