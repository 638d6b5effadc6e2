//! The queue of jobs: whose turn it is, who may write about a job, and what ends it.

use std::thread::sleep;
use std::time::Duration;

use super::fixtures::*;
use crate::{
    AttemptOutcome, Catalog, CatalogError, Claim, ClaimedJob, ConcurrencyGroup, Ending, ErrorClass, Job, JobId,
    JobKind, JobPage, JobState, Lease, NewJob, NewStep, Parameters, RunState, StepOutcome, StepState, WORKER_LOST,
};

/// A lease that outlasts every case.
const LONG: i64 = 600_000;

/// A lease, and the wait after which it is over.
const SHORT: i64 = 1;
const OVER: Duration = Duration::from_millis(20);

pub(super) fn new_job(number: u8) -> NewJob {
    NewJob {
        kind: JobKind::Statement,
        work: format!("INSERT INTO a.t SELECT {number}"),
        base_dir: "/srv".into(),
        parameters: Parameters::default(),
        run: run_id(number),
        actor: "ann".into(),
        dedupe_key: None,
        priority: 0,
        group: None,
        max_attempts: 3,
        timeout_ms: None,
        memory_limit_bytes: None,
    }
}

async fn submitted(catalog: &dyn Catalog, job: NewJob) -> JobId {
    catalog.submit_job(&job).await.unwrap().job.id
}

async fn queued(catalog: &dyn Catalog, number: u8) -> JobId {
    submitted(catalog, new_job(number)).await
}

async fn claimed(catalog: &dyn Catalog) -> ClaimedJob {
    catalog.claim_job("w1", LONG).await.unwrap().unwrap()
}

/// Takes the next job and lets the lease go by.
async fn lapsed(catalog: &dyn Catalog) -> Lease {
    let lease = catalog.claim_job("w1", SHORT).await.unwrap().unwrap().lease;
    sleep(OVER);
    lease
}

async fn job(catalog: &dyn Catalog, id: JobId) -> Job {
    catalog.job(id).await.unwrap()
}

fn failed(class: ErrorClass, retry_after_ms: i64) -> Ending {
    Ending::Failed { class, code: "CW0405".into(), error: "the catalog is busy".into(), retry_after_ms }
}

fn is_lost<T>(result: Result<T, CatalogError>) -> bool {
    matches!(result, Err(CatalogError::LeaseLost { .. }))
}

pub async fn a_job_waits_until_it_is_taken(catalog: &dyn Catalog) {
    let submitted = catalog.submit_job(&new_job(1)).await.unwrap();
    assert!(submitted.is_new);
    let waiting = submitted.job;
    assert_eq!((waiting.state, waiting.attempt, waiting.worker.clone()), (JobState::Queued, 0, None));
    assert_eq!(waiting.spec, new_job(1));
    let taken = claimed(catalog).await;
    assert_eq!((taken.lease.job, taken.lease.attempt), (waiting.id, 1));
    assert_eq!((taken.job.state, taken.job.worker.as_deref()), (JobState::Running, Some("w1")));
    assert_eq!(taken.job.spec, new_job(1));
    assert!(catalog.claim_job("w2", LONG).await.unwrap().is_none());
    assert_eq!(catalog.open_jobs().await.unwrap(), 1);
}

pub async fn a_job_keeps_what_it_was_given(catalog: &dyn Catalog) {
    let spec = NewJob {
        kind: JobKind::Pipeline,
        dedupe_key: Some("nightly 2026-11-24".into()),
        priority: -5,
        group: Some(ConcurrencyGroup { name: "site".into(), limit: 2 }),
        timeout_ms: Some(1500),
        parameters: Parameters::parse(["site=3", "note=it's; DROP", "day=2026-01-31", "x=0.1"]).unwrap(),
        memory_limit_bytes: Some(1 << 30),
        ..new_job(1)
    };
    let id = submitted(catalog, spec.clone()).await;
    assert_eq!(job(catalog, id).await.spec, spec);
}

pub async fn a_job_that_makes_no_sense_is_refused(catalog: &dyn Catalog) {
    let group = |limit| Some(ConcurrencyGroup { name: "g".into(), limit });
    for wrong in [
        NewJob { max_attempts: 0, ..new_job(1) },
        NewJob { priority: i64::MAX, ..new_job(1) },
        NewJob { priority: -10_000_001, ..new_job(1) },
        NewJob { group: group(0), ..new_job(1) },
        NewJob { timeout_ms: Some(0), ..new_job(1) },
        NewJob { memory_limit_bytes: Some(0), ..new_job(1) },
    ] {
        let error = catalog.submit_job(&wrong).await.unwrap_err();
        assert!(matches!(error, CatalogError::Invalid(_)), "{error}");
    }
    assert!(catalog.jobs(&JobPage::newest(10)).await.unwrap().is_empty());
}

