//! Files that are refused, and the words of the refusal.

use hdf5_pure::{AttrValue, DatasetBuilder, FileBuilder, GroupBuilder};
use std::path::PathBuf;

use super::{batches, error, error_with, open_with, part, unpack};
use crate::h5::H5File;
use crate::{Layout, Limits, Options, Part};

/// A small AnnData file of two cells and three genes, with places to break it.
struct Small {
    cells: Vec<&'static str>,
    genes: Vec<&'static str>,
    shape: Vec<u64>,
    encoding: &'static str,
    indptr: Vec<i64>,
    indices: Vec<i32>,
    data: Vec<f64>,
    extra: fn(&mut GroupBuilder),
    columns: Vec<String>,
}

impl Default for Small {
    fn default() -> Self {
        Self {
            cells: vec!["A", "B"],
            genes: vec!["G1", "G2", "G3"],
            shape: vec![2, 3],
            encoding: "csr_matrix",
            indptr: vec![0, 2, 3],
            indices: vec![0, 2, 1],
            data: vec![1.0, -2.0, 3.5],
            extra: |_| (),
            columns: Vec::new(),
        }
    }
}

struct Written {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Small {
    fn write(self) -> Written {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("small.h5ad");
        let mut file = FileBuilder::new();
        let mut obs = frame(&mut file, "obs", &self.cells, &self.columns);
        (self.extra)(&mut obs);
        file.add_group(obs.finish());
        let var = frame(&mut file, "var", &self.genes, &[]);
        file.add_group(var.finish());
        let mut x = file.create_group("X");
        x.set_attr("encoding-type", AttrValue::String(self.encoding.to_owned()));
        x.set_attr("shape", AttrValue::U64Array(self.shape));
        list(x.create_dataset("indptr").with_i64_data(&self.indptr), self.indptr.len());
        list(x.create_dataset("indices").with_i32_data(&self.indices), self.indices.len());
        list(x.create_dataset("data").with_f64_data(&self.data), self.data.len());
        file.add_group(x.finish());
        file.write(&path).unwrap();
        Written { _folder: folder, path }
    }

    fn error(self) -> String {
        error(&self.write().path)
    }
}

fn list(dataset: &mut DatasetBuilder, length: usize) {
    dataset.with_shape(&[length as u64]);
}

fn frame(file: &mut FileBuilder, name: &str, index: &[&str], columns: &[String]) -> GroupBuilder {
    let mut group = file.create_group(name);
    group.set_attr("encoding-type", AttrValue::String("dataframe".to_owned()));
    group.set_attr("_index", AttrValue::String("_index".to_owned()));
    group.set_attr("column-order", AttrValue::VarLenStringArray(columns.to_vec()));
    group.create_dataset("_index").with_vlen_strings(index);
    group
}

#[test]
fn the_small_file_is_valid() {
    let file = Small::default().write();
    assert_eq!(batches(&file.path, &Options::default(), 100)[0].num_rows(), 3);
}

#[test]
fn filters_are_named() {
    for (name, filter) in [("zstd", "zstd"), ("blosc", "blosc"), ("lz4", "lz4")] {
        let file = unpack(&format!("{name}.h5ad"));
        let text = error(&file.path);
        let expected = format!(
            "file `{name}.h5ad`: `/X/data` is compressed with the filter {filter}; read are gzip, lzf, shuffle, \
             scale-offset and fletcher32; rewrite it with `adata.write_h5ad(path, compression=\"gzip\")`"
        );
        assert_eq!(text, expected);
        assert_eq!(batches(&file.path, &part(Part::Cells), 100)[0].num_rows(), 23);
    }
}

#[test]
fn newer_and_older_forms_say_how_to_rewrite() {
    let newer = error(&unpack("hdf5_v2.h5ad").path);
    assert!(newer.contains("stored in a form of HDF5 that is not read"), "{newer}");
    assert!(newer.contains("rewrite it with h5py and `libver="), "{newer}");
    let older = unpack("tenx_v2.h5");
    assert_eq!(Layout::of(&older.path), None);
    assert!(error(&older.path).contains("read an older file with `scanpy.read_10x_h5`"));
}

#[test]
fn what_is_no_matrix() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.h5ad");
    std::fs::write(&path, "hello").unwrap();
    assert!(error(&path).contains("file `a.h5ad` is not valid HDF5: it does not begin as an HDF5 file does"));
    std::fs::write(&path, "").unwrap();
    assert!(error(&path).contains("is not valid HDF5"));
    let csv = folder.path().join("a.csv");
    std::fs::write(&csv, "hello").unwrap();
    assert!(error(&csv).contains("its name does not end in .h5ad, .h5, .mtx or .mtx.gz"));
    assert!(error(&folder.path().join("none.h5ad")).starts_with("cannot read `none.h5ad`"));
    FileBuilder::new().write(&path).unwrap();
    assert!(error(&path).contains("file `a.h5ad` has no `/obs`; write it with `adata.write_h5ad(path)`"));
}

