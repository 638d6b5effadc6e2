//! Transaction B: what ends a charge, each time by compare-and-set on its state and its lease.

use causeway_audit::Digest;
use causeway_model::{CatalogError, Charge, ChargeId, ChargeLease, ChargeState, MAX_STORED_RESULT, ReleasedResult};

use super::charge::{self, Stored};
use super::{check_name, make_durable};
use crate::audit::{self, ChargeChange};
use crate::connection::Connection;
use crate::error::{Result, invalid};
use crate::jobs::now;

pub(crate) async fn renew(connection: &mut Connection, lease: &ChargeLease, lease_ms: i64) -> Result<()> {
    let now = now(connection).await?;
    let changed = connection
        .query("UPDATE budget_charge SET lease_until = $1 WHERE id = $2 AND lease_token = $3 AND state = 'reserved'")
        .bind(now.saturating_add(lease_ms))
        .bind(lease.charge.0)
        .bind(&lease.token)
        .execute()
        .await?;
    if changed == 1 {
        return Ok(());
    }
    charge::one(connection, lease.charge).await?;
    Err(lost(lease.charge).into())
}

/// A result as it goes into a row.
struct NewResult<'a> {
    bytes: Option<&'a [u8]>,
    location: Option<&'a str>,
    digest: String,
    n_bytes: i64,
}

impl<'a> NewResult<'a> {
    fn check(result: &'a ReleasedResult) -> Result<Self> {
        let size = |n| i64::try_from(n).map_err(|_| invalid("a result is too large"));
        match result {
            ReleasedResult::Inline(bytes) if bytes.len() > MAX_STORED_RESULT => Err(invalid(format!(
                "a result stored with its charge has at most {MAX_STORED_RESULT} bytes; put it into the lake and name its place"
            ))),
            ReleasedResult::Inline(bytes) => Ok(Self {
                bytes: Some(bytes),
                location: None,
                digest: Digest::of(bytes).to_string(),
                n_bytes: size(bytes.len() as u64)?,
            }),
            ReleasedResult::Placed { location, digest, n_bytes } => {
                let digest: Digest =
                    digest.parse().map_err(|_| invalid("the digest of a result is a SHA-256 in hexadecimal digits"))?;
                if location.is_empty() {
                    return Err(invalid("the place of a result must be named"));
                }
                Ok(Self { bytes: None, location: Some(location), digest: digest.to_string(), n_bytes: size(*n_bytes)? })
            }
        }
    }
}

pub(crate) async fn release(
    connection: &mut Connection,
    lease: &ChargeLease,
    result: &ReleasedResult,
) -> Result<Charge> {
    let result = NewResult::check(result)?;
    make_durable(connection).await?;
    let now = now(connection).await?;
    let changed = connection
        .query(
            "UPDATE budget_charge SET state = 'released', result = $1, result_location = $2, result_digest = $3, \
             result_bytes = $4, ended_at = $5 WHERE id = $6 AND lease_token = $7 AND state = 'reserved'",
        )
        .bind(result.bytes)
        .bind(result.location)
        .bind(&result.digest)
        .bind(result.n_bytes)
        .bind(now)
        .bind(lease.charge.0)
        .bind(&lease.token)
        .execute()
        .await?;
    let found = charge::one(connection, lease.charge).await?;
    if changed == 1 {
        return ended(connection, found.charge, ChargeChange::Released).await;
    }
    let is_same = found.charge.result_digest.as_ref() == Some(&result.digest)
        && found.charge.result_location.as_deref() == result.location;
    done_before(found, lease, ChargeState::Released, is_same)
}

pub(crate) async fn burn(connection: &mut Connection, lease: &ChargeLease, code: &str) -> Result<Charge> {
    check_name("error code", code)?;
    make_durable(connection).await?;
    let now = now(connection).await?;
    let changed = connection
        .query(
            "UPDATE budget_charge SET state = 'burned', error_code = $1, ended_at = $2 \
             WHERE id = $3 AND lease_token = $4 AND state = 'reserved'",
        )
        .bind(code)
        .bind(now)
        .bind(lease.charge.0)
        .bind(&lease.token)
        .execute()
        .await?;
    let found = charge::one(connection, lease.charge).await?;
    if changed == 1 {
        return ended(connection, found.charge, ChargeChange::Burned).await;
    }
    done_before(found, lease, ChargeState::Burned, true)
}

async fn ended(connection: &mut Connection, charge: Charge, change: ChargeChange) -> Result<Charge> {
    audit::charge_changed(connection, &charge, &charge.spec.actor, change).await?;
    Ok(charge)
}

/// Answers who ends a charge that has ended: well, if it is the same one who does the same again.
fn done_before(found: Stored, lease: &ChargeLease, state: ChargeState, is_same: bool) -> Result<Charge> {
    if found.charge.state == state && found.lease_token == lease.token && is_same {
        return Ok(found.charge);
    }
    Err(lost(lease.charge).into())
}

fn lost(charge: ChargeId) -> CatalogError {
    CatalogError::ChargeLost { charge: charge.0 }
}
