//! Measures how near `grn_dropout` comes to a known network when values were lost.
//!
//! usage: `study_grn CURATED_FOLDER [GENES...]`, or `study_grn given CELLS.csv.gz EDGES.csv`
//!
//! The design of Dai et al. 2024, section 5: random graphs of mean degree 2 over 10 and 30 genes (or GENES), linear
//! systems with Gaussian noise, or their standardised exponentials; 10 000 cells; three mechanisms of dropout; 5
//! graphs, 3 for more than 10 genes. Alpha is 0.05, and too few cells count as independence, as in the published
//! code. 'oracle' sees the values before dropout. Prints Markdown tables: mean and range of the F1 score of the
//! skeleton and of the structural Hamming distance between CPDAGs, beside earlier figures (numpy code, other random
//! numbers) where there are some. Then the F1 scores of the simulated Boolean networks in CURATED_FOLDER.
//!
//! With `given` it searches those cells, whose true edges (source,target) form a DAG, and prints a line for each rule of
//! deletion: its name, F1 and distance. `tests/bench/grn_same_cells.py` compares them with the earlier code's on the same cells.

use std::collections::BTreeSet;
use std::error::Error;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{Float64Type, UInt64Type};
use causeway_causal::{compare_graphs, grn_dropout, simulate_dropout, simulate_sem, simulate_sem_edges};
use causeway_core::{Literal, Literals, OperatorFactory, Relation, RunContext, call};

type Found<T> = Result<T, Box<dyn Error>>;

/// A search: which values it sees, which zeros it deletes, by which test.
const SEARCHES: [(&str, bool, &str, &str); 5] = [
    ("oracle", true, "none", "fisher_z"),
    ("full", false, "none", "fisher_z"),
    ("cond", false, "cond", "fisher_z"),
    ("all", false, "all", "fisher_z"),
    ("gcm all", false, "all", "gcm"),
];

/// Mean F1 and mean distance of the first four searches.
type Means = [(f64, f64); 4];

/// Earlier means of F1 and distance for the first four searches, by genes, latent law and mechanism.
const EARLIER: [(usize, &str, &str, Means); 12] = [
    (10, "linear", "fixed", [(0.97, 2.0), (0.69, 11.0), (0.87, 3.2), (0.91, 3.6)]),
    (10, "linear", "logistic", [(0.97, 2.0), (0.76, 10.4), (0.94, 2.8), (0.93, 3.4)]),
    (10, "linear", "truncate", [(0.97, 2.0), (0.78, 9.0), (0.84, 3.6), (0.90, 3.4)]),
    (10, "lognormal", "fixed", [(0.79, 8.6), (0.69, 11.8), (0.76, 6.4), (0.80, 6.6)]),
    (10, "lognormal", "logistic", [(0.79, 8.6), (0.74, 10.6), (0.84, 6.0), (0.89, 5.6)]),
    (10, "lognormal", "truncate", [(0.79, 8.6), (0.80, 8.4), (0.92, 3.8), (0.91, 3.4)]),
    (30, "linear", "fixed", [(0.94, 5.0), (0.61, 50.7), (0.88, 14.0), (0.92, 12.0)]),
    (30, "linear", "logistic", [(0.94, 5.0), (0.67, 39.3), (0.93, 10.3), (0.92, 11.7)]),
    (30, "linear", "truncate", [(0.94, 5.0), (0.68, 38.0), (0.93, 12.7), (0.91, 12.7)]),
    (30, "lognormal", "fixed", [(0.66, 41.0), (0.60, 51.0), (0.77, 19.7), (0.79, 21.3)]),
    (30, "lognormal", "logistic", [(0.66, 41.0), (0.65, 45.0), (0.79, 22.3), (0.79, 19.7)]),
    (30, "lognormal", "truncate", [(0.66, 41.0), (0.67, 39.7), (0.91, 11.0), (0.92, 12.7)]),
];