pub async fn a_key_names_one_job_whatever_became_of_it(catalog: &dyn Catalog) {
    let keyed = NewJob { dedupe_key: Some("k".into()), ..new_job(1) };
    let first = submitted(catalog, keyed.clone()).await;
    let again = NewJob { run: run_id(2), ..keyed.clone() };
    let second = catalog.submit_job(&again).await.unwrap();
    assert_eq!((second.job.id, second.is_new), (first, false));
    let lease = claimed(catalog).await.lease;
    catalog.end_attempt(&lease, &Ending::Succeeded).await.unwrap();
    let third = catalog.submit_job(&again).await.unwrap();
    assert_eq!((third.job.id, third.is_new, third.job.state), (first, false, JobState::Succeeded));
    let parameters = Parameters::parse(["n=1"]).unwrap();
    let other = catalog.submit_job(&NewJob { parameters, ..again.clone() }).await.unwrap_err();
    assert!(matches!(other, CatalogError::AlreadyExists { .. }), "{other}");
    let other = catalog.submit_job(&NewJob { work: "DELETE FROM a.t".into(), ..again }).await.unwrap_err();
    assert!(matches!(other, CatalogError::AlreadyExists { .. }), "{other}");
    let bob = NewJob { actor: "bob".into(), run: run_id(3), ..keyed };
    assert!(catalog.submit_job(&bob).await.unwrap().is_new);
}

pub async fn the_oldest_is_first_unless_priority_says_otherwise(catalog: &dyn Catalog) {
    let first = queued(catalog, 1).await;
    let second = queued(catalog, 2).await;
    let urgent = submitted(catalog, NewJob { priority: 60, ..new_job(3) }).await;
    let late = submitted(catalog, NewJob { priority: -60, ..new_job(4) }).await;
    for expected in [urgent, first, second, late] {
        assert_eq!(claimed(catalog).await.job.id, expected);
    }
}

pub async fn waiting_makes_up_for_priority(catalog: &dyn Catalog) {
    let patient = queued(catalog, 1).await;
    sleep(Duration::from_millis(1100));
    let urgent = submitted(catalog, NewJob { priority: 1, ..new_job(2) }).await;
    assert_eq!(claimed(catalog).await.job.id, patient);
    assert_eq!(claimed(catalog).await.job.id, urgent);
}

pub async fn a_group_runs_so_many_at_once(catalog: &dyn Catalog) {
    let grouped =
        |number, limit| NewJob { group: Some(ConcurrencyGroup { name: "g".into(), limit }), ..new_job(number) };
    for number in 1..=3 {
        submitted(catalog, grouped(number, 2)).await;
    }
    let free = queued(catalog, 4).await;
    let first = claimed(catalog).await;
    claimed(catalog).await;
    assert_eq!(claimed(catalog).await.job.id, free);
    assert!(catalog.claim_job("w1", LONG).await.unwrap().is_none());
    catalog.end_attempt(&first.lease, &Ending::Succeeded).await.unwrap();
    assert_eq!(claimed(catalog).await.job.spec.run, run_id(3));
}

pub async fn a_claim_takes_as_many_as_there_is_room_for(catalog: &dyn Catalog) {
    let grouped = |number, name: &str| {
        let group = Some(ConcurrencyGroup { name: name.into(), limit: 2 });
        NewJob { group, ..new_job(number) }
    };
    let free = [queued(catalog, 1).await, queued(catalog, 2).await];
    let g = [submitted(catalog, grouped(3, "g")).await, submitted(catalog, grouped(4, "g")).await];
    let h = submitted(catalog, grouped(5, "h")).await;
    let third = queued(catalog, 6).await;
    let claim = |limit, groups: Option<&[&str]>| Claim {
        limit,
        groups: groups.map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
        ..Claim::one("w1", LONG)
    };
    let taken = async |claim: Claim| -> Vec<JobId> {
        catalog.claim_jobs(&claim).await.unwrap().iter().map(|claimed| claimed.job.id).collect()
    };
    assert_eq!(taken(claim(9, Some(&["h", "none"]))).await, [h]);
    assert_eq!(taken(claim(1, None)).await, [free[0]]);
    assert_eq!(taken(claim(9, None)).await, [free[1], g[0], third], "of a group one at a time");
    assert_eq!(taken(claim(9, None)).await, [g[1]]);
    assert_eq!(taken(claim(9, None)).await, []);
}

