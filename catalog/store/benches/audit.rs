//! Time to check a log of a hundred thousand records in either store, and to prove one of them.

#![expect(clippy::print_stdout, reason = "the numbers are what it is run for")]
#![expect(clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]

use std::time::{Duration, Instant};

use causeway_audit::{
    Action, Digest, Event, Export, Frontier, KeyChain, LogId, LogKey, Object, ObjectKind, Outcome, Timestamp, TreeHead,
    append_event,
};
use causeway_cluster::Cluster;
use causeway_model::Catalog;
use causeway_model::audit::{prove, verify};
use causeway_store::{PostgresCatalog, SqliteCatalog};
use sqlx::{Connection as _, PgConnection, SqliteConnection};
use tempfile::TempDir;

const N_RECORDS: u64 = 100_000;
const VERIFY_BOUND: Duration = Duration::from_secs(2);
const PROVE_BOUND: Duration = Duration::from_millis(5);

/// Records that are written by one statement.
const BATCH: usize = 1_000;

fn query(number: u64) -> Event {
    let statement = Object::new(ObjectKind::Statement, "statement").digest(Digest::of(&number.to_le_bytes()));
    let table = Object::new(ObjectKind::Table, "clinical.lung").id(7).version(3);
    Event::new("ann", Action::Query, Outcome::started()).object(statement).object(table)
}

/// A record's number, content and hash, or a node's level, place and hash.
type Stored = (i64, Option<i64>, Vec<u8>, Vec<u8>);

/// Continues a log of one record up to the wanted size, as the store would.
async fn records(catalog: &dyn Catalog) -> (Frontier, Vec<Stored>, Vec<Stored>) {
    let mut frontier = catalog.audit_state().await.unwrap().unwrap().frontier;
    let time = Timestamp::new("2026-11-24T09:00:00.123Z").unwrap();
    let (mut leaves, mut nodes) = (Vec::new(), Vec::new());
    for number in 1..N_RECORDS {
        let appended = append_event(&mut frontier, &time, query(number)).unwrap();
        let sequence = i64::try_from(appended.sequence).unwrap();
        leaves.push((sequence, None, appended.content.into_bytes(), appended.leaf_hash.as_bytes().to_vec()));
        for node in appended.nodes {
            let position = i64::try_from(node.id.index).unwrap();
            nodes.push((i64::from(node.id.level), Some(position), Vec::new(), node.hash.as_bytes().to_vec()));
        }
    }
    (frontier, leaves, nodes)
}

macro_rules! fill {
    ($database:ty, $connection:expr, $catalog:expr) => {{
        let (frontier, leaves, nodes) = records($catalog).await;
        let mut connection = $connection;
        for chunk in leaves.chunks(BATCH) {
            let mut insert =
                sqlx::QueryBuilder::<$database>::new("INSERT INTO audit_record (sequence, content, leaf_hash) ");
            insert.push_values(chunk, |mut row, (sequence, _, content, hash)| {
                row.push_bind(*sequence).push_bind(content).push_bind(hash);
            });
            insert.build().execute(&mut connection).await.unwrap();
        }
        for chunk in nodes.chunks(BATCH) {
            let mut insert = sqlx::QueryBuilder::<$database>::new("INSERT INTO audit_node (level, position, hash) ");
            insert.push_values(chunk, |mut row, (level, position, _, hash)| {
                row.push_bind(*level).push_bind(*position).push_bind(hash);
            });
            insert.build().execute(&mut connection).await.unwrap();
        }
        let update = sqlx::query::<$database>("UPDATE audit_state SET frontier = $1");
        update.bind(frontier.to_bytes()).execute(&mut connection).await.unwrap();
    }};
}

async fn started(catalog: &dyn Catalog) -> LogKey {
    let key = LogKey::generate().unwrap();
    catalog.start_audit("admin", &LogId::generate().unwrap(), &key.public()).await.unwrap();
    key
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

async fn measure(name: &str, catalog: &dyn Catalog, key: &LogKey) {
    let state = catalog.audit_state().await.unwrap().unwrap();
    let head = TreeHead::new(state.log, state.frontier.size(), state.frontier.root(), state.now).unwrap();
    let head = head.sign(key).unwrap();
    let (mut checks, mut proofs, mut appends) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..5_u64 {
        let export = Export { heads: vec![head.clone()], ..Export::default() };
        let start = Instant::now();
        let summary = verify(catalog, key.public(), export, &mut |_, _| {}).await.unwrap();
        checks.push(start.elapsed());
        assert_eq!(summary.n_signed, N_RECORDS);
        for step in 0..20 {
            let index = (round * 20 + step) * 997;
            let start = Instant::now();
            let keys = KeyChain::new(key.public(), Vec::new());
            prove(catalog, index, head.clone(), keys).await.unwrap();
            proofs.push(start.elapsed());
        }
    }
    for number in 0..200 {
        let start = Instant::now();
        catalog.record(query(number)).await.unwrap();
        appends.push(start.elapsed());
    }
    let (check, proof, append) = (median(checks), median(proofs), median(appends));
    println!(
        "{name}: {N_RECORDS} records checked in {check:.2?}, one proved in {proof:.2?}, one added in {append:.2?}"
    );
    assert!(check < VERIFY_BOUND && proof < PROVE_BOUND, "above {VERIFY_BOUND:?} or {PROVE_BOUND:?}");
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("catalog.db");
    let catalog = SqliteCatalog::open(&path).await.unwrap();
    let key = started(&catalog).await;
    let url = format!("sqlite://{}", path.display());
    fill!(sqlx::Sqlite, SqliteConnection::connect(&url).await.unwrap(), &catalog);
    measure("SQLite", &catalog, &key).await;

    let database = Cluster::shared().database();
    let catalog = PostgresCatalog::open(database.url()).await.unwrap();
    let key = started(&catalog).await;
    fill!(sqlx::Postgres, PgConnection::connect(database.url()).await.unwrap(), &catalog);
    measure("Postgres", &catalog, &key).await;
}
