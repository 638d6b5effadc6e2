//! Old events in a table of the lake, by SQL as anybody could write it: with lineage and a run of its own.

use causeway_engine::{Outcome, StatementContext};
use causeway_model::ChangeRecord;

use crate::app::App;
use crate::args::LimitOptions;
use crate::errors::Failure;
use crate::session::Session;

/// What a table holds now.
pub(super) struct Kept {
    /// Events that were added.
    pub(super) n_added: u64,
    /// The number up to which it holds every event that there is.
    pub(super) last: i64,
}

/// Adds the events that the table does not hold yet, whatever their age: up to the first that was not
/// told, with `waiting` all.
pub(super) fn keep(app: &App, table: &str, waiting: bool) -> Result<Kept, Failure> {
    let Some((schema, name)) = table.split_once('.').filter(|(schema, name)| is_plain(schema) && is_plain(name)) else {
        return Err(Failure::usage("--archive takes SCHEMA.TABLE: letters, digits and `_`"));
    };
    let session = Session::open(app, &LimitOptions::default())?;
    let changes = app.wait(async { Ok(session.catalog.changes(None).await?) })?;
    let last = last_to_keep(&changes, waiting);
    let events = format!("SELECT * FROM system.openlineage WHERE id <= {last}");
    app.wait(async {
        let is_there = session.catalog.dataset(&causeway_model::TableName::new(schema, name)).await?.is_some();
        let statement = if is_there {
            format!("INSERT INTO {table} {events} AND id NOT IN (SELECT id FROM {table})")
        } else {
            run(&session, &format!("CREATE SCHEMA IF NOT EXISTS {schema}")).await?;
            format!("CREATE TABLE {table} AS {events}")
        };
        Ok(Kept { n_added: run(&session, &statement).await?, last })
    })
}

fn last_to_keep(changes: &[ChangeRecord], waiting: bool) -> i64 {
    let waits = |change: &&ChangeRecord| !waiting && change.delivered_at.is_none();
    match changes.iter().filter(waits).map(|change| change.change.id).min() {
        Some(first) => first - 1,
        None => changes.iter().map(|change| change.change.id).max().unwrap_or_default(),
    }
}

/// Returns how many rows the statement wrote.
async fn run(session: &Session, sql: &str) -> Result<u64, Failure> {
    match session.engine.execute(sql, &StatementContext::default()).await? {
        Outcome::Done(report) => Ok(report.rows_out.unwrap_or_default()),
        Outcome::Rows(_) => Ok(0),
    }
}

fn is_plain(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}