pub async fn each_of_several_ends_is_for_itself(catalog: &dyn Catalog) {
    queued(catalog, 1).await;
    let lost = lapsed(catalog).await;
    let second = queued(catalog, 2).await;
    let mut ends = vec![(lost, Ending::Succeeded)];
    while let Some(claimed) = catalog.claim_job("w2", LONG).await.unwrap() {
        let ending = if claimed.job.id == second { failed(ErrorClass::Permanent, 0) } else { Ending::Succeeded };
        ends.push((claimed.lease, ending));
    }
    let ended = catalog.end_attempts(&ends).await.unwrap();
    let states: Vec<_> = ended.into_iter().map(Result::ok).collect();
    assert_eq!(states, [None, Some(JobState::Succeeded), Some(JobState::Dead)]);
}

pub async fn a_silent_worker_holds_no_place_in_a_group(catalog: &dyn Catalog) {
    let group = Some(ConcurrencyGroup { name: "g".into(), limit: 1 });
    submitted(catalog, NewJob { group: group.clone(), max_attempts: 1, ..new_job(1) }).await;
    let second = submitted(catalog, NewJob { group, ..new_job(2) }).await;
    lapsed(catalog).await;
    assert_eq!(claimed(catalog).await.job.id, second);
}

pub async fn only_the_holder_ends_a_job(catalog: &dyn Catalog) {
    queued(catalog, 1).await;
    let lease = claimed(catalog).await.lease;
    let forged = Lease { token: "guess".into(), ..lease.clone() };
    let older = Lease { attempt: 0, ..lease.clone() };
    for wrong in [&forged, &older] {
        assert!(is_lost(catalog.end_attempt(wrong, &Ending::Succeeded).await));
        assert!(is_lost(catalog.renew_lease(wrong, LONG).await));
    }
    assert_eq!(catalog.end_attempt(&lease, &Ending::Succeeded).await.unwrap(), JobState::Succeeded);
    assert!(is_lost(catalog.end_attempt(&lease, &Ending::Succeeded).await));
    let unknown = Lease { job: JobId(99), ..lease };
    let error = catalog.end_attempt(&unknown, &Ending::Succeeded).await.unwrap_err();
    assert!(matches!(error, CatalogError::NotFound { what: "job", .. }), "{error}");
}

pub async fn a_lease_that_is_over_writes_nothing(catalog: &dyn Catalog) {
    let id = queued(catalog, 1).await;
    let lease = lapsed(catalog).await;
    assert!(is_lost(catalog.end_attempt(&lease, &Ending::Succeeded).await), "though nobody took the job since");
    assert!(is_lost(catalog.renew_lease(&lease, LONG).await));
    assert_eq!(job(catalog, id).await.state, JobState::Running);
    let next = claimed(catalog).await;
    assert_eq!((next.job.id, next.lease.attempt, next.job.n_failures), (id, 2, 1));
    assert!(is_lost(catalog.end_attempt(&lease, &failed(ErrorClass::Permanent, 0)).await));
    assert_eq!(catalog.end_attempt(&next.lease, &Ending::Succeeded).await.unwrap(), JobState::Succeeded);
    let attempts = catalog.attempts(Some(id)).await.unwrap();
    let outcomes: Vec<_> = attempts.iter().map(|attempt| (attempt.outcome, attempt.error_code.as_deref())).collect();
    assert_eq!(outcomes, [(Some(AttemptOutcome::Lost), Some(WORKER_LOST)), (Some(AttemptOutcome::Succeeded), None)]);
}

pub async fn a_renewed_lease_goes_on(catalog: &dyn Catalog) {
    queued(catalog, 1).await;
    let lease = catalog.claim_job("w1", 300).await.unwrap().unwrap().lease;
    assert!(!catalog.renew_lease(&lease, LONG).await.unwrap());
    sleep(Duration::from_millis(350));
    assert!(catalog.claim_job("w2", LONG).await.unwrap().is_none());
    assert_eq!(catalog.end_attempt(&lease, &Ending::Succeeded).await.unwrap(), JobState::Succeeded);
}

