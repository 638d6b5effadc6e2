//! Time to append to a log, to verify all of it, and to prove one record of it.

#![expect(clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]

use std::collections::HashMap;
use std::hint::black_box;

use causeway_audit::{
    Action, Appended, Context, Digest, Event, Export, Frontier, InclusionProof, KeyChain, LogId, LogKey, NodeId,
    Object, ObjectKind, Outcome, Plan, Record, RowDigest, SignedHead, StoredRecord, Timestamp, Tree, TreeHead,
    Verifier, append_event, log_start, verify_proof,
};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const SIZES: [u64; 3] = [1_000, 10_000, 100_000];

/// Records between two exported heads.
const EXPORT_INTERVAL: u64 = 1_000;

struct Log {
    key: LogKey,
    stored: Vec<Appended>,
    nodes: HashMap<NodeId, Digest>,
    heads: Vec<SignedHead>,
}

/// A statement as it is recorded: about 550 bytes, every third with a covered row.
fn event(number: u64) -> Event {
    let statement = Digest::of(&number.to_be_bytes());
    let context = Context { run: Some(format!("0193a5c0-0000-7000-8000-{number:012}")), ..Context::default() };
    let event = Event::new("analyst", Action::Query, Outcome::succeeded())
        .object(Object::new(ObjectKind::Statement, "SELECT").digest(statement))
        .object(Object::new(ObjectKind::Table, "clinical.patients").id(12).version(3))
        .object(Object::new(ObjectKind::Operator, "kaplan_meier").version(1))
        .fact("n_rows", number.to_string())
        .context(context);
    if number.is_multiple_of(3) {
        let row = RowDigest::new("budget_charge").integer("id", i64::try_from(number).ok());
        return event.covers("budget_charge", number.to_string(), row.finish());
    }
    event
}

fn log_of(size: u64) -> Log {
    let (key, log) = (LogKey::generate().unwrap(), LogId::generate().unwrap());
    let time = Timestamp::new("2026-11-24T09:00:00.123Z").unwrap();
    let mut frontier = Frontier::new();
    let mut made = Log { key, stored: Vec::new(), nodes: HashMap::new(), heads: Vec::new() };
    for number in 0..size {
        let event = if number == 0 { log_start("admin", &log, &made.key.public()) } else { event(number) };
        let appended = append_event(&mut frontier, &time, event).unwrap();
        made.nodes.insert(NodeId { level: 0, index: number }, appended.leaf_hash);
        made.nodes.extend(appended.nodes.iter().map(|node| (node.id, node.hash)));
        made.stored.push(appended);
        if frontier.size().is_multiple_of(EXPORT_INTERVAL) {
            let head = TreeHead::new(log, frontier.size(), frontier.root(), time.clone()).unwrap();
            made.heads.push(head.sign(&made.key).unwrap());
        }
    }
    made
}

fn verify(log: &Log) -> u64 {
    let export = Export { heads: log.heads.clone(), ..Export::default() };
    let mut verifier = Verifier::new(log.key.public(), export);
    for record in &log.stored {
        verifier.record(&StoredRecord::from(record)).unwrap();
    }
    let row = |_: &str, key: &str| Some(RowDigest::new("budget_charge").integer("id", key.parse().ok()).finish());
    verifier.finish(row).unwrap().n_records
}

fn prove(log: &Log, index: u64) -> String {
    let size = log.stored.len() as u64;
    let path = Plan::inclusion(index, size).unwrap().resolve(|id| log.nodes.get(&id).copied()).unwrap();
    let content = &log.stored[usize::try_from(index).unwrap()].content;
    let keys = KeyChain::new(log.key.public(), Vec::new());
    let leaf = Record::decode(content.as_bytes()).unwrap();
    InclusionProof::new(leaf, path, log.heads.last().unwrap().clone(), keys).unwrap().to_json().unwrap()
}

fn audit(criterion: &mut Criterion) {
    for size in SIZES {
        let log = log_of(size);
        let mut group = criterion.benchmark_group("audit");
        group.sample_size(10);
        group.throughput(Throughput::Elements(size));
        group.bench_function(BenchmarkId::new("append", size), |bencher| bencher.iter(|| black_box(append_all(size))));
        group.bench_function(BenchmarkId::new("verify", size), |bencher| bencher.iter(|| black_box(verify(&log))));
        group.bench_function(BenchmarkId::new("tree_of_leaves", size), |bencher| {
            bencher.iter(|| black_box(Tree::from_leaves(log.stored.iter().map(|record| record.leaf_hash))));
        });
        group.throughput(Throughput::Elements(1));
        let index = size * 2 / 3;
        group.bench_function(BenchmarkId::new("prove", size), |bencher| bencher.iter(|| black_box(prove(&log, index))));
        let (document, trusted) = (prove(&log, index), log.key.public());
        group.bench_function(BenchmarkId::new("verify_proof", size), |bencher| {
            bencher.iter(|| black_box(verify_proof(document.as_bytes(), &trusted).unwrap()));
        });
        group.finish();
    }
}

fn append_all(size: u64) -> Digest {
    let time = Timestamp::new("2026-11-24T09:00:00.123Z").unwrap();
    let mut frontier = Frontier::new();
    for number in 0..size {
        black_box(append_event(&mut frontier, &time, event(number)).unwrap());
    }
    frontier.root()
}

criterion_group!(benches, audit);
criterion_main!(benches);
