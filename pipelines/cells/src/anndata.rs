//! AnnData files: `X`, `layers` and `raw` for values, `obs` for cells, `var` for genes.
//!
//! Follows the on-disk format of anndata 0.7 to 0.12: encodings `array` 0.2.0, `csr_matrix` and `csc_matrix` 0.1.0,
//! `dataframe` 0.1.0 and 0.2.0, `string-array` 0.2.0, `categorical` 0.2.0, `nullable-integer`, `nullable-boolean`
//! and `nullable-string-array` 0.1.0, and the categories that 0.7 kept under `__categories`.

use std::collections::HashSet;

use hdf5_pure::AttrValue;

use crate::dense::Dense;
use crate::error::{CellsError, Result};
use crate::frame::Column;
use crate::h5::{Array, Folder, H5File, Item, Node, Source};
use crate::limits::Budget;
use crate::matrix::{Content, Opened};
use crate::names::{self, Axis, Names};
use crate::options::{Options, Part};
use crate::sparse::{Lengths, Major, Sparse};

/// What to do with files of before anndata 0.7.
const NEWER: &str = "read it with `anndata.read_h5ad` and write it again";

/// Opens an AnnData file.
pub(crate) fn open(mut file: H5File, options: &Options) -> Result<Opened> {
    let root = file.root();
    let holder = if options.raw { raw(&root, &file.source)? } else { root.clone() };
    let source = file.source.clone();
    let obs = frame_folder(&root, "obs", &source)?;
    let var = frame_folder(&holder, "var", &source)?;
    let budget = &mut file.budget;
    let names = Names {
        cells: read_names(&obs, Axis::Cells, &source, budget)?,
        genes: read_names(&var, Axis::Genes, &source, budget)?,
    };
    let mut left_out = Vec::new();
    let content = match options.part {
        Part::Values => values(&holder, options, names.lengths(), &source, budget)?,
        Part::Cells => Content::Frame(columns(
            &obs,
            Axis::Cells,
            u64::from(names.lengths().cells),
            &mut left_out,
            &source,
            budget,
        )?),
        Part::Genes => Content::Frame(columns(
            &var,
            Axis::Genes,
            u64::from(names.lengths().genes),
            &mut left_out,
            &source,
            budget,
        )?),
    };
    Ok(Opened { names, content, left_out, source })
}

fn raw(root: &Folder, source: &Source) -> Result<Folder> {
    root.group("raw")?.ok_or_else(|| source.missing("`raw`", "read without it, or set `adata.raw` and write it again"))
}

/// The group of `obs` or `var`.
fn frame_folder(holder: &Folder, name: &str, source: &Source) -> Result<Folder> {
    match holder.node(name)? {
        Node::Group(folder) => Ok(folder),
        Node::Dataset(item) => {
            let problem = format!("`{}` is a table as anndata before 0.7 wrote it", item.path);
            Err(source.unsupported(problem, NEWER))
        }
        Node::Absent => {
            Err(source.missing(&format!("`{}/{name}`", holder.path), "write it with `adata.write_h5ad(path)`"))
        }
    }
}

/// Opens the matrix that the options ask for.
fn values(
    holder: &Folder,
    options: &Options,
    lengths: Lengths,
    source: &Source,
    budget: &mut Budget,
) -> Result<Content> {
    let node = match &options.layer {
        Some(layer) => layer_node(holder, layer, source)?,
        None => holder.node("X")?,
    };
    let content = match node {
        Node::Dataset(item) => {
            let dense = Dense::open(&item, lengths, source, budget)?;
            Content::Values { n_stored: dense.n_stored(), values: Box::new(dense) }
        }
        Node::Group(folder) => {
            let sparse = sparse(&folder, lengths, source, budget)?;
            Content::Values { n_stored: sparse.n_stored(), values: Box::new(sparse) }
        }
        Node::Absent => {
            return Err(source.missing(&format!("`{}/X`", holder.path), "name the layer that holds the values"));
        }
    };
    Ok(content)
}

fn layer_node(holder: &Folder, layer: &str, source: &Source) -> Result<Node> {
    let layers = holder.group("layers")?;
    if let (Some(layers), true) = (&layers, is_one_name(layer)) {
        let node = layers.node(layer)?;
        if !matches!(node, Node::Absent) {
            return Ok(node);
        }
    }
    let known = layers.map(|layers| layers.names()).transpose()?.unwrap_or_default();
    let known: Vec<String> = known.iter().take(20).map(|name| format!("`{name}`")).collect();
    let known =
        if known.is_empty() { "there are no layers".to_owned() } else { format!("there are {}", known.join(", ")) };
    Err(CellsError::Options { file: source.file.to_string(), problem: format!("no layer `{layer}`; {known}") })
}

/// True for a name that leads nowhere but to a member of its group.
fn is_one_name(name: &str) -> bool {
    !name.is_empty() && name != "." && !name.contains('/')
}

