//! Reference networks through the operator, statuses, refusals, stability.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use causeway_core::{Cancel, Literal, Literals, Relation, RunContext, Seed, call};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;
use serde_json::Value;

use super::Factory;
use crate::ci::{Deletion, IndependenceTest as _, MinRows, Queries, Workers};
use crate::expression::{Expression, Transform};
use crate::fisher_z::FisherZ;
use crate::ges::bic_gain;
use crate::golden::{columns, expected};
use crate::testing::*;

/// Fisher's z without the cells that have a zero in S.
fn fisher_z() -> Vec<(&'static str, Literal)> {
    vec![("test", text("fisher_z")), ("deletion", text("cond"))]
}

fn published() -> Vec<(&'static str, Literal)> {
    let rules = [("negative", text("allow")), ("min_rows", Literal::Integer(0)), ("untestable", text("independent"))];
    [fisher_z(), rules.to_vec()].concat()
}

fn edges(rows: &RecordBatch) -> Vec<(String, String, String)> {
    let [source, target, mark] = ["source", "target", "mark"].map(|column| texts(rows, column));
    source.into_iter().zip(target).zip(mark).map(|((source, target), mark)| (source, target, mark)).collect()
}

fn expected_edges(edges: &Value) -> Vec<(String, String, String)> {
    let gene = |value: &Value| format!("g{:02}", value.as_u64().unwrap());
    let edges = edges.as_array().unwrap().iter();
    edges.map(|edge| (gene(&edge[0]), gene(&edge[1]), edge[2].as_str().unwrap().to_owned())).collect()
}

fn gene(n_cells: usize, value: impl Fn(usize) -> f64) -> ArrayRef {
    numbers((0..n_cells).map(value))
}

/// a and b are causes of c; d is all zero.
fn collider(n_cells: usize) -> RecordBatch {
    let (a, b) = (|cell| 1.0 + noise(cell, 0.0), |cell| 1.0 + noise(cell, 1.0));
    RecordBatch::try_from_iter([
        ("a", gene(n_cells, a)),
        ("b", gene(n_cells, b)),
        ("c", gene(n_cells, |cell| a(cell) + b(cell) + 0.2 * noise(cell, 3.0))),
        ("d", gene(n_cells, |_| 0.0)),
    ])
    .unwrap()
}

#[test]
fn reference_networks_come_out_by_both_rules() {
    for case in ["case01", "case02", "case03", "case04", "case05"] {
        let (expected, cells) = (expected(case), wide(&columns(case, "observed").unwrap()));
        for (deletion, search) in [("none", "full"), ("cond", "cond"), ("all", "all")] {
            for (rule, graph) in [("sepset", "cpdag"), ("max_p", "cpdag_max_p")] {
                let options = [published(), vec![("deletion", text(deletion)), ("orientation", text(rule))]].concat();
                let found = run(&Factory, &options, &cells);
                assert_eq!(edges(&found), expected_edges(&expected["pc"][search][graph]), "{case} {deletion} {rule}");
                assert!(doubles(&found, "p_value").iter().all(|p| *p <= 0.05));
            }
        }
    }
}

#[test]
fn separated_pairs_are_listed_with_their_set_on_request() {
    let (expected, cells) = (expected("case02"), wide(&columns("case02", "observed").unwrap()));
    let found = run(&Factory, &[published(), vec![("pairs", text("all"))]].concat(), &cells);
    let sepsets = texts(&found, "sepset").into_iter().zip(texts(&found, "status"));
    let sepsets: Vec<String> = sepsets.filter(|(_, status)| status == "separated").map(|(set, _)| set).collect();
    let expected = expected["pc"]["cond"]["sepsets"].as_array().unwrap().iter();
    let expected: Vec<String> = expected
        .map(|pair| {
            let names = pair["S"].as_array().unwrap().iter().map(|gene| format!("g{:02}", gene.as_u64().unwrap()));
            names.collect::<Vec<String>>().join(",")
        })
        .collect();
    assert_eq!(sepsets, expected);
}

