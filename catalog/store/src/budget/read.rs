//! Accounts and charges, read.

use causeway_audit::Digest;
use causeway_model::{
    Charge, ChargeId, ChargePage, ChargeState, Ledger, ReleasedResult, StoredRelease, TableName, VersionId,
};

use super::accounts;
use super::charge::{self, select_charge};
use super::sources::sources;
use crate::connection::{Connection, Sql};
use crate::error::{Result, damaged};
use crate::jobs::now;

pub(crate) async fn all(connection: &mut Connection) -> Result<Vec<Ledger>> {
    Ok(accounts::all(connection).await?.into_iter().map(|account| account.ledger).collect())
}

pub(crate) async fn account(connection: &mut Connection, dataset: &TableName) -> Result<Option<Ledger>> {
    let found = accounts::find(connection, std::slice::from_ref(dataset)).await?;
    Ok(found.into_iter().next().map(|account| account.ledger))
}

/// Returns the accounts that a charge on versions is on, an empty one for each dataset that has none.
pub(crate) async fn of(connection: &mut Connection, inputs: &[VersionId]) -> Result<Vec<Ledger>> {
    let datasets = sources(connection, inputs).await?;
    let mut found = accounts::find(connection, &datasets).await?;
    let ledger = |name: &TableName| match found.iter().position(|account| account.ledger.dataset == *name) {
        Some(at) => found.swap_remove(at).ledger,
        None => Ledger::new(name.clone()),
    };
    Ok(datasets.iter().map(ledger).collect())
}

pub(crate) async fn one(connection: &mut Connection, id: ChargeId) -> Result<Charge> {
    Ok(charge::one(connection, id).await?.charge)
}

const NEWEST: Sql = select_charge!(
    "WHERE c.id < $1 AND (CAST($3 AS TEXT) IS NULL OR c.state = $3) AND (CAST($4 AS TEXT) IS NULL OR c.actor = $4) \
     ORDER BY c.id DESC LIMIT $2"
);

const NEWEST_BY: Sql = select_charge!(
    "WHERE c.id < $1 AND (CAST($3 AS TEXT) IS NULL OR c.state = $3) AND c.actor = $4 ORDER BY c.id DESC LIMIT $2"
);

const NEWEST_OPEN: Sql = select_charge!(
    "WHERE c.id < $1 AND c.state = 'reserved' AND c.state = $3 AND (CAST($4 AS TEXT) IS NULL OR c.actor = $4) \
     ORDER BY c.id DESC LIMIT $2"
);

const NEWEST_ON: Sql = select_charge!(
    "JOIN budget_entry o ON o.charge_id = c.id JOIN budget a ON a.id = o.budget_id \
     WHERE a.schema_name = $5 AND a.table_name = $6 AND o.charge_id < $1 AND (CAST($3 AS TEXT) IS NULL OR c.state = $3) \
     AND (CAST($4 AS TEXT) IS NULL OR c.actor = $4) ORDER BY o.charge_id DESC LIMIT $2"
);

/// Lists a page of charges. Each of the texts is served by an index, newest first.
pub(crate) async fn charges(connection: &mut Connection, page: &ChargePage) -> Result<Vec<Charge>> {
    let before = page.before.map_or(i64::MAX, |charge| charge.0);
    let (state, actor) = (page.state.map(ChargeState::name), page.actor.as_deref());
    let sql = match (&page.dataset, page.state, actor) {
        (Some(_), ..) => NEWEST_ON,
        (None, Some(ChargeState::Reserved), _) => NEWEST_OPEN,
        (None, _, Some(_)) => NEWEST_BY,
        (None, _, None) => NEWEST,
    };
    let query = connection.query(sql).bind(before).bind(page.limit.max(0)).bind(state).bind(actor);
    let query = match &page.dataset {
        Some(name) => query.bind(&name.schema).bind(&name.table),
        None => query,
    };
    query.fetch_all().await?.iter().map(charge::charge).collect()
}

/// Finds the newest release of a question.
pub(crate) async fn stored(connection: &mut Connection, question: &str) -> Result<Option<StoredRelease>> {
    let sql = "SELECT id FROM budget_charge WHERE question = $1 AND state = 'released' ORDER BY ended_at DESC, id DESC LIMIT 1";
    let Some(id) = connection.query(sql).bind(question).fetch_optional_scalar().await? else { return Ok(None) };
    let now = now(connection).await?;
    release(connection, ChargeId(id), now).await.map(Some)
}

/// Reads a release, and that its bytes are those that were released.
pub(super) async fn release(connection: &mut Connection, id: ChargeId, now: i64) -> Result<StoredRelease> {
    let charge = one(connection, id).await?;
    let query = connection.query("SELECT result, ended_at FROM budget_charge WHERE id = $1");
    let row = query.bind(id.0).fetch_one().await?;
    let (bytes, ended_at): (Option<Vec<u8>>, Option<i64>) = (row.get("result")?, row.get("ended_at")?);
    let unfit = || damaged(format!("the result of charge {} is not the one that was released", id.0));
    let digest = charge.result_digest.clone().ok_or_else(unfit)?;
    let n_bytes = charge.result_bytes.and_then(|n| u64::try_from(n).ok()).ok_or_else(unfit)?;
    let result = match (bytes, &charge.result_location) {
        (Some(bytes), None) if Digest::of(&bytes).to_string() == digest => ReleasedResult::Inline(bytes),
        (None, Some(location)) => ReleasedResult::Placed { location: location.clone(), digest, n_bytes },
        _ => return Err(unfit()),
    };
    Ok(StoredRelease { charge, result, age_ms: now.saturating_sub(ended_at.ok_or_else(unfit)?).max(0) })
}
