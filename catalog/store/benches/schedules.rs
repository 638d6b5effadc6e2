//! Time of a scheduler's look, of a firing and of a scrape in a catalog with a hundred thousand queued jobs and a
//! backfill that has done a hundred thousand.

#![expect(clippy::print_stdout, reason = "the numbers are what it is run for")]
#![expect(clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]

use std::time::{Duration, Instant};

use causeway_cluster::Cluster;
use causeway_model::{
    Catalog, CatalogError, CronRule, Fold, Gap, JobKind, JobTerms, Missed, Moment, NewBackfill, NewJob, NewSlot,
    Parameters, RuleFiring, RunId, ScheduleSpec, Trigger, TriggerKind,
};
use causeway_store::{PostgresCatalog, SqliteCatalog};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqlSafeStr as _, SqliteConnection};
use tempfile::TempDir;

const N_JOBS: i64 = 100_000;

const N_SCHEDULES: usize = 500;

/// What the slowest look and firing must stay below.
const BOUND: Duration = Duration::from_millis(100);

const ROUNDS: usize = 50;

/// Every queued job belongs to a slot of the first schedule, is late and nobody was told; every one that is done to its backfill.
fn fill(numbers: &str) -> String {
    format!(
        "INSERT INTO job (id, kind, work, base_dir, run, actor, priority, max_attempts, state, turn, run_at, submitted_at) \
         {numbers} SELECT i, 'pipeline', '/p', '/p', 'old-' || i, 'admin', 0, 3, 'queued', i, i, i FROM n; \
         INSERT INTO slot (schedule_id, fire_at, slot_start, slot_end, cause, job_id, fired_at, look_at) \
         {numbers} SELECT 1, i * 60000, (i - 1) * 60000, i * 60000, 'rule', i, i, (i + 1) * 60000 FROM n; \
         INSERT INTO job (id, kind, work, base_dir, run, actor, priority, max_attempts, state, turn, run_at, submitted_at, \
         finished_at, backfill_id) {numbers} SELECT {N_JOBS} + i, 'pipeline', '/p', '/p', 'done-' || i, 'admin', 0, 3, \
         'succeeded', i, i, i, i, 1 FROM n; \
         INSERT INTO slot (schedule_id, fire_at, slot_start, slot_end, cause, backfill_id, job_id, fired_at) \
         {numbers} SELECT 1, -i * 60000, -(i + 1) * 60000, -i * 60000, 'backfill', 1, {N_JOBS} + i, i FROM n;"
    )
}

fn spec(number: usize) -> ScheduleSpec {
    let watched = Trigger { kind: TriggerKind::Pipeline, target: format!("p{}", number / 2) };
    ScheduleSpec {
        name: format!("p{number}"),
        work: "/p".into(),
        owner: "admin".into(),
        rule: Some(CronRule { cron: "* * * * *".into(), zone: "UTC".into(), gap: Gap::Skip, fold: Fold::First }),
        missed: Missed::All,
        triggers: vec![watched],
        terms: JobTerms {
            priority: 0,
            group: None,
            max_attempts: 3,
            timeout_ms: None,
            memory_limit_bytes: None,
            start_within_ms: Some(60_000),
            end_within_ms: None,
        },
    }
}

/// Puts schedules into the book, and a backfill.
async fn add(catalog: &dyn Catalog) -> Result<(), CatalogError> {
    for number in 0..N_SCHEDULES {
        catalog.put_schedule(&spec(number), Some(Moment(0)), "admin").await?;
    }
    let schedule = catalog.schedule("p1").await?.unwrap().id;
    let (from, to) = (Moment(0), Moment(60_000_000));
    let range = NewBackfill { schedule, from, to, rerun: false, at_once: 2, priority: -1 };
    catalog.start_backfill(&range, "admin").await.map(drop)
}

/// Runs a call again and again and returns the median and the longest time.
async fn time<T, F: Future<Output = Result<T, CatalogError>>>(
    mut call: impl FnMut(usize) -> F,
) -> (Duration, Duration) {
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        let start = Instant::now();
        call(round).await.unwrap();
        times.push(start.elapsed());
    }
    times.sort();
    (times[times.len() / 2], times[times.len() - 1])
}

/// Fires one schedule that is due.
async fn fire(catalog: &dyn Catalog, round: usize) -> Result<(), CatalogError> {
    let entry = catalog.schedule(&format!("p{}", round + 1)).await?.unwrap();
    let job = NewJob {
        kind: JobKind::Pipeline,
        work: "/p".into(),
        base_dir: "/p".into(),
        parameters: Parameters::default(),
        run: RunId(format!("new-{round}")),
        actor: "admin".into(),
        dedupe_key: None,
        priority: 0,
        group: None,
        max_attempts: 3,
        timeout_ms: None,
        memory_limit_bytes: None,
    };
    let slot = NewSlot { fire_at: Moment(0), slot_start: Moment(-60_000), slot_end: Moment(0), job };
    let firing = RuleFiring {
        schedule: entry.id,
        revision: entry.revision,
        due: Moment(0),
        next: Some(Moment(60_000)),
        slots: vec![slot],
        passed_over: None,
    };
    assert!(catalog.fire(&firing).await?.is_some());
    Ok(())
}

async fn measure(name: &str, catalog: &dyn Catalog) {
    let times = [
        ("agenda, all schedules due", time(async |_| catalog.agenda().await).await),
        ("fire one slot", time(async |round| fire(catalog, round).await).await),
        ("tell of 100 that are late", time(async |_| catalog.raise_late_alerts(100).await).await),
        ("what a backfill has done", time(async |_| catalog.backfills(None).await).await),
        ("figures of a scrape", time(async |_| catalog.figures().await).await),
        ("slots, the last 100", time(async |_| catalog.slots(None, 100).await).await),
    ];
    println!("{name}, {N_JOBS} queued jobs, {N_SCHEDULES} schedules, median and longest of {ROUNDS}:");
    for (call, (median, longest)) in times {
        println!("  {call:<26} {:>8.2} ms {:>8.2} ms", median.as_secs_f64() * 1e3, longest.as_secs_f64() * 1e3);
    }
    assert!(times.iter().all(|(_, (_, longest))| *longest < BOUND), "one is above {BOUND:?}");
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("catalog.db");
    let catalog = SqliteCatalog::open(&path).await.unwrap();
    add(&catalog).await.unwrap();
    let numbers = format!("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {N_JOBS})");
    let mut raw = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(fill(&numbers)).into_sql_str()).execute(&mut raw).await.unwrap();
    measure("SQLite", &catalog).await;

    let database = Cluster::shared().database();
    let catalog = PostgresCatalog::open(database.url()).await.unwrap();
    add(&catalog).await.unwrap();
    let numbers = format!("WITH n (i) AS (SELECT generate_series(1::bigint, {N_JOBS}))");
    let mut raw = PgConnection::connect(database.url()).await.unwrap();
    let sql = format!("{} SELECT setval(pg_get_serial_sequence('job', 'id'), 300000); ANALYZE", fill(&numbers));
    sqlx::raw_sql(AssertSqlSafe(sql).into_sql_str()).execute(&mut raw).await.unwrap();
    measure("Postgres", &catalog).await;
}