#[test]
fn a_collider_is_directed_and_an_all_zero_gene_is_untestable() {
    let found = run(&Factory, &[], &collider(400));
    let edge = |source: &str, target: &str, mark: &str| (source.to_owned(), target.to_owned(), mark.to_owned());
    assert_eq!(
        edges(&found),
        [
            edge("a", "c", "->"),
            edge("a", "d", "null"),
            edge("b", "c", "->"),
            edge("b", "d", "null"),
            edge("c", "d", "null")
        ]
    );
    assert_eq!(texts(&found, "status"), ["ok", "few", "ok", "few", "few"]);
    let given_only = run(&Factory, &[("deletion", text("cond"))], &collider(400));
    assert_eq!(texts(&given_only, "status"), ["ok", "constant", "ok", "constant", "constant"]);
    let p_values = doubles(&found, "p_value");
    assert!(p_values[1].is_nan() && p_values[0] < 0.05);
    assert!(doubles(&found, "frequency").iter().all(|frequency| frequency.is_nan()));
}

#[test]
fn the_report_counts_what_could_not_be_tested() {
    let output = call_on(&Factory, &[], vec![collider(400)], 1).unwrap();
    let counted = |name: &str| output.report[name].as_u64().unwrap();
    assert_eq!((counted("n_cells"), counted("n_genes"), counted("n_genes_all_zero")), (400, 4, 1));
    assert_eq!((counted("n_edges"), counted("n_directed"), counted("n_pairs_untestable")), (2, 2, 3));
    assert_eq!((counted("n_tests_few"), counted("n_pairs_separated")), (3, 1));
    assert_eq!(output.report["warnings"].as_array().unwrap().len(), 0);
}

#[test]
fn a_set_with_too_few_cells_separates_only_by_the_published_rule() {
    // c follows a and so does b; a is not zero in five cells
    let a = |cell| if cell % 20 == 0 { 1.0 + noise(cell, 0.0) } else { 0.0 };
    let cells = RecordBatch::try_from_iter([
        ("a", gene(100, a)),
        ("b", gene(100, |cell| a(cell) + 0.5 * noise(cell, 1.0))),
        ("c", gene(100, |cell| a(cell) + 0.5 * noise(cell, 2.0))),
    ])
    .unwrap();
    let kept = run(&Factory, &fisher_z(), &cells);
    assert_eq!((kept.num_rows(), texts(&kept, "status").last().unwrap().as_str()), (3, "partly_tested"));
    let options = [("min_rows", Literal::Integer(10)), ("untestable", text("independent")), ("pairs", text("all"))];
    let dropped = run(&Factory, &[fisher_z(), options.to_vec()].concat(), &cells);
    assert_eq!(texts(&dropped, "mark")[2], "null");
    assert_eq!((texts(&dropped, "status")[2].as_str(), texts(&dropped, "sepset")[2].as_str()), ("few", "a"));
}

#[test]
fn copies_are_joined_and_do_not_separate_each_other_from_the_rest() {
    let x = |cell| 1.0 + noise(cell, 0.0);
    let cells = RecordBatch::try_from_iter([
        ("x", gene(200, x)),
        ("copy", gene(200, x)),
        ("y", gene(200, |cell| x(cell) + noise(cell, 1.0))),
    ])
    .unwrap();
    for (test, of_copies) in [("fisher_z", "singular"), ("gcm", "ok")] {
        let found = run(&Factory, &[("test", text(test))], &cells);
        assert_eq!(found.num_rows(), 3);
        assert_eq!(texts(&found, "status"), [of_copies, "partly_tested", "partly_tested"]);
    }
}