pub async fn what_may_pass_is_tried_again(catalog: &dyn Catalog) {
    let id = queued(catalog, 1).await;
    for attempt in 1..=2 {
        let lease = claimed(catalog).await.lease;
        assert_eq!(lease.attempt, attempt);
        let state = catalog.end_attempt(&lease, &failed(ErrorClass::Transient, 0)).await.unwrap();
        assert_eq!(state, JobState::Queued);
    }
    let lease = claimed(catalog).await.lease;
    assert_eq!(catalog.end_attempt(&lease, &failed(ErrorClass::Transient, 0)).await.unwrap(), JobState::Dead);
    let dead = job(catalog, id).await;
    assert_eq!((dead.n_failures, dead.error_code.as_deref()), (3, Some("CW0405")));
    assert!(dead.finished_at.is_some() && catalog.claim_job("w1", LONG).await.unwrap().is_none());
}

pub async fn the_next_attempt_waits_as_long_as_was_said(catalog: &dyn Catalog) {
    let id = queued(catalog, 1).await;
    let lease = claimed(catalog).await.lease;
    catalog.end_attempt(&lease, &failed(ErrorClass::Transient, 300)).await.unwrap();
    assert!(catalog.claim_job("w1", LONG).await.unwrap().is_none());
    assert!(job(catalog, id).await.finished_at.is_none());
    sleep(Duration::from_millis(350));
    assert_eq!(claimed(catalog).await.lease.attempt, 2);
}

pub async fn what_stays_wrong_is_not_tried_again(catalog: &dyn Catalog) {
    for (number, class) in [(1, ErrorClass::Permanent), (2, ErrorClass::Timeout), (3, ErrorClass::Panic)] {
        let id = queued(catalog, number).await;
        let lease = claimed(catalog).await.lease;
        assert_eq!(catalog.end_attempt(&lease, &failed(class, 0)).await.unwrap(), JobState::Dead);
        assert_eq!(catalog.attempts(Some(id)).await.unwrap()[0].class, Some(class));
    }
}

pub async fn a_job_that_loses_its_workers_is_given_up(catalog: &dyn Catalog) {
    let id = submitted(catalog, NewJob { max_attempts: 2, ..new_job(1) }).await;
    lapsed(catalog).await;
    lapsed(catalog).await;
    assert!(catalog.claim_job("w1", LONG).await.unwrap().is_none());
    let dead = job(catalog, id).await;
    assert_eq!((dead.state, dead.attempt, dead.error_code.as_deref()), (JobState::Dead, 2, Some(WORKER_LOST)));
}

pub async fn a_job_given_back_has_not_failed(catalog: &dyn Catalog) {
    let id = submitted(catalog, NewJob { max_attempts: 1, ..new_job(1) }).await;
    let lease = claimed(catalog).await.lease;
    assert_eq!(catalog.end_attempt(&lease, &Ending::Released { wait_ms: 0 }).await.unwrap(), JobState::Queued);
    let again = claimed(catalog).await;
    assert_eq!((again.job.id, again.lease.attempt, again.job.n_failures), (id, 2, 0));
}

pub async fn a_waiting_job_is_cancelled_at_once(catalog: &dyn Catalog) {
    let id = queued(catalog, 1).await;
    assert_eq!(catalog.cancel_job(id, "ann").await.unwrap(), JobState::Cancelled);
    assert_eq!(catalog.cancel_job(id, "ann").await.unwrap(), JobState::Cancelled);
    assert!(catalog.claim_job("w1", LONG).await.unwrap().is_none());
    assert_eq!(catalog.open_jobs().await.unwrap(), 0);
}

pub async fn a_running_job_hears_that_it_is_cancelled(catalog: &dyn Catalog) {
    let id = queued(catalog, 1).await;
    let lease = claimed(catalog).await.lease;
    assert!(!catalog.renew_lease(&lease, LONG).await.unwrap());
    assert_eq!(catalog.cancel_job(id, "ann").await.unwrap(), JobState::Running);
    assert!(job(catalog, id).await.cancel_requested);
    assert!(catalog.renew_lease(&lease, LONG).await.unwrap());
    assert_eq!(catalog.end_attempt(&lease, &Ending::Cancelled).await.unwrap(), JobState::Cancelled);
}

