//! The audit log in its three tables. What stands in a record is in [`events`], [`schedules`] and [`budget`], what a record covers in
//! [`covered`].

mod budget;
mod covered;
mod events;
mod schedules;

use causeway_audit::{
    Action, Appended, AuditError, Digest, Event, Frontier, LogId, Node, NodeId, PublicKey, Timestamp, append_event,
    log_start,
};
use causeway_model::audit::{AuditRecord, AuditState, CoveredRows};

use crate::connection::{Connection, Row};
use crate::error::{Result, StoreError, already_exists, damaged, invalid};
use crate::{budget as budgets, write};
pub(crate) use budget::{ChargeChange, before_budget, budget_set, charge_changed};
pub(crate) use events::{JobChange, before_step, job_changed, job_event, run_changed, step_completed, step_failed};
pub(crate) use schedules::{ScheduleChange, schedule_changed};

/// What the log knows of the catalog's age: rows up to these ids were there before it.
const LAST_STEP: &str = "last_step";
const LAST_DATASET: &str = "last_dataset";
const LAST_CHARGE: &str = "last_charge";

pub(crate) async fn start(connection: &mut Connection, actor: &str, log: &LogId, key: &PublicKey) -> Result<()> {
    let n_records: i64 = connection.query("SELECT COUNT(*) FROM audit_record").fetch_scalar().await?;
    if frontier(connection).await?.is_some() || n_records > 0 {
        return Err(already_exists("audit log", log));
    }
    connection
        .query("INSERT INTO audit_state (id, log, first_key, frontier) VALUES (1, $1, $2, $3)")
        .bind(log.to_string())
        .bind(key.to_string())
        .bind(Frontier::new().to_bytes())
        .execute()
        .await?;
    let newest = covered::newest(connection).await?;
    let event = log_start(actor, log, key)
        .fact(LAST_STEP, newest.step.to_string())
        .fact(LAST_DATASET, newest.dataset.to_string())
        .fact(LAST_CHARGE, newest.charge.to_string());
    let event = covered::cover_budgets(connection, event, 1, newest.budget).await?;
    let event = covered::cover_access(connection, event).await?;
    append(connection, event).await.map(drop)
}

/// Adds a record and returns its number; `None` if the log has not started.
pub(crate) async fn append(connection: &mut Connection, event: Event) -> Result<Option<u64>> {
    append_all(connection, vec![event]).await
}

/// Adds records and returns the number of the last one; `None` if the log has not started.
pub(crate) async fn append_all(connection: &mut Connection, events: Vec<Event>) -> Result<Option<u64>> {
    if events.is_empty() {
        return Ok(None);
    }
    let Some(mut frontier) = frontier(connection).await? else { return Ok(None) };
    let time = Timestamp::new(write::now(connection).await?).map_err(refused)?;
    let mut appended = Vec::with_capacity(events.len());
    for event in events {
        appended.push(append_event(&mut frontier, &time, event).map_err(refused)?);
    }
    keep(connection, &appended).await?;
    connection.query("UPDATE audit_state SET frontier = $1").bind(frontier.to_bytes()).execute().await?;
    Ok(appended.last().map(|last| last.sequence))
}

/// Returns true if what happens becomes a record.
pub(crate) async fn has_started(connection: &mut Connection) -> Result<bool> {
    Ok(connection.query("SELECT COUNT(*) FROM audit_state").fetch_scalar::<i64>().await? > 0)
}

async fn keep(connection: &mut Connection, appended: &[Appended]) -> Result<()> {
    let mut records = Vec::with_capacity(appended.len());
    let mut nodes = Vec::new();
    for record in appended {
        records.push((stored(record.sequence)?, record));
        for node in &record.nodes {
            nodes.push((i64::from(node.id.level), stored(node.id.index)?, node.hash));
        }
    }
    connection
        .insert("INSERT INTO audit_record (sequence, content, leaf_hash)", 3, &records, |row, (sequence, record)| {
            row.bind(*sequence).bind(record.content.as_bytes().to_vec()).bind(record.leaf_hash.as_bytes().to_vec())
        })
        .await?;
    connection
        .insert("INSERT INTO audit_node (level, position, hash)", 3, &nodes, |row, (level, position, hash)| {
            row.bind(*level).bind(*position).bind(hash.as_bytes().to_vec())
        })
        .await
}