#[test]
fn long_input_gives_the_network_of_the_same_wide_input() {
    let wide_cells = collider(150);
    let mut long: Vec<(i64, &str, f64)> = Vec::new();
    for name in ["c", "a", "b"] {
        let values = doubles(&wide_cells, name);
        long.extend((0..).zip(values).map(|(cell, value)| (cell, name, value)));
    }
    long.retain(|(cell, name, _)| *name != "c" || cell % 9 != 0);
    let of_long = |rows: &[(i64, &str, f64)]| {
        let cells: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.0)));
        let genes = words(rows.iter().map(|row| row.1));
        let values = numbers(rows.iter().map(|row| row.2));
        RecordBatch::try_from_iter([("cell", cells), ("gene", genes), ("value", values)]).unwrap()
    };
    let zeroed: Vec<f64> = doubles(&wide_cells, "c")
        .into_iter()
        .enumerate()
        .map(|(cell, c)| if cell % 9 == 0 { 0.0 } else { c })
        .collect();
    let wide_cells = RecordBatch::try_from_iter([
        ("a", numbers(doubles(&wide_cells, "a"))),
        ("b", numbers(doubles(&wide_cells, "b"))),
        ("c", numbers(zeroed)),
    ])
    .unwrap();
    let expected = run(&Factory, &[("pairs", text("all"))], &wide_cells);
    let found =
        call_on(&Factory, &[("pairs", text("all"))], vec![of_long(&long[..60]), of_long(&long[60..])], 2).unwrap();
    assert_eq!(edges(&found.batches[0]), edges(&expected));
    for (found, expected) in doubles(&found.batches[0], "statistic").iter().zip(doubles(&expected, "statistic")) {
        assert!((found - expected).abs() < 1e-9);
    }
    long.push(long[0]);
    assert!(refusal(&Factory, &[], &of_long(&long)).contains("1 rows repeat a cell and gene"));
    long[0].2 = -1.0;
    let message = refusal(&Factory, &[], &of_long(&long));
    assert!(message.contains("1 values are negative: ") && !message.contains("`c`"), "{message}");
}

#[test]
fn threads_and_cuts_into_batches_change_no_byte() {
    let cells = wide(&columns("case02", "observed").unwrap());
    for (test, n_searches) in [("fisher_z", 3), ("gcm", 1), ("rcit", 0)] {
        let options = [
            ("test", text(test)),
            ("stability", Literal::Integer(n_searches)),
            ("pairs", text("all")),
            ("orientation", text("max_p")),
        ];
        let whole = call_on(&Factory, &options, vec![cells.clone()], 1).unwrap();
        for (threads, cut) in [(2, 7), (8, 333)] {
            let pieces = (0..1000).step_by(cut).map(|first| cells.slice(first, cut.min(1000 - first))).collect();
            let found = call_on(&Factory, &options, pieces, threads).unwrap();
            assert_eq!(found.batches, whole.batches, "{test}");
            assert_eq!(found.report, whole.report, "{test}");
        }
    }
}

#[test]
fn the_seed_draws_the_features_of_rcit_and_the_report_names_it() {
    let cells = collider(400);
    let with_seed = |seed: i64| {
        let options = [("test", text("rcit")), ("pairs", text("all")), ("seed", Literal::Integer(seed))];
        call_on(&Factory, &options, vec![cells.clone()], 2).unwrap()
    };
    let (first, second) = (with_seed(0), with_seed(7));
    let joined = edges(&first.batches[0]).into_iter().filter(|(_, _, mark)| mark != "null");
    let joined: Vec<String> = joined.map(|(source, target, mark)| source + &mark + &target).collect();
    assert_eq!(joined, ["a->c", "b->c"]);
    assert_ne!(doubles(&first.batches[0], "p_value"), doubles(&second.batches[0], "p_value"));
    assert_eq!((&first.report["test"], &second.report["test_seed"]), (&Value::from("rcit"), &Value::from(7)));
    let by_default = call_on(&Factory, &[("test", text("rcit")), ("pairs", text("all"))], vec![cells], 2).unwrap();
    assert_eq!(by_default.batches, first.batches);
}

#[test]
fn frequencies_tell_strong_edges_from_chance_and_follow_the_seed() {
    let cells = wide(&columns("case02", "observed").unwrap());
    let options =
        |seed: i64| [("stability", Literal::Integer(8)), ("seed", Literal::Integer(seed)), ("pairs", text("all"))];
    let found = run(&Factory, &options(1), &cells);
    let frequencies = doubles(&found, "frequency");
    assert!(frequencies.iter().all(|frequency| (0.0..=1.0).contains(frequency)));
    let strongest = doubles(&found, "log_p_value").into_iter().zip(&frequencies).min_by(|a, b| a.0.total_cmp(&b.0));
    assert!(*strongest.unwrap().1 > 0.99);
    assert_eq!(frequencies, doubles(&run(&Factory, &options(1), &cells), "frequency"));
    assert_ne!(frequencies, doubles(&run(&Factory, &options(2), &cells), "frequency"));
}

