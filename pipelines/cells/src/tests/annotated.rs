//! AnnData and 10x files.

use arrow::datatypes::DataType;

use super::{assert_reads, batches, open_with, part, unpack};
use crate::{Layout, Options, Part, files};

fn layer(name: &str) -> Options {
    Options { layer: Some(name.to_owned()), ..Options::default() }
}

fn raw(of: Part) -> Options {
    Options { raw: true, ..part(of) }
}

#[test]
fn csr_as_anndata_sees_it() {
    for name in ["csr", "latest"] {
        let file = unpack(&format!("{name}.h5ad"));
        assert_reads(&file.path, &Options::default(), &format!("{name}.values"));
        assert_reads(&file.path, &part(Part::Cells), &format!("{name}.cells"));
        assert_reads(&file.path, &part(Part::Genes), &format!("{name}.genes"));
        assert_reads(&file.path, &layer("counts"), &format!("{name}.counts.values"));
        assert_reads(&file.path, &layer("scaled"), &format!("{name}.scaled.values"));
        assert_reads(&file.path, &raw(Part::Values), &format!("{name}.raw.values"));
        assert_reads(&file.path, &raw(Part::Genes), &format!("{name}.raw.genes"));
    }
}

#[test]
fn other_matrices_as_anndata_sees_them() {
    for name in ["csc_gzip", "dense", "dense_gzip", "csr_lzf", "zeros"] {
        let file = unpack(&format!("{name}.h5ad"));
        assert_reads(&file.path, &Options::default(), &format!("{name}.values"));
        assert_reads(&file.path, &part(Part::Cells), &format!("{name}.cells"));
        assert_reads(&file.path, &part(Part::Genes), &format!("{name}.genes"));
    }
}

#[test]
fn categories_of_old_files() {
    let file = unpack("legacy.h5ad");
    assert_reads(&file.path, &part(Part::Cells), "legacy.cells");
    assert_reads(&file.path, &part(Part::Genes), "legacy.genes");
    assert_reads(&file.path, &Options::default(), "legacy.values");
}

#[test]
fn types_of_columns() {
    let file = unpack("csr.h5ad");
    let schema = open_with(&file.path, &part(Part::Cells)).schema();
    let of = |name: &str| schema.field_with_name(name).unwrap().data_type().clone();
    assert_eq!([of("cell"), of("cluster"), of("donor")], [DataType::Utf8, DataType::Utf8, DataType::Utf8]);
    assert_eq!([of("batch"), of("n_counts"), of("age")], [DataType::Int64, DataType::Int64, DataType::Int64]);
    assert_eq!([of("small"), of("score"), of("dose")], [DataType::Int32, DataType::Float64, DataType::Float64]);
    assert_eq!([of("is_doublet"), of("passed")], [DataType::Boolean, DataType::Boolean]);
    assert!(!schema.field_with_name("cell").unwrap().is_nullable());
}

#[test]
fn lengths_and_zeros_are_counted() {
    let file = unpack("zeros.h5ad");
    let mut matrix = open_with(&file.path, &Options::default());
    assert_eq!((matrix.layout(), matrix.n_cells(), matrix.n_genes()), (Layout::H5ad, 23, 11));
    let n_rows: usize = matrix.by_ref().map(|batch| batch.unwrap().num_rows()).sum();
    assert!(matrix.n_zeros() > 0);
    assert_eq!(matrix.n_stored(), Some(n_rows as u64 + matrix.n_zeros()));
    assert!(matrix.next().is_none());

    let dense = unpack("dense.h5ad");
    assert_eq!(open_with(&dense.path, &Options::default()).n_stored(), Some(23 * 11));
    assert_eq!(open_with(&dense.path, &part(Part::Cells)).n_stored(), None);
}

#[test]
fn tenx_as_scipy_sees_it() {
    let file = unpack("tenx_v3.h5");
    assert_eq!(Layout::of(&file.path), Some(Layout::TenX));
    assert_reads(&file.path, &Options::default(), "tenx_v3.values");
    assert_reads(&file.path, &part(Part::Genes), "tenx_v3.genes");
    let cells = batches(&file.path, &part(Part::Cells), 1000);
    assert_eq!((cells[0].num_rows(), cells[0].num_columns()), (23, 1));
}

#[test]
fn annotated_files_may_be_named_h5() {
    let file = unpack("dense.h5ad");
    let renamed = file.path.with_extension("h5");
    std::fs::rename(&file.path, &renamed).unwrap();
    assert_eq!(Layout::of(&renamed), Some(Layout::H5ad));
    assert_reads(&renamed, &Options::default(), "dense.values");
    assert_eq!(files(&renamed).unwrap(), [renamed]);
}
