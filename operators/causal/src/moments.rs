//! Covariances of number columns, in one pass that keeps no row.
//!
//! Rows are gathered into blocks of a fixed size, whatever the batches; blocks are summed side by
//! side and their sums added in the order of the rows. So neither the cut into batches nor the number
//! of threads changes a bit.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use causeway_core::{BoundColumn, OperatorError, Relation, Result, RunContext};
use causeway_numerics::dense::{add_gram, padding};
use rayon::prelude::*;

/// Rows of one block.
const BLOCK_ROWS: usize = 512;

/// Blocks that are summed side by side.
const CHUNK_BLOCKS: usize = 16;

/// The second moments of some columns.
#[derive(Debug)]
pub(crate) struct Moments {
    pub(crate) n_rows: u64,
    /// The columns' names.
    pub(crate) names: Vec<String>,
    /// Sum of products of deviations over the number of rows; row-major.
    pub(crate) covariance: Vec<f64>,
}

/// Reads a relation.
///
/// Refuses nulls, NaN and infinities with their number in each column, and columns that are constant.
pub(crate) fn read(
    operator: &'static str,
    columns: &[&BoundColumn],
    mut relation: Relation,
    context: &RunContext,
) -> Result<Moments> {
    let mut reader = Reader::new(columns);
    context.grow_memory(reader.bytes())?;
    while let Some(batch) = relation.next_batch(context)? {
        reader.read(&batch, columns, context)?;
    }
    reader.finish(operator, columns, context)
}

#[derive(Debug)]
struct Reader {
    n_columns: usize,
    order: usize,
    n_rows: u64,
    /// Rows not summed yet, row-major, `order` values each.
    pending: Vec<f64>,
    /// The first row of all, taken off every other so that large means cost no digits.
    shift: Vec<f64>,
    sums: Vec<f64>,
    products: Vec<f64>,
    varies: Vec<bool>,
    n_nulls: Vec<usize>,
    n_not_finite: Vec<usize>,
}

impl Reader {
    fn new(columns: &[&BoundColumn]) -> Self {
        let n_columns = columns.len();
        let order = n_columns.next_multiple_of(padding());
        Self {
            n_columns,
            order,
            n_rows: 0,
            pending: Vec::new(),
            shift: Vec::new(),
            sums: vec![0.0; order],
            products: vec![0.0; order * order],
            varies: vec![false; n_columns],
            n_nulls: vec![0; n_columns],
            n_not_finite: vec![0; n_columns],
        }
    }

    fn bytes(&self) -> usize {
        let rows = CHUNK_BLOCKS * BLOCK_ROWS * self.order;
        size_of::<f64>() * (2 * rows + (CHUNK_BLOCKS + 1) * self.order * self.order)
    }

    fn read(&mut self, batch: &RecordBatch, columns: &[&BoundColumn], context: &RunContext) -> Result<()> {
        let values = columns
            .iter()
            .map(|column| Ok(cast(batch.column(column.index), &DataType::Float64)?))
            .collect::<Result<Vec<_>>>()?;
        let values: Vec<_> = values.iter().map(|column| column.as_primitive::<Float64Type>()).collect();
        for (index, column) in values.iter().enumerate() {
            self.n_nulls[index] += column.null_count();
            self.n_not_finite[index] += column.iter().flatten().filter(|value| !value.is_finite()).count();
        }
        if self.has_faults() {
            return Ok(()); // refused at the end, with the count of all rows
        }
        for row in 0..batch.num_rows() {
            if self.shift.is_empty() {
                self.shift = values.iter().map(|column| column.value(row)).collect();
            }
            let start = self.pending.len();
            self.pending.resize(start + self.order, 0.0);
            for (index, column) in values.iter().enumerate() {
                let deviation = column.value(row) - self.shift[index];
                self.varies[index] |= deviation.abs() > 0.0;
                self.pending[start + index] = deviation;
            }
            if self.pending.len() == CHUNK_BLOCKS * BLOCK_ROWS * self.order {
                self.sum_pending(context)?;
            }
        }
        self.n_rows += batch.num_rows() as u64;
        Ok(())
    }

    fn has_faults(&self) -> bool {
        self.n_nulls.iter().chain(&self.n_not_finite).any(|count| *count > 0)
    }

    fn sum_pending(&mut self, context: &RunContext) -> Result<()> {
        context.check_cancelled()?;
        let order = self.order;
        let blocks: Vec<(Vec<f64>, Vec<f64>)> = context
            .pool()
            .install(|| self.pending.par_chunks(BLOCK_ROWS * order).map(|block| sum_block(block, order)).collect());
        for (sums, products) in blocks {
            add(&mut self.sums, &sums);
            add(&mut self.products, &products);
        }
        self.pending.clear();
        Ok(())
    }

    fn finish(mut self, operator: &'static str, columns: &[&BoundColumn], context: &RunContext) -> Result<Moments> {
        self.sum_pending(context)?;
        let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        let refuse = |problem: String| Err(OperatorError::Data { operator, problem });
        if let Some(problem) = self.faults(&names) {
            return refuse(problem);
        }
        if self.n_rows < 2 {
            return refuse(format!("a covariance needs at least two rows, the input has {}", self.n_rows));
        }
        let constant: Vec<&str> =
            names.iter().zip(&self.varies).filter(|(_, varies)| !**varies).map(|(name, _)| name.as_str()).collect();
        if !constant.is_empty() {
            return refuse(format!("constant columns have no variance: {}; leave them out", constant.join(", ")));
        }
        let n_rows = to_float(self.n_rows);
        let means: Vec<f64> = self.sums.iter().map(|sum| sum / n_rows).collect();
        let n = self.n_columns;
        let covariance = (0..n * n)
            .map(|cell| self.products[cell / n * self.order + cell % n] / n_rows - means[cell / n] * means[cell % n])
            .collect::<Vec<f64>>();
        if covariance.iter().any(|entry| !entry.is_finite()) {
            return refuse("the squares of the values overflow; divide the columns by a constant".to_owned());
        }
        Ok(Moments { n_rows: self.n_rows, names, covariance })
    }

    fn faults(&self, names: &[String]) -> Option<String> {
        let count = |counts: &[usize], what: &str| -> Vec<String> {
            let found = names.iter().zip(counts).filter(|(_, count)| **count > 0);
            found
                .map(|(name, count)| {
                    format!("column `{name}` is {what} in {count} {}", if *count == 1 { "row" } else { "rows" })
                })
                .collect()
        };
        let words = [count(&self.n_nulls, "null"), count(&self.n_not_finite, "NaN or infinite")].concat();
        (!words.is_empty()).then(|| {
            format!(
                "{}; the method has no rule for missing values, so filter such rows in the SELECT",
                words.join(", ")
            )
        })
    }
}

/// Returns the column sums and the sums of products of a block.
fn sum_block(block: &[f64], order: usize) -> (Vec<f64>, Vec<f64>) {
    let mut sums = vec![0.0; order];
    for row in block.chunks_exact(order) {
        add(&mut sums, row);
    }
    let mut products = vec![0.0; order * order];
    add_gram(block, order, &mut products);
    (sums, products)
}

fn add(total: &mut [f64], more: &[f64]) {
    for (total, more) in total.iter_mut().zip(more) {
        *total += more;
    }
}

/// Converts a count of rows, far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "counts of rows")]
fn to_float(count: u64) -> f64 {
    count as f64
}
