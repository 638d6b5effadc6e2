//! Times `grn_dropout` on cells in memory, for the comparison with other programs.
//!
//! usage: `time_grn N_GENES N_CELLS [THREADS] [DELETION] [FILE] [TEST]`
//!
//! The cells are those of FILE (doubles, little endian, gene after gene), or simulated if FILE is `-` or missing: a random linear
//! model of mean degree 2 with normal noise and dropout logistic in the value. TEST is `fisher_z` if missing. Alpha is 0.01. Prints one JSON
//! object: CPU and wall seconds (the best of five runs, one for more than 200 genes), what was found, and the
//! share of this machine's arithmetic and memory reading speed, both measured here, that the necessary work of `cond`
//! needs.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch};
use arrow::datatypes::UInt64Type;
use causeway_causal::{grn_dropout, grn_tests};
use causeway_core::{Literal, Literals, OperatorFactory, Output, Relation, RunContext, Seed, call};
use pulp::{Arch, Simd, WithSimd};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;

/// Rows in one batch, as an engine hands them over.
const BATCH_ROWS: usize = 8192;

#[expect(clippy::print_stdout, reason = "the result of the example")]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [n_genes, n_cells, rest @ ..] = arguments.as_slice() else {
        return Err("usage: time_grn N_GENES N_CELLS [THREADS] [DELETION] [FILE] [TEST]".into());
    };
    let (n_genes, n_cells): (usize, usize) = (n_genes.parse()?, n_cells.parse()?);
    let threads: usize = rest.first().map_or(Ok(1), |text| text.parse())?;
    let deletion = rest.get(1).map_or("cond", String::as_str);
    let test = rest.get(3).map_or("fisher_z", String::as_str);
    let columns = match rest.get(2) {
        Some(file) if file != "-" => read(file, n_genes, n_cells)?,
        _ => simulate(n_genes, n_cells),
    };
    let batches = batches(&columns, n_cells)?;
    // As in the product, whose threads outlive a statement.
    let pool = Arc::new(rayon::ThreadPoolBuilder::new().num_threads(threads).build()?);
    let mut best = (f64::INFINITY, f64::INFINITY);
    let mut found = None;
    for _ in 0..if n_genes > 200 { 1 } else { 5 } {
        let (cpu, start) = (cpu_seconds(), Instant::now());
        found = Some(run(&grn_dropout::Factory, (test, deletion), &pool, &batches)?);
        best = (best.0.min(cpu_seconds() - cpu), best.1.min(start.elapsed().as_secs_f64()));
    }
    let found = found.ok_or("no run")?;
    let mut result = json!({
        "n_genes": n_genes, "n_cells": n_cells, "threads": threads, "test": test, "deletion": deletion,
        "cpu_s": best.0, "wall_s": best.1, "peak_memory_mib": peak_memory_mib()?,
        "n_tests": found.report["n_tests"], "n_tests_by_level": found.report["n_tests_by_level"],
        "n_edges": found.report["n_edges"], "edges": edges(&found.batches[0]),
    });
    if (test, deletion) == ("fisher_z", "cond") {
        let tests = run(&grn_tests::Factory, (test, deletion), &pool, &batches)?;
        let (flops, bytes) = necessary_work(&tests.batches[0], n_genes, n_cells);
        result["share_of_peak_flops"] = json!(flops / best.0 / peak_flops());
        result["share_of_peak_reading"] = json!(bytes / best.0 / peak_reading());
    }
    println!("{result}");
    Ok(())
}

fn run(
    factory: &dyn OperatorFactory,
    (test, deletion): (&str, &str),
    pool: &Arc<rayon::ThreadPool>,
    batches: &[RecordBatch],
) -> Result<Output, Box<dyn Error>> {
    let mut options = Literals::default();
    let words = [("test", test), ("deletion", deletion), ("negative", "allow"), ("untestable", "independent")];
    for (name, word) in words {
        options.insert(name, Literal::Text(word.to_owned()));
    }
    options.insert("alpha", Literal::Float(0.01));
    options.insert("min_rows", Literal::Integer(0));
    let input = Relation::from_batches(batches[0].schema(), batches.to_vec());
    Ok(call(factory, options, vec![input], &mut RunContext::new("time_grn", Seed(0), Arc::clone(pool)))?)
}

fn edges(rows: &RecordBatch) -> Vec<String> {
    let [source, target, mark] = ["source", "target", "mark"].map(|name| rows[name].as_string::<i32>());
    let row = |row| format!("{} {} {}", source.value(row), mark.value(row), target.value(row));
    if rows.num_rows() > 200 { Vec::new() } else { (0..rows.num_rows()).map(row).collect() }
}

