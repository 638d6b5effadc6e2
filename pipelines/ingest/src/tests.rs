//! Hostile and damaged files, whatever their format.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, LargeStringArray, RecordBatch, StringArray, StructArray};
use arrow::datatypes::{DataType, Field};
use flate2::Compression;
use flate2::write::GzEncoder;
use parquet::arrow::ArrowWriter;
use proptest::prelude::*;

use crate::contract::{Contract, Format};
use crate::testing::{file, read_named, read_path};

const TWO: &str = "column = [{name='a',type='bigint'},{name='b',type='text'}]";
const TEXT: &[u8] = b"a,b\n1,x\n2,y\n";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn problem(name: &str, bytes: &[u8], contract: &str) -> String {
    read_named(name, bytes, contract).err().expect("refused").to_string()
}

#[test]
fn compressed_files_are_read_whatever_their_name() {
    let zstd = zstd::encode_all(TEXT, 3).unwrap();
    for (name, bytes) in [("t.csv.gz", gzip(TEXT)), ("t.csv.zst", zstd.clone()), ("t.csv", gzip(TEXT)), ("t.csv", zstd)]
    {
        assert_eq!(read_named(name, &bytes, TWO).unwrap().shown(), ["1|x", "2|y"], "{name}");
    }
}

#[test]
fn every_member_of_a_gzip_file_is_read() {
    let bytes = [gzip(b"a,b\n1,x\n2"), gzip(b",y\n")].concat();
    assert_eq!(read_named("t.csv.gz", &bytes, TWO).unwrap().shown(), ["1|x", "2|y"]);
}

#[test]
fn a_stream_that_is_cut_off_is_refused() {
    let text = "1,some text that does not compress to nothing 8154\n".repeat(200);
    let text = format!("a,b\n{text}");
    for (name, bytes) in
        [("t.csv.gz", gzip(text.as_bytes())), ("t.csv.zst", zstd::encode_all(text.as_bytes(), 3).unwrap())]
    {
        for kept in [bytes.len() - 1, bytes.len() - 9, bytes.len() / 2, 12] {
            let message = problem(name, &bytes[..kept], TWO);
            assert!(message.contains("cut off"), "{name} {kept}: {message}");
        }
        let mut damaged = bytes.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 0xff;
        assert!(read_named(name, &damaged, TWO).is_err() || name.ends_with("zst"), "gzip has a checksum");
    }
    assert!(problem("t.csv.gz", b"<html>not found</html>", TWO).contains("not what the file's name promises"));
}

#[test]
fn compression_bombs_are_stopped_early() {
    let zeros = vec![b'1'; 80 << 20];
    for (name, bytes) in [("t.csv.gz", gzip(&zeros)), ("t.csv.zst", zstd::encode_all(&zeros[..], 1).unwrap())] {
        assert!(bytes.len() < 1 << 20);
        let message = problem(name, &bytes, &format!("{TWO}\n[format]\nheader=false"));
        assert!(message.contains("more than 200 times its size") && message.contains("max_ratio"), "{message}");
    }
    let limited = format!("{TWO}\n[limits]\nmax_bytes_uncompressed=1000");
    let message = problem("t.csv.gz", &gzip(&"a,b\n1,2\n".repeat(1000).into_bytes()), &limited);
    assert!(message.contains("unpacks to more than 1000 bytes"), "{message}");
    assert!(problem("t.csv", b"a,b\n1,2\n3,4\n", &format!("{TWO}\n[limits]\nmax_rows=1")).contains("more than 1 rows"));
}

