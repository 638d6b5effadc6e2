//! Files of 10x Genomics, Cell Ranger 3 and later: one group `matrix`, genes by cells, compressed by cell.
//!
//! Genes are named by `features/id`, which are all different; the symbols in `features/name` often are not, and
//! become the column `name`.

use arrow::array::{Array as _, StringArray};

use crate::error::Result;
use crate::frame::Column;
use crate::h5::{Array, Folder, H5File, Node, Source};
use crate::limits::Budget;
use crate::matrix::{Content, Opened};
use crate::names::{self, Axis, Names};
use crate::options::{Options, Part};
use crate::sparse::{Lengths, Major, Sparse};

/// The columns of `features` that come first, in this order.
const FIRST_COLUMNS: [&str; 3] = ["name", "feature_type", "genome"];

/// Opens a 10x file.
pub(crate) fn open(mut file: H5File, options: &Options) -> Result<Opened> {
    let source = file.source.clone();
    let fix = "it is in every file of Cell Ranger 3 and later";
    let matrix = file.root().group("matrix")?.ok_or_else(|| source.missing("group `matrix`", fix))?;
    let features = matrix.group("features")?.ok_or_else(|| source.missing("group `matrix/features`", fix))?;
    let budget = &mut file.budget;
    let names = Names {
        cells: read_names(&matrix, "barcodes", Axis::Cells, &source, budget)?,
        genes: read_names(&features, "id", Axis::Genes, &source, budget)?,
    };
    let mut left_out = Vec::new();
    let content = match options.part {
        Part::Values => {
            let sparse = values(&matrix, names.lengths(), &source, budget)?;
            Content::Values { n_stored: sparse.n_stored(), values: Box::new(sparse) }
        }
        Part::Cells => Content::Frame(Vec::new()),
        Part::Genes => Content::Frame(gene_columns(&features, names.genes.len(), &mut left_out, &source, budget)?),
    };
    Ok(Opened { names, content, left_out, source })
}

fn values(matrix: &Folder, lengths: Lengths, source: &Source, budget: &mut Budget) -> Result<Sparse> {
    let shape = matrix.dataset("shape", "10x")?.array(budget)?.filter(|shape| shape.n_rows() == 2);
    let shape = shape.map(|shape| shape.integers(0, 2)).transpose()?;
    if shape != Some(vec![i64::from(lengths.genes), i64::from(lengths.cells)]) {
        let problem = format!(
            "`matrix/shape` is not that of the {} genes and {} cells that are named",
            lengths.genes, lengths.cells
        );
        return Err(source.malformed("10x", problem));
    }
    Sparse::open(matrix, Major::Cells, lengths, source, budget)
}

fn read_names(folder: &Folder, name: &str, axis: Axis, source: &Source, budget: &mut Budget) -> Result<StringArray> {
    let Some(array) = text_list(folder, name, budget)? else {
        return Err(source.malformed("10x", format!("`{}/{name}` is not a list of texts", folder.path)));
    };
    array.hold_texts(&format!("the names of {}", axis.plural()), budget)?;
    names::check(&array.all_texts()?, axis, &source.file)
}

/// The texts that tell of genes: the usual ones first, then others by name.
fn gene_columns(
    features: &Folder,
    n_genes: usize,
    left_out: &mut Vec<String>,
    source: &Source,
    budget: &mut Budget,
) -> Result<Vec<Column>> {
    let mut names = features.names()?;
    names.retain(|name| name != "id" && !name.starts_with('_'));
    names.sort_by_key(|name| FIRST_COLUMNS.iter().position(|first| first == name).unwrap_or(FIRST_COLUMNS.len()));
    let mut columns = Vec::with_capacity(names.len());
    for name in names {
        let array = if name == Axis::Genes.column() { None } else { text_list(features, &name, budget)? };
        let Some(array) = array else {
            left_out.push(name);
            continue;
        };
        if array.n_rows() != n_genes as u64 {
            let problem = format!("`{}/{name}` has not as many rows as there are genes", features.path);
            return Err(source.malformed("10x", problem));
        }
        columns.push(Column::plain(&name, array));
    }
    Ok(columns)
}

fn text_list(folder: &Folder, name: &str, budget: &mut Budget) -> Result<Option<Array>> {
    let Node::Dataset(item) = folder.node(name)? else { return Ok(None) };
    Ok(item.array(budget)?.filter(|array| array.kind.is_text() && array.shape.len() == 1))
}
