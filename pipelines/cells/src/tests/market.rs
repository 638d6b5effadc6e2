//! Matrix Market folders.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::{ProptestConfig, prop, prop_assert_eq, proptest};
use tempfile::{TempDir, tempdir};

use super::{assert_reads, batches, data, error, error_with, open_with, part};
use crate::{Layout, Limits, Options, Part, files};

const HEADER: &str = "%%MatrixMarket matrix coordinate real general\n";

/// A folder of two genes and three cells.
fn folder(matrix: &str) -> TempDir {
    let folder = tempdir().unwrap();
    write(folder.path(), "matrix.mtx", matrix);
    write(folder.path(), "barcodes.tsv", "A\nB\nC\n");
    write(folder.path(), "genes.tsv", "G1\tone\nG2\ttwo\n");
    folder
}

fn write(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).unwrap();
}

fn matrix_error(matrix: &str) -> String {
    error(folder(matrix).path())
}

#[test]
fn folders_as_scipy_sees_them() {
    for name in ["market_v2", "market_v3"] {
        assert_eq!(Layout::of(&data(name)), Some(Layout::Mtx));
        assert_reads(&data(name), &Options::default(), &format!("{name}.values"));
        assert_reads(&data(name), &part(Part::Genes), &format!("{name}.genes"));
        assert_eq!(batches(&data(name), &part(Part::Cells), 1000)[0].num_rows(), 23);
    }
    assert_reads(&data("market_v3/matrix.mtx.gz"), &Options::default(), "market_v3.values");
}

#[test]
fn a_prefix_is_shared() {
    let folder = tempdir().unwrap();
    for name in ["matrix.mtx", "barcodes.tsv", "genes.tsv"] {
        fs::copy(data("market_v2").join(name), folder.path().join(format!("GSM1_{name}"))).unwrap();
    }
    let matrix = folder.path().join("GSM1_matrix.mtx");
    assert_reads(&matrix, &Options::default(), "market_v2.values");
    let names = files(&matrix).unwrap();
    assert_eq!(names.len(), 3);
    assert!(names.iter().all(|path| path.starts_with(folder.path())));
    assert!(error(folder.path()).contains("no table beside it named `matrix.mtx`, `matrix.mtx.gz`"));
}

#[test]
fn further_columns_are_named() {
    let folder = folder(&format!("{HEADER}2 3 0\n"));
    fs::remove_file(folder.path().join("genes.tsv")).unwrap();
    write(folder.path(), "features.tsv", "G1\tone\tPeaks\tchr1\t5\r\nG2\ttwo\tPeaks\tchr2\t6\r\n");
    let matrix = open_with(folder.path(), &part(Part::Genes));
    assert_eq!(matrix.left_out(), ["column 4 of features.tsv", "column 5 of features.tsv"]);
    assert_eq!(matrix.schema().fields().len(), 3);
}

#[test]
fn headers_are_refused_clearly() {
    let cases = [
        ("", "is not the header"),
        ("hello\n", "is not the header `%%MatrixMarket matrix coordinate integer general`"),
        ("%%MatrixMarket matrix array real general\n", "dense `array`"),
        ("%%MatrixMarket matrix coordinate pattern general\n", "`pattern` has positions and no values"),
        ("%%MatrixMarket matrix coordinate complex general\n", "`complex`"),
        ("%%MatrixMarket matrix coordinate real symmetric\n", "it is symmetric"),
        ("%%MatrixMarket matrix coordinate real skew-symmetric\n", "it is symmetric"),
        ("%%MatrixMarket matrix coordinate real odd\n", "unknown words"),
        (HEADER, "line of sizes is missing"),
        ("%%MatrixMarket matrix coordinate real general\n2 3\n", "line 2 does not hold the numbers"),
        ("%%MatrixMarket matrix coordinate real general\n2 3 -1\n", "line 2 does not hold the numbers"),
        ("%%MatrixMarket matrix coordinate real general\n3 2 0\n", "transpose it"),
        ("%%MatrixMarket matrix coordinate real general\n2 4 0\n", "name 2 genes (rows) and 3 cells (columns)"),
    ];
    for (matrix, expected) in cases {
        let text = matrix_error(matrix);
        assert!(text.contains(expected), "{matrix:?}: {text}");
    }
}

#[test]
fn entries_are_checked() {
    let real = |entries: &str, n: usize| matrix_error(&format!("{HEADER}% comment\n2 3 {n}\n{entries}"));
    assert!(real("1 1\n", 1).contains("line 4 does not hold a row, a column and a value"));
    assert!(real("1 1 5 5\n", 1).contains("line 4 does not hold"));
    assert!(real("1 1 secret\n", 1).contains("line 4 does not end with a number"));
    assert!(!real("1 1 secret\n", 1).contains("secret"));
    assert!(real("x 1 5\n", 1).contains("line 4 does not begin with two positions"));
    assert!(real("3 1 5\n", 1).contains("leads outside the 2 rows and 3 columns"));
    assert!(real("0 1 5\n", 1).contains("leads outside"));
    assert!(real("1 4294967297 5\n", 1).contains("leads outside"));
    assert!(real("1 1 nan\n", 1).contains("cell number 1 and gene number 1 is not finite"));
    assert!(real("1 1 1e999\n", 1).contains("not finite"));
    assert!(real("1 1 5\n", 2).contains("the header declares 2 entries, 1 are there"));
    assert!(real("1 1 5\n2 1 5\n", 1).contains("line 5 follows the 1 entries"));
    assert!(real("1 1 5\n2 1 6\n1 1 7\n", 3).contains("line 6 repeats a cell and gene"));
    assert!(real("1 1 5\n1 2 6\n1 1 7\n", 3).contains("line 6 repeats a cell and gene"));
    assert!(real("2 1 5\n1 3 6\n1 2 7\n2 2 8\n", 4).contains("grouped neither by cell nor by gene"));
    let integer = matrix_error("%%MatrixMarket matrix coordinate integer general\n2 3 1\n1 1 9007199254740993\n");
    assert!(integer.contains("beyond 2^53"));
    let fraction = matrix_error("%%MatrixMarket matrix coordinate integer general\n2 3 1\n1 1 1.5\n");
    assert!(fraction.contains("does not end with an integer"));
}

