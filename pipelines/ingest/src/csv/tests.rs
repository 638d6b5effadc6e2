use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow::util::display::array_value_to_string;
use proptest::prelude::*;

use super::records::separators;
use crate::assemble::{BlockParser, Workspace};
use crate::block::BlockSource;
use crate::contract::Contract;
use crate::source::Source;
use crate::testing::{file, read_csv, read_named};

const TWO: &str = "column = [{name='a',type='text'},{name='b',type='text'}]";

fn rows(text: impl AsRef<[u8]>) -> (Vec<String>, Vec<String>) {
    let outcome = read_csv(text, TWO).unwrap();
    (outcome.shown(), outcome.faults())
}

fn problem(text: impl AsRef<[u8]>) -> String {
    read_csv(text, TWO).err().expect("refused").to_string()
}

#[test]
fn line_ends_and_blank_lines_do_not_matter() {
    for text in ["a,b\n1,2\n3,4\n", "a,b\r\n1,2\r\n3,4\r\n", "a,b\n1,2\n\n\n3,4", "\n a , b \r\n1,2\r\n\r\n3,4\n\n"] {
        assert_eq!(rows(text), (vec!["1|2".into(), "3|4".into()], vec![]), "{text:?}");
    }
}

#[test]
fn ragged_lines_are_refused_one_by_one() {
    let (good, bad) = rows("a,b\n1,2\n3\n4,5,6\n,\n7,8\n9,10,11,12\r\n13,14\r\n");
    assert_eq!(good, ["13|14", "1|2", "7|8", "∅|∅"]);
    assert_eq!(bad, ["2 - wrong_field_count", "3 - wrong_field_count", "6 - wrong_field_count"]);
}

#[test]
fn quotes_hold_delimiters_line_ends_and_quotes() {
    let (good, bad) = rows("a,b\r\n\"x,y\",\"l1\nl2\"\r\n\"say \"\"hi\"\"\",z\r\n\"\",\"q\"");
    assert_eq!(good, ["say \"hi\"|z", "x,y|l1\nl2", "|q"]);
    assert!(bad.is_empty());
    assert_eq!(rows("a,b\n5\" pipe,x\n").0, ["5\" pipe|x"], "a quote inside an unquoted field is text");
}

#[test]
fn wrong_quotes_cost_one_line_only() {
    let outcome = read_csv("a,b\n\"open,2\n3,4\n\"x\"y,5\n\"ok\",6\n\"last,7\n", TWO).unwrap();
    assert_eq!(outcome.shown(), ["3|4", "ok|6"]);
    assert_eq!(outcome.faults(), ["1 - bad_quotes", "3 - bad_quotes", "5 - bad_quotes"]);
    assert_eq!(outcome.lines(), [Some(2), Some(4), Some(6)]);
    assert_eq!(outcome.raw()[2], "\"last,7");
}