#[expect(clippy::print_stdout, reason = "the result of the example")]
fn main() -> Found<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, cells, edges] = arguments.as_slice()
        && first == "given"
    {
        return given(Path::new(cells), Path::new(edges));
    }
    let [folder, genes @ ..] = arguments.as_slice() else {
        return Err("usage: study_grn CURATED_FOLDER [GENES...], or study_grn given CELLS.csv.gz EDGES.csv".into());
    };
    let genes = genes.iter().map(|text| text.parse()).collect::<Result<Vec<usize>, _>>()?;
    println!(
        "| genes | latent | mechanism (zeros) | search | F1, mean (range) | earlier | | SHD, mean (range) | earlier | |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for n_genes in if genes.is_empty() { vec![10, 30] } else { genes } {
        for form in ["linear", "lognormal"] {
            simulated(n_genes, form)?;
        }
    }
    println!("\n| network (genes, true pairs) | deletion | fisher_z F1 | gcm F1 | rcit F1 |");
    println!("|---|---|---|---|---|");
    for network in ["HSC", "GSD"] {
        curated(Path::new(folder), network)?;
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the result of the example")]
fn given(cells: &Path, edges: &Path) -> Found<()> {
    let cells = read_cells(cells)?;
    let text = std::fs::read_to_string(edges)?;
    let dag: Vec<(&str, &str)> = text.lines().skip(1).filter_map(|line| line.split_once(',')).collect();
    let column = |values: Vec<&str>| -> ArrayRef { Arc::new(StringArray::from(values)) };
    let truth = class_of(&RecordBatch::try_from_iter([
        ("source", column(dag.iter().map(|edge| edge.0).collect())),
        ("target", column(dag.iter().map(|edge| edge.1).collect())),
    ])?)?;
    for deletion in ["none", "cond", "all"] {
        let (f1, shd) = distance(search(&cells, deletion, "fisher_z")?, truth.clone())?;
        println!("{deletion} {f1:.4} {shd}");
    }
    Ok(())
}

/// F1 and Hamming distance of each graph, by search.
#[derive(Debug, Default)]
struct Scores {
    f1: [Vec<f64>; SEARCHES.len()],
    shd: [Vec<f64>; SEARCHES.len()],
    zeros: Vec<f64>,
}

#[expect(clippy::print_stdout, reason = "the result of the example")]
fn simulated(n_genes: usize, form: &str) -> Found<()> {
    let n_graphs = if n_genes > 10 { 3 } else { 5 };
    for mechanism in ["fixed", "logistic", "truncate"] {
        let mut scores = Scores::default();
        for seed in 0..n_graphs {
            let design = [
                ("n_variables", Literal::Integer(i64::try_from(n_genes)?)),
                ("n_rows", Literal::Integer(10_000)),
                ("form", word(form)),
                ("seed", Literal::Integer(seed)),
            ];
            let latent = run(&simulate_sem::Factory, &design, vec![])?;
            let truth = class_of(&run(&simulate_sem_edges::Factory, &design, vec![])?)?;
            let observed = run(&simulate_dropout::Factory, &dropout(form, mechanism, seed), vec![latent.clone()])?;
            scores.zeros.push(zero_share(&observed));
            for (index, (_, is_latent, deletion, test)) in SEARCHES.into_iter().enumerate() {
                let cells = if is_latent { &latent } else { &observed };
                let (f1, shd) = distance(search(cells, deletion, test)?, truth.clone())?;
                scores.f1[index].push(f1);
                scores.shd[index].push(shd);
            }
        }
        let zeros = mean(&scores.zeros);
        let earlier = EARLIER.iter().find(|row| (row.0, row.1, row.2) == (n_genes, form, mechanism));
        for (index, (name, ..)) in SEARCHES.into_iter().enumerate() {
            let before = earlier.and_then(|row| row.3.get(index));
            let latent = if form == "linear" { "Gaussian" } else { form };
            println!(
                "| {n_genes} | {latent} | {mechanism} ({zeros:.2}) | {name} | {} | {} |",
                beside(&scores.f1[index], before.map(|before| before.0), 2),
                beside(&scores.shd[index], before.map(|before| before.1), 1)
            );
        }
    }
    Ok(())
}

/// Returns mean and range, the earlier figure, and whether that lies within the range.
fn beside(values: &[f64], earlier: Option<f64>, digits: usize) -> String {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let half_a_digit = 0.5 * 10.0_f64.powi(-i32::try_from(digits).unwrap_or(0));
    let verdict = match earlier {
        None => String::from("| "),
        Some(earlier) if earlier < low - half_a_digit => format!("{earlier:.digits$} | below"),
        Some(earlier) if earlier > high + half_a_digit => format!("{earlier:.digits$} | above"),
        Some(earlier) => format!("{earlier:.digits$} | within"),
    };
    format!("{:.digits$} ({low:.digits$}–{high:.digits$}) | {verdict}", mean(values))
}

/// Returns the options of `simulate_dropout`.
fn dropout(form: &str, mechanism: &str, seed: i64) -> Vec<(&'static str, Literal)> {
    let choose = |gaussian: f64, lognormal: f64| Literal::Float(if form == "linear" { gaussian } else { lognormal });
    let mut options = vec![("mechanism", word(mechanism)), ("seed", Literal::Integer(1000 + seed))];
    match mechanism {
        "fixed" => options.extend([("low", choose(0.4, 0.3)), ("high", choose(0.7, 0.6))]),
        "logistic" => options.extend([("a", choose(-0.5, 0.5)), ("b", choose(-1.5, -0.5))]),
        _ => options.extend([("low", choose(0.2, 0.2)), ("high", choose(0.5, 0.4))]),
    }
    options
}

fn search(cells: &RecordBatch, deletion: &str, test: &str) -> Found<RecordBatch> {
    let options = [
        ("deletion", word(deletion)),
        ("test", word(test)),
        ("negative", word("allow")),
        ("min_rows", Literal::Integer(0)),
        ("untestable", word("independent")),
    ];
    run(&grn_dropout::Factory, &options, vec![cells.clone()])
}

/// Returns the F1 score of the skeleton and the Hamming distance.
fn distance(estimate: RecordBatch, truth: RecordBatch) -> Found<(f64, f64)> {
    let options = [("intervention_distance", Literal::Boolean(false))];
    let found = run(&compare_graphs::Factory, &options, vec![estimate, truth])?;
    let f1 = found["skeleton_f1"].as_primitive::<Float64Type>().iter().next().flatten().unwrap_or(0.0);
    let shd = found["shd"].as_primitive::<UInt64Type>().value(0);
    Ok((f1, float(usize::try_from(shd)?)))
}

/// Returns the CPDAG of a DAG: edges of colliders whose ends are not joined, then Meek's rules 1 to 3.
fn class_of(edges: &RecordBatch) -> Found<RecordBatch> {
    let ends = |name: &str| edges[name].as_string::<i32>().iter().flatten().map(str::to_owned).collect::<Vec<String>>();
    let dag: BTreeSet<(String, String)> = ends("source").into_iter().zip(ends("target")).collect();
    let nodes: BTreeSet<&String> = dag.iter().flat_map(|(source, target)| [source, target]).collect();
    let joined =
        |a: &String, b: &String| [(a, b), (b, a)].into_iter().any(|(a, b)| dag.contains(&(a.clone(), b.clone())));
    let mut directed: BTreeSet<(String, String)> = BTreeSet::new();
    loop {
        let is = |a: &String, b: &String| directed.contains(&(a.clone(), b.clone()));
        let open = |a: &String, b: &String| joined(a, b) && !is(a, b) && !is(b, a);
        let forced = |(a, b): &&(String, String)| {
            let of_collider =
                nodes.iter().any(|c| *c != a && dag.contains(&((*c).clone(), b.clone())) && !joined(a, c));
            let away = nodes.iter().any(|c| *c != b && is(c, a) && !joined(c, b));
            let around = nodes.iter().any(|c| is(a, c) && is(c, b));
            let between = || nodes.iter().filter(|c| open(a, c) && is(c, b)).collect::<Vec<_>>();
            let both = || between().iter().any(|c| between().iter().any(|d| c != d && !joined(c, d)));
            of_collider || away || around || both()
        };
        let more: Vec<_> = dag.iter().filter(|edge| !directed.contains(edge)).filter(forced).cloned().collect();
        if more.is_empty() {
            break;
        }
        directed.extend(more);
    }
    let marks = dag.iter().map(|edge| if directed.contains(edge) { "->" } else { "--" });
    let column = |values: Vec<&str>| -> ArrayRef { Arc::new(StringArray::from(values)) };
    Ok(RecordBatch::try_from_iter([
        ("source", column(dag.iter().map(|edge| edge.0.as_str()).collect())),
        ("target", column(dag.iter().map(|edge| edge.1.as_str()).collect())),
        ("mark", column(marks.collect())),
    ])?)
}

#[expect(clippy::print_stdout, reason = "the result of the example")]
fn curated(folder: &Path, network: &str) -> Found<()> {
    let truth = read_edges(&folder.join(format!("{network}_edges.csv")))?;
    let cells = read_cells(&folder.join(format!("{network}_drop50.csv.gz")))?;
    for deletion in ["none", "cond", "all"] {
        let f1 = |test: &str| -> Found<String> {
            let (f1, _) = distance(search(&cells, deletion, test)?, truth.clone())?;
            Ok(format!("{f1:.2}"))
        };
        let n_genes = cells.num_columns();
        let scores = [f1("fisher_z")?, f1("gcm")?, f1("rcit")?].join(" | ");
        println!("| {network} ({n_genes}, {}) | {deletion} | {scores} |", truth.num_rows());
    }
    Ok(())
}

/// Returns the pairs that some edge joins, without directions: the network has cycles.
fn read_edges(path: &Path) -> Found<RecordBatch> {
    let text = std::fs::read_to_string(path)?;
    let pairs: BTreeSet<(&str, &str)> =
        text.lines().skip(1).filter_map(|line| line.split_once(',')).map(|(a, b)| (a.min(b), a.max(b))).collect();
    let column = |values: Vec<&str>| -> ArrayRef { Arc::new(StringArray::from(values)) };
    Ok(RecordBatch::try_from_iter([
        ("source", column(pairs.iter().map(|pair| pair.0).collect())),
        ("target", column(pairs.iter().map(|pair| pair.1).collect())),
        ("mark", column(vec!["--"; pairs.len()])),
    ])?)
}

fn read_cells(path: &Path) -> Found<RecordBatch> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path)?).read_to_string(&mut text)?;
    let mut lines = text.lines();
    let genes: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let mut columns = vec![Vec::new(); genes.len()];
    for line in lines {
        for (column, cell) in columns.iter_mut().zip(line.split(',')) {
            column.push(cell.parse::<f64>()?);
        }
    }
    let columns = genes.into_iter().zip(columns);
    Ok(RecordBatch::try_from_iter(
        columns.map(|(gene, column)| (gene, Arc::new(Float64Array::from(column)) as ArrayRef)),
    )?)
}

/// Calls an operator and returns its rows as one batch.
fn run(factory: &dyn OperatorFactory, options: &[(&str, Literal)], inputs: Vec<RecordBatch>) -> Found<RecordBatch> {
    let mut literals = Literals::default();
    for (name, value) in options {
        literals.insert(*name, value.clone());
    }
    let inputs = inputs.into_iter().map(|batch| Relation::from_batches(batch.schema(), vec![batch])).collect();
    let output = call(factory, literals, inputs, &mut RunContext::for_test(2)?)?;
    let schema = output.batches.first().ok_or("no rows")?.schema();
    Ok(concat_batches(&schema, &output.batches)?)
}

fn zero_share(cells: &RecordBatch) -> f64 {
    let zeros =
        |column: &ArrayRef| column.as_primitive::<Float64Type>().values().iter().filter(|v| v.abs() <= 0.0).count();
    let n_zeros: usize = cells.columns().iter().map(zeros).sum();
    float(n_zeros) / float(cells.num_rows() * cells.num_columns())
}

fn word(text: &str) -> Literal {
    Literal::Text(text.to_owned())
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / float(values.len())
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn float(count: usize) -> f64 {
    count as f64
}
