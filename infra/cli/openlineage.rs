//! `causeway openlineage`: what other tools are told, and what waits to be told.

mod archive;
mod delivery;

use causeway_audit::{Action, Event, Object, ObjectKind, Outcome};
use causeway_model::OutboxStatus;
use causeway_openlineage::{Delivery, Emitter, OpenLineageError, Places};
use causeway_runtime::Project;
use serde_json::{Value, json};

use crate::app::App;
use crate::args::{LimitOptions, OpenLineageCommand, OpenLineageOptions};
use crate::errors::Failure;
use crate::exit::Exit;
use crate::session::open_catalog;
use crate::terminal::{Tone, print};

use archive::Kept;
pub(crate) use delivery::{after_changes, keep_told, transport};

/// Events deleted by one transaction, so that others can write between.
const FORGOTTEN_AT_ONCE: i64 = 10_000;

/// Sends events, shows what waits, or deletes what is old.
pub(crate) fn openlineage(app: &App, options: &OpenLineageOptions) -> Result<Exit, Failure> {
    if app.user.is_some() {
        return Err(Failure::usage("events hold the whole record, whoever asks; --user does not go with this command")
            .with_hint("those who see the whole record may ask in SQL: SELECT * FROM system.openlineage"));
    }
    let project = app.project(&LimitOptions::default())?;
    match &options.command {
        OpenLineageCommand::Deliver { held } => deliver(app, &project, *held),
        OpenLineageCommand::Status => status(app, &project),
        OpenLineageCommand::Forget { days, waiting, archive } => {
            let kept = match archive {
                Some(table) => Some(archive::keep(app, table, *waiting)?),
                None => None,
            };
            forget(app, &project, *days, *waiting, kept)
        }
    }
}

/// Makes the emitter that the configuration describes.
pub(crate) fn emitter(project: &Project) -> Result<Emitter, OpenLineageError> {
    let section = &project.config.openlineage;
    let places = Places::new(&project.lake_url(), &project.folder, &section.namespace)?;
    let folders = project.read_paths().into_iter().chain(project.write_paths());
    let emitter = Emitter::new(places.with_folders(folders));
    Ok(if section.send_sql { emitter } else { emitter.without_sql() })
}

/// Returns where events go, for people: without what follows `?`, which may be a key.
pub(crate) fn shown_url(project: &Project) -> Option<String> {
    project.openlineage_url().map(|url| url.split('?').next().unwrap_or_default().to_owned())
}

fn deliver(app: &App, project: &Project, held: bool) -> Result<Exit, Failure> {
    app.start_threads(project.threads())?;
    let interrupts = app.interrupts();
    interrupts.begin();
    let (delivery, status) = app.wait(async {
        let catalog = open_catalog(project).await?;
        if held {
            catalog.release_changes().await?;
        }
        tokio::select! {
            delivery = Box::pin(delivery::in_turn(project, &catalog)) => Ok((delivery?, catalog.outbox_status().await?)),
            () = interrupts.interrupted() => Err(Failure::of_code("CW0204", "interrupted; what is left waits")),
        }
    })?;
    print(&match app.terminal.json {
        true => format!("{}\n", delivery_json(&delivery, &status)),
        false => format!("{} lineage events delivered, {} wait\n", delivery.n_delivered, status.n_waiting),
    })?;
    if let Some(error) = delivery.stopped {
        return Err(error.into());
    }
    if delivery.elsewhere {
        return Err(Failure::new(Exit::Failed, "another process is delivering lineage events, and goes on with it"));
    }
    warn_of_held(app, &status);
    Ok(if status.held.is_empty() { Exit::Ok } else { Exit::Failed })
}

fn warn_of_held(app: &App, status: &OutboxStatus) {
    if status.held.is_empty() {
        return;
    }
    let warning = app.terminal.paint(Tone::Warning, "warning");
    app.terminal.note(&format!("{warning}: {}", held(status)));
    let hint = app.terminal.paint(Tone::Name, "hint");
    app.terminal.note(&format!("{hint}: mend what the message names, then run `causeway openlineage deliver --held`"));
}

/// Says which runs are held back, and why.
pub(crate) fn held(status: &OutboxStatus) -> String {
    let runs: Vec<&str> = status.held.iter().map(|run| run.0.as_str()).collect();
    let why = status.last_failure.as_ref();
    let why = why.map(|failure| format!(": [{}] {}", failure.code, failure.message)).unwrap_or_default();
    format!("events of {} runs are held back ({}){why}", runs.len(), runs.join(", "))
}

fn status(app: &App, project: &Project) -> Result<Exit, Failure> {
    let status = app.wait(async { Ok(open_catalog(project).await?.outbox_status().await?) })?;
    let url = shown_url(project);
    if app.terminal.json {
        let mut shown = waiting_json(&status);
        shown["url"] = json!(url);
        return print(&format!("{shown}\n")).map(|()| Exit::Ok).map_err(Into::into);
    }
    let mut text = format!("sent to: {}\n", url.as_deref().unwrap_or("nowhere; openlineage.url is not set"));
    let since = status.oldest.as_ref().map(|oldest| format!(" since {oldest}")).unwrap_or_default();
    text.push_str(&format!("waiting: {}{since}\n", status.n_waiting));
    if let Some(failure) = &status.last_failure {
        text.push_str(&format!("failed:  [{}] {}\n", failure.code, failure.message));
    }
    for run in &status.held {
        text.push_str(&format!("held:    run {run}\n"));
    }
    print(&text)?;
    Ok(Exit::Ok)
}

fn waiting_json(status: &OutboxStatus) -> Value {
    let failure = status.last_failure.as_ref();
    json!({
        "waiting": status.n_waiting,
        "oldest": status.oldest,
        "held": status.held,
        "last_failure": failure.map(|failure| json!({"code": failure.code, "message": failure.message})),
    })
}

fn delivery_json(delivery: &Delivery, status: &OutboxStatus) -> Value {
    let mut shown = waiting_json(status);
    shown["delivered"] = json!(delivery.n_delivered);
    let stopped = delivery.stopped.as_ref();
    shown["stopped"] = json!(stopped.map(|error| json!({"code": error.code(), "message": error.to_string()})));
    shown
}

fn forget(app: &App, project: &Project, days: i64, waiting: bool, kept: Option<Kept>) -> Result<Exit, Failure> {
    let n_archived = kept.as_ref().map(|kept| kept.n_added);
    let up_to = kept.map(|kept| kept.last);
    let n_forgotten = app.wait(async {
        let catalog = open_catalog(project).await?;
        let mut n_forgotten = 0;
        loop {
            let gone = catalog.forget_changes(days, waiting, up_to, FORGOTTEN_AT_ONCE).await?;
            n_forgotten += gone;
            if gone < FORGOTTEN_AT_ONCE.unsigned_abs() {
                break;
            }
        }
        let event = Event::new("admin", Action::Retention, Outcome::succeeded())
            .object(Object::new(ObjectKind::Table, "system.openlineage"))
            .fact("days", days.to_string())
            .fact("n_forgotten", n_forgotten.to_string());
        catalog.record(event).await?;
        Ok(n_forgotten)
    })?;
    if app.terminal.json {
        print(&format!("{}\n", json!({"forgotten": n_forgotten, "archived": n_archived})))?;
        return Ok(Exit::Ok);
    }
    if let Some(n_archived) = n_archived {
        print(&format!("{n_archived} lineage events archived\n"))?;
    }
    print(&format!("{n_forgotten} lineage events deleted; the record of their runs stays\n"))?;
    Ok(Exit::Ok)
}