#[test]
fn options_fit_the_file() {
    let file = unpack("csr.h5ad");
    let refused = |options: Options| error_with(&file.path, &options, &Limits::default());
    let layer = |name: &str| Options { layer: Some(name.to_owned()), ..Options::default() };
    assert!(refused(layer("nope")).contains("no layer `nope`; there are `counts`, `scaled`"));
    assert!(refused(layer("../X")).contains("no layer `../X`"));
    assert!(refused(layer("/X")).contains("no layer `/X`"));
    assert!(refused(Options { raw: true, ..layer("counts") }).contains("exclude each other"));
    assert!(refused(Options { part: Part::Cells, ..layer("counts") }).contains("`layer` chooses values"));
    assert!(refused(Options { raw: true, ..part(Part::Cells) }).contains("`raw` has no cells of its own"));
    assert!(refused(Options { batch_rows: 0, ..Options::default() }).contains("at least 1 row"));
    let plain = unpack("dense.h5ad");
    let raw = Options { raw: true, ..Options::default() };
    assert!(error_with(&plain.path, &raw, &Limits::default()).contains("has no `raw`"));
    let tenx = unpack("tenx_v3.h5");
    assert!(error_with(&tenx.path, &raw, &Limits::default()).contains("only AnnData files have `layer` and `raw`"));
}

#[test]
fn contradictions_are_refused() {
    let small = Small::default;
    assert!(Small { shape: vec![3, 2], ..small() }.error().contains("not that of the 2 cells and 3 genes"));
    assert!(Small { cells: vec!["A"], ..small() }.error().contains("not that of the 1 cells and 3 genes"));
    assert!(Small { encoding: "coo", ..small() }.error().contains("`/X` is encoded as `coo`"));
    assert!(Small { indptr: vec![0, 3], ..small() }.error().contains("has 2 entries; 2 rows need 3"));
    assert!(Small { indptr: vec![0, 5, 3], ..small() }.error().contains("goes backwards"));
    assert!(Small { indptr: vec![0, 1, 2], ..small() }.error().contains("does not lead from 0 to the 3 values"));
    assert!(Small { indptr: vec![1, 2, 3], ..small() }.error().contains("does not lead from 0"));
    assert!(Small { indptr: vec![-1, 2, 3], ..small() }.error().contains("holds a negative start"));
    assert!(Small { indices: vec![0, 3, 1], ..small() }.error().contains("a position in `/X/indices` is not below 3"));
    assert!(Small { indices: vec![0, -1, 1], ..small() }.error().contains("is not below 3"));
    assert!(Small { indices: vec![0, 1], ..small() }.error().contains("`/X/data` and `/X/indices` differ in length"));
}

#[test]
fn values_that_have_no_place() {
    let small = Small::default;
    assert!(Small { indices: vec![2, 2, 1], ..small() }.error().contains("for the same cell and gene twice"));
    let text = Small { data: vec![1.0, f64::NAN, 1.0], ..small() }.error();
    assert!(text.contains("the value of cell number 1 and gene number 3 is not finite"), "{text}");
    assert!(Small { data: vec![f64::INFINITY, 1.0, 1.0], ..small() }.error().contains("is not finite"));
    assert!(
        Small { genes: vec!["G", "G", "G"], ..small() }.error().contains("names of genes in `small.h5ad`: 2 repeat")
    );
    assert!(Small { cells: vec!["A", "A"], ..small() }.error().contains("`adata.obs_names_make_unique()`"));
}

