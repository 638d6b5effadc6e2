//! Reads cells by genes, from one column a gene or from one row a cell and gene.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use causeway_core::{BoundColumn, OperatorError, Relation, Result, Roles, RunContext};
use rayon::prelude::*;

use super::options::{SearchOptions, TestKind};
use crate::expression::Expression;
use crate::levelled::Levelled;

/// Where the genes stand in the input.
#[derive(Debug)]
pub(crate) enum Layout {
    /// One column for each gene.
    Wide {
        /// The columns' places.
        columns: Vec<usize>,
        /// The columns' names.
        genes: Vec<String>,
    },
    /// One row for each cell and gene.
    Long {
        /// The columns' places.
        cell: usize,
        gene: usize,
        value: usize,
    },
}

/// All cells of the input.
#[derive(Debug)]
pub(crate) struct Cells {
    /// The names of the genes: in the order of the columns, or sorted if the input is long.
    pub(crate) genes: Vec<String>,
    pub(crate) expression: Expression,
}

impl Layout {
    /// Decides between wide and long input.
    pub(crate) fn new(operator: &'static str, roles: &Roles, genes_named: bool) -> Result<Self> {
        match (roles.column("cell"), roles.column("gene"), roles.column("value")) {
            (Some(cell), Some(gene), Some(value)) if !genes_named => {
                Ok(Self::Long { cell: cell.index, gene: gene.index, value: value.index })
            }
            (_, Some(_), _) | (_, _, Some(_)) if !genes_named => {
                let problem = "long input needs the columns `cell`, `gene` and `value`; for wide input name the gene \
                               columns by `genes => ARRAY[...]`";
                Err(OperatorError::Data { operator, problem: problem.to_owned() })
            }
            _ => Self::wide(operator, &roles.columns("genes")),
        }
    }

    fn wide(operator: &'static str, columns: &[&BoundColumn]) -> Result<Self> {
        let genes: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        let mut seen = HashSet::new();
        if let Some(twice) = genes.iter().find(|gene| !seen.insert(gene.as_str())) {
            let problem = format!("gene column `{twice}` stands twice; give each gene one column and one name");
            return Err(OperatorError::Data { operator, problem });
        }
        refuse_fewer_than_two(operator, genes.len(), "number columns")?;
        Ok(Self::Wide { columns: columns.iter().map(|column| column.index).collect(), genes })
    }
}

/// Reads all cells.
pub(crate) fn read(
    operator: &'static str,
    layout: &Layout,
    options: &SearchOptions,
    inputs: Vec<Relation>,
    context: &RunContext,
) -> Result<Cells> {
    let mut faults = Faults::default();
    let (genes, columns) = match layout {
        Layout::Wide { columns, genes } => (genes.clone(), read_wide(columns, genes, inputs, &mut faults, context)?),
        Layout::Long { cell, gene, value } => {
            let mut entries = Entries::default();
            for mut relation in inputs {
                while let Some(batch) = relation.next_batch(context)? {
                    entries.add(&batch, (*cell, *gene, *value), &mut faults)?;
                    context.grow_memory(batch.num_rows() * size_of::<(usize, usize, f64)>())?;
                }
            }
            faults.n_twice = entries.sort();
            context.grow_memory(entries.genes.len() * entries.cells.len() * size_of::<f64>())?;
            entries.into_columns()
        }
    };
    faults.into_result(operator, options.allow_negative)?;
    refuse_fewer_than_two(operator, genes.len(), "genes")?;
    let expression = context.pool().install(|| Expression::new(operator, columns, options.transform))?;
    context.grow_memory(expression.bytes() / 64)?; // the masks
    if let TestKind::Levelled(_) = options.test {
        let (n_genes, n_cells) = (expression.n_genes(), expression.n_cells());
        context.grow_memory(Levelled::bytes(n_genes, n_cells, context.pool().current_num_threads()))?;
    }
    context.progress(0.05);
    Ok(Cells { genes, expression })
}

fn refuse_fewer_than_two(operator: &'static str, n_genes: usize, what: &str) -> Result<()> {
    if n_genes >= 2 {
        return Ok(());
    }
    let problem = format!("a network needs at least two genes, the input has {n_genes} {what}");
    Err(OperatorError::Data { operator, problem })
}

/// Reads all batches, then copies the genes side by side; what a gene came in goes as soon as it is copied.
fn read_wide(
    columns: &[usize],
    genes: &[String],
    inputs: Vec<Relation>,
    faults: &mut Faults,
    context: &RunContext,
) -> Result<Vec<Vec<f64>>> {
    let mut n_cells = 0;
    let mut pieces: Vec<Vec<ArrayRef>> = vec![Vec::new(); columns.len()];
    for mut relation in inputs {
        while let Some(batch) = relation.next_batch(context)? {
            context.grow_memory(batch.num_rows() * columns.len() * size_of::<f64>())?;
            n_cells += batch.num_rows();
            pieces.iter_mut().zip(columns).for_each(|(pieces, index)| pieces.push(Arc::clone(batch.column(*index))));
        }
    }
    let read = |(pieces, gene): (Vec<ArrayRef>, &String)| {
        let mut faults = Faults::default();
        let mut values = Vec::with_capacity(n_cells);
        for piece in pieces {
            let numbers = to_doubles(&piece)?;
            faults.check(&numbers, gene);
            values.extend_from_slice(numbers.values());
        }
        Ok((values, faults))
    };
    let of_genes = || pieces.into_par_iter().zip(genes).map(read).collect::<Result<Vec<_>>>();
    let (values, found): (_, Vec<Faults>) = context.pool().install(of_genes)?.into_iter().unzip();
    found.into_iter().for_each(|found| faults.merge(found));
    Ok(values)
}

