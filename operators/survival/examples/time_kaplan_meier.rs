//! Times `kaplan_meier` on batches in memory, for the comparison with other programs.
//!
//! usage: `time_kaplan_meier days|float|groups N_ROWS [REPETITIONS]`
//!
//! The durations come from a fixed generator that `tests/bench/survival_vs_lifelines.py` repeats. Prints
//! one JSON object: the seconds of each repetition, the rows of the curve and its survival at the end.

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Float64Type;
use causeway_core::{Literal, Literals, Relation, RunContext, call};
use causeway_survival::kaplan_meier;

/// Rows in one batch, as an engine hands them over.
const BATCH_ROWS: u64 = 8192;

#[expect(clippy::print_stdout, reason = "the result of the example")]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, n_rows, rest @ ..] = arguments.as_slice() else {
        return Err("usage: time_kaplan_meier days|float|groups N_ROWS [REPETITIONS]".into());
    };
    let n_rows: u64 = n_rows.parse()?;
    let repetitions: usize = rest.first().map_or(Ok(5), |text| text.parse())?;
    let batches = rows(kind, n_rows)?;
    let threads = std::thread::available_parallelism()?.get();
    let mut seconds = Vec::new();
    let mut curve = Vec::new();
    for _ in 0..repetitions {
        let mut context = RunContext::for_test(threads)?;
        let mut options = Literals::default();
        if kind == "groups" {
            options.insert("by", Literal::Text("group".to_owned()));
        }
        let input = Relation::from_batches(batches[0].schema(), batches.clone());
        let start = Instant::now();
        curve = call(&kaplan_meier::Factory, options, vec![input], &mut context)?.batches;
        seconds.push(start.elapsed().as_secs_f64());
    }
    let survival = curve[0]["survival"].as_primitive::<Float64Type>();
    println!(
        "{{\"seconds\": {seconds:?}, \"threads\": {threads}, \"curve_rows\": {}, \"last_survival\": {:?}}}",
        survival.len(),
        survival.value(survival.len() - 1)
    );
    Ok(())
}

fn rows(kind: &str, n_rows: u64) -> Result<Vec<RecordBatch>, Box<dyn Error>> {
    let mut batches = Vec::new();
    for first in (0..n_rows).step_by(usize::try_from(BATCH_ROWS)?) {
        let range = first..(first + BATCH_ROWS).min(n_rows);
        let time: ArrayRef = match kind {
            "days" | "groups" => Arc::new(Int64Array::from_iter_values(range.clone().map(|row| days(row, 0)))),
            "float" => Arc::new(Float64Array::from_iter_values(range.clone().map(|row| unit(row, 0) * 3650.0))),
            _ => return Err("the first argument is days, float or groups".into()),
        };
        let event: ArrayRef = Arc::new(range.clone().map(|row| Some(unit(row, 1) < 0.6)).collect::<BooleanArray>());
        let mut columns = vec![("time", time), ("event", event)];
        if kind == "groups" {
            let group = range.map(|row| if unit(row, 2) < 0.5 { "control" } else { "treated" });
            columns.push(("group", Arc::new(StringArray::from_iter_values(group))));
        }
        batches.push(RecordBatch::try_from_iter(columns)?);
    }
    Ok(batches)
}

#[expect(clippy::cast_possible_truncation, reason = "below 3650")]
fn days(row: u64, stream: u64) -> i64 {
    (unit(row, stream) * 3650.0) as i64 + 1
}

/// Returns a number in [0, 1) with 53 random bits: SplitMix64 of the row.
#[expect(clippy::cast_precision_loss, reason = "53 bits fit a double")]
fn unit(row: u64, stream: u64) -> f64 {
    let mut z = (row * 3 + stream + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 11) as f64 / 9_007_199_254_740_992.0
}
