//! Jobs: `causeway submit`, `jobs`, `logs`, `cancel`, `retry`, `worker` and `workers`.

mod logs;
mod worker;
mod workers;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use causeway_jobs::{JobRequest, Jobs, Terms, Work};
use causeway_model::{ConcurrencyGroup, Job, JobId, JobState};
use serde_json::{Value, json};

use crate::app::App;
use crate::args::{JobIdOptions, JobsOptions, LimitOptions, StateOption, SubmitOptions};
use crate::errors::Failure;
use crate::exit::Exit;
use crate::output::grid::Grid;
use crate::session::Session;
use crate::terminal::{Terminal, Tone, print};
pub(crate) use logs::logs;
use logs::{Entry, Teller};
pub(crate) use worker::{sink, start, worker};
pub(crate) use workers::workers;

/// How often a waiting command looks at its job.
const LOOK: Duration = Duration::from_millis(200);

/// So long after an attempt has ended all of its lines are there.
const SETTLED: Duration = Duration::from_millis(800);

/// After so long somebody who waits is told that no worker seems to run.
const PATIENCE: Duration = Duration::from_secs(5);

/// The part of a statement that a list shows.
const SHOWN_WORK: usize = 60;

/// Queues a job, and waits for it if asked to.
pub(crate) fn submit(app: &App, options: &SubmitOptions) -> Result<Exit, Failure> {
    let session = Session::open(app, &LimitOptions::default())?;
    let jobs = Jobs::new(session.engine.clone(), app.user.clone());
    let request = request(options)?;
    let submitted = app.wait(async { Ok(Box::pin(jobs.submit(request)).await?) })?;
    let job = submitted.job;
    if !submitted.is_new {
        app.terminal.note(&format!("job {} was submitted under this key before", job.id.0));
    }
    if options.wait {
        return wait(app, &jobs, job);
    }
    print(&match app.terminal.json {
        true => format!("{}\n", fact(&job)),
        false => format!("job {} is {}\n", job.id.0, job.state.name()),
    })?;
    Ok(Exit::Ok)
}

fn request(options: &SubmitOptions) -> Result<JobRequest, Failure> {
    let work = match (&options.pipeline, &options.statement) {
        (Some(folder), _) => Work::Pipeline(folder.clone()),
        (None, Some(sql)) => {
            let base_dir = std::env::current_dir().context("the current folder cannot be read")?;
            Work::Statement { sql: sql.clone(), base_dir }
        }
        (None, None) => return Err(Failure::usage("give a statement, or a pipeline with --pipeline DIR")),
    };
    let group = options.group.clone().map(|name| ConcurrencyGroup { name, limit: options.group_limit });
    Ok(JobRequest {
        work,
        parameters: options.values.read()?,
        key: options.key.clone(),
        terms: Terms {
            attempts: options.attempts,
            timeout: options.timeout_seconds.map(Duration::from_secs),
            memory_limit_bytes: options.memory_limit_bytes,
            priority: options.priority,
            group,
            ..Terms::default()
        },
    })
}

/// Says what happens to a job until it has ended.
fn wait(app: &App, jobs: &Jobs, mut job: Job) -> Result<Exit, Failure> {
    let interrupted = app.interrupts().begin();
    let (since, mut told_of_workers) = (Instant::now(), false);
    let mut shown = None;
    let mut teller = Teller::new(job.id, None);
    while !job.state.is_ended() {
        if interrupted.is_cancelled() {
            app.terminal.note(&format!("job {0} goes on; `causeway cancel {0}` stops it", job.id.0));
            return Ok(Exit::Interrupted);
        }
        if shown != Some((job.state, job.attempt)) {
            app.terminal.note(&line(&app.terminal, &job));
            shown = Some((job.state, job.attempt));
        }
        if job.attempt == 0 && since.elapsed() > PATIENCE && !told_of_workers {
            app.terminal.note("no worker has taken it yet; `causeway worker` starts one");
            told_of_workers = true;
        }
        for entry in app.wait(teller.news(jobs))?.iter().filter(|entry| entry.is_line()) {
            app.terminal.note(&entry.painted(&app.terminal));
        }
        std::thread::sleep(LOOK);
        job = app.wait(async { Ok(jobs.job(job.id).await?) })?;
    }
    for entry in last_lines(app, jobs, &mut teller)? {
        app.terminal.note(&entry.painted(&app.terminal));
    }
    print(&match app.terminal.json {
        true => format!("{}\n", fact(&job)),
        false => format!("{}\n", line(&app.terminal, &job)),
    })?;
    report_error(&app.terminal, &job);
    Ok(if job.state == JobState::Succeeded { Exit::Ok } else { Exit::Failed })
}

/// Returns what the worker told at last; it writes lines a little after they happen.
fn last_lines(app: &App, jobs: &Jobs, teller: &mut Teller) -> Result<Vec<Entry>, Failure> {
    let started = Instant::now();
    let mut lines = Vec::new();
    loop {
        let news = app.wait(teller.news(jobs))?;
        let is_told = news.iter().any(|entry| !entry.is_line());
        lines.extend(news.into_iter().filter(Entry::is_line));
        if is_told || started.elapsed() > SETTLED * 2 {
            return Ok(lines);
        }
        std::thread::sleep(LOOK);
    }
}

fn report_error(terminal: &Terminal, job: &Job) {
    if let (Some(code), Some(error)) = (&job.error_code, &job.error) {
        terminal.say(&format!("{}: {error}", terminal.paint(Tone::Bad, &format!("error[{code}]"))));
    }
}

