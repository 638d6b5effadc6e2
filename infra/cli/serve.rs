//! `causeway serve`: scheduler, jobs, metrics and health in one process.

use std::time::Duration;

use causeway_core::Cancel;
use causeway_jobs::{Jobs, JobsError, Scheduler, Until, WorkerSink, WorkerSummary};
use causeway_server::{Metrics, Readiness, bind};
use serde_json::json;
use tokio::sync::oneshot;

use crate::app::App;
use crate::args::ServeOptions;
use crate::errors::Failure;
use crate::exit::Exit;
use crate::jobs;
use crate::keeper::Keeper;
use crate::openlineage;
use crate::schedule;
use crate::session::Session;
use crate::terminal::print;
use crate::version::VERSION;

/// How long requests that were begun may take once the jobs have ended.
const LAST_REQUESTS: Duration = Duration::from_secs(5);

/// Runs jobs and answers requests until it is stopped.
pub(crate) fn serve(app: &App, options: &ServeOptions) -> Result<Exit, Failure> {
    let session = Session::open(app, &options.work.limits)?;
    let view = Jobs::new(session.engine.clone(), app.user.clone());
    app.wait(async { Ok(view.may_work().await?) })?;
    let metrics = Metrics::new(VERSION)?;
    let keeper = Keeper::new(app, &session, Some(metrics.clone()))?;
    let summary = app.wait(keep_serving(app, &session, options, &metrics, &keeper))?;
    print(&match app.terminal.json {
        true => format!("{}\n", json!({"succeeded": summary.n_succeeded, "others": summary.n_others})),
        false => format!("{} jobs done, {} attempts ended otherwise\n", summary.n_succeeded, summary.n_others),
    })?;
    openlineage::after_changes(app, &session);
    Ok(Exit::Ok)
}

/// Fires schedules, and returns only if that cannot go on; a scheduler that was told to stop leaves the
/// running jobs their time.
async fn until_failed(scheduler: &mut Scheduler, stop: &Cancel) -> JobsError {
    match Box::pin(scheduler.run(stop)).await {
        Ok(_) => std::future::pending().await,
        Err(error) => error,
    }
}

async fn keep_serving(
    app: &App,
    session: &Session,
    options: &ServeOptions,
    metrics: &Metrics,
    keeper: &Keeper<'_>,
) -> Result<WorkerSummary, Failure> {
    let interrupts = app.interrupts();
    let stop = interrupts.begin();
    let readiness = Readiness::default();
    let listener = bind(&options.listen).await?;
    let address = listener.local_addr()?;
    let worker = jobs::start(session, &options.work, Until::Stopped, counting(app, metrics)).await?;
    let (end, ended) = oneshot::channel::<()>();
    let (engine, shown) = (session.engine.clone(), (metrics.clone(), readiness.clone()));
    let http = tokio::spawn(causeway_server::serve(listener, engine, shown.0, shown.1, async {
        // Either way it ends.
        drop(ended.await);
    }));
    app.terminal.note(&format!("listening on http://{address}; {} jobs at once", options.work.slots));
    let work = async {
        let work = Box::pin(worker.run(&stop));
        let mut scheduler = Scheduler::new(session.engine.clone(), schedule::sink(&app.terminal));
        let told = async {
            interrupts.interrupted().await;
            readiness.drain();
            std::future::pending().await
        };
        tokio::select! {
            summary = work => summary,
            never = told => never,
            failed = until_failed(&mut scheduler, &stop) => Err(failed),
        }
    };
    let summary = keeper.beside(work).await;
    drop(end);
    if tokio::time::timeout(LAST_REQUESTS, http).await.is_err() {
        tracing::warn!("a request was not answered before the end");
    }
    Ok(summary?)
}

/// Returns a sink that says what happens, and counts it.
fn counting(app: &App, metrics: &Metrics) -> WorkerSink {
    let (say, metrics) = (jobs::sink(&app.terminal), metrics.clone());
    std::sync::Arc::new(move |event| {
        metrics.observe(&event);
        say(event);
    })
}