fn parquet(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut bytes = vec![];
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

#[test]
fn parquet_is_cast_and_checked() {
    let a = Arc::new(LargeStringArray::from(vec![Some("1"), Some("x"), None])) as ArrayRef;
    let b = Arc::new(StringArray::from(vec!["p", "q", "r"])) as ArrayRef;
    let bytes = parquet(vec![("b", b), ("a", a)]);
    let outcome = read_named("t.parquet", &bytes, TWO).unwrap();
    assert_eq!(outcome.shown(), ["1|p", "∅|r"]);
    assert_eq!((outcome.faults(), outcome.lines()), (vec!["2 a not_a_number".into()], vec![None]));
    assert!(outcome.raw()[0].contains("a=x"));
    let wide = parquet(vec![("i", Arc::new(Int64Array::from(vec![1, 1 << 40])) as ArrayRef)]);
    let narrow = read_named("t.parquet", &wide, "column = [{name='i',type='int'}]").unwrap();
    assert_eq!(narrow.faults(), ["2 i out_of_range"]);
    let doubles = parquet(vec![("d", Arc::new(Float64Array::from(vec![1.0, f64::NAN])) as ArrayRef)]);
    assert_eq!(
        read_named("t.parquet", &doubles, "column = [{name='d',type='double'}]").unwrap().faults(),
        ["2 d not_a_number"]
    );
}

#[test]
fn parquet_of_other_columns_is_refused() {
    let inner: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let nested = StructArray::from(vec![(Arc::new(Field::new("x", DataType::Int64, true)), ArrayRef::clone(&inner))]);
    let bytes = parquet(vec![("a", Arc::new(nested) as ArrayRef), ("c", inner)]);
    assert!(problem("t.parquet", &bytes, "column=[{name='a',type='text'}]").contains("`a` is of type Struct"));
    assert!(problem("t.parquet", &bytes, "column=[{name='c',type='date'}]").contains("not read as date"));
    assert!(problem("t.parquet", &bytes, "column=[{name='c',type='int'}]").contains("`a` not in the contract"));
    assert!(problem("t.parquet", &bytes, "column=[{name='d',type='int'}]").contains("`d` is missing"));
}

#[test]
fn damaged_parquet_is_refused() {
    let a = Arc::new(Int64Array::from_iter_values(0..1000)) as ArrayRef;
    let bytes = parquet(vec![("a", a), ("b", Arc::new(StringArray::from(vec!["x"; 1000])))]);
    assert!(problem("t.parquet", &bytes[..bytes.len() / 2], TWO).contains("is not valid Parquet"));
    assert!(problem("t.parquet", b"PAR1", TWO).contains("is not valid Parquet"));
    assert!(problem("t.parquet", b"", TWO).contains("is empty"));
    for at in (4..bytes.len()).step_by(7) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x55;
        let _ = read_named("t.parquet", &damaged, TWO); // refused or, without checksums, other values: alive
    }
}

#[test]
fn duplicate_keys_keep_the_first_row() {
    let outcome = read_named("t.csv", b"a,b\n1,x\n2,y\n1,z\n,w\n2,y\n", &format!("key=['a']\n{TWO}")).unwrap();
    assert_eq!(outcome.shown(), ["1|x", "2|y"]);
    assert_eq!(outcome.faults(), ["3 a duplicate_key", "4 a missing_value", "5 a duplicate_key"]);
    assert_eq!(outcome.raw(), ["1,z", ",w", "2,y"]);
    assert_eq!(outcome.totals.keys.len(), 2);
}

#[test]
fn the_first_of_duplicate_keys_is_that_of_the_file_for_any_number_of_threads() {
    let mut text = String::from("a,b\n");
    for row in 0..300_000 {
        text.push_str(&format!("{},row{row} with some padding\n", row % 100_000));
    }
    let outcome = read_named("t.csv", text.as_bytes(), &format!("key=['a']\n{TWO}")).unwrap();
    assert_eq!((outcome.rows.num_rows(), outcome.refused.num_rows()), (100_000, 200_000));
    let firsts = outcome.faults();
    assert!(firsts.iter().zip(100_001..).all(|(fault, row)| fault.starts_with(&format!("{row} "))));
}

#[test]
fn the_content_has_a_digest() {
    let (_folder, path) = file("t", b"abc");
    let (digest, n_bytes) = crate::digest(&path).unwrap();
    assert_eq!(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(n_bytes, 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let with_header = [b"a,b\n".as_slice(), &bytes].concat();
        let with_magic = [&[0x1f, 0x8b, 8, 0], bytes.as_slice()].concat();
        let with_zstd = [&[0x28, 0xb5, 0x2f, 0xfd], bytes.as_slice()].concat();
        let as_parquet = [b"PAR1", bytes.as_slice(), b"PAR1"].concat();
        for (name, bytes) in [
            ("t.csv", &bytes), ("t.csv", &with_header), ("t.csv", &with_magic), ("t.csv", &with_zstd),
            ("t.ndjson", &bytes), ("t.parquet", &bytes), ("t.parquet", &as_parquet),
        ] {
            let (_folder, path) = file(name, bytes);
            let contract = Contract::parse(TWO, "t").unwrap();
            if let Ok(outcome) = read_path(&path, &contract) {
                let rows = outcome.rows.num_rows() + outcome.refused.num_rows();
                prop_assert_eq!(outcome.totals.rows, rows as u64);
            }
            if let Ok(inferred) = Contract::infer(&path, &Format::default()) {
                let _ = read_path(&path, &inferred);
            }
        }
    }
}
