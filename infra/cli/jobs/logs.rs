//! `causeway logs`: what happened in the attempts of a job.

use std::collections::BTreeMap;
use std::time::Instant;

use causeway_jobs::Jobs;
use causeway_model::{Attempt, AttemptOutcome, ErrorClass, JobId, LogLevel, LogLine};
use serde_json::{Value, json};

use super::{LOOK, SETTLED, report_error};
use crate::app::App;
use crate::args::{LimitOptions, LogsOptions};
use crate::errors::Failure;
use crate::exit::Exit;
use crate::session::Session;
use crate::terminal::{Terminal, Tone, print};

/// Shows the log of a job.
pub(crate) fn logs(app: &App, options: &LogsOptions) -> Result<Exit, Failure> {
    let session = Session::open(app, &LimitOptions::default())?;
    let jobs = Jobs::new(session.engine.clone(), app.user.clone());
    let mut job = app.wait(async { Ok(jobs.find(&options.name).await?) })?;
    let mut teller = Teller::new(job.id, options.attempt);
    if !options.follow {
        show(app, job.id, &app.wait(teller.all(&jobs))?)?;
        report_error(&app.terminal, &job);
        return Ok(Exit::Ok);
    }
    let interrupted = app.interrupts().begin();
    loop {
        show(app, job.id, &app.wait(teller.news(&jobs))?)?;
        job = app.wait(async { Ok(jobs.job(job.id).await?) })?;
        if job.state.is_ended() && teller.has_told(job.attempt) {
            report_error(&app.terminal, &job);
            return Ok(Exit::Ok);
        }
        if interrupted.is_cancelled() {
            return Ok(Exit::Interrupted);
        }
        std::thread::sleep(LOOK);
    }
}

fn show(app: &App, job: JobId, entries: &[Entry]) -> Result<(), Failure> {
    let line = |entry: &Entry| match app.terminal.json {
        true => format!("{}\n", entry.fact(job)),
        false => format!("{}\n", entry.painted(&app.terminal)),
    };
    Ok(print(&entries.iter().map(line).collect::<String>())?)
}

/// Something that happened in an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    attempt: i64,
    at: String,
    event: Event,
    level: LogLevel,
    step: Option<String>,
    message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Started,
    Line,
    Ended,
}

impl Entry {
    fn started(attempt: &Attempt) -> Self {
        Self {
            attempt: attempt.attempt,
            at: attempt.started_at.clone(),
            event: Event::Started,
            level: LogLevel::Info,
            step: None,
            message: format!("started at {}", attempt.worker),
        }
    }

    fn line(line: LogLine) -> Self {
        let LogLine { attempt, at, level, step, message, .. } = line;
        Self { attempt, at, event: Event::Line, level, step, message }
    }

    fn ended(attempt: &Attempt) -> Option<Self> {
        let (at, outcome) = (attempt.finished_at.clone()?, attempt.outcome?);
        let class = attempt.class.map(|class| format!(" ({})", ErrorClass::name(class))).unwrap_or_default();
        let code = attempt.error_code.as_deref().map(|code| format!(": {code}")).unwrap_or_default();
        let level = match outcome {
            AttemptOutcome::Succeeded | AttemptOutcome::Released => LogLevel::Info,
            AttemptOutcome::Cancelled => LogLevel::Warning,
            AttemptOutcome::Failed | AttemptOutcome::Lost => LogLevel::Error,
        };
        let message = format!("{}{class}{code}", outcome.name());
        Some(Self { attempt: attempt.attempt, at, event: Event::Ended, level, step: None, message })
    }

    /// Returns true for what the worker told, false for the start and the end of an attempt.
    pub(super) fn is_line(&self) -> bool {
        self.event == Event::Line
    }

    /// Returns the line that people see.
    pub(super) fn painted(&self, terminal: &Terminal) -> String {
        let step =
            self.step.as_deref().map(|step| format!("{}: ", terminal.paint(Tone::Name, step))).unwrap_or_default();
        let message = match self.level {
            LogLevel::Info => self.message.clone(),
            LogLevel::Warning => terminal.paint(Tone::Warning, &self.message),
            LogLevel::Error => terminal.paint(Tone::Bad, &self.message),
        };
        format!("{} attempt {} {step}{message}", terminal.paint(Tone::Faint, &self.at), self.attempt)
    }

    fn fact(&self, job: JobId) -> Value {
        let event = match self.event {
            Event::Started => "started",
            Event::Line => "line",
            Event::Ended => "ended",
        };
        json!({
            "job": job.0,
            "attempt": self.attempt,
            "at": self.at,
            "event": event,
            "level": self.level.name(),
            "step": self.step,
            "message": self.message,
        })
    }
}

/// Tells what happens in the attempts of a job, each thing once and in order.
pub(super) struct Teller {
    job: JobId,
    /// The only attempt of interest.
    only: Option<i64>,
    /// The last line told.
    after: i64,
    /// The attempts whose start was told, with when their end was first seen, and whether it was told.
    attempts: BTreeMap<i64, (Option<Instant>, bool)>,
}

impl Teller {
    pub(super) fn new(job: JobId, only: Option<i64>) -> Self {
        Self { job, only, after: 0, attempts: BTreeMap::new() }
    }

    /// Returns true if the end of this attempt was told, or nobody wants to hear of it.
    fn has_told(&self, attempt: i64) -> bool {
        attempt == 0
            || self.only.is_some_and(|only| only != attempt)
            || self.attempts.get(&attempt).is_some_and(|(_, told)| *told)
    }

    /// Returns all that there is.
    async fn all(&mut self, jobs: &Jobs) -> Result<Vec<Entry>, Failure> {
        let (attempts, lines) = self.read(jobs).await?;
        Ok(attempts.iter().flat_map(|attempt| whole(attempt, &lines)).collect())
    }

    /// Returns what has happened since the last call. An end is told when no lines come any more: the
    /// worker writes them a little after they happen.
    pub(super) async fn news(&mut self, jobs: &Jobs) -> Result<Vec<Entry>, Failure> {
        let (attempts, lines) = self.read(jobs).await?;
        let mut news = Vec::new();
        for attempt in &attempts {
            let (ended, told) = self.attempts.entry(attempt.attempt).or_insert_with(|| {
                news.push(Entry::started(attempt));
                (None, false)
            });
            let own: Vec<Entry> =
                lines.iter().filter(|line| line.attempt == attempt.attempt).cloned().map(Entry::line).collect();
            let is_quiet = own.is_empty();
            news.extend(own);
            let Some(end) = Entry::ended(attempt).filter(|_| !*told) else { continue };
            let since = *ended.get_or_insert_with(Instant::now);
            if is_quiet && since.elapsed() >= SETTLED {
                *told = true;
                news.push(end);
            }
        }
        Ok(news)
    }

    async fn read(&mut self, jobs: &Jobs) -> Result<(Vec<Attempt>, Vec<LogLine>), Failure> {
        let attempts = jobs.attempts(self.job).await?;
        let lines = jobs.log(self.job, self.after).await?;
        self.after = lines.last().map_or(self.after, |line| line.id);
        let wanted = |attempt: &Attempt| self.only.is_none_or(|only| only == attempt.attempt);
        Ok((attempts.into_iter().filter(wanted).collect(), lines))
    }
}

/// Returns all of an attempt, from start to end.
fn whole(attempt: &Attempt, lines: &[LogLine]) -> Vec<Entry> {
    let own = lines.iter().filter(|line| line.attempt == attempt.attempt).cloned().map(Entry::line);
    std::iter::once(Entry::started(attempt)).chain(own).chain(Entry::ended(attempt)).collect()
}
