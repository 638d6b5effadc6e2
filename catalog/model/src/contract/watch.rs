//! Workers, the lines of attempts, alerts, and what is counted.

use std::thread::sleep;
use std::time::Duration;

use super::fixtures::*;
use super::jobs::new_job;
use crate::{
    AlertEnd, AlertTransition, Catalog, CatalogError, Ending, ErrorClass, JobId, JobKind, JobState, LogLevel, NewAlert,
    NewJob, NewLogLine, NewWorker, TransactionCounts, WorkerState,
};

/// A lease that outlasts every case.
const LONG: i64 = 600_000;

fn worker(name: &str) -> NewWorker {
    NewWorker { name: name.into(), host: "h".into(), pid: 7, slots: 2, groups: None, lease_ms: LONG }
}

fn line(job: JobId, message: &str) -> NewLogLine {
    NewLogLine { job, attempt: 1, age_ms: 0, level: LogLevel::Info, step: None, message: message.into() }
}

fn pipeline(number: u8) -> NewJob {
    NewJob { kind: JobKind::Pipeline, work: "/srv/nightly".into(), max_attempts: 1, ..new_job(number) }
}

fn failed() -> Ending {
    Ending::Failed {
        class: ErrorClass::Permanent,
        code: "CW0103".into(),
        error: "there is no table".into(),
        retry_after_ms: 0,
    }
}

async fn ended(catalog: &dyn Catalog, job: NewJob, ending: Ending) -> JobId {
    let id = catalog.submit_job(&job).await.unwrap().job.id;
    let lease = catalog.claim_job("w1", LONG).await.unwrap().unwrap().lease;
    catalog.end_attempt(&lease, &ending).await.unwrap();
    id
}

pub async fn a_worker_says_what_it_is_doing(catalog: &dyn Catalog) {
    let groups = Some(vec!["nightly".to_owned(), "a, \"b\"".to_owned()]);
    let first = catalog.register_worker(&NewWorker { groups, ..worker("w1") }).await.unwrap();
    let second = catalog.register_worker(&worker("w2")).await.unwrap();
    catalog.beat_worker(first, WorkerState::Draining).await.unwrap();
    catalog.beat_worker(second, WorkerState::Stopped).await.unwrap();
    let listed = catalog.workers().await.unwrap();
    let states: Vec<_> = listed.iter().map(|worker| (worker.id, worker.state)).collect();
    assert_eq!(states, [(second, WorkerState::Stopped), (first, WorkerState::Draining)]);
    assert_eq!(listed[1].spec.groups.as_deref().unwrap()[1], "a, \"b\"");
    assert_eq!(listed[0].spec, worker("w2"));
    assert!(listed[0].started_at <= listed[0].heartbeat_at);
    let wrong = catalog.register_worker(&NewWorker { slots: 0, ..worker("w3") }).await.unwrap_err();
    assert!(matches!(wrong, CatalogError::Invalid(_)), "{wrong}");
}

pub async fn a_worker_that_was_killed_is_silent(catalog: &dyn Catalog) {
    let id = catalog.register_worker(&NewWorker { lease_ms: 100, ..worker("w1") }).await.unwrap();
    sleep(Duration::from_millis(150));
    assert_eq!(catalog.workers().await.unwrap()[0].state, WorkerState::Silent);
    assert!(catalog.figures().await.unwrap().workers.contains(&(WorkerState::Silent, 1)));
    catalog.beat_worker(id, WorkerState::Running).await.unwrap();
    assert_eq!(catalog.workers().await.unwrap()[0].state, WorkerState::Running);
    catalog.beat_worker(id, WorkerState::Stopped).await.unwrap();
    sleep(Duration::from_millis(150));
    assert_eq!(catalog.workers().await.unwrap()[0].state, WorkerState::Stopped);
    assert!(catalog.beat_worker(id, WorkerState::Silent).await.is_err());
}

pub async fn lines_of_an_attempt_come_in_order(catalog: &dyn Catalog) {
    let job = catalog.submit_job(&new_job(1)).await.unwrap().job.id;
    let other = catalog.submit_job(&new_job(2)).await.unwrap().job.id;
    let warning = NewLogLine {
        age_ms: 5_000,
        level: LogLevel::Warning,
        step: Some("10_load".into()),
        ..line(job, "3 rows are quarantined")
    };
    catalog.add_log_lines(&[]).await.unwrap();
    catalog.add_log_lines(&[warning, line(other, "of another job"), line(job, "second")]).await.unwrap();
    let lines = catalog.log_lines(job, 0, 10).await.unwrap();
    let messages: Vec<_> = lines.iter().map(|line| line.message.as_str()).collect();
    assert_eq!(messages, ["3 rows are quarantined", "second"]);
    assert_eq!((lines[0].level, lines[0].step.as_deref(), lines[0].attempt), (LogLevel::Warning, Some("10_load"), 1));
    assert!(lines[0].at < lines[1].at, "{} {}", lines[0].at, lines[1].at);
    let rest = catalog.log_lines(job, lines[0].id, 10).await.unwrap();
    assert_eq!((rest.len(), rest[0].id), (1, lines[1].id));
    assert_eq!(catalog.log_lines(job, 0, 1).await.unwrap().len(), 1);
}

pub async fn a_line_is_as_long_as_a_line(catalog: &dyn Catalog) {
    let job = catalog.submit_job(&new_job(1)).await.unwrap().job.id;
    catalog.add_log_lines(&[line(job, &"ü".repeat(100_000))]).await.unwrap();
    assert_eq!(catalog.log_lines(job, 0, 1).await.unwrap()[0].message.chars().count(), 1_000);
}