#[test]
fn bad_values_are_refused_with_the_gene_and_the_number() {
    let with = |value: Option<f64>| {
        let b: Float64Array = [Some(1.0), value, value, Some(2.0)].into_iter().collect();
        RecordBatch::try_from_iter([("a", numbers([1.0, 2.0, 3.0, 4.0])), ("b", Arc::new(b) as ArrayRef)]).unwrap()
    };
    let message = refusal(&Factory, &[], &with(Some(-1.5)));
    assert!(message.starts_with("grn_dropout: 2 values are negative (gene `b` has some)"), "{message}");
    assert!(!message.contains("1.5"));
    assert!(refusal(&Factory, &[], &with(Some(f64::NAN))).contains("2 values are NaN or infinite"));
    assert!(refusal(&Factory, &[], &with(Some(f64::INFINITY))).contains("2 values are NaN or infinite"));
    assert!(refusal(&Factory, &[], &with(None)).contains("2 values are null"));
    let options = [("negative", text("allow")), ("transform", text("log1p"))];
    assert!(
        refusal(&Factory, &options, &with(Some(1.0))).contains("option `negative` of grn_dropout must be 'refuse'")
    );
}

#[test]
fn bad_columns_are_refused() {
    let cells = RecordBatch::try_from_iter([
        ("a", numbers([1.0, 2.0])),
        ("b", numbers([1.0, 3.0])),
        ("label", words(["x", "y"])),
    ])
    .unwrap();
    let genes = |names: &[&str]| [("genes", Literal::List(names.iter().map(|name| text(name)).collect()))];
    assert!(refusal(&Factory, &genes(&["a", "a"]), &cells).contains("gene column `a` stands twice"));
    assert!(refusal(&Factory, &genes(&["a", "label"]), &cells).contains("column `label` plays `genes`"));
    assert!(refusal(&Factory, &genes(&["a"]), &cells).contains("at least two genes"));
    assert!(refusal(&Factory, &[("gene", text("label"))], &cells).contains("long input needs the columns"));
}

#[test]
fn one_cell_and_more_genes_than_cells_have_statuses() {
    let one = run(&Factory, &[], &wide(&[vec![1.0], vec![2.0], vec![3.0]]));
    assert_eq!(texts(&one, "status"), ["few"; 3]);
    assert_eq!(texts(&one, "mark"), ["null"; 3]);
    let columns: Vec<Vec<f64>> =
        (0..50).map(|gene| (0..35).map(|cell| 1.0 + noise(cell, f64::from(gene))).collect()).collect();
    let found = run(&Factory, &[("alpha", Literal::Float(0.001)), ("pairs", text("all"))], &wide(&columns));
    assert_eq!(found.num_rows(), 1225);
    let none = run(&Factory, &[], &wide(&[vec![], vec![]]));
    assert_eq!(texts(&none, "status"), ["few"]);
}

#[test]
fn log1p_keeps_the_zeros_and_changes_the_statistic() {
    let cells = wide(&columns("case02", "observed").unwrap());
    let all_pairs = [fisher_z(), vec![("pairs", text("all"))]].concat();
    let plain = run(&Factory, &all_pairs, &cells);
    let log = run(&Factory, &[all_pairs, vec![("transform", text("log1p"))]].concat(), &cells);
    let given_one = |rows: &RecordBatch| -> Vec<(String, u64)> {
        texts(rows, "sepset").into_iter().zip(counts(rows, "n_used")).filter(|(set, _)| set.len() == 3).collect()
    };
    let of_plain = given_one(&plain);
    let common: Vec<_> =
        given_one(&log).into_iter().filter(|row| of_plain.iter().any(|other| other.0 == row.0)).collect();
    assert!(!common.is_empty() && common.iter().all(|row| of_plain.contains(row)));
    assert_ne!(doubles(&plain, "statistic"), doubles(&log, "statistic"));
    let plain = run(&Factory, &[], &cells);
    let log = run(&Factory, &[("transform", text("log1p"))], &cells);
    assert_eq!(plain, log); // ranks do not change
}

