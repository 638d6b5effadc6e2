//! Files written by anndata, h5py and scipy, read and compared with what those see in them.

mod annotated;
mod damage;
mod market;
mod refusals;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type};
use flate2::read::GzDecoder;

use crate::{Limits, Matrix, Options, Part, open};

/// A file unpacked for one test.
struct Unpacked {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

fn data(name: &str) -> PathBuf {
    Path::new("tests/data").join(name)
}

fn unpack(name: &str) -> Unpacked {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    let mut packed = GzDecoder::new(File::open(data(&format!("{name}.gz"))).unwrap());
    io::copy(&mut packed, &mut File::create(&path).unwrap()).unwrap();
    Unpacked { _folder: folder, path }
}

fn part(part: Part) -> Options {
    Options { part, ..Options::default() }
}

fn open_with(path: &Path, options: &Options) -> Matrix {
    open(path, options, &Limits::default()).unwrap()
}

/// Reads to the end, in batches of at most so many rows.
fn batches(path: &Path, options: &Options, batch_rows: usize) -> Vec<RecordBatch> {
    let matrix = open_with(path, &Options { batch_rows, ..options.clone() });
    let schema = matrix.schema();
    let batches: Vec<RecordBatch> = matrix.map(Result::unwrap).collect();
    assert!(batches.iter().all(|batch| batch.schema() == schema && (1..=batch_rows).contains(&batch.num_rows())));
    batches
}

/// Compares a file with a table that the script of the fixtures wrote, for several cuts into batches.
#[track_caller]
fn assert_reads(path: &Path, options: &Options, expected: &str) {
    let text = fs::read_to_string(data(&format!("{expected}.csv"))).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().unwrap();
    let expected: Vec<Vec<&str>> = lines.collect();
    for batch_rows in [1, 7, 65_536] {
        let batches = batches(path, options, batch_rows);
        let mut n_rows = 0;
        for batch in &batches {
            let names: Vec<String> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
            assert_eq!(names, header);
            for row in 0..batch.num_rows() {
                for (column, text) in expected[n_rows + row].iter().enumerate() {
                    let found = batch.column(column);
                    assert!(is_equal(found, row, text), "row {}, column {}: {text}", n_rows + row, header[column]);
                }
            }
            n_rows += batch.num_rows();
        }
        assert_eq!(n_rows, expected.len());
    }
}

fn is_equal(array: &dyn Array, row: usize, text: &str) -> bool {
    if array.is_null(row) || text == "NULL" {
        return array.is_null(row) && text == "NULL";
    }
    match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(row) == text,
        DataType::Boolean => array.as_boolean().value(row).to_string() == text,
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row).to_string() == text,
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).to_string() == text,
        DataType::Float64 => {
            let value = array.as_primitive::<Float64Type>().value(row);
            value.to_bits() == text.parse::<f64>().unwrap().to_bits()
        }
        other => panic!("unexpected type {other}"),
    }
}

/// The error of opening or reading.
#[track_caller]
fn error_with(path: &Path, options: &Options, limits: &Limits) -> String {
    let matrix = match open(path, options, limits) {
        Err(error) => return error.to_string(),
        Ok(matrix) => matrix,
    };
    let mut errors: Vec<String> = matrix.filter_map(Result::err).map(|error| error.to_string()).collect();
    assert_eq!(errors.len(), 1, "read to the end without an error");
    errors.remove(0)
}

#[track_caller]
fn error(path: &Path) -> String {
    error_with(path, &Options::default(), &Limits::default())
}