fn sparse(folder: &Folder, lengths: Lengths, source: &Source, budget: &mut Budget) -> Result<Sparse> {
    let encoding = folder.text("encoding-type")?;
    let major = match encoding.as_deref() {
        Some("csr_matrix") => Major::Cells,
        Some("csc_matrix") => Major::Genes,
        Some(other) => {
            let problem =
                format!("`{}` is encoded as `{other}`; read are array, csr_matrix and csc_matrix", folder.path);
            return Err(source.unsupported(problem, "convert it before writing"));
        }
        None => return Err(source.unsupported(format!("`{}` names no encoding", folder.path), NEWER)),
    };
    let shape = folder.attribute("shape")?.and_then(|shape| shape.to_u64s());
    if shape != Some(vec![u64::from(lengths.cells), u64::from(lengths.genes)]) {
        let problem = format!(
            "the shape of `{}` is not that of the {} cells and {} genes that are named",
            folder.path, lengths.cells, lengths.genes
        );
        return Err(source.malformed("AnnData", problem));
    }
    Sparse::open(folder, major, lengths, source, budget)
}

fn read_names(frame: &Folder, axis: Axis, source: &Source, budget: &mut Budget) -> Result<arrow::array::StringArray> {
    let Some(index) = frame.text("_index")? else {
        return Err(source.malformed("AnnData", format!("`{}` does not say which column is its index", frame.path)));
    };
    let array = frame.dataset(&index, "AnnData")?.array(budget)?;
    let Some(array) = array.filter(|array| array.kind.is_text() && array.shape.len() == 1) else {
        let problem = format!("the index of `{}` is not a list of texts", frame.path);
        return Err(source.unsupported(problem, "set `adata.obs_names` and `adata.var_names` to texts"));
    };
    array.hold_texts(&format!("the names of {}", axis.plural()), budget)?;
    names::check(&array.all_texts()?, axis, &source.file)
}

/// Opens the columns of `obs` or `var` in their order; those that are not read are named in `left_out`.
fn columns(
    frame: &Folder,
    axis: Axis,
    n_rows: u64,
    left_out: &mut Vec<String>,
    source: &Source,
    budget: &mut Budget,
) -> Result<Vec<Column>> {
    let order = column_order(frame, axis, source)?;
    let mut columns = Vec::with_capacity(order.len());
    for name in &order {
        let Some(column) = column(frame, name, source, budget)? else {
            left_out.push(name.clone());
            continue;
        };
        if column.n_rows() != n_rows {
            let problem = format!("`{}/{name}` has not as many rows as there are {}", frame.path, axis.plural());
            return Err(source.malformed("AnnData", problem));
        }
        columns.push(column);
    }
    Ok(columns)
}

fn column_order(frame: &Folder, axis: Axis, source: &Source) -> Result<Vec<String>> {
    let order = match frame.attribute("column-order")? {
        // A table without columns: numpy writes an empty list as numbers.
        None => Vec::new(),
        Some(AttrValue::F64Array(numbers)) if numbers.is_empty() => Vec::new(),
        Some(value) => match value.as_strings() {
            Some(names) => names.to_vec(),
            None => return Err(source.malformed("AnnData", format!("`{}` does not list its columns", frame.path))),
        },
    };
    let mut different: HashSet<&str> = HashSet::from([axis.column()]);
    if let Some(name) = order.iter().find(|name| !different.insert(name.as_str())) {
        let plural = axis.plural();
        let fix = format!("rename it: `{}` is the name of the {plural} themselves", axis.column());
        return Err(source.unsupported(format!("`{}` has a second column `{name}`", frame.path), &fix));
    }
    Ok(order)
}

/// Opens a column; none if its encoding is not read.
fn column(frame: &Folder, name: &str, source: &Source, budget: &mut Budget) -> Result<Option<Column>> {
    if !is_one_name(name) {
        return Ok(None);
    }
    match frame.node(name)? {
        Node::Absent => Err(source.malformed("AnnData", format!("`{}/{name}` is missing", frame.path))),
        Node::Dataset(item) => dataset_column(frame, name, &item, budget),
        Node::Group(folder) => group_column(&folder, name, budget),
    }
}

fn dataset_column(frame: &Folder, name: &str, item: &Item, budget: &mut Budget) -> Result<Option<Column>> {
    let encoding = item.text("encoding-type")?;
    if !matches!(encoding.as_deref(), None | Some("array" | "string-array")) {
        return Ok(None);
    }
    let Some(array) = list(item, budget)? else { return Ok(None) };
    if !item.has_attribute("categories")? {
        return Ok(Some(Column::plain(name, array)));
    }
    let Some(group) = frame.group("__categories")? else { return Ok(None) };
    let Node::Dataset(categories) = group.node(name)? else { return Ok(None) };
    let Some(categories) = list(&categories, budget)? else { return Ok(None) };
    Column::categorical(name, array, &categories, budget).map(Some)
}

fn group_column(folder: &Folder, name: &str, budget: &mut Budget) -> Result<Option<Column>> {
    let encoding = folder.text("encoding-type")?.unwrap_or_default();
    let (first, second) = match encoding.as_str() {
        "categorical" => ("codes", "categories"),
        "nullable-integer" | "nullable-boolean" | "nullable-string-array" => ("values", "mask"),
        _ => return Ok(None),
    };
    let first = list(&folder.dataset(first, "AnnData")?, budget)?;
    let second = list(&folder.dataset(second, "AnnData")?, budget)?;
    let (Some(first), Some(second)) = (first, second) else { return Ok(None) };
    if encoding == "categorical" {
        return Column::categorical(name, first, &second, budget).map(Some);
    }
    Ok(Some(Column::masked(name, first, second)))
}

/// Opens a dataset of one dimension; none if it has another form or type.
fn list(item: &Item, budget: &mut Budget) -> Result<Option<Array>> {
    Ok(item.array(budget)?.filter(|array| array.shape.len() == 1))
}