#[test]
fn a_cancelled_run_ends_and_progress_rises_to_one() {
    let cells = wide(&columns("case02", "observed").unwrap());
    let cancel = Cancel::default();
    cancel.cancel();
    let input = Relation::from_batches(cells.schema(), vec![cells.clone()]);
    let mut context = RunContext::for_test(2).unwrap().with_cancel(cancel);
    assert_eq!(call(&Factory, Literals::default(), vec![input], &mut context).unwrap_err().to_string(), "cancelled");
    let reported = Arc::new(std::sync::Mutex::new(Vec::new()));
    let sink = Arc::clone(&reported);
    let pool = Arc::new(rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap());
    let mut context = RunContext::new("grn_dropout", Seed(1), pool)
        .with_progress(Arc::new(move |done| sink.lock().unwrap().push(done)));
    let input = Relation::from_batches(cells.schema(), vec![cells]);
    let mut options = Literals::default();
    options.insert("stability", Literal::Integer(2));
    call(&Factory, options, vec![input], &mut context).unwrap();
    let reported = reported.lock().unwrap();
    assert!(reported.last().is_some_and(|done| (*done - 1.0).abs() < 1e-12));
    assert!(reported.windows(2).all(|pair| pair[0] <= pair[1]), "{reported:?}");
}

#[test]
fn warnings_name_tests_on_many_cells_and_zeros_that_were_kept() {
    let gene = |stream: f64| -> Vec<f64> { (0..6000).map(|cell| 1.0 + noise(cell, stream)).collect() };
    let (a, b) = (gene(0.0), gene(1.0));
    let sum: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a + b).collect();
    let mut holes = b.clone();
    holes.iter_mut().step_by(50).for_each(|value| *value = 0.0);
    let cells = wide(&[a, holes, sum]);
    let warnings = |options: &[(&str, Literal)]| {
        let output = call_on(&Factory, options, vec![cells.clone()], 2).unwrap();
        output.report["warnings"].as_array().unwrap().iter().map(Value::to_string).collect::<Vec<_>>()
    };
    assert!(warnings(&[]).is_empty());
    let found = warnings(&fisher_z());
    assert!(found.len() == 1 && found[0].contains("used more than 1000 cells"), "{found:?}");
    let found = warnings(&[("test", text("fisher_z"))]);
    assert!(found.len() == 1 && found[0].contains("used more than 4000 cells"), "{found:?}");
    assert!(warnings(&[("deletion", text("none"))])[0].contains("zeros of the genes conditioned on were kept"));
    assert!(warnings(&[("max_level", Literal::Integer(0))])[0].contains("max_level"));
}

/// Seven of eight graphs are the same. In the eighth the published code keeps one edge more: deleting it gains, but leads
/// to a class that the insertions had left, and to those the published code never returns.
#[test]
fn greedy_search_finds_the_graphs_of_the_published_code() {
    let published_graphs = expected("ges");
    let undirected_in_order = |(source, target, mark): (String, String, String)| {
        if mark == "--" && source > target { (target, source, mark) } else { (source, target, mark) }
    };
    for (case, graphs) in published_graphs.as_object().unwrap() {
        let cells = wide(&columns(case, "observed").unwrap());
        for (deletion, search) in [("none", "full"), ("cond", "cond")] {
            let options = [published(), vec![("method", text("ges")), ("deletion", text(deletion))]].concat();
            let mut found = edges(&run(&Factory, &options, &cells));
            let mut expected: Vec<_> = expected_edges(&graphs[search]).into_iter().map(undirected_in_order).collect();
            if case == "case04" && search == "cond" {
                assert_eq!((found.len(), expected.len()), (20, 21));
                expected.retain(|edge| !found.contains(edge));
                assert_eq!(expected, [("g03".to_owned(), "g18".to_owned(), "--".to_owned())]);
                let gain = gain_of_deletion(&columns(case, "observed").unwrap(), 3, 18);
                assert!((gain - 0.188_77).abs() < 1e-5, "{gain}");
                continue;
            }
            found.sort();
            expected.sort();
            assert_eq!(found, expected, "{case} {search}");
        }
    }
}

/// Returns what the score gains if the edge between two genes goes, given nothing.
fn gain_of_deletion(genes: &[Vec<f64>], x: usize, y: usize) -> f64 {
    let context = RunContext::for_test(1).unwrap();
    let expression = Expression::new("test", genes.to_vec(), Transform::None).unwrap();
    let test = FisherZ::new(&expression, Deletion::Conditioned, MinRows::Default, Workers::of(&context)).unwrap();
    let mut queries = Queries::new(0);
    queries.push(x, y, &[]);
    -bic_gain(&test.evaluate(&queries).unwrap()[0], expression.n_cells(), 1.0)
}