#[test]
fn columns_that_are_not_read() {
    let columns = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let cells = |small: Small| {
        let file = small.write();
        error_with(&file.path, &part(Part::Cells), &Limits::default())
    };
    let missing = Small { columns: columns(&["gone"]), ..Small::default() };
    assert!(cells(missing).contains("`/obs/gone` is missing"));
    let named_cell = Small { columns: columns(&["cell"]), ..Small::default() };
    assert!(cells(named_cell).contains("`/obs` has a second column `cell`; rename it"));
    let short = Small {
        columns: columns(&["n"]),
        extra: |obs| list(obs.create_dataset("n").with_i32_data(&[1]), 1),
        ..Small::default()
    };
    assert!(cells(short).contains("`/obs/n` has not as many rows as there are cells"));
    let infinite = Small {
        columns: columns(&["x"]),
        extra: |obs| list(obs.create_dataset("x").with_f64_data(&[1.0, f64::INFINITY]), 2),
        ..Small::default()
    };
    assert!(cells(infinite).contains("`/obs/x` holds an infinite number"));
    let beyond = Small {
        columns: columns(&["c"]),
        extra: |obs| {
            let mut group = obs.create_group("c");
            group.set_attr("encoding-type", AttrValue::String("categorical".to_owned()));
            list(group.create_dataset("codes").with_i8_data(&[0, 1]), 2);
            group.create_dataset("categories").with_vlen_strings(&["one"]);
            obs.add_group(group.finish());
        },
        ..Small::default()
    };
    assert!(cells(beyond).contains("`c` has the number of a category that is not there"));
}

#[test]
fn columns_of_other_encodings_are_named() {
    let file = Small {
        columns: ["odd", "n", "/X/data", "pairs"].map(str::to_owned).to_vec(),
        extra: |obs| {
            let mut group = obs.create_group("odd");
            group.set_attr("encoding-type", AttrValue::String("awkward-array".to_owned()));
            obs.add_group(group.finish());
            list(obs.create_dataset("n").with_i32_data(&[1, 2]), 2);
            obs.create_dataset("pairs").with_i32_data(&[1, 2, 3, 4]).with_shape(&[2, 2]);
        },
        ..Small::default()
    }
    .write();
    let matrix = open_with(&file.path, &part(Part::Cells));
    assert_eq!(matrix.left_out(), ["odd", "/X/data", "pairs"]);
    assert_eq!(matrix.schema().fields().len(), 2);
}

#[test]
fn limits_hold() {
    let file = unpack("csr.h5ad");
    let refused = |limits: Limits| error_with(&file.path, &Options::default(), &limits);
    assert!(refused(Limits { max_values: 10, ..Limits::default() }).contains("more than 10; raise `max_values`"));
    assert!(refused(Limits { max_bytes_held: 1000, ..Limits::default() }).contains("raise `max_bytes_held`"));
    let unpacked = Limits { max_bytes_uncompressed: 1000, ..Limits::default() };
    assert!(refused(unpacked).contains("unpacks to more than 1000 bytes; raise `max_bytes_uncompressed`"));
}

#[test]
fn texts_kept_apart_have_room_in_a_batch() {
    let small = Small { cells: vec!["four", "letters"], ..Small::default() }.write();
    let mut file = H5File::open(&small.path, "small.h5ad", &Limits::default()).unwrap();
    let obs = file.root().group("obs").unwrap().unwrap();
    let index = obs.dataset("_index", "AnnData").unwrap().array(&mut file.budget).unwrap().unwrap();
    let mut room = 12;
    assert_eq!(index.texts(0, 2, &mut room).unwrap(), ["four", "letters"]);
    assert_eq!(room, 1);
    let text = index.texts(0, 1, &mut room).unwrap_err().to_string();
    assert!(text.contains("the texts of `/obs/_index` do not fit into one batch; ask for smaller batches"));
}
