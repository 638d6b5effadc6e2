//! What the queue bears: taking and ending jobs, and looking at a long queue.

#![expect(clippy::print_stdout, reason = "the numbers are what it is run for")]
#![expect(clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use causeway_audit::{LogId, LogKey};
use causeway_cluster::Cluster;
use causeway_model::{Catalog, Claim, ConcurrencyGroup, Ending, JobKind, JobPage, JobState, NewJob, Parameters, RunId};
use causeway_store::{PostgresCatalog, SqliteCatalog};
use sqlx::postgres::PgPoolOptions;
use tempfile::TempDir;
use tokio::task::JoinSet;

/// Jobs that a worker runs at once.
const SLOTS: usize = 16;
/// Pairs that are measured.
const PAIRS: usize = 4_000;
/// The length of the long queue, and how many of it share a group that is full.
const QUEUE: usize = 100_000;
const GROUPED: usize = 50_000;
/// What 95 of 100 looks at the long queue must stay below.
const BOUND: Duration = Duration::from_millis(100);
/// What a worker of 16 slots must reach on Postgres.
const PAIRS_PER_SECOND: f64 = 800.0;

fn job(number: usize, group: Option<ConcurrencyGroup>) -> NewJob {
    NewJob {
        kind: JobKind::Statement,
        work: "CREATE SCHEMA IF NOT EXISTS a".into(),
        base_dir: "/".into(),
        parameters: Parameters::default(),
        run: RunId(format!("run-{number}")),
        actor: "admin".into(),
        dedupe_key: None,
        priority: 0,
        group,
        max_attempts: 3,
        timeout_ms: None,
        memory_limit_bytes: None,
    }
}

async fn submit(catalog: &dyn Catalog, from: usize, count: usize, group: Option<ConcurrencyGroup>) {
    for number in from..from + count {
        catalog.submit_job(&job(number, group.clone())).await.unwrap();
    }
}

/// As one worker of 16 slots with nothing to do for any job: it takes what it has room for, and ends what is done.
async fn as_a_worker(catalog: &dyn Catalog) -> f64 {
    let (begun, mut done) = (Instant::now(), 0);
    let claim = Claim { limit: i64::try_from(SLOTS).unwrap(), ..Claim::one("w", 60_000) };
    while done < PAIRS {
        let claimed = catalog.claim_jobs(&claim).await.unwrap();
        let ends: Vec<_> = claimed.into_iter().map(|claimed| (claimed.lease, Ending::Succeeded)).collect();
        assert!(catalog.end_attempts(&ends).await.unwrap().iter().all(Result::is_ok));
        done += ends.len();
    }
    rate(done, begun)
}

/// As 16 workers of one slot.
async fn as_many_workers(catalog: &Arc<dyn Catalog>) -> f64 {
    let begun = Instant::now();
    let mut workers = JoinSet::new();
    for worker in 0..SLOTS {
        let catalog = Arc::clone(catalog);
        workers.spawn(async move {
            let mut done = 0;
            while let Some(claimed) = catalog.claim_job(&format!("w{worker}"), 60_000).await.unwrap() {
                catalog.end_attempt(&claimed.lease, &Ending::Succeeded).await.unwrap();
                done += 1;
            }
            done
        });
    }
    let done = workers.join_all().await.into_iter().sum();
    rate(done, begun)
}

#[expect(clippy::cast_precision_loss, reason = "a count of thousands")]
fn rate(done: usize, begun: Instant) -> f64 {
    done as f64 / begun.elapsed().as_secs_f64()
}

async fn p95<T>(mut look: impl AsyncFnMut() -> T) -> Duration {
    let mut times = Vec::new();
    for _ in 0..100 {
        let start = Instant::now();
        look().await;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    times[94]
}

/// Measures a catalog; `settle` does what autovacuum does in its time.
async fn measure(name: &str, catalog: &Arc<dyn Catalog>, settle: impl AsyncFn()) -> f64 {
    let key = LogKey::generate().unwrap().public();
    catalog.start_audit("admin", &LogId::generate().unwrap(), &key).await.unwrap();
    submit(&**catalog, 0, PAIRS, None).await;
    let one = as_a_worker(&**catalog).await;
    submit(&**catalog, PAIRS, PAIRS, None).await;
    let many = as_many_workers(catalog).await;
    println!(
        "{name}: {one:.0} pairs of claim and end a second by a worker of {SLOTS} slots, {many:.0} by {SLOTS} workers of \
         one slot; each end is a record of the audit log"
    );
    let group = ConcurrencyGroup { name: "full".into(), limit: 1 };
    submit(&**catalog, 2 * PAIRS, 1, Some(group.clone())).await;
    let held = catalog.claim_job("w", 600_000).await.unwrap().unwrap();
    submit(&**catalog, 3 * PAIRS, GROUPED, Some(group)).await;
    submit(&**catalog, 3 * PAIRS + GROUPED, QUEUE - GROUPED, None).await;
    settle().await;
    let claims = p95(async || catalog.claim_job("w", 600_000).await.unwrap().unwrap()).await;
    let newest = p95(async || catalog.jobs(&JobPage::newest(1_000)).await.unwrap()).await;
    let middle = catalog.jobs(&JobPage::newest(1)).await.unwrap()[0].id.0 - 60_000;
    let page = JobPage {
        state: Some(JobState::Queued),
        before: Some(causeway_model::JobId(middle)),
        ..JobPage::newest(1_000)
    };
    let later = p95(async || catalog.jobs(&page).await.unwrap()).await;
    let open = p95(async || catalog.open_jobs().await.unwrap()).await;
    println!(
        "{name}, {QUEUE} queued jobs, {GROUPED} of them of a full group, p95 of 100: claim {claims:.1?}, the newest page of \
         1000 {newest:.1?}, a page in the middle {later:.1?}, count of open jobs {open:.1?}"
    );
    assert!([claims, newest, later, open].iter().all(|time| *time < BOUND), "a p95 is above {BOUND:?}");
    catalog.end_attempt(&held.lease, &Ending::Succeeded).await.unwrap();
    one.max(many)
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let folder = TempDir::new().unwrap();
    let sqlite: Arc<dyn Catalog> = Arc::new(SqliteCatalog::open(&folder.path().join("catalog.db")).await.unwrap());
    measure("SQLite", &sqlite, async || {}).await;
    let database = Cluster::shared().database();
    let postgres: Arc<dyn Catalog> = Arc::new(PostgresCatalog::open(database.url()).await.unwrap());
    let pool = PgPoolOptions::new().max_connections(1).connect(database.url()).await.unwrap();
    let settle = async || {
        sqlx::query("VACUUM (ANALYZE)").execute(&pool).await.unwrap();
    };
    let pairs = measure("Postgres", &postgres, settle).await;
    assert!(pairs >= PAIRS_PER_SECOND, "{pairs:.0} pairs a second");
}