pub async fn a_cancelled_job_is_not_tried_again(catalog: &dyn Catalog) {
    let endings = [failed(ErrorClass::Transient, 0), Ending::Released { wait_ms: 0 }];
    for (number, ending) in (1..).zip(endings) {
        let id = queued(catalog, number).await;
        let lease = claimed(catalog).await.lease;
        catalog.cancel_job(id, "ann").await.unwrap();
        assert_eq!(catalog.end_attempt(&lease, &ending).await.unwrap(), JobState::Cancelled);
    }
    let id = queued(catalog, 3).await;
    lapsed(catalog).await;
    catalog.cancel_job(id, "ann").await.unwrap();
    assert!(catalog.claim_job("w1", LONG).await.unwrap().is_none());
    assert_eq!(job(catalog, id).await.state, JobState::Cancelled);
}

pub async fn what_is_done_is_done_though_it_was_cancelled(catalog: &dyn Catalog) {
    let id = queued(catalog, 1).await;
    let lease = claimed(catalog).await.lease;
    catalog.cancel_job(id, "ann").await.unwrap();
    assert_eq!(catalog.end_attempt(&lease, &Ending::Succeeded).await.unwrap(), JobState::Succeeded);
    let error = catalog.cancel_job(id, "ann").await.unwrap_err();
    assert!(matches!(error, CatalogError::Invalid(_)), "{error}");
}

pub async fn a_dead_job_is_run_again(catalog: &dyn Catalog) {
    let id = submitted(catalog, NewJob { max_attempts: 1, ..new_job(1) }).await;
    let lease = claimed(catalog).await.lease;
    catalog.end_attempt(&lease, &failed(ErrorClass::Transient, 0)).await.unwrap();
    let waiting = catalog.retry_job(id, "ann").await.unwrap();
    assert_eq!((waiting.state, waiting.n_failures, waiting.error_code), (JobState::Queued, 0, None));
    let again = claimed(catalog).await;
    assert_eq!((again.lease.attempt, again.job.spec.run), (2, run_id(1)));
    catalog.cancel_job(id, "ann").await.unwrap();
    catalog.end_attempt(&again.lease, &Ending::Cancelled).await.unwrap();
    assert!(!catalog.retry_job(id, "ann").await.unwrap().cancel_requested);
}

pub async fn only_what_ended_badly_is_run_again(catalog: &dyn Catalog) {
    let id = queued(catalog, 1).await;
    let refused = |error: CatalogError| assert!(matches!(error, CatalogError::Invalid(_)), "{error}");
    refused(catalog.retry_job(id, "ann").await.unwrap_err());
    let lease = claimed(catalog).await.lease;
    refused(catalog.retry_job(id, "ann").await.unwrap_err());
    catalog.end_attempt(&lease, &Ending::Succeeded).await.unwrap();
    refused(catalog.retry_job(id, "ann").await.unwrap_err());
}

pub async fn a_run_ends_with_its_job(catalog: &dyn Catalog) {
    queued(catalog, 1).await;
    let taken = claimed(catalog).await;
    catalog.begin_run(&new_run(1)).await.unwrap();
    catalog.end_attempt(&taken.lease, &failed(ErrorClass::Transient, 0)).await.unwrap();
    assert_eq!(catalog.run(&run_id(1)).await.unwrap().state, RunState::Running, "there will be another attempt");
    let lease = claimed(catalog).await.lease;
    let stale = catalog.end_attempt(&taken.lease, &failed(ErrorClass::Permanent, 0)).await;
    assert!(is_lost(stale));
    assert_eq!(catalog.run(&run_id(1)).await.unwrap().state, RunState::Running);
    catalog.end_attempt(&lease, &Ending::Succeeded).await.unwrap();
    assert_eq!(catalog.run(&run_id(1)).await.unwrap().state, RunState::Succeeded);
}

pub async fn a_job_ends_with_the_record_of_its_step(catalog: &dyn Catalog) {
    let id = queued(catalog, 1).await;
    let lease = claimed(catalog).await.lease;
    let step = started(catalog, "statement").await;
    let outcome = StepOutcome { ends: Some(lease.clone()), ..writes(vec![table("a.t", 0, &["x"])]) };
    catalog.complete_step(step.id, step.attempt, &outcome).await.unwrap();
    assert_eq!(job(catalog, id).await.state, JobState::Succeeded);
    assert_eq!(catalog.run(&run_id(1)).await.unwrap().state, RunState::Succeeded);
    assert_eq!(catalog.attempts(Some(id)).await.unwrap()[0].outcome, Some(AttemptOutcome::Succeeded));
    assert!(is_lost(catalog.end_attempt(&lease, &Ending::Succeeded).await), "it has ended");
}

