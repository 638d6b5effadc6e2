//! `causeway workers`.

use causeway_jobs::Jobs;
use causeway_model::{WorkerRecord, WorkerState};
use serde_json::{Value, json};

use crate::app::App;
use crate::args::LimitOptions;
use crate::errors::Failure;
use crate::exit::Exit;
use crate::output::grid::Grid;
use crate::session::Session;
use crate::terminal::{Terminal, Tone, print};

/// Lists the workers.
pub(crate) fn workers(app: &App) -> Result<Exit, Failure> {
    let session = Session::open(app, &LimitOptions::default())?;
    let jobs = Jobs::new(session.engine.clone(), app.user.clone());
    let workers = app.wait(async { Ok(jobs.workers().await?) })?;
    if app.terminal.json {
        print(&format!("{}\n", workers.iter().map(fact).collect::<Value>()))?;
        return Ok(Exit::Ok);
    }
    let mut grid = Grid::new(&["worker", "state", "slots", "groups", "machine", "process", "started", "heard of"]);
    for worker in &workers {
        grid.row([
            worker.spec.name.clone(),
            shown(&app.terminal, worker.state),
            worker.spec.slots.to_string(),
            worker.spec.groups.as_ref().map_or_else(|| "all".to_owned(), |groups| groups.join(", ")),
            worker.spec.host.clone(),
            worker.spec.pid.to_string(),
            worker.started_at.clone(),
            worker.heartbeat_at.clone(),
        ]);
    }
    print(&format!("{grid}\n"))?;
    Ok(Exit::Ok)
}

fn shown(terminal: &Terminal, state: WorkerState) -> String {
    let tone = match state {
        WorkerState::Running => Tone::Good,
        WorkerState::Silent => Tone::Bad,
        WorkerState::Draining | WorkerState::Stopped => Tone::Faint,
    };
    terminal.paint(tone, state.name())
}

fn fact(worker: &WorkerRecord) -> Value {
    json!({
        "worker": worker.spec.name,
        "state": worker.state.name(),
        "slots": worker.spec.slots,
        "groups": worker.spec.groups,
        "host": worker.spec.host,
        "pid": worker.spec.pid,
        "started_at": worker.started_at,
        "heartbeat_at": worker.heartbeat_at,
    })
}