pub async fn a_job_is_found_by_its_run(catalog: &dyn Catalog) {
    let job = catalog.submit_job(&new_job(1)).await.unwrap().job;
    catalog.submit_job(&new_job(2)).await.unwrap();
    assert_eq!(catalog.job_of_run(&job.spec.run.0).await.unwrap(), Some(job.id));
    let common = &job.spec.run.0[..4];
    assert_eq!(catalog.job_of_run(common).await.unwrap(), None, "two runs begin so");
    assert_eq!(catalog.job_of_run("nothing").await.unwrap(), None);
}

pub async fn a_pipeline_that_fails_and_recovers_alerts_once_each(catalog: &dyn Catalog) {
    ended(catalog, pipeline(1), Ending::Succeeded).await;
    assert!(catalog.claim_alerts(LONG, 9).await.unwrap().is_empty(), "it was well before");
    let dead = ended(catalog, pipeline(2), failed()).await;
    ended(catalog, pipeline(3), failed()).await;
    let alerts = catalog.claim_alerts(LONG, 9).await.unwrap();
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    let alert = &alerts[0];
    assert_eq!((alert.spec.transition, alert.spec.job), (AlertTransition::Failed, Some(dead)));
    assert_eq!((alert.spec.pipeline.as_str(), alert.spec.folder.as_str()), ("nightly", "/srv/nightly"));
    assert_eq!((alert.error_code.as_deref(), alert.run.as_deref()), (Some("CW0103"), Some(run_id(2).0.as_str())));
    catalog.end_alert(alert.id, &["a".to_owned()], AlertEnd::Delivered).await.unwrap();
    ended(catalog, pipeline(4), Ending::Succeeded).await;
    ended(catalog, pipeline(5), Ending::Succeeded).await;
    let alerts = catalog.claim_alerts(LONG, 9).await.unwrap();
    assert_eq!((alerts.len(), alerts[0].spec.transition), (1, AlertTransition::Recovered));
}

pub async fn a_statement_and_a_stop_alert_nobody(catalog: &dyn Catalog) {
    ended(catalog, new_job(1), failed()).await;
    ended(catalog, pipeline(2), Ending::Cancelled).await;
    assert!(catalog.claim_alerts(LONG, 9).await.unwrap().is_empty());
}

pub async fn an_alert_is_raised_once_and_told_until_all_know(catalog: &dyn Catalog) {
    let late = NewAlert {
        key: "late/nightly/1".into(),
        transition: AlertTransition::Late,
        pipeline: "nightly".into(),
        folder: "/srv/nightly".into(),
        job: None,
    };
    assert!(catalog.raise_alert(&late).await.unwrap());
    assert!(!catalog.raise_alert(&late).await.unwrap());
    assert_eq!(catalog.figures().await.unwrap().n_waiting_alerts, 1);
    let alert = catalog.claim_alerts(1, 9).await.unwrap().remove(0);
    assert_eq!((&alert.spec, alert.n_failures), (&late, 0));
    sleep(Duration::from_millis(20));
    let again = catalog.claim_alerts(LONG, 9).await.unwrap();
    assert_eq!(again.len(), 1, "who had taken it fell silent");
    assert!(catalog.claim_alerts(LONG, 9).await.unwrap().is_empty(), "it is taken");
    catalog.end_alert(alert.id, &["pager".to_owned()], AlertEnd::Again { after_ms: 0 }).await.unwrap();
    let again = catalog.claim_alerts(LONG, 9).await.unwrap().remove(0);
    assert_eq!((again.delivered_to, again.n_failures), (vec!["pager".to_owned()], 1));
    catalog.end_alert(alert.id, &[], AlertEnd::Again { after_ms: LONG }).await.unwrap();
    assert!(catalog.claim_alerts(LONG, 9).await.unwrap().is_empty(), "not before its time");
    catalog.end_alert(alert.id, &[], AlertEnd::GivenUp).await.unwrap();
    assert_eq!(catalog.figures().await.unwrap().n_waiting_alerts, 0);
}

pub async fn figures_count_what_there_is(catalog: &dyn Catalog) {
    let none = catalog.figures().await.unwrap();
    assert!(none.jobs.iter().all(|(_, count)| *count == 0) && none.tables.is_empty() && none.oldest_due_ms == 0);
    written(catalog, "a.t", 0, &["x"]).await;
    written(catalog, "a.t", 1, &["x"]).await;
    ended(catalog, new_job(2), failed()).await;
    ended(catalog, new_job(3), Ending::Succeeded).await;
    catalog.submit_job(&new_job(4)).await.unwrap();
    catalog.claim_job("w1", 1).await.unwrap().unwrap();
    sleep(Duration::from_millis(20));
    catalog.submit_job(&new_job(5)).await.unwrap();
    catalog.claim_job("w1", LONG).await.unwrap().unwrap();
    sleep(Duration::from_millis(20));
    let figures = catalog.figures().await.unwrap();
    let expected = [(JobState::Queued, 1), (JobState::Running, 1), (JobState::Dead, 1), (JobState::Cancelled, 0)];
    assert_eq!(figures.jobs, expected);
    assert_eq!(figures.n_lost_attempts, 1);
    assert!((20..60_000).contains(&figures.oldest_due_ms), "{}", figures.oldest_due_ms);
    assert_eq!((figures.tables.len(), figures.tables[0].version), (1, 1));
    assert_eq!(figures.tables[0].name, name("a.t"));
    let writes = catalog.transactions();
    catalog.register_worker(&worker("w2")).await.unwrap();
    catalog.job(JobId(99)).await.unwrap_err();
    catalog.cancel_job(JobId(99), "admin").await.unwrap_err();
    let wrote = TransactionCounts { committed: writes.committed + 1, failed: writes.failed + 1 };
    assert_eq!(catalog.transactions(), wrote);
}
