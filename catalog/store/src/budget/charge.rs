//! Charges as they are stored.

use causeway_model::{Adjacency, Charge, ChargeCost, ChargeId, ChargeState, NewCharge, RunId, TableName, VersionId};

use super::accounts::{self, Account};
use super::chain::{self, Link};
use crate::connection::{Connection, Row};
use crate::error::{Result, StoreError, damaged, invalid, not_found};
use crate::jobs::instant;
use crate::rows::word;

/// A charge with what only the store knows of it.
pub(super) struct Stored {
    pub(super) charge: Charge,
    pub(super) lease_token: String,
    pub(super) lease_until: i64,
}

/// A charge without the bytes of its result; its datasets as one JSON text, by name.
macro_rules! select_charge {
    ($datasets:literal, $rest:literal) => {
        concat!(
            "SELECT c.id, c.idem_key, c.question, c.actor, c.roles, c.run, c.operator, c.parameters, c.inputs, \
             c.mechanism, c.epsilon_micro, c.delta_femto, c.unit, c.rows_per_unit, c.adjacency, c.is_sound, c.state, \
             c.n_takeovers, c.lease_token, c.lease_until, c.result_location, c.result_digest, c.result_bytes, \
             c.error_code, c.reserved_at, c.ended_at, c.previous_hash, c.hash, (SELECT ",
            $datasets,
            " FROM budget_entry e JOIN budget b ON b.id = e.budget_id WHERE e.charge_id = c.id) AS datasets \
             FROM budget_charge c ",
            $rest
        )
    };
    ($rest:literal) => {
        $crate::connection::Sql {
            sqlite: $crate::budget::charge::select_charge!(
                "json_group_array(json_array(b.schema_name, b.table_name) ORDER BY b.schema_name, b.table_name)",
                $rest
            ),
            postgres: $crate::budget::charge::select_charge!(
                "COALESCE(json_agg(json_build_array(b.schema_name, b.table_name) \
                 ORDER BY b.schema_name, b.table_name)::text, '[]')",
                $rest
            ),
        }
    };
}
pub(super) use select_charge;

pub(super) async fn by_key(connection: &mut Connection, key: &str) -> Result<Option<Stored>> {
    let row = connection.query(select_charge!("WHERE c.idem_key = $1")).bind(key).fetch_optional().await?;
    row.as_ref().map(stored).transpose()
}

pub(super) async fn one(connection: &mut Connection, id: ChargeId) -> Result<Stored> {
    let row = connection.query(select_charge!("WHERE c.id = $1")).bind(id.0).fetch_optional().await?;
    stored(&row.ok_or_else(|| not_found("charge", id.0))?)
}

/// When a charge is paid for, and who has it for how long.
pub(super) struct Start<'a> {
    pub(super) now: i64,
    pub(super) token: &'a str,
    pub(super) until: i64,
}

/// Puts a charge at the end of the chain.
pub(super) async fn insert(
    connection: &mut Connection,
    new: &NewCharge,
    accounts: &[Account],
    start: &Start<'_>,
) -> Result<ChargeId> {
    let last = connection.query("SELECT id, hash FROM budget_charge ORDER BY id DESC LIMIT 1").fetch_optional().await?;
    let (id, previous) = match &last {
        Some(row) => (row.get::<i64>("id")?.saturating_add(1), row.get("hash")?),
        None => (1, chain::start()),
    };
    let reserved_at = instant(start.now)?;
    let datasets = accounts.iter().map(|account| &account.ledger.dataset).collect();
    let link = Link { id, spec: new, datasets, reserved_at: &reserved_at, previous: &previous };
    insert_row(connection, &link, &link.hash()?, start).await?;
    connection
        .insert("INSERT INTO budget_entry (budget_id, charge_id)", 2, accounts, |row, account| {
            row.bind(account.id).bind(id)
        })
        .await?;
    Ok(ChargeId(id))
}

