//! Times `colide` on a simulated system, and the matrix products it is made of.
//!
//! usage: `time_colide N_VARIABLES ev|nv [CSV [EDGES]]`
//!
//! Simulates 1000 rows of a linear system with two expected edges a variable, weights in ±[0.5, 2] and
//! noise of variance 1 ('ev') or in [0.5, 10] ('nv'), from a fixed generator. Prints one JSON object: the
//! processor seconds, the steps, the edges found and right, and the speed in 10^9 operations a second of the
//! whole and of a product alone. With CSV the rows are written there, and with EDGES the number of the source, of the target
//! and the weight of each edge, for other programs.

use std::error::Error;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch};
use arrow::datatypes::Float64Type;
use causeway_causal::colide;
use causeway_core::{Literal, Literals, Relation, RunContext, call};
use causeway_numerics::dense::{Left, Right, multiply, padding};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;

const N_ROWS: usize = 1000;

#[expect(clippy::print_stdout, reason = "the result of the example")]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [n_variables, variant, rest @ ..] = arguments.as_slice() else {
        return Err("usage: time_colide N_VARIABLES ev|nv [CSV [EDGES]]".into());
    };
    let n: usize = n_variables.parse()?;
    let (weights, rows) = simulate(n, variant == "nv");
    if let Some(path) = rest.first() {
        write_csv(path, &rows, n)?;
    }
    let columns = (0..n).map(|column| {
        let values = Float64Array::from_iter_values(rows.iter().skip(column).step_by(n).copied());
        (format!("x{column}"), Arc::new(values) as ArrayRef)
    });
    let batch = RecordBatch::try_from_iter(columns)?;
    let mut options = Literals::default();
    options.insert("variant", Literal::Text(variant.clone()));
    let input = Relation::from_batches(batch.schema(), vec![batch]);
    let mut context = RunContext::for_test(1)?;
    let (wall, processor) = (Instant::now(), processor_seconds()?);
    let found = call(&colide::Factory, options, vec![input], &mut context)?;
    let (wall, processor) = (wall.elapsed().as_secs_f64(), processor_seconds()? - processor);
    let steps: u64 =
        found.report["stages"].as_array().into_iter().flatten().filter_map(|s| s["n_steps"].as_u64()).sum();
    let edges = &found.batches[0];
    let (sources, targets) = (edges["source"].as_string::<i32>(), edges["target"].as_string::<i32>());
    if let Some(path) = rest.get(1) {
        write_edges(path, edges)?;
    }
    let right = sources.iter().flatten().zip(targets.iter().flatten()).filter(|(source, target)| {
        let index = |name: &str| name[1..].parse::<usize>().unwrap_or(0);
        weights[index(source) * n + index(target)].abs() > 0.0
    });
    let true_edges = weights.iter().filter(|weight| weight.abs() > 0.0).count();
    println!(
        "{{\"d\": {n}, \"variant\": \"{variant}\", \"processor_seconds\": {processor:.2}, \"wall_seconds\": {wall:.2}, \
         \"steps\": {steps}, \"ms_a_step\": {:.4}, \"edges\": {}, \"right\": {}, \"true\": {true_edges}, \
         \"objective\": {}, \"gflops\": {:.1}, \"product_gflops\": {:.1}}}",
        processor * 1e3 / float(steps),
        edges.num_rows(),
        right.count(),
        found.report["objective"],
        4.0 * float(n as u64).powi(3) * float(steps) / processor / 1e9,
        product_speed(n)?,
    );
    Ok(())
}

/// Returns the weights, row-major, and the rows.
fn simulate(n: usize, unequal: bool) -> (Vec<f64>, Vec<f64>) {
    let mut random = ChaCha20Rng::seed_from_u64(0);
    let mut order: Vec<usize> = (0..n).collect();
    for last in (1..n).rev() {
        order.swap(last, random.random_range(0..=last));
    }
    let mut weights = vec![0.0; n * n];
    let share = 4.0 / float(n as u64 - 1);
    for (position, source) in order.iter().enumerate() {
        for target in &order[position + 1..] {
            if random.random_bool(share.min(1.0)) {
                let size = random.random_range(0.5..2.0);
                weights[source * n + target] = if random.random_bool(0.5) { size } else { -size };
            }
        }
    }
    let deviations: Vec<f64> =
        (0..n).map(|_| if unequal { random.random_range(0.5_f64..10.0).sqrt() } else { 1.0 }).collect();
    let mut rows = vec![0.0; N_ROWS * n];
    for row in rows.chunks_exact_mut(n) {
        for &target in &order {
            let parents: f64 = (0..n).map(|source| row[source] * weights[source * n + target]).sum();
            row[target] = parents + deviations[target] * normal(&mut random);
        }
    }
    (weights, rows)
}

/// Returns a standard normal number (Box and Muller 1958).
fn normal(random: &mut ChaCha20Rng) -> f64 {
    let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.random::<f64>()).cos()
}

fn write_csv(path: &str, rows: &[f64], n: usize) -> Result<(), Box<dyn Error>> {
    let mut text = String::new();
    for row in rows.chunks_exact(n) {
        for (column, value) in row.iter().enumerate() {
            write!(text, "{}{value:?}", if column == 0 { "" } else { "," })?;
        }
        text.push('\n');
    }
    Ok(std::fs::write(path, text)?)
}

fn write_edges(path: &str, edges: &RecordBatch) -> Result<(), Box<dyn Error>> {
    let (sources, targets) = (edges["source"].as_string::<i32>(), edges["target"].as_string::<i32>());
    let weights = edges["weight"].as_primitive::<Float64Type>();
    let mut text = String::new();
    for row in 0..edges.num_rows() {
        let (source, target) = (&sources.value(row)[1..], &targets.value(row)[1..]);
        writeln!(text, "{source},{target},{:?}", weights.value(row))?;
    }
    Ok(std::fs::write(path, text)?)
}

/// Returns the speed of products of the same size, over about a second.
fn product_speed(n: usize) -> Result<f64, Box<dyn Error>> {
    let order = n.next_multiple_of(padding());
    let matrix: Vec<f64> = (0..order * order).map(|cell| float(cell as u64 % 97)).collect();
    let (mut left, mut right, mut out) = (Left::default(), Right::default(), vec![0.0; order * order]);
    left.pack(&matrix, order);
    right.pack(&matrix, order);
    let repetitions = 10_000_000_000 / (n as u64).pow(3) + 1;
    let start = processor_seconds()?;
    for _ in 0..repetitions {
        multiply(&left, &right, &mut out, order);
    }
    let seconds = (processor_seconds()? - start) / float(repetitions);
    Ok(2.0 * float(n as u64).powi(3) / seconds / 1e9)
}

/// Returns the seconds this thread has had a processor.
fn processor_seconds() -> Result<f64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds: f64 = text.split_whitespace().next().unwrap_or("0").parse()?;
    Ok(nanoseconds / 1e9)
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn float(count: u64) -> f64 {
    count as f64
}
