//! Times `dp_kaplan_meier` on batches in memory.
//!
//! usage: `time_dp_kaplan_meier days|float|units|words|strata N_ROWS [THREADS [REPETITIONS]]`
//!
//! Durations up to 3650 from a fixed generator; `units` has a column of whole numbers that names whom a row belongs to, two
//! rows each, `words` the same as text, `strata` two listed groups. Prints one JSON object: the seconds of each repetition.

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use causeway_core::{Literal, Literals, Relation, RunContext, call};
use causeway_privacy::dp_kaplan_meier;

/// Rows in one batch, as an engine hands them over.
const BATCH_ROWS: u64 = 8192;

#[expect(clippy::print_stdout, reason = "the result of the example")]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, n_rows, rest @ ..] = arguments.as_slice() else {
        return Err("usage: time_dp_kaplan_meier days|float|units|words|strata N_ROWS [THREADS [REPETITIONS]]".into());
    };
    let threads: usize = rest.first().map_or(Ok(1), |text| text.parse())?;
    let repetitions: usize = rest.get(1).map_or(Ok(5), |text| text.parse())?;
    let batches = rows(kind, n_rows.parse()?)?;
    let mut options = Literals::default();
    options.insert("epsilon", Literal::Float(1.0));
    options.insert("horizon", Literal::Float(3650.0));
    options.insert("bins", Literal::Integer(64));
    match kind.as_str() {
        "units" | "words" => options.insert("unit", Literal::Text("unit".to_owned())),
        "strata" => {
            options.insert("strata", Literal::Text("group".to_owned()));
            let values = ["control", "treated"].map(|value| Literal::Text(value.to_owned()));
            options.insert("strata_values", Literal::List(values.to_vec()));
        }
        _ => {}
    }
    let mut seconds = Vec::new();
    for _ in 0..repetitions {
        let mut context = RunContext::for_test(threads)?;
        let input = Relation::from_batches(batches[0].schema(), batches.clone());
        let start = Instant::now();
        call(&dp_kaplan_meier::Factory, options.clone(), vec![input], &mut context)?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    println!("{{\"kind\": {kind:?}, \"threads\": {threads}, \"seconds\": {seconds:?}}}");
    Ok(())
}

fn rows(kind: &str, n_rows: u64) -> Result<Vec<RecordBatch>, Box<dyn Error>> {
    let mut batches = Vec::new();
    for first in (0..n_rows).step_by(usize::try_from(BATCH_ROWS)?) {
        let range = first..(first + BATCH_ROWS).min(n_rows);
        let days = range.clone().map(|row| unit(row, 0) * 3650.0);
        let time: ArrayRef = match kind {
            "float" => Arc::new(Float64Array::from_iter_values(days)),
            _ => Arc::new(Int64Array::from_iter_values(days.map(whole))),
        };
        let event: ArrayRef = Arc::new(range.clone().map(|row| Some(unit(row, 1) < 0.6)).collect::<BooleanArray>());
        let mut columns = vec![("time", time), ("event", event)];
        let person = range.clone().map(|row| mix(row / 2) >> 20);
        match kind {
            "units" => {
                let person = person.map(u64::cast_signed);
                columns.push(("unit", Arc::new(Int64Array::from_iter_values(person))));
            }
            "words" => {
                let person = person.map(|person| format!("P{person:013}"));
                columns.push(("unit", Arc::new(StringArray::from_iter_values(person))));
            }
            "strata" => {
                let group = range.map(|row| if unit(row, 2) < 0.5 { "control" } else { "treated" });
                columns.push(("group", Arc::new(StringArray::from_iter_values(group))));
            }
            _ => {}
        }
        batches.push(RecordBatch::try_from_iter(columns)?);
    }
    Ok(batches)
}

#[expect(clippy::cast_possible_truncation, reason = "below 3650")]
fn whole(days: f64) -> i64 {
    days as i64
}

/// A number in [0, 1) that looks random.
#[expect(clippy::cast_precision_loss, reason = "53 bits")]
fn unit(row: u64, stream: u64) -> f64 {
    (mix(row.wrapping_add(stream << 40)) >> 11) as f64 / 9_007_199_254_740_992.0
}

/// Stafford's mixer, one to one.
fn mix(row: u64) -> u64 {
    let mut mixed = row.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
