//! `causeway run`: a pipeline, once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use causeway_jobs::{EventSink, Pipeline, RunEvent, RunOutcome, RunSummary, Runner, StepStatus, StepSummary};
use serde_json::json;

use crate::app::App;
use crate::args::RunOptions;
use crate::errors::Failure;
use crate::exit::Exit;
use crate::openlineage;
use crate::output::grid::Grid;
use crate::progress::{RunningStep, StepProgress};
use crate::session::Session;
use crate::sql::seconds;
use crate::terminal::{Terminal, Tone, print};

/// Runs a pipeline and prints what its steps did.
pub(crate) fn run(app: &App, options: &RunOptions) -> Result<Exit, Failure> {
    let session = Session::open(app, &options.limits)?;
    let exit = run_in(app, options, &session);
    openlineage::after_changes(app, &session);
    exit
}

fn run_in(app: &App, options: &RunOptions, session: &Session) -> Result<Exit, Failure> {
    let pipeline = Pipeline::load(&options.folder, &session.engine)?;
    let progress = StepProgress::new(app);
    let runner = Runner::new(session.engine.clone(), &session.project.folder)
        .with_cancel(app.interrupts().begin())
        .with_events(events(&progress))
        .with_parameters(options.values.read()?)
        .with_user(app.user.clone());
    let summary = app.wait(async { Ok(Box::pin(runner.run(&pipeline)).await?) })?;
    if app.terminal.json {
        print(&format!("{}\n", json!(summary)))?;
    } else {
        print(&render(&app.terminal, &summary))?;
    }
    for step in &summary.steps {
        report_trouble(&app.terminal, step);
    }
    Ok(match summary.outcome {
        RunOutcome::Succeeded => Exit::Ok,
        RunOutcome::Failed => Exit::Failed,
        RunOutcome::Cancelled => Exit::Interrupted,
    })
}

/// Turns the events of a run into bars or lines.
fn events(progress: &StepProgress) -> EventSink {
    let progress = progress.clone();
    let running: Mutex<Option<RunningStep>> = Mutex::default();
    Arc::new(move |event| {
        let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            RunEvent::Started { run, resumed, n_steps } => {
                let how = if resumed { "goes on with" } else { "begins" };
                progress.line(&format!("{how} run {run}, {n_steps} steps"));
            }
            RunEvent::StepStarted { name, .. } => *running = Some(progress.begin(&name)),
            RunEvent::StepProgress { name, event } => {
                if let Some(note) = event.note() {
                    progress.line(&format!("{name}: {note}"));
                }
                if let Some(step) = running.as_ref() {
                    (step.sink())(event);
                }
            }
            RunEvent::StepRetried { name, code, wait } => {
                progress.line(&format!("{name}: {code}, tries again in {}", seconds(wait)));
            }
            RunEvent::StepFinished(summary) => {
                if let Some(step) = running.take() {
                    step.end();
                }
                progress.line(&progress.describe(&summary));
            }
        }
    })
}

impl StepProgress {
    fn describe(&self, step: &StepSummary) -> String {
        let state = self.paint(tone(step.status), &format!("{:>11}", word(step.status)));
        let mut line = format!("{state}  {}", step.name);
        for (title, rows) in [("in", step.rows_in), ("out", step.rows_out), ("quarantined", step.rows_quarantined)] {
            if let Some(rows) = rows.filter(|rows| *rows > 0 || title != "quarantined") {
                line.push_str(&format!("  {title} {rows}"));
            }
        }
        line.push_str(&format!("  {}", seconds(Duration::from_millis(step.duration_ms))));
        line
    }
}

fn word(status: StepStatus) -> &'static str {
    match status {
        StepStatus::Succeeded => "done",
        StepStatus::UpToDate => "up to date",
        StepStatus::DoneBefore => "done before",
        StepStatus::Failed => "FAILED",
        StepStatus::Blocked => "blocked",
        StepStatus::Cancelled => "stopped",
        StepStatus::NotStarted => "not started",
    }
}

fn tone(status: StepStatus) -> Tone {
    match status {
        StepStatus::Succeeded => Tone::Good,
        StepStatus::UpToDate | StepStatus::DoneBefore => Tone::Faint,
        StepStatus::Failed => Tone::Bad,
        StepStatus::Blocked | StepStatus::Cancelled | StepStatus::NotStarted => Tone::Warning,
    }
}

fn render(terminal: &Terminal, summary: &RunSummary) -> String {
    let header = ["step", "state", "rows in", "rows out", "quarantined", "time", "versions"];
    let mut grid = Grid::new(&header).right(2..=5);
    let count = |rows: Option<u64>| rows.map_or_else(|| "-".to_owned(), |rows| rows.to_string());
    for step in &summary.steps {
        let versions: Vec<String> =
            step.outputs.iter().map(|output| format!("{}@{}", output.table, output.version)).collect();
        grid.row([
            step.name.clone(),
            word(step.status).to_owned(),
            count(step.rows_in),
            count(step.rows_out),
            count(step.rows_quarantined),
            seconds(Duration::from_millis(step.duration_ms)),
            versions.join(", "),
        ]);
    }
    format!("{grid}\n\n{}\n", conclusion(terminal, summary))
}

fn conclusion(terminal: &Terminal, summary: &RunSummary) -> String {
    let totals = &summary.totals;
    let time = seconds(Duration::from_millis(summary.duration_ms));
    let checks = match (totals.n_checks_passed, totals.n_checks_failed) {
        (0, 0) => String::new(),
        (passed, 0) => format!(", {passed} checks hold"),
        (passed, failed) => format!(", {passed} checks hold, {failed} do not"),
    };
    if summary.nothing_to_do {
        let n_steps = summary.steps.len();
        let text = format!("nothing to do: {n_steps} steps are up to date");
        return format!("{}{checks} ({time})", terminal.paint_output(Tone::Good, &text));
    }
    let counts = [
        (totals.n_succeeded, "done"),
        (totals.n_up_to_date, "up to date"),
        (totals.n_done_before, "done before"),
        (totals.n_failed, "failed"),
        (totals.n_blocked, "blocked"),
        (totals.n_stopped, "stopped"),
    ];
    let counts: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    let (tone, verdict) = match summary.outcome {
        RunOutcome::Succeeded => (Tone::Good, "succeeded"),
        RunOutcome::Failed => (Tone::Bad, "failed; run it again to go on from there"),
        RunOutcome::Cancelled => (Tone::Warning, "was stopped; run it again to go on from there"),
    };
    let verdict = terminal.paint_output(tone, &format!("{} {verdict}", summary.pipeline));
    let rows =
        format!("{} rows in, {} rows out, {} quarantined", totals.rows_in, totals.rows_out, totals.rows_quarantined);
    format!("{verdict}: {}{checks}; {rows}; {time}, run {}", counts.join(", "), summary.run)
}

/// Prints warnings and errors of a step to standard error.
fn report_trouble(terminal: &Terminal, step: &StepSummary) {
    for warning in &step.warnings {
        terminal.note(&format!("{}: {}: {warning}", terminal.paint(Tone::Warning, "warning"), step.name));
    }
    if let Some(error) = &step.error {
        let label = terminal.paint(Tone::Bad, &format!("error[{}]", error.code));
        terminal.say(&format!("{label}: step {}: {}", step.name, error.message));
        if let Some(hint) = &error.hint {
            terminal.say(&format!("{}: {hint}", terminal.paint(Tone::Name, "hint")));
        }
    }
    if !step.blocked_by.is_empty() {
        terminal.note(&format!("{} was not started: it waits for {}", step.name, step.blocked_by.join(", ")));
    }
}