fn line(terminal: &Terminal, job: &Job) -> String {
    let state = terminal.paint(tone(job.state), job.state.name());
    match (job.state, &job.worker) {
        (JobState::Running, Some(worker)) => {
            format!("job {} is {state}: attempt {} at {worker}", job.id.0, job.attempt)
        }
        (JobState::Queued, _) if job.attempt > 0 => {
            let why = job.error_code.as_deref().unwrap_or("given back");
            format!("job {} is {state} again after attempt {} ({why}); due at {}", job.id.0, job.attempt, job.run_at)
        }
        _ => format!("job {} is {state}, run {}", job.id.0, job.spec.run),
    }
}

fn tone(state: JobState) -> Tone {
    match state {
        JobState::Succeeded => Tone::Good,
        JobState::Dead => Tone::Bad,
        JobState::Cancelled => Tone::Warning,
        JobState::Queued => Tone::Faint,
        JobState::Running => Tone::Name,
    }
}

/// Lists jobs.
pub(crate) fn list(app: &App, options: &JobsOptions) -> Result<Exit, Failure> {
    let session = Session::open(app, &LimitOptions::default())?;
    let jobs = Jobs::new(session.engine.clone(), app.user.clone());
    let state = options.state.map(state);
    let listed = app.wait(async { Ok(jobs.list(state, options.count).await?) })?;
    if app.terminal.json {
        print(&format!("{}\n", listed.iter().map(fact).collect::<Value>()))?;
        return Ok(Exit::Ok);
    }
    let mut grid = Grid::new(&["job", "state", "attempt", "work", "who", "submitted", "ended", "error"]).right([0, 2]);
    for job in &listed {
        grid.row([
            job.id.0.to_string(),
            if job.cancel_requested && !job.state.is_ended() { "cancelling" } else { job.state.name() }.to_owned(),
            job.attempt.to_string(),
            shortened(&job.spec.work),
            job.spec.actor.clone(),
            job.submitted_at.clone(),
            job.finished_at.clone().unwrap_or_default(),
            job.error_code.clone().unwrap_or_default(),
        ]);
    }
    print(&format!("{grid}\n"))?;
    Ok(Exit::Ok)
}

fn state(option: StateOption) -> JobState {
    match option {
        StateOption::Queued => JobState::Queued,
        StateOption::Running => JobState::Running,
        StateOption::Succeeded => JobState::Succeeded,
        StateOption::Dead => JobState::Dead,
        StateOption::Cancelled => JobState::Cancelled,
    }
}

/// Returns the beginning of a statement on one line, or the end of a path.
fn shortened(work: &str) -> String {
    let line = work.split_whitespace().collect::<Vec<_>>().join(" ");
    let length = line.chars().count();
    if length <= SHOWN_WORK {
        line
    } else if Path::new(&line).is_absolute() {
        format!("…{}", line.chars().skip(length - SHOWN_WORK).collect::<String>())
    } else {
        format!("{}…", line.chars().take(SHOWN_WORK).collect::<String>())
    }
}

/// Stops a job.
pub(crate) fn cancel(app: &App, options: &JobIdOptions) -> Result<Exit, Failure> {
    let session = Session::open(app, &LimitOptions::default())?;
    let jobs = Jobs::new(session.engine.clone(), app.user.clone());
    let state = app.wait(async { Ok(jobs.cancel(JobId(options.id)).await?) })?;
    let id = options.id;
    print(&match (app.terminal.json, state) {
        (true, _) => format!("{}\n", json!({"job": id, "state": state.name(), "cancel_requested": true})),
        (false, JobState::Running) => format!("job {id} is told to stop\n"),
        (false, state) => format!("job {id} is {}\n", state.name()),
    })?;
    Ok(Exit::Ok)
}

/// Queues a dead or cancelled job again.
pub(crate) fn retry(app: &App, options: &JobIdOptions) -> Result<Exit, Failure> {
    let session = Session::open(app, &LimitOptions::default())?;
    let jobs = Jobs::new(session.engine.clone(), app.user.clone());
    let job = app.wait(async { Ok(jobs.retry(JobId(options.id)).await?) })?;
    print(&match app.terminal.json {
        true => format!("{}\n", fact(&job)),
        false => format!("job {} is queued again\n", job.id.0),
    })?;
    Ok(Exit::Ok)
}

fn fact(job: &Job) -> Value {
    json!({
        "job": job.id.0,
        "kind": job.spec.kind.name(),
        "work": job.spec.work,
        "parameters": job.spec.parameters.to_json(),
        "run": job.spec.run.0,
        "actor": job.spec.actor,
        "key": job.spec.dedupe_key,
        "priority": job.spec.priority,
        "group": job.spec.group.as_ref().map(|group| &group.name),
        "state": job.state.name(),
        "attempt": job.attempt,
        "failures": job.n_failures,
        "max_attempts": job.spec.max_attempts,
        "memory_limit_bytes": job.spec.memory_limit_bytes,
        "cancel_requested": job.cancel_requested,
        "worker": job.worker,
        "error_code": job.error_code,
        "error": job.error,
        "submitted_at": job.submitted_at,
        "run_at": job.run_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_shows_how_a_statement_begins_and_how_a_path_ends() {
        assert_eq!(shortened("INSERT INTO\n  a.t  SELECT 1"), "INSERT INTO a.t SELECT 1");
        let statement = shortened(&format!("INSERT {}", "x".repeat(100)));
        assert!(statement.starts_with("INSERT ") && statement.ends_with('…'));
        let path = shortened(&format!("/srv/{}/nightly", "x".repeat(100)));
        assert!(path.starts_with('…') && path.ends_with("/nightly"));
    }
}