#[test]
fn lines_are_counted_through_quoted_line_ends() {
    let outcome = read_csv("a,b\n\"1\n\n\",2\nbad\n", TWO).unwrap();
    assert_eq!((outcome.faults(), outcome.lines()), (vec!["2 - wrong_field_count".into()], vec![Some(5)]));
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_name() {
    assert_eq!(rows("\u{feff}a,b\n1,2\n").0, ["1|2"]);
    assert!(problem(b"\xff\xfea\0,\0b\0\n\0").contains("UTF-16"));
    assert!(problem(b"a\0,\0b\0\n\x00001\0").contains("UTF-16"));
}

#[test]
fn invalid_utf8_and_nul_bytes_cost_their_row() {
    let (good, bad) = rows(b"a,b\nx,caf\xe9\ny,caf\xc3\xa9\nz,nu\0l\n");
    assert_eq!(good, ["y|café"]);
    assert_eq!(bad, ["1 b invalid_utf8", "3 b nul_byte"]);
    let latin = read_csv(b"a,b\nx,caf\xe9\n", &format!("{TWO}\n[format]\nencoding='latin1'")).unwrap();
    assert_eq!(latin.shown(), ["x|café"]);
}

#[test]
fn a_latin1_header_says_what_to_do() {
    assert!(problem(b"a,pr\xe9nom\n").contains("encoding = \"latin1\""));
}

#[test]
fn the_header_must_be_that_of_the_contract() {
    assert!(problem("a\n1\n").contains("`b` is missing; the file has `a`"));
    assert!(problem("a,B\n").contains("`b` is missing; the file has `a`, `B`"));
    assert!(problem("a,b,b\n").contains("`b` stands in the header 2 times"));
    assert!(problem("a,c,b,d\n").contains("`c`, `d` not in the contract"));
    assert!(problem("a,b\r1,2\r").contains("CR alone"));
    let ignoring = format!("{TWO}\n[format]\nextra_columns='ignore'");
    assert_eq!(read_csv("c,b,c,a\n0,2,0,1\n", &ignoring).unwrap().shown(), ["1|2"]);
    let renamed = "column = [{name='a',source='First Name',type='text'}]";
    assert_eq!(read_csv("First Name\nx\n", renamed).unwrap().shown(), ["x"]);
}

#[test]
fn a_file_without_header_has_the_contracts_order() {
    let outcome = read_csv("\u{feff}1,2\n3\n", &format!("{TWO}\n[format]\nheader=false")).unwrap();
    assert_eq!((outcome.shown(), outcome.faults()), (vec!["1|2".into()], vec!["2 - wrong_field_count".into()]));
}

#[test]
fn empty_files_are_told_from_files_without_rows() {
    assert!(problem("").contains("is empty"));
    assert!(problem("\u{feff}").contains("is empty; expected a header"));
    assert!(problem("\n\n").contains("is empty; expected a header"));
    for text in ["a,b", "a,b\n", "a,b\r\n\r\n"] {
        assert_eq!(rows(text), (vec![], vec![]), "{text:?}");
    }
}

#[test]
fn a_single_column_may_be_blank() {
    let outcome = read_csv("a\n1\n\n3\n", "column = [{name='a',type='int'}]").unwrap();
    assert_eq!(outcome.shown(), ["1", "3", "∅"]);
}

#[test]
fn a_huge_field_costs_its_row() {
    let long = "x".repeat(2000);
    let contract = format!("{TWO}\n[format]\nmax_field_bytes=1000");
    for text in [format!("a,b\n1,{long}\n2,3\n"), format!("a,b\n1,\"{long}\"\n2,3\n")] {
        let outcome = read_csv(&text, &contract).unwrap();
        assert_eq!((outcome.shown(), outcome.faults()), (vec!["2|3".into()], vec!["1 - field_too_long".into()]));
    }
}

#[test]
fn a_record_longer_than_memory_allows_costs_its_row() {
    let mut text = b"a,b\n1,2\n3,".to_vec();
    text.resize(text.len() + crate::block::MAX_RECORD_BYTES + (9 << 20), b'x');
    text.extend_from_slice(b"\n5,6\n7\n");
    let outcome = read_csv(&text, TWO).unwrap();
    assert_eq!(outcome.shown(), ["1|2", "5|6"]);
    assert_eq!(outcome.faults(), ["2 - record_too_long", "4 - wrong_field_count"]);
    assert_eq!(outcome.lines(), [Some(3), Some(5)]);
    assert_eq!(outcome.raw()[0].len(), 64 << 10, "the quarantine keeps the beginning");
}

#[test]
fn other_delimiters_and_no_quotes() {
    assert_eq!(read_named("t.tsv", b"a\tb\n1\t2\n", TWO).unwrap().shown(), ["1|2"]);
    let contract = format!("{TWO}\n[format]\ndelimiter='|'\nquote=''\nnull_values=['-9']");
    assert_eq!(read_csv("a|b\n\"x|-9\n", &contract).unwrap().shown(), ["\"x|∅"]);
}

#[test]
fn rows_are_numbered_across_blocks() {
    let mut text = String::from("a,b\n");
    for row in 1..=400_000 {
        text.push_str(if row % 100_000 == 0 { "broken\n" } else { "some text,and more\n" });
    }
    let outcome = read_csv(&text, TWO).unwrap();
    assert_eq!(outcome.rows.num_rows(), 399_996);
    let expected: Vec<String> = (1..=4).map(|n| format!("{} - wrong_field_count", n * 100_000)).collect();
    assert_eq!(outcome.faults(), expected);
    assert_eq!(outcome.lines().iter().flatten().max(), Some(&400_001));
}

/// Reads `text` in blocks of at least `block_bytes` and shows every row, good or bad.
fn read_in_blocks(text: &[u8], block_bytes: usize) -> (Vec<String>, Vec<String>) {
    let (_folder, path) = file("t.csv", text);
    let contract = Arc::new(Contract::parse(&format!("{TWO}\n[format]\nheader=false"), "t").unwrap());
    let source = Source::open(&path, "t", &contract.limits, Arc::new(AtomicU64::new(0))).unwrap();
    let Ok((cutter, parser)) = super::open(source, &path, &contract) else { return (vec![], vec![]) };
    let mut cutter = cutter.with_block_bytes(block_bytes);
    let (mut good, mut bad, mut base) = (vec![], vec![], 0);
    while let Some(block) = cutter.next_block().unwrap() {
        let parsed = parser.parse(&block, &mut Workspace::default()).unwrap();
        for batch in parsed.batches.iter().map(|batch| &batch.rows) {
            let cell = |column, row| array_value_to_string(batch.column(column), row).unwrap();
            good.extend((0..batch.num_rows()).map(|row| format!("{:?}|{:?}", cell(0, row), cell(1, row))));
        }
        let mut lines = block.lines();
        for (origin, fault) in &parsed.bad {
            bad.push(format!("{} {:?} {:?} {}", base + origin.row, lines.line(*origin), fault, block.raw(*origin)));
        }
        base += parsed.n_rows;
    }
    (good, bad)
}

/// A plain reading of the same rules, byte by byte, for text without quotes.
fn plainly(text: &[u8]) -> Vec<String> {
    let text = String::from_utf8(text.to_vec()).unwrap();
    let lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    let pairs = lines.filter_map(|line| line.split_once(',')).filter(|(_, b)| !b.contains(','));
    pairs.map(|(a, b)| format!("{a:?}|{b:?}")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn where_blocks_are_cut_does_not_matter(text in "[ab,\"\r\n]{1,80}", block_bytes in 1_usize..40) {
        prop_assert_eq!(read_in_blocks(text.as_bytes(), block_bytes), read_in_blocks(text.as_bytes(), 1 << 20));
    }

    #[test]
    fn text_without_quotes_is_read_plainly(text in "[abé,\r\n]{1,80}") {
        prop_assert_eq!(read_in_blocks(text.as_bytes(), 16).0, plainly(text.as_bytes()));
    }

    #[test]
    fn well_formed_records_come_back(cells in prop::collection::vec(("[a-z,\"\r\n ]{0,9}", "[a-z,\"\r\n ]{0,9}"), 1..20)) {
        let quoted = |cell: &str| format!("\"{}\"", cell.replace('"', "\"\""));
        let text: String = cells.iter().map(|(a, b)| format!("{},{}\n", quoted(a), quoted(b))).collect();
        let (good, bad) = read_in_blocks(text.as_bytes(), 32);
        prop_assert_eq!(good, cells.iter().map(|(a, b)| format!("{a:?}|{b:?}")).collect::<Vec<_>>());
        prop_assert!(bad.is_empty());
    }

    #[test]
    fn separators_are_those_found_one_by_one(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut found = vec![];
        separators(&bytes, b',', &mut found);
        let expected: Vec<u32> = (0..).zip(&bytes).filter(|(_, b)| matches!(b, b',' | b'\n')).map(|(n, _)| n).collect();
        prop_assert_eq!(found, expected);
    }
}
