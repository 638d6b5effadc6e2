//! A Postgres server that goes away: between calls, in the middle of each kind of transaction, at its end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use causeway_audit::{Action, Event, Export, LogId, LogKey, Outcome};
use causeway_cluster::{Cluster, Database, Shutdown};
use causeway_model::{
    AuditLog as _, Catalog, CatalogError, Direction, Ending, JobKind, JobQueue as _, JobState, NewFile, NewJob, RunId,
    RunState, Step, StepOutcome, StepState, TableName, VersionId,
};
use causeway_store::{PostgresCatalog, PostgresOptions};
use sqlx::{Connection as _, PgConnection};

use crate::fixtures::{append, new_run, new_step, output, started, writes};

async fn open(database: &Database<'_>) -> Arc<PostgresCatalog> {
    Arc::new(PostgresCatalog::open(database.url()).await.unwrap())
}

#[tokio::test]
async fn a_restart_between_calls_is_not_noticed() {
    let cluster = Cluster::start();
    let database = cluster.database();
    let catalog = open(&database).await;
    for (round, how) in [Shutdown::Fast, Shutdown::Immediate].into_iter().enumerate() {
        append(&*catalog, "t", &format!("{round}")).await.unwrap();
        cluster.restart(how);
        assert_eq!(catalog.versions(None).await.unwrap().len(), round + 1);
    }
}

#[tokio::test]
async fn a_server_that_stays_away_is_an_error_until_it_is_back() {
    let cluster = Cluster::start();
    let database = cluster.database();
    let options = PostgresOptions { reconnect_timeout: Duration::from_millis(500), ..PostgresOptions::default() };
    let catalog = PostgresCatalog::open_with(database.url(), &options).await.unwrap();
    cluster.pause(Shutdown::Fast);
    let begun = Instant::now();
    let error = append(&catalog, "t", "1").await.unwrap_err();
    assert!(error.to_string().contains("cannot be reached"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(5));
    cluster.resume();
    append(&catalog, "t", "1").await.unwrap();
}

/// A call in the middle of its transaction: it waits for a table that somebody else has locked.
pub(crate) async fn interrupted<T, F>(cluster: &Cluster, database: &Database<'_>, how: Shutdown, call: F) -> T
where
    F: Future<Output = Result<T, CatalogError>> + Send + 'static,
    T: Send + 'static,
{
    let mut blocker = PgConnection::connect(database.url()).await.unwrap();
    let lock = "BEGIN; LOCK TABLE run, step, step_input, dataset, dataset_version, dataset_column, ingested_file, \
                lineage_event, audit_state, job, attempt, budget, budget_charge";
    sqlx::raw_sql(lock).execute(&mut blocker).await.unwrap();
    let call = tokio::spawn(call);
    while database.psql("SELECT COUNT(*) FROM pg_locks WHERE NOT granted") == "0\n" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    cluster.restart(how);
    call.await.unwrap().unwrap()
}

/// One interrupted call after the other, on one server.
struct Interruptions<'c> {
    cluster: &'c Cluster,
    database: &'c Database<'c>,
    catalog: Arc<PostgresCatalog>,
    how: Shutdown,
}

impl Interruptions<'_> {
    async fn call<T, F>(&mut self, make: impl FnOnce(Arc<PostgresCatalog>) -> F) -> T
    where
        F: Future<Output = Result<T, CatalogError>> + Send + 'static,
        T: Send + 'static,
    {
        self.how = if self.how == Shutdown::Fast { Shutdown::Immediate } else { Shutdown::Fast };
        interrupted(self.cluster, self.database, self.how, make(Arc::clone(&self.catalog))).await
    }

    async fn begin(&mut self, run: &RunId) -> Step {
        let step = new_step(run);
        self.call(|catalog| async move { catalog.begin_step(&step).await }).await
    }
}

fn run_id() -> RunId {
    RunId("interrupted".into())
}

fn new_job() -> NewJob {
    NewJob {
        kind: JobKind::Statement,
        work: "DELETE FROM a.t".into(),
        base_dir: "/".into(),
        parameters: causeway_model::Parameters::default(),
        run: RunId("job".into()),
        actor: "admin".into(),
        dedupe_key: None,
        priority: 0,
        group: None,
        max_attempts: 1,
        timeout_ms: None,
        memory_limit_bytes: None,
    }
}

