//! Speed of the family on batches in memory: whole days, broken times, two groups.

use std::hint::black_box;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray};
use causeway_core::{Literal, Literals, OperatorFactory, Relation, RunContext, call};
use causeway_survival::{kaplan_meier, log_rank};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const BATCH_ROWS: usize = 8192;
const SIZES: [usize; 3] = [10_000, 1_000_000, 10_000_000];

fn batches(n_rows: usize, whole: bool) -> Vec<RecordBatch> {
    let mut rng = ChaCha8Rng::seed_from_u64(20_261_124);
    (0..n_rows).step_by(BATCH_ROWS).map(|first| batch(BATCH_ROWS.min(n_rows - first), whole, &mut rng)).collect()
}

#[expect(clippy::unwrap_used, reason = "columns of one length")]
fn batch(n_rows: usize, whole: bool, rng: &mut ChaCha8Rng) -> RecordBatch {
    let time =
        (0..n_rows).map(|_| rng.random_range(0.0..3650.0_f64)).map(|time| if whole { time.floor() } else { time });
    let time: ArrayRef = Arc::new(Float64Array::from_iter_values(time));
    let event: ArrayRef = Arc::new((0..n_rows).map(|_| Some(rng.random_bool(0.6))).collect::<BooleanArray>());
    let arm = (0..n_rows).map(|_| if rng.random_bool(0.5) { "control" } else { "treated" });
    let arm: ArrayRef = Arc::new(StringArray::from_iter_values(arm));
    RecordBatch::try_from_iter([("time", time), ("event", event), ("arm", arm)]).unwrap()
}

#[expect(clippy::unwrap_used, reason = "a bench stops at an error")]
fn measure(criterion: &mut Criterion, name: &str, factory: &dyn OperatorFactory, whole: bool, by: Option<&str>) {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10);
    let mut context = RunContext::for_test(std::thread::available_parallelism().map_or(1, usize::from)).unwrap();
    for n_rows in SIZES.into_iter().filter(|n_rows| whole || *n_rows <= 1_000_000) {
        let rows = batches(n_rows, whole);
        let mut options = Literals::default();
        if let Some(by) = by {
            options.insert("by", Literal::Text(by.to_owned()));
        }
        group.throughput(Throughput::Elements(n_rows as u64));
        group.bench_function(BenchmarkId::from_parameter(n_rows), |bencher| {
            bencher.iter_batched(
                || (options.clone(), vec![Relation::from_batches(rows[0].schema(), rows.clone())]),
                |(options, inputs)| black_box(call(factory, options, inputs, &mut context).unwrap()),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

fn survival(criterion: &mut Criterion) {
    measure(criterion, "kaplan_meier/days", &kaplan_meier::Factory, true, None);
    measure(criterion, "kaplan_meier/days_by_arm", &kaplan_meier::Factory, true, Some("arm"));
    measure(criterion, "kaplan_meier/float", &kaplan_meier::Factory, false, None);
    measure(criterion, "log_rank/days", &log_rank::Factory, true, Some("arm"));
}

criterion_group!(benches, survival);
criterion_main!(benches);