/// Returns the arithmetic and the bytes that cannot be spared: all correlations once; then, for each S,
/// its cells of every gene tested given S, and a product for each pair.
fn necessary_work(tests: &RecordBatch, n_genes: usize, n_cells: usize) -> (f64, f64) {
    let [x, y, given] = ["x", "y", "given"].map(|name| tests[name].as_string::<i32>());
    let n_used = tests["n_used"].as_primitive::<UInt64Type>();
    let mut sets: BTreeMap<&str, (BTreeSet<&str>, u64, u64)> = BTreeMap::new();
    for row in 0..tests.num_rows() {
        if !given.value(row).is_empty() {
            let set = sets.entry(given.value(row)).or_default();
            set.0.extend([x.value(row), y.value(row)]);
            set.1 += 1;
            set.2 = n_used.value(row);
        }
    }
    let mut flops = n_cells as f64 * (n_genes * (n_genes + 1)) as f64;
    let mut bytes = 8.0 * (n_cells * n_genes) as f64;
    for (given, (genes, n_pairs, n_used)) in sets {
        let size = given.split(',').count() as f64;
        let (genes, n_used) = (genes.len() as f64, n_used as f64);
        let products = n_pairs as f64 + genes * (size + 1.0) + size * (size + 1.0) / 2.0;
        flops += 2.0 * n_used * products;
        bytes += 8.0 * n_used * (genes + size);
    }
    (flops, bytes)
}

fn read(file: &str, n_genes: usize, n_cells: usize) -> Result<Vec<Vec<f64>>, Box<dyn Error>> {
    let bytes = std::fs::read(file)?;
    let (values, _) = bytes.as_chunks::<8>();
    let values: Vec<f64> = values.iter().map(|value| f64::from_le_bytes(*value)).collect();
    if values.len() != n_genes * n_cells {
        return Err("the file does not hold N_GENES * N_CELLS doubles".into());
    }
    Ok(values.chunks(n_cells).map(<[f64]>::to_vec).collect())
}

/// Genes in the order of their causes; each later gene has an edge from an earlier one with one probability.
fn simulate(n_genes: usize, n_cells: usize) -> Vec<Vec<f64>> {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let chance = 2.0 / (n_genes as f64 - 1.0);
    let mut values: Vec<Vec<f64>> = Vec::new();
    for gene in 0..n_genes {
        let (mean, deviation) = (rng.random_range(-1.0..1.0), rng.random_range(1.0..2.0));
        let mut column: Vec<f64> = (0..n_cells).map(|_| mean + deviation * normal(&mut rng)).collect();
        for cause in &values[..gene] {
            if rng.random::<f64>() < chance {
                let weight = rng.random_range(0.25..1.0) * if rng.random() { 1.0 } else { -1.0 };
                column.iter_mut().zip(cause).for_each(|(value, cause)| *value += weight * cause);
            }
        }
        values.push(column);
    }
    for value in values.iter_mut().flatten() {
        if rng.random::<f64>() < 1.0 / (1.0 + (0.5 + 1.5 * *value).exp()) {
            *value = 0.0;
        }
    }
    values
}

/// Box and Muller 1958.
fn normal(rng: &mut ChaCha20Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}

fn batches(columns: &[Vec<f64>], n_cells: usize) -> Result<Vec<RecordBatch>, Box<dyn Error>> {
    let mut batches = Vec::new();
    for first in (0..n_cells).step_by(BATCH_ROWS) {
        let rows = first..(first + BATCH_ROWS).min(n_cells);
        let columns = columns.iter().enumerate().map(|(gene, column)| {
            let values: ArrayRef = Arc::new(Float64Array::from(column[rows.clone()].to_vec()));
            (format!("g{gene:04}"), values)
        });
        batches.push(RecordBatch::try_from_iter(columns)?);
    }
    Ok(batches)
}

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// The most memory the process ever held, as Linux counts it.
fn peak_memory_mib() -> Result<f64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.split_whitespace().nth(1).ok_or("no number")?.parse::<f64>()? / 1024.0)
}

/// Multiplications and additions on registers, each CPU second of one thread.
fn peak_flops() -> f64 {
    let start = cpu_seconds();
    let (sum, n_done) = Arch::new().dispatch(Registers { rounds: 20_000_000 });
    black_box(sum);
    n_done / (cpu_seconds() - start)
}

struct Registers {
    rounds: u32,
}

impl WithSimd for Registers {
    type Output = (f64, f64);

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> (f64, f64) {
        const CHAINS: usize = 12;
        let (factor, term) = (simd.splat_f64s(black_box(0.999_999)), simd.splat_f64s(black_box(0.5)));
        let mut sums = [simd.splat_f64s(1.0); CHAINS];
        for _ in 0..self.rounds {
            for sum in &mut sums {
                *sum = simd.add_f64s(simd.mul_f64s(*sum, factor), term);
            }
        }
        let total = sums.iter().map(|sum| simd.reduce_sum_f64s(*sum)).sum();
        (total, 2.0 * (CHAINS * S::F64_LANES) as f64 * f64::from(self.rounds))
    }
}

/// Bytes read in order from memory larger than any cache, each CPU second of one thread.
fn peak_reading() -> f64 {
    let values = vec![1.0_f64; 1 << 25];
    let start = cpu_seconds();
    black_box(Arch::new().dispatch(Reading { values: &values }));
    8.0 * values.len() as f64 / (cpu_seconds() - start)
}

struct Reading<'a> {
    values: &'a [f64],
}

impl WithSimd for Reading<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> f64 {
        let mut sums = [0.0; 16];
        for block in self.values.as_chunks::<16>().0 {
            sums.iter_mut().zip(block).for_each(|(sum, value)| *sum += value);
        }
        sums.iter().sum()
    }
}