async fn frontier(connection: &mut Connection) -> Result<Option<Frontier>> {
    let bytes: Option<Vec<u8>> = connection.query("SELECT frontier FROM audit_state").fetch_optional_scalar().await?;
    bytes.map(|bytes| Frontier::from_bytes(&bytes).map_err(unreadable)).transpose()
}

pub(crate) async fn state(connection: &mut Connection) -> Result<Option<AuditState>> {
    let row = connection.query("SELECT log, first_key, frontier FROM audit_state").fetch_optional().await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(AuditState {
        log: row.get::<String>("log")?.parse().map_err(unreadable)?,
        first_key: row.get::<String>("first_key")?.parse().map_err(unreadable)?,
        frontier: Frontier::from_bytes(&row.get::<Vec<u8>>("frontier")?).map_err(unreadable)?,
        now: Timestamp::new(write::now(connection).await?).map_err(unreadable)?,
    }))
}

pub(crate) async fn records(connection: &mut Connection, from: i64, limit: i64) -> Result<Vec<AuditRecord>> {
    let sql = "SELECT sequence, content, leaf_hash FROM audit_record WHERE sequence >= $1 ORDER BY sequence LIMIT $2";
    let record = |row: &Row| {
        Ok(AuditRecord {
            sequence: row.get("sequence")?,
            content: row.get("content")?,
            leaf_hash: row.get("leaf_hash")?,
        })
    };
    connection.query(sql).bind(from).bind(limit.max(0)).fetch_all().await?.iter().map(record).collect()
}

pub(crate) async fn nodes(connection: &mut Connection, ids: &[NodeId]) -> Result<Vec<Node>> {
    let mut nodes = Vec::with_capacity(ids.len());
    for id in ids {
        let query = match id.level {
            0 => connection.query("SELECT leaf_hash FROM audit_record WHERE sequence = $1").bind(stored(id.index)?),
            level => connection
                .query("SELECT hash FROM audit_node WHERE position = $1 AND level = $2")
                .bind(stored(id.index)?)
                .bind(i64::from(level)),
        };
        let hash: Option<Vec<u8>> = query.fetch_optional_scalar().await?;
        if let Some(hash) = hash {
            let hash = <[u8; 32]>::try_from(hash).map_err(|_| damaged("a hash of the audit log has not 32 bytes"))?;
            nodes.push(Node { id: *id, hash: Digest::from_bytes(hash) });
        }
    }
    Ok(nodes)
}

pub(crate) async fn covered_rows(connection: &mut Connection) -> Result<CoveredRows> {
    let last: Option<i64> = connection.query("SELECT MAX(sequence) FROM audit_record").fetch_scalar().await?;
    let first = records(connection, 0, 1).await?.into_iter().next();
    let since = first.and_then(|record| causeway_audit::Record::decode(&record.content).ok());
    let fact = |name| {
        let start = since.as_ref().filter(|record| record.action() == Action::LogStart)?;
        start.facts().get(name)?.parse::<i64>().ok()
    };
    // A log from before there were charges has seen all of them come.
    let first_charge = if last.is_some() { 0 } else { i64::MAX };
    let since = covered::Newest {
        step: fact(LAST_STEP).unwrap_or(i64::MAX),
        dataset: fact(LAST_DATASET).unwrap_or(i64::MAX),
        charge: fact(LAST_CHARGE).unwrap_or(first_charge),
        budget: if last.is_some() { 0 } else { i64::MAX },
    };
    Ok(CoveredRows { last, ledger: budgets::fault(connection).await?, ..covered::all(connection, &since).await? })
}

fn stored(number: u64) -> Result<i64> {
    i64::try_from(number).map_err(|_| invalid("the audit log is full"))
}

fn refused(error: AuditError) -> StoreError {
    invalid(error.to_string())
}

fn unreadable(error: AuditError) -> StoreError {
    damaged(format!("the audit log: {error}"))
}