#[test]
fn names_and_tables_are_checked() {
    let valid = format!("{HEADER}2 3 1\n1 1 -5\n");
    let folder = folder(&valid);
    let path = folder.path();
    assert_eq!(batches(path, &Options::default(), 10)[0].num_rows(), 1);
    write(path, "barcodes.tsv", "A\nB\nA\n");
    assert!(error(path).contains("names of cells in `barcodes.tsv`: 1 repeat an earlier name"));
    write(path, "barcodes.tsv", "A\nB\n");
    assert!(error(path).contains("name 2 genes (rows) and 2 cells (columns)"));
    fs::write(path.join("barcodes.tsv"), b"A\nB\n\xff\n").unwrap();
    assert!(error(path).contains("`barcodes.tsv` is not valid Matrix Market: line 3 is not UTF-8"));
    write(path, "barcodes.tsv", &"A".repeat(100_000));
    assert!(error(path).contains("line 1 is longer than 65536 bytes"));
    write(path, "barcodes.tsv", "A\nB\nC\n");
    write(path, "genes.tsv", "G1\tone\nG2\n");
    assert!(error(path).contains("line 2 has 1 fields, the first line has 2"));
    write(path, "genes.tsv.gz", "G1\tone\nG2\n");
    assert!(error(path).contains("more than one of `features.tsv`"));
    fs::remove_file(path.join("genes.tsv")).unwrap();
    assert!(error(path).contains("the gzip stream is not what the file's name promises"));
    fs::remove_file(path.join("genes.tsv.gz")).unwrap();
    assert!(error(path).contains("no table beside it named `features.tsv`"));
}

#[test]
fn a_truncated_stream_is_told() {
    let folder = tempdir().unwrap();
    for name in ["matrix.mtx.gz", "barcodes.tsv.gz", "features.tsv.gz"] {
        fs::copy(data("market_v3").join(name), folder.path().join(name)).unwrap();
    }
    let path = folder.path().join("matrix.mtx.gz");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(error(folder.path()).contains("`matrix.mtx.gz`: the gzip stream is cut off before its end"));
}

#[test]
fn limits_hold() {
    let folder = folder(&format!("{HEADER}2 3 2\n1 1 1\n2 3 1\n"));
    let refused = |limits: Limits| error_with(folder.path(), &Options::default(), &limits);
    assert!(refused(Limits { max_values: 1, ..Limits::default() }).contains("stores 2 values, more than 1"));
    assert!(refused(Limits { max_bytes_held: 60, ..Limits::default() }).contains("raise `max_bytes_held`"));
    assert!(refused(Limits { max_bytes_uncompressed: 60, ..Limits::default() }).contains("`max_bytes_uncompressed`"));
}

#[test]
fn a_bomb_is_refused() {
    let folder = folder("");
    fs::remove_file(folder.path().join("matrix.mtx")).unwrap();
    let mut packed = GzEncoder::new(File::create(folder.path().join("matrix.mtx.gz")).unwrap(), Compression::best());
    packed.write_all(HEADER.as_bytes()).unwrap();
    let comments = "%".repeat(1 << 15) + "\n";
    for _ in 0..2200 {
        packed.write_all(comments.as_bytes()).unwrap();
    }
    packed.finish().unwrap();
    assert!(error(folder.path()).contains("unpacks to more than 200 times its size"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any matrix comes back entry for entry, whatever the cut into batches.
    #[test]
    fn any_matrix_comes_back(
        entries in prop::collection::btree_map((0_u32..3, 0_u32..2), -1e300_f64..1e300, 0..6),
        batch_rows in 1_usize..8,
    ) {
        let mut text = format!("{HEADER}2 3 {}\n", entries.len());
        for ((cell, gene), value) in &entries {
            text.push_str(&format!("{} {} {value:e}\n", gene + 1, cell + 1));
        }
        let folder = folder(&text);
        let mut found = Vec::new();
        for batch in batches(folder.path(), &Options::default(), batch_rows) {
            use arrow::array::AsArray;
            let (cells, genes) = (batch.column(0).as_string::<i32>(), batch.column(1).as_string::<i32>());
            let values = batch.column(2).as_primitive::<arrow::datatypes::Float64Type>();
            for row in 0..batch.num_rows() {
                found.push((cells.value(row).to_owned(), genes.value(row).to_owned(), values.value(row)));
            }
        }
        let name = |cell: u32| ["A", "B", "C"][cell as usize].to_owned();
        let expected: Vec<_> = entries.iter().filter(|(_, value)| **value != 0.0)
            .map(|((cell, gene), value)| (name(*cell), format!("G{}", gene + 1), *value)).collect();
        prop_assert_eq!(found, expected);
    }
}