#[test]
fn greedy_search_directs_a_collider_and_keeps_its_budget() {
    let found = run(&Factory, &[("method", text("ges"))], &collider(400));
    let edge = |source: &str, target: &str| (source.to_owned(), target.to_owned(), "->".to_owned());
    assert_eq!(edges(&found), [edge("a", "c"), edge("b", "c")]);
    assert_eq!(texts(&found, "sepset"), ["b", "a"]);
    let options = [("method", text("ges")), ("budget", Literal::Integer(1)), ("stability", Literal::Integer(2))];
    let output = call_on(&Factory, &options, vec![collider(400)], 2).unwrap();
    assert_eq!(output.report["n_edges"], 1);
    assert!(output.report["warnings"][0].as_str().unwrap().contains("budget"));
}

#[test]
fn options_of_the_other_search_are_refused() {
    let cells = collider(50);
    let refused = |options: &[(&str, Literal)]| refusal(&Factory, options, &cells);
    assert!(refused(&[("penalty", Literal::Float(2.0))]).contains("left out unless method => 'ges'"));
    assert!(refused(&[("budget", Literal::Integer(2))]).contains("left out unless method => 'ges'"));
    assert!(refused(&[("method", text("ges")), ("pairs", text("all"))]).contains("left out with method => 'ges'"));
    assert!(refused(&[("method", text("ges")), ("orientation", text("max_p"))]).contains("left out with"));
    let message = refused(&[("method", text("ges")), ("test", text("gcm"))]);
    assert!(message.contains("option `test` of grn_dropout must be 'fisher_z' with method => 'ges'"), "{message}");
}

/// Simulates a fork a <- b -> c with dropout logistic in the own value: a, c and b.
fn fork(n_cells: usize, seed: u64) -> Vec<Vec<f64>> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut normal = || -> f64 {
        let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
        radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
    };
    let middle: Vec<f64> = (0..n_cells).map(|_| normal()).collect();
    let mut end = || middle.iter().map(|b| b + normal()).collect::<Vec<f64>>();
    let mut genes = vec![end(), end(), middle.clone()];
    for value in genes.iter_mut().flatten() {
        if rng.random::<f64>() < 1.0 / (1.0 + (0.5 + 1.5 * *value).exp()) {
            *value = 0.0;
        }
    }
    genes
}

/// Returns the share of forks in which a and c are called dependent given b at 5 %, by which zeros remove a cell:
/// those of b, all, none.
fn rejections(n_cells: usize, n_forks: u64) -> [f64; 3] {
    let context = RunContext::for_test(2).unwrap();
    let mut rejected = [0.0; 3];
    for seed in 0..n_forks {
        let expression = Expression::new("test", fork(n_cells, seed), Transform::None).unwrap();
        for (rejected, deletion) in rejected.iter_mut().zip([Deletion::Conditioned, Deletion::All, Deletion::None]) {
            let test = FisherZ::new(&expression, deletion, MinRows::Default, Workers::of(&context)).unwrap();
            let mut queries = Queries::new(1);
            queries.push(0, 1, &[2]);
            let p_value = test.evaluate(&queries).unwrap()[0].p_value;
            *rejected += if p_value <= 0.05 { 1.0 / n_forks as f64 } else { 0.0 };
        }
    }
    rejected
}

#[test]
fn an_edge_that_dropout_alone_makes_goes_with_the_default_test() {
    let (mut by_fisher_z, mut by_default) = (0, 0);
    for seed in 0..10 {
        let cells = wide(&fork(10_000, seed));
        let is_fork = |options: &[(&'static str, Literal)]| {
            let found = run(&Factory, &[options, &[("negative", text("allow"))]].concat(), &cells);
            i32::from(texts(&found, "target") == ["g02", "g02"])
        };
        by_fisher_z += is_fork(&fisher_z());
        by_default += is_fork(&[]);
    }
    assert!(by_fisher_z <= 6 && by_default >= 8, "{by_fisher_z} {by_default}");
}

/// Why the report warns: at 10 000 cells 0.73 (zeros of b), 0.07 (all) and 1 (none) were found by other code.
#[test]
fn fisher_z_on_many_cells_keeps_its_level_only_if_zeros_of_both_ends_go_too() {
    let [conditioned, all, none] = rejections(10_000, 60);
    assert!(conditioned > 0.5 && all < 0.2 && none > 0.99, "{conditioned} {all} {none}");
}