fn file() -> NewFile {
    let columns = output(TableName::new("a", "t"), 0).columns;
    NewFile { path: "t.csv".into(), digest: "d".into(), n_bytes: 1, columns }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_restart_in_each_kind_of_transaction_leaves_it_done_once() {
    let cluster = Cluster::start();
    let database = cluster.database();
    let catalog = open(&database).await;
    let mut each = Interruptions { cluster: &cluster, database: &database, catalog, how: Shutdown::Fast };
    let run = run_id();
    let key = LogKey::generate().unwrap();

    let public = key.public();
    each.call(move |catalog| async move { catalog.start_audit("admin", &LogId::generate().unwrap(), &public).await })
        .await;
    each.call(|catalog| async move { catalog.begin_run(&new_run(&run_id())).await }).await;
    each.call(|catalog| async move { catalog.finish_run(&run_id(), RunState::Failed).await }).await;
    each.call(|catalog| async move { catalog.resume_run(&run_id()).await }).await;
    let file_version: VersionId = each.call(|catalog| async move { catalog.register_file(&file()).await }).await;
    let skipped = new_step(&run);
    each.call(|catalog| async move { catalog.skip_step(&skipped, StepState::Blocked).await }).await;
    let step = each.begin(&run).await;
    assert_eq!(step.attempt, 1);
    each.call(|catalog| async move { catalog.fail_step(step.id, 1, "CW0000", "no").await }).await;
    let step = each.begin(&run).await;
    assert_eq!(step.attempt, 2);
    let outcome: StepOutcome = writes(output(TableName::new("a", "t"), 0));
    let ids = each.call(|catalog| async move { catalog.complete_step(step.id, 2, &outcome).await }).await;
    let id = ids[0];
    let query = Event::new("ann", Action::Query, Outcome::started());
    let number = each.call(|catalog| async move { catalog.record(query).await }).await;
    assert_eq!(number, Some(6));
    let read = each.call(|catalog| async move { catalog.lineage(id, None, Direction::Upstream, None).await }).await;
    assert!(read.is_empty());
    let waiting = each.call(|catalog| async move { catalog.pending_changes(100).await }).await;
    let change = waiting[0].id;
    each.call(|catalog| async move { catalog.changes_delivered(&[change]).await }).await;

    let job = each.call(|catalog| async move { catalog.submit_job(&new_job()).await }).await.job.id;
    let lease = each.call(|catalog| async move { catalog.claim_job("w1", 600_000).await }).await.unwrap().lease;
    assert_eq!((lease.job, lease.attempt), (job, 1));
    let held = lease.clone();
    each.call(|catalog| async move { catalog.renew_lease(&held, 600_000).await }).await;
    each.call(|catalog| async move { catalog.end_attempt(&lease, &Ending::Released { wait_ms: 0 }).await }).await;
    let state = each.call(move |catalog| async move { catalog.cancel_job(job, "admin").await }).await;
    assert_eq!(state, JobState::Cancelled);
    each.call(move |catalog| async move { catalog.retry_job(job, "admin").await }).await;

    let catalog = each.catalog;
    assert_eq!(catalog.job(job).await.unwrap().attempt, 1);
    assert_eq!(catalog.pending_changes(100).await.unwrap(), waiting[1..]);
    let recorded = catalog.step_by_id(step.id).await.unwrap();
    assert_eq!((recorded.state, recorded.outputs), (StepState::Succeeded, ids));
    assert_eq!(catalog.run(&run).await.unwrap().state, RunState::Running);
    assert_eq!(catalog.version_by_id(file_version).await.unwrap().version, 0);
    assert!(catalog.check().await.unwrap().contains("2 datasets, 2 versions, 1 runs"));
    let checked = causeway_model::audit::verify(&*catalog, public, Export::default(), &mut |_, _| {}).await.unwrap();
    assert_eq!(checked.n_records, 11);
}

/// A commit waits for a standby that does not exist; it is on the disk already when the connection goes.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_commit_whose_answer_is_lost_is_not_done_twice() {
    let cluster = Cluster::start();
    let database = cluster.database();
    let catalog = open(&database).await;
    let standby = |command: &str| {
        cluster.psql("postgres", command);
        cluster.psql("postgres", "SELECT pg_reload_conf()");
    };
    standby("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    let call = {
        let catalog = Arc::clone(&catalog);
        tokio::spawn(async move { catalog.begin_run(&new_run(&run_id())).await })
    };
    let waiting = "FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    while database.psql(&format!("SELECT COUNT(*) {waiting}")) == "0\n" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Before the standby is forgotten, so that the answer is not sent after all.
    database.psql(&format!("SELECT pg_terminate_backend(pid) {waiting}"));
    standby("ALTER SYSTEM RESET synchronous_standby_names");
    call.await.unwrap().unwrap();
    assert_eq!(catalog.runs(10).await.unwrap().len(), 1);
}

/// The connection goes while the commit is being prepared: nothing is recorded, and it is done again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_commit_that_did_not_happen_is_done_again() {
    let database = Cluster::shared().database();
    let catalog = open(&database).await;
    database.psql(
        "CREATE SEQUENCE calls; CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN IF nextval(''calls'') = 1 THEN PERFORM pg_sleep(60); END IF; RETURN NULL; END'; \
         CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON run DEFERRABLE INITIALLY DEFERRED \
         FOR EACH ROW EXECUTE FUNCTION slow()",
    );
    let call = {
        let catalog = Arc::clone(&catalog);
        tokio::spawn(async move { started(&*catalog, "r").await })
    };
    let sleeping = "FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
    while database.psql(&format!("SELECT COUNT(*) {sleeping}")) == "0\n" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    database.psql(&format!("SELECT pg_terminate_backend(pid) {sleeping}"));
    assert_eq!(call.await.unwrap().attempt, 1);
    assert_eq!(database.psql("SELECT last_value FROM calls"), "2\n");
    assert_eq!(catalog.runs(10).await.unwrap().len(), 1);
}
