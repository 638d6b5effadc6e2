//! Several workers at one queue.

use std::sync::Arc;

use causeway_model::{Catalog, ConcurrencyGroup, Ending, JobKind, JobPage, JobState, NewJob, RunId};
use tokio::task::JoinSet;

use crate::places::{Place, on_each_store};

const WORKERS: usize = 6;
const JOBS: usize = 60;
const LEASE_MS: i64 = 600_000;

on_each_store!(each_job_is_taken_once, a_group_is_never_overfull);

async fn submit(catalog: &dyn Catalog, group: Option<ConcurrencyGroup>) {
    for number in 0..JOBS {
        let job = NewJob {
            kind: JobKind::Statement,
            work: "DELETE FROM a.t".into(),
            base_dir: "/".into(),
            parameters: causeway_model::Parameters::default(),
            run: RunId(format!("run-{number}")),
            actor: "admin".into(),
            dedupe_key: None,
            priority: 0,
            group: group.clone(),
            max_attempts: 1,
            timeout_ms: None,
            memory_limit_bytes: None,
        };
        catalog.submit_job(&job).await.unwrap();
    }
}

fn in_state(state: JobState, limit: i64) -> JobPage {
    JobPage { state: Some(state), ..JobPage::newest(limit) }
}

/// Takes and ends jobs until none waits; returns how many.
async fn work(catalog: Arc<dyn Catalog>, worker: usize, at_once: usize) -> usize {
    let mut done = 0;
    while !catalog.jobs(&in_state(JobState::Queued, 1)).await.unwrap().is_empty() {
        let Some(claimed) = catalog.claim_job(&format!("w{worker}"), LEASE_MS).await.unwrap() else {
            tokio::task::yield_now().await;
            continue;
        };
        let running = catalog.jobs(&in_state(JobState::Running, i64::MAX)).await.unwrap().len();
        assert!(running <= at_once, "{running} jobs run");
        assert_eq!(catalog.end_attempt(&claimed.lease, &Ending::Succeeded).await.unwrap(), JobState::Succeeded);
        done += 1;
    }
    done
}

async fn work_at_once(place: &Place, at_once: usize) {
    let mut workers = JoinSet::new();
    for worker in 0..WORKERS {
        workers.spawn(work(place.open().await, worker, at_once));
    }
    let mut done = 0;
    while let Some(ended) = workers.join_next().await {
        done += ended.unwrap();
    }
    assert_eq!(done, JOBS);
    let attempts = place.open().await.attempts(None).await.unwrap();
    assert_eq!(attempts.len(), JOBS, "each job was taken once");
}

async fn each_job_is_taken_once(place: Place) {
    submit(&*place.open().await, None).await;
    work_at_once(&place, WORKERS).await;
}

async fn a_group_is_never_overfull(place: Place) {
    submit(&*place.open().await, Some(ConcurrencyGroup { name: "g".into(), limit: 2 })).await;
    work_at_once(&place, 2).await;
}
