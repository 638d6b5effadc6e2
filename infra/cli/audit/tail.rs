//! `causeway audit tail`.

use std::time::Duration;

use causeway_audit::{Object, ObjectKind, Record};
use causeway_model::audit::AuditRecord;

use super::open;
use crate::app::App;
use crate::errors::Failure;
use crate::exit::Exit;
use crate::output::grid::Grid;
use crate::terminal::print;

/// How often new records are looked for.
const POLL: Duration = Duration::from_millis(500);

/// Records that are read at once.
const BATCH: i64 = 2_000;

/// Shows the newest records.
pub(super) fn tail(app: &App, count: u64, follow: bool) -> Result<Exit, Failure> {
    let (_, catalog) = open(app)?;
    let state = app.wait(async { Ok(catalog.audit_state().await?) })?;
    let size = state.map_or(0, |state| state.frontier.size());
    let mut next = i64::try_from(size.saturating_sub(count)).unwrap_or(i64::MAX);
    let interrupted = app.interrupts().begin();
    loop {
        let batch = app.wait(async { Ok(catalog.audit_records(next, BATCH).await?) })?;
        if let Some(last) = batch.last() {
            next = last.sequence + 1;
            show(app, &batch)?;
            continue;
        }
        if !follow || interrupted.is_cancelled() {
            return Ok(Exit::Ok);
        }
        std::thread::sleep(POLL);
    }
}

/// One JSON text a line for programs; a table for people.
fn show(app: &App, records: &[AuditRecord]) -> Result<(), Failure> {
    if app.terminal.json {
        for record in records {
            print(&format!("{}\n", String::from_utf8_lossy(&record.content)))?;
        }
        return Ok(());
    }
    let mut grid = Grid::new(&["record", "time", "who", "what", "how", "on"]).right([0]);
    for stored in records {
        match Record::decode(&stored.content) {
            Ok(record) => grid.row(cells(&record)),
            Err(error) => grid.row([stored.sequence.to_string(), format!("not readable: {error}")]),
        }
    }
    print(&format!("{grid}\n"))?;
    Ok(())
}

fn cells(record: &Record) -> [String; 6] {
    let word = |value: serde_json::Value| value.as_str().unwrap_or_default().replace('_', " ");
    let state = word(serde_json::json!(record.outcome().state));
    let how = record.outcome().code.as_ref().map_or(state.clone(), |code| format!("{state} {code}"));
    let on: Vec<String> = record.objects().iter().filter(|object| object.kind != ObjectKind::Key).map(name).collect();
    [
        record.sequence().to_string(),
        record.time().to_string(),
        record.actor().to_owned(),
        word(serde_json::json!(record.action())),
        how,
        on.join(", "),
    ]
}

fn name(object: &Object) -> String {
    match object.version {
        Some(version) => format!("{}@{version}", object.name),
        None => object.name.clone(),
    }
}
