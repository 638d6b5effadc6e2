//! Time to follow lineage in a catalog of two million column edges.

#![expect(clippy::print_stdout, reason = "the number is what it is run for")]
#![expect(clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use causeway_cluster::Cluster;
use causeway_model::{Catalog, Direction, VersionId};
use causeway_store::{PostgresCatalog, SqliteCatalog};
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, PgPool, SqlitePool};
use tempfile::TempDir;

/// What 95 of 100 calls must stay below in an optimised build.
const BOUND: Duration = Duration::from_millis(100);

/// A cluster of tables is one connected graph: 35 layers of 10 versions with 20 columns, each column
/// made from 5 of the layer below. Ids count from 1, so that SQL can compute them.
const CLUSTERS: i64 = 58;
const LAYERS: i64 = 35;
const LAYER_VERSIONS: i64 = 10;
const VERSION_COLUMNS: i64 = 20;
const COLUMN_ORIGINS: i64 = 5;
const CLUSTER_VERSIONS: i64 = LAYERS * LAYER_VERSIONS;
const CLUSTER_COLUMNS: i64 = CLUSTER_VERSIONS * VERSION_COLUMNS;
const LAYER_COLUMNS: i64 = LAYER_VERSIONS * VERSION_COLUMNS;

/// Where the catalog is built: the numbers come from elsewhere in each dialect.
enum Target {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Target {
    /// Inserts what `select` makes of the numbers 0 up to `count`, called `i`.
    async fn insert(&self, table: &str, count: i64, select: &str) {
        match self {
            Self::Sqlite(pool) => {
                let numbers = "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $1)";
                let sql = AssertSqlSafe(format!("INSERT INTO {table} {numbers} {select}"));
                sqlx::query(sql).bind(count).execute(pool).await.unwrap();
            }
            Self::Postgres(pool) => {
                let numbers = "WITH n (i) AS (SELECT generate_series(0::bigint, $1 - 1))";
                let sql = AssertSqlSafe(format!("INSERT INTO {table} {numbers} {select}"));
                sqlx::query(sql).bind(count).execute(pool).await.unwrap();
            }
        }
    }
}

async fn sqlite(path: &Path) -> Arc<dyn Catalog> {
    let catalog = SqliteCatalog::open(path).await.unwrap();
    let options = SqliteConnectOptions::new().filename(path).pragma("synchronous", "OFF");
    build(&Target::Sqlite(SqlitePool::connect_with(options).await.unwrap())).await;
    Arc::new(catalog)
}

/// References are not checked while it is built. `VACUUM` and `ANALYZE` are what autovacuum does in its time.
async fn postgres(url: &str) -> Arc<dyn Catalog> {
    let catalog = PostgresCatalog::open(url).await.unwrap();
    let pool = PgPoolOptions::new().max_connections(1).connect(url).await.unwrap();
    sqlx::query("SET session_replication_role = replica").execute(&pool).await.unwrap();
    let target = Target::Postgres(pool.clone());
    build(&target).await;
    sqlx::query("VACUUM (ANALYZE)").execute(&pool).await.unwrap();
    Arc::new(catalog)
}

async fn build(target: &Target) {
    let versions = CLUSTERS * CLUSTER_VERSIONS;
    let columns = CLUSTERS * CLUSTER_COLUMNS;
    target
        .insert(
            "run (uuid, kind, state, engine_version, started_at)",
            1,
            "SELECT 'r', 'pipeline', 'running', '0', '' FROM n",
        )
        .await;
    target
        .insert(
            "step (id, run_id, ordinal, name, kind, sql, fingerprint, seed, state, attempt, started_at)",
            versions,
            "SELECT i + 1, 1, i, 'step_' || i, 'create_table', '', '', 0, 'succeeded', 1, '' FROM n",
        )
        .await;
    target
        .insert(
            "dataset (id, schema_name, table_name, kind, location, policy, created_at)",
            versions,
            "SELECT i + 1, 'big', 'table_' || i, 'table', '', '{}', '' FROM n",
        )
        .await;
    target
        .insert(
            "dataset_version (id, dataset_id, version, step_id, committed_at)",
            versions,
            "SELECT i + 1, i + 1, 0, i + 1, '' FROM n",
        )
        .await;
    let column = format!(
        "SELECT i + 1, i / {VERSION_COLUMNS} + 1, i % {VERSION_COLUMNS}, 'column_' || (i % {VERSION_COLUMNS}), \
         'DOUBLE', true, false FROM n"
    );
    target
        .insert("dataset_column (id, version_id, ordinal, name, data_type, nullable, identifying)", columns, &column)
        .await;
    target.insert("column_edge (out_column_id, in_column_id, kind, masking)", columns * COLUMN_ORIGINS, &edges()).await;
}

/// Edge `i` leads from column `i / 5` to a column of the layer below, by a fixed mixing of `i`.
fn edges() -> String {
    format!(
        "SELECT i / {COLUMN_ORIGINS} + 1, \
         (i / {COLUMN_ORIGINS} / {LAYER_COLUMNS} - 1) * {LAYER_COLUMNS} + (i * 2654435761 / 65536) % {LAYER_COLUMNS} + 1, \
         i % 3, false FROM n WHERE (i / {COLUMN_ORIGINS}) % {CLUSTER_COLUMNS} >= {LAYER_COLUMNS}"
    )
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent).div_ceil(100) - 1]
}

/// Time that this process spent on a processor, to 10 ms (Linux; zero elsewhere): what the calls cost on a
/// machine that does nothing else.
fn processor_time() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the command's name: state is field 3, user and system time are fields 14 and 15 (proc(5)).
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ').skip(11).take(2);
    let ticks: u64 = fields.filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(10 * ticks)
}

/// Asks for the closure of the last version of each cluster and returns the 95th percentile.
async fn measure(name: &str, catalog: &dyn Catalog) -> Duration {
    let mut times = Vec::new();
    let mut n_rows = 0;
    let before = processor_time();
    for cluster in 1..=CLUSTERS {
        let start = Instant::now();
        let target = VersionId(cluster * CLUSTER_VERSIONS);
        n_rows += catalog.lineage(target, None, Direction::Upstream, None).await.unwrap().len();
        times.push(start.elapsed());
    }
    let processor = (processor_time() - before) / u32::try_from(times.len()).unwrap();
    times.sort();
    let (median, p95) = (percentile(&times, 50), percentile(&times, 95));
    let mean_rows = n_rows / times.len();
    println!(
        "{name}: upstream closure, {mean_rows} of 2 million edges, about 7000 columns, {} targets: \
         median {median:.1?}, p95 {p95:.1?}; {processor:.1?} on a processor of ours",
        times.len()
    );
    assert!(mean_rows > 30_000, "the graph is not the one the bound is meant for");
    p95
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let folder = TempDir::new().unwrap();
    let catalog = sqlite(&folder.path().join("catalog.db")).await;
    let sqlite = measure("SQLite", &*catalog).await;
    let database = Cluster::shared().database();
    let catalog = postgres(database.url()).await;
    let postgres = measure("Postgres", &*catalog).await;
    assert!(sqlite < BOUND && postgres < BOUND, "a p95 is above {BOUND:?}");
}
