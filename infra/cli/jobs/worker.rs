//! `causeway worker`.

use std::sync::Arc;
use std::time::Duration;

use causeway_jobs::{Jobs, OpenCatalog, Until, Worker, WorkerEvent, WorkerSink};
use causeway_model::{Catalog, JobState};
use causeway_runtime::Project;
use causeway_store::SqliteCatalog;
use serde_json::json;

use super::tone;
use crate::app::App;
use crate::args::{WorkOptions, WorkerOptions};
use crate::errors::Failure;
use crate::exit::Exit;
use crate::keeper::Keeper;
use crate::openlineage;
use crate::session::Session;
use crate::terminal::{Terminal, Tone, print};

/// Runs jobs until it is stopped, or until there are none.
pub(crate) fn worker(app: &App, options: &WorkerOptions) -> Result<Exit, Failure> {
    let session = Session::open(app, &options.work.limits)?;
    let jobs = Jobs::new(session.engine.clone(), app.user.clone());
    app.wait(async { Ok(jobs.may_work().await?) })?;
    let until = match (options.drain, options.once) {
        (true, _) => Until::Drained,
        (_, true) => Until::Once,
        _ => Until::Stopped,
    };
    let keeper = Keeper::new(app, &session, None)?;
    let stop = app.interrupts().begin();
    let summary = app.wait(async {
        let worker = start(&session, &options.work, until, sink(&app.terminal)).await?;
        app.terminal.note(&format!("worker {} takes jobs, {} at once", worker.name(), options.work.slots));
        Ok(keeper.beside(Box::pin(worker.run(&stop))).await?)
    })?;
    print(&match app.terminal.json {
        true => format!("{}\n", json!({"succeeded": summary.n_succeeded, "others": summary.n_others})),
        false => format!("{} jobs done, {} attempts ended otherwise\n", summary.n_succeeded, summary.n_others),
    })?;
    openlineage::after_changes(app, &session);
    Ok(Exit::Ok)
}

/// Makes a worker as the options say.
pub(crate) async fn start(
    session: &Session,
    options: &WorkOptions,
    until: Until,
    events: WorkerSink,
) -> Result<Worker, Failure> {
    let host = machine();
    let own_name = || format!("{host}-{}", std::process::id());
    let worker_options = causeway_jobs::WorkerOptions {
        name: options.name.clone().unwrap_or_else(own_name),
        host: host.clone(),
        groups: options.groups.clone(),
        slots: usize::try_from(options.slots).unwrap_or(usize::MAX),
        lease: Duration::from_secs(options.lease_seconds),
        until,
    };
    let (engine, folder) = (session.engine.clone(), &session.project.folder);
    Ok(Worker::start(engine, folder, worker_options, opener(&session.project), events).await?)
}

/// Returns what opens the catalog a second time, for the heartbeats.
fn opener(project: &Project) -> OpenCatalog {
    let (file, url) = (project.catalog_file(), project.catalog_url());
    Box::new(move || {
        Box::pin(async move {
            match file {
                Some(file) => Ok(Arc::new(SqliteCatalog::open(&file).await?) as Arc<dyn Catalog>),
                None => causeway_store::open(&url).await,
            }
        })
    })
}

/// Returns the name of this machine, for people.
fn machine() -> String {
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Some(machine.trim()).filter(|name| !name.is_empty()).unwrap_or("worker").to_owned()
}

/// Returns a sink that says what happens.
pub(crate) fn sink(terminal: &Terminal) -> WorkerSink {
    let terminal = terminal.clone();
    Arc::new(move |event| match event {
        WorkerEvent::Started(job) => {
            terminal.note(&format!("job {} started, attempt {}", job.id.0, job.attempt));
        }
        WorkerEvent::Step(_) => {}
        WorkerEvent::Ended { job, state, error, .. } => {
            let shown = terminal.paint(tone(state), state.name());
            let again = if state == JobState::Queued { " again" } else { "" };
            let why = error.map(|(code, error)| format!(": {code} {error}")).unwrap_or_default();
            terminal.note(&format!("job {} is {shown}{again}{why}", job.0));
        }
        WorkerEvent::Discarded(job) => {
            let warning = terminal.paint(Tone::Warning, "warning");
            terminal.note(&format!("{warning}: job {}: the lease is over, this result is discarded", job.0));
        }
    })
}