pub async fn a_step_under_a_lease_that_is_over_records_nothing(catalog: &dyn Catalog) {
    let id = queued(catalog, 1).await;
    let lease = lapsed(catalog).await;
    let step = started(catalog, "statement").await;
    let outcome = StepOutcome { ends: Some(lease), ..writes(vec![table("a.t", 0, &["x"])]) };
    assert!(is_lost(catalog.complete_step(step.id, step.attempt, &outcome).await));
    assert!(catalog.datasets(true).await.unwrap().is_empty());
    assert_eq!(catalog.step_by_id(step.id).await.unwrap().state, StepState::Running);
    assert_eq!(claimed(catalog).await.job.id, id, "another worker has the job");
}

pub async fn an_attempt_whose_lease_is_over_begins_no_step(catalog: &dyn Catalog) {
    queued(catalog, 1).await;
    catalog.begin_run(&new_run(1)).await.unwrap();
    let under = |lease: &Lease| NewStep { lease: Some(lease.clone()), ..new_step(1, "load") };
    let late = lapsed(catalog).await;
    assert!(is_lost(catalog.begin_step(&under(&late)).await), "nobody has taken the job over yet");
    let lease = claimed(catalog).await.lease;
    let step = catalog.begin_step(&under(&lease)).await.unwrap();
    assert!(is_lost(catalog.begin_step(&under(&late)).await));
    assert!(is_lost(catalog.skip_step(&under(&late), StepState::Blocked).await));
    assert_eq!(catalog.step_by_id(step.id).await.unwrap(), step, "the other attempt is not disturbed");
    catalog.complete_step(step.id, step.attempt, &StepOutcome::default()).await.unwrap();
}

pub async fn a_job_given_up_fails_its_run(catalog: &dyn Catalog) {
    submitted(catalog, NewJob { max_attempts: 1, ..new_job(1) }).await;
    lapsed(catalog).await;
    catalog.begin_run(&new_run(1)).await.unwrap();
    assert!(catalog.claim_job("w1", LONG).await.unwrap().is_none());
    assert_eq!(catalog.run(&run_id(1)).await.unwrap().state, RunState::Failed);
}

pub async fn an_unknown_job_is_not_found(catalog: &dyn Catalog) {
    let errors = [
        catalog.job(JobId(9)).await.unwrap_err(),
        catalog.attempts(Some(JobId(9))).await.unwrap_err(),
        catalog.cancel_job(JobId(9), "ann").await.unwrap_err(),
        catalog.retry_job(JobId(9), "ann").await.unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, CatalogError::NotFound { what: "job", .. }), "{error}");
    }
}

pub async fn jobs_come_newest_first(catalog: &dyn Catalog) {
    let ids = [queued(catalog, 1).await, queued(catalog, 2).await, queued(catalog, 3).await];
    claimed(catalog).await;
    let listed = |jobs: Vec<Job>| jobs.into_iter().map(|job| job.id).collect::<Vec<_>>();
    let all = JobPage::newest(9);
    let page = async |page: JobPage| listed(catalog.jobs(&page).await.unwrap());
    assert_eq!(page(JobPage::newest(2)).await, [ids[2], ids[1]]);
    assert_eq!(page(JobPage { before: Some(ids[1]), ..all.clone() }).await, [ids[0]]);
    assert_eq!(page(JobPage { from: Some(ids[1]), ..all.clone() }).await, [ids[2], ids[1]]);
    assert_eq!(page(JobPage { state: Some(JobState::Running), ..all.clone() }).await, [ids[0]]);
    assert_eq!(page(JobPage { state: Some(JobState::Queued), ..all.clone() }).await, [ids[2], ids[1]]);
    assert_eq!(page(JobPage { actor: Some("bob".into()), ..all }).await, []);
    assert_eq!(catalog.attempts(None).await.unwrap().len(), 1);
}

pub async fn times_of_a_job_come_from_the_database(catalog: &dyn Catalog) {
    let id = queued(catalog, 1).await;
    let lease = claimed(catalog).await.lease;
    catalog.end_attempt(&lease, &Ending::Succeeded).await.unwrap();
    let done = job(catalog, id).await;
    let (started, finished) = (done.started_at.unwrap(), done.finished_at.unwrap());
    assert!(done.submitted_at <= started && started <= finished, "{} {started} {finished}", done.submitted_at);
    catalog.begin_run(&new_run(2)).await.unwrap();
    let now = catalog.run(&run_id(2)).await.unwrap().started_at;
    assert!(finished <= now && finished[..16] >= now[..10], "{finished} {now}");
    assert!(finished.ends_with('Z') && finished.len() == now.len());
}