async fn insert_row(connection: &mut Connection, link: &Link<'_>, hash: &str, start: &Start<'_>) -> Result<()> {
    let new = link.spec;
    let (epsilon, delta) = accounts::stored(new.cost.amount)?;
    connection
        .query(
            "INSERT INTO budget_charge (id, idem_key, question, actor, roles, run, operator, parameters, inputs, \
             mechanism, epsilon_micro, delta_femto, unit, rows_per_unit, adjacency, is_sound, state, lease_token, \
             lease_until, reserved_at, previous_hash, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, \
             $13, $14, $15, $16, 'reserved', $17, $18, $19, $20, $21)",
        )
        .bind(link.id)
        .bind(&new.key)
        .bind(&new.question)
        .bind(&new.actor)
        .bind(roles_json(new)?)
        .bind(new.run.as_ref().map(|run| run.0.clone()))
        .bind(&new.operator)
        .bind(&new.parameters)
        .bind(ids_json(new)?)
        .bind(&new.cost.mechanism)
        .bind(epsilon)
        .bind(delta)
        .bind(&new.cost.unit)
        .bind(i64::from(new.cost.rows_per_unit))
        .bind(new.cost.adjacency.name())
        .bind(new.cost.is_sound)
        .bind(start.token)
        .bind(start.until)
        .bind(start.now)
        .bind(link.previous)
        .bind(hash)
        .execute()
        .await?;
    Ok(())
}

/// Writes roles as they are stored.
pub(super) fn roles_json(new: &NewCharge) -> Result<String> {
    serde_json::to_string(&new.roles).map_err(|error| invalid(format!("roles of a charge: {error}")))
}

/// Writes the ids of versions as they are stored.
pub(super) fn ids_json(new: &NewCharge) -> Result<String> {
    serde_json::to_string(&new.inputs).map_err(|error| invalid(format!("inputs of a charge: {error}")))
}

pub(super) fn stored(row: &Row) -> Result<Stored> {
    Ok(Stored { charge: charge(row)?, lease_token: row.get("lease_token")?, lease_until: row.get("lease_until")? })
}

pub(super) fn charge(row: &Row) -> Result<Charge> {
    let names: Vec<(String, String)> = serde_json::from_str(row.get("datasets")?).map_err(unreadable)?;
    Ok(Charge {
        id: ChargeId(row.get("id")?),
        spec: spec(row)?,
        datasets: names.into_iter().map(|(schema, table)| TableName { schema, table }).collect(),
        state: word(row.get("state")?, &ChargeState::ALL, ChargeState::name)?,
        n_takeovers: row.get("n_takeovers")?,
        result_digest: row.get("result_digest")?,
        result_bytes: row.get("result_bytes")?,
        result_location: row.get("result_location")?,
        error_code: row.get("error_code")?,
        reserved_at: instant(row.get("reserved_at")?)?,
        ended_at: row.get::<Option<i64>>("ended_at")?.map(instant).transpose()?,
        previous_hash: row.get("previous_hash")?,
        hash: row.get("hash")?,
    })
}

fn spec(row: &Row) -> Result<NewCharge> {
    let rows_per_unit: i64 = row.get("rows_per_unit")?;
    let inputs: Vec<VersionId> = serde_json::from_str(row.get("inputs")?).map_err(unreadable)?;
    Ok(NewCharge {
        key: row.get("idem_key")?,
        question: row.get("question")?,
        actor: row.get("actor")?,
        roles: serde_json::from_str(row.get("roles")?).map_err(unreadable)?,
        run: row.get::<Option<String>>("run")?.map(RunId),
        operator: row.get("operator")?,
        parameters: row.get("parameters")?,
        inputs,
        cost: ChargeCost {
            mechanism: row.get("mechanism")?,
            amount: accounts::amount(row)?,
            unit: row.get("unit")?,
            rows_per_unit: u32::try_from(rows_per_unit).map_err(|_| damaged("rows of a unit of a charge"))?,
            adjacency: word(row.get("adjacency")?, &Adjacency::ALL, Adjacency::name)?,
            is_sound: row.get("is_sound")?,
        },
    })
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
fn unreadable(error: serde_json::Error) -> StoreError {
    damaged(format!("a charge on a privacy budget: {error}"))
}
