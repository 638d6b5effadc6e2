//! The ledger of privacy budgets. Transaction A, which pays, stands here; what ends a charge in [`end`], policies in
//! [`policy`], the accounts that a charge is on in [`sources`], what an auditor recomputes in [`check`].
//!
//! **Nothing is overspent.** Both stores let one writer in at a time (see [`crate::postgres`]), which does what locks on the
//! rows of balances in a fixed order would do: between reading balances and writing them nobody else writes. A charge is
//! added to every account in the transaction that has compared it with every cap.
//!
//! **A commit is on the disk** before anybody computes (A) and before anybody sees a result (B), even where the server was
//! told to take commits lightly.

mod accounts;
mod chain;
mod charge;
mod check;
mod end;
mod policy;
mod read;
mod sources;

use causeway_model::{
    Amount, CatalogError, ChargeId, ChargeLease, ChargeState, Ledger, NewCharge, Reservation, TableName,
};

use crate::audit::{self, ChargeChange};
use crate::connection::{Connection, Sql};
use crate::error::{Result, already_exists, invalid};
use crate::jobs::now;
use accounts::Account;
pub(crate) use check::{check, fault};
pub(crate) use end::{burn, release, renew};
pub(crate) use policy::set;
pub(crate) use read::{account, all, charges, of, one, stored};
pub(crate) use sources::sources;

/// The longest texts of a charge, in bytes.
const MAX_NAME: usize = 200;
const MAX_PARAMETERS: usize = 65_536;

const TOKEN: Sql = Sql { sqlite: "SELECT lower(hex(randomblob(16)))", postgres: "SELECT gen_random_uuid()::text" };

/// Makes the commit of this transaction wait for the disk.
async fn make_durable(connection: &mut Connection) -> Result<()> {
    if let Connection::Postgres(_) = connection {
        let sql =
            "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'";
        connection.query(sql).execute().await?;
    }
    Ok(())
}

/// Pays for a release on the accounts of `datasets`, or says what became of its key before.
pub(crate) async fn reserve(
    connection: &mut Connection,
    new: &NewCharge,
    datasets: &[TableName],
    lease_ms: i64,
) -> Result<Reservation> {
    check_call(new, lease_ms)?;
    make_durable(connection).await?;
    let now = now(connection).await?;
    if let Some(found) = charge::by_key(connection, &new.key).await? {
        return again(connection, &found, new, now, lease_ms).await;
    }
    let mut accounts = accounts::open(connection, datasets).await?;
    for account in &accounts {
        account.ledger.admit(&new.cost, &new.roles)?;
    }
    let token: String = connection.query(TOKEN).fetch_scalar().await?;
    let until = now.saturating_add(lease_ms);
    let id = charge::insert(connection, new, &accounts, &charge::Start { now, token: &token, until }).await?;
    for account in &mut accounts {
        pay(account, new);
    }
    accounts::keep(connection, &accounts).await?;
    let stored = charge::one(connection, id).await?.charge;
    audit::charge_changed(connection, &stored, &new.actor, ChargeChange::Reserved).await?;
    Ok(Reservation::Granted { lease: ChargeLease { charge: id, token }, is_takeover: false })
}

fn check_call(new: &NewCharge, lease_ms: i64) -> Result<()> {
    for (what, text) in [("key", &new.key), ("question", &new.question), ("operator", &new.operator)] {
        check_name(what, text)?;
    }
    check_name("mechanism", &new.cost.mechanism)?;
    if new.parameters.len() > MAX_PARAMETERS {
        return Err(invalid(format!("the options of a charge have at most {MAX_PARAMETERS} bytes")));
    }
    if new.cost.amount == Amount::default() || !new.cost.amount.fits(Amount::MAX) {
        return Err(invalid(format!("a release costs more than 0 and at most {}", Amount::MAX)));
    }
    if new.cost.rows_per_unit == 0 {
        return Err(invalid("a mechanism covers at least one row of a unit"));
    }
    if lease_ms < 1 {
        return Err(invalid("the lease on a charge is above 0"));
    }
    Ok(())
}

fn check_name(what: &str, text: &str) -> Result<()> {
    if text.is_empty() || text.len() > MAX_NAME {
        return Err(invalid(format!("the {what} of a charge has 1 to {MAX_NAME} bytes")));
    }
    Ok(())
}

/// Adds a charge to what is spent of an account.
fn pay(account: &mut Account, new: &NewCharge) {
    let Ledger { spent, spent_by_role, .. } = &mut account.ledger;
    *spent = spent.plus(new.cost.amount);
    for (_, spent) in spent_by_role.iter_mut().filter(|(role, _)| new.roles.contains(*role)) {
        *spent = spent.plus(new.cost.amount);
    }
}

/// Answers who comes with a key that was used.
async fn again(
    connection: &mut Connection,
    found: &charge::Stored,
    new: &NewCharge,
    now: i64,
    lease_ms: i64,
) -> Result<Reservation> {
    let charge = &found.charge;
    if !asks_the_same(&charge.spec, new) {
        return Err(already_exists("another charge with the key", &new.key));
    }
    match charge.state {
        ChargeState::Burned => Err(CatalogError::ChargeBurned { charge: charge.id.0 }.into()),
        ChargeState::Released => Ok(Reservation::Stored(Box::new(read::release(connection, charge.id, now).await?))),
        ChargeState::Reserved if found.lease_until > now => {
            Ok(Reservation::Held { charge: charge.id, for_ms: found.lease_until - now })
        }
        ChargeState::Reserved => take_over(connection, charge.id, new, now.saturating_add(lease_ms)).await,
    }
}

/// Returns true if two charges ask for the same. The run is not compared, for a statement that is typed again has
/// another one; roles are not, for they may change meanwhile.
fn asks_the_same(one: &NewCharge, other: &NewCharge) -> bool {
    (&one.question, &one.actor, &one.operator, &one.parameters, &one.inputs, &one.cost)
        == (&other.question, &other.actor, &other.operator, &other.parameters, &other.inputs, &other.cost)
}

/// Takes a charge that somebody has paid for and left; it is paid for.
async fn take_over(connection: &mut Connection, id: ChargeId, new: &NewCharge, until: i64) -> Result<Reservation> {
    let token: String = connection.query(TOKEN).fetch_scalar().await?;
    connection
        .query(
            "UPDATE budget_charge SET lease_token = $1, lease_until = $2, n_takeovers = n_takeovers + 1 \
             WHERE id = $3 AND state = 'reserved'",
        )
        .bind(&token)
        .bind(until)
        .bind(id.0)
        .execute()
        .await?;
    let charge = charge::one(connection, id).await?.charge;
    audit::charge_changed(connection, &charge, &new.actor, ChargeChange::TakenOver).await?;
    tracing::warn!(charge = id.0, takeovers = charge.n_takeovers, "charge taken over");
    Ok(Reservation::Granted { lease: ChargeLease { charge: id, token }, is_takeover: true })
}