/// Rows of long input; cells are numbered as they come.
#[derive(Debug, Default)]
struct Entries {
    genes: HashMap<String, usize>,
    cells: HashMap<String, usize>,
    /// Gene, cell, value.
    values: Vec<(usize, usize, f64)>,
}

impl Entries {
    fn add(
        &mut self,
        batch: &RecordBatch,
        (cell, gene, value): (usize, usize, usize),
        faults: &mut Faults,
    ) -> Result<()> {
        let (cells, genes) = (to_text(batch.column(cell))?, to_text(batch.column(gene))?);
        let (cells, genes) = (cells.as_string::<i32>(), genes.as_string::<i32>());
        let values = to_doubles(batch.column(value))?;
        faults.n_keys_null += cells.null_count() + genes.null_count();
        faults.check(&values, "");
        for (row, value) in values.values().iter().enumerate() {
            let gene = number(&mut self.genes, genes, row);
            let cell = number(&mut self.cells, cells, row);
            self.values.push((gene, cell, *value));
        }
        Ok(())
    }

    /// Sorts the values by gene and cell, and returns how many have the gene and cell of another.
    fn sort(&mut self) -> usize {
        self.values.sort_unstable_by_key(|(gene, cell, _)| (*gene, *cell));
        self.values.windows(2).filter(|pair| (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1)).count()
    }

    fn into_columns(self) -> (Vec<String>, Vec<Vec<f64>>) {
        let n_cells = self.cells.len();
        let sorted: BTreeMap<String, usize> = self.genes.into_iter().collect();
        let mut columns = vec![vec![0.0; n_cells]; sorted.len()];
        let mut place = vec![0; sorted.len()];
        for (position, number) in sorted.values().enumerate() {
            place[*number] = position;
        }
        for (gene, cell, value) in self.values {
            columns[place[gene]][cell] = value;
        }
        (sorted.into_keys().collect(), columns)
    }
}

fn number(numbers: &mut HashMap<String, usize>, keys: &StringArray, row: usize) -> usize {
    let key = if keys.is_null(row) { "" } else { keys.value(row) };
    if let Some(number) = numbers.get(key) {
        return *number;
    }
    let number = numbers.len();
    numbers.insert(key.to_owned(), number);
    number
}

/// How many values no network can be learned from, with the gene, first by name, that has one.
#[derive(Debug, Default)]
struct Faults {
    null: Option<(usize, String)>,
    not_finite: Option<(usize, String)>,
    negative: Option<(usize, String)>,
    n_keys_null: usize,
    n_twice: usize,
}

impl Faults {
    /// Counts the values that cannot be used; the gene is "" if its name is itself a value of a row.
    fn check(&mut self, values: &Float64Array, gene: &str) {
        if values.null_count() == 0 && values.values().iter().all(|value| (0.0..=f64::MAX).contains(value)) {
            return;
        }
        for value in values {
            let fault = match value {
                None => &mut self.null,
                Some(value) if !value.is_finite() => &mut self.not_finite,
                Some(value) if value < 0.0 => &mut self.negative,
                Some(_) => continue,
            };
            fault.get_or_insert_with(|| (0, gene.to_owned())).0 += 1;
        }
    }

    fn merge(&mut self, other: Self) {
        self.n_keys_null += other.n_keys_null;
        self.n_twice += other.n_twice;
        let pairs = [
            (&mut self.null, other.null),
            (&mut self.not_finite, other.not_finite),
            (&mut self.negative, other.negative),
        ];
        for (mine, other) in pairs {
            let Some((n_values, gene)) = other else { continue };
            let (total, least) = mine.get_or_insert_with(|| (0, gene.clone()));
            *total += n_values;
            if gene < *least {
                *least = gene;
            }
        }
    }

    fn into_result(self, operator: &'static str, allow_negative: bool) -> Result<()> {
        let mut found = Vec::new();
        let mut add = |fault: &Option<(usize, String)>, what: &str, remedy: &str| {
            if let Some((n_values, gene)) = fault {
                let example = if gene.is_empty() { String::new() } else { format!(" (gene `{gene}` has some)") };
                found.push(format!("{n_values} values are {what}{example}: {remedy}"));
            }
        };
        add(
            &self.null,
            "null",
            "a value that was not measured is no zero, so filter the cells or coalesce in the SELECT",
        );
        add(&self.not_finite, "NaN or infinite", "filter or correct them in the SELECT");
        if !allow_negative {
            add(&self.negative, "negative", "expression is not; for values on another scale set negative => 'allow'");
        }
        if self.n_keys_null > 0 {
            found.push(format!("`cell` or `gene` is null in {} rows: filter them in the SELECT", self.n_keys_null));
        }
        if self.n_twice > 0 {
            found.push(format!("{} rows repeat a cell and gene: sum or filter them in the SELECT", self.n_twice));
        }
        if found.is_empty() { Ok(()) } else { Err(OperatorError::Data { operator, problem: found.join("; ") }) }
    }
}

fn to_doubles(column: &ArrayRef) -> Result<Float64Array> {
    if column.data_type() == &DataType::Float64 {
        return Ok(column.as_primitive::<Float64Type>().clone());
    }
    Ok(cast(column, &DataType::Float64)?.as_primitive::<Float64Type>().clone())
}

fn to_text(column: &ArrayRef) -> Result<ArrayRef> {
    Ok(cast(column, &DataType::Utf8)?)
}
