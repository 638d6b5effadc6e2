//! What an auditor recomputes: what is spent, from the charges; their chain; the digests of what was released.

use std::collections::{BTreeMap, BTreeSet};

use causeway_audit::{Digest, Problem};
use causeway_model::{Amount, CatalogError, Charge, TableName};

use super::accounts::{self, Account, EVERYBODY};
use super::chain::{self, Link};
use super::charge::{self, select_charge};
use crate::connection::{Connection, Sql};
use crate::error::{Result, StoreError, damaged};

/// Charges that are read at once.
const CHUNK: i64 = 1_000;

/// Results that are read at once: they may be large.
const RESULTS: i64 = 16;

const AFTER: Sql = select_charge!("WHERE c.id > $1 ORDER BY c.id LIMIT $2");

type ByName<'a> = BTreeMap<&'a TableName, &'a Account>;

/// What the charges say is spent: by account and scope.
type Spent = BTreeMap<(i64, String), Amount>;

/// Refuses a ledger that does not hold; returns the number of its charges.
pub(crate) async fn check(connection: &mut Connection) -> Result<i64> {
    match fault(connection).await? {
        Some(problem) => Err(damaged(format!("privacy budgets: {problem}"))),
        None => connection.query("SELECT COUNT(*) FROM budget_charge").fetch_scalar().await,
    }
}

/// Finds the first thing that is wrong with the ledger; that something of it cannot be read is one.
pub(crate) async fn fault(connection: &mut Connection) -> Result<Option<Problem>> {
    match recompute(connection).await {
        Err(StoreError::Catalog(CatalogError::Damaged(what))) => Ok(Some(Problem::Malformed(what))),
        outcome => outcome,
    }
}

async fn recompute(connection: &mut Connection) -> Result<Option<Problem>> {
    let accounts = accounts::all(connection).await?;
    let by_name: ByName<'_> = accounts.iter().map(|account| (&account.ledger.dataset, account)).collect();
    let mut spent = Spent::new();
    let mut previous = (0, chain::start());
    // One below 1 was put there by hand.
    let mut after = i64::MIN;
    loop {
        let rows = connection.query(AFTER).bind(after).bind(CHUNK).fetch_all().await?;
        if rows.is_empty() {
            break;
        }
        for row in &rows {
            let charge = charge::charge(row)?;
            if charge.id.0 != previous.0 + 1
                || charge.previous_hash != previous.1
                || Link::of(&charge).hash()? != charge.hash
            {
                return Ok(Some(Problem::ChargeChanged { charge: charge.id.0 }));
            }
            add(&mut spent, &by_name, &charge);
            previous = (charge.id.0, charge.hash);
            after = previous.0;
        }
    }
    if let Some(problem) = differing(&accounts, &spent) {
        return Ok(Some(problem));
    }
    changed_result(connection).await
}

/// Adds a charge to what is spent of its accounts.
fn add(spent: &mut Spent, accounts: &ByName<'_>, charge: &Charge) {
    for Account { id, ledger } in charge.datasets.iter().filter_map(|name| accounts.get(name)) {
        let capped = ledger.policy.iter().flat_map(|policy| policy.role_caps.keys());
        let roles = capped.filter(|role| charge.spec.roles.contains(*role)).map(String::as_str);
        for scope in std::iter::once(EVERYBODY).chain(roles) {
            let sum = spent.entry((*id, scope.to_owned())).or_default();
            *sum = sum.plus(charge.spec.cost.amount);
        }
    }
}

/// Compares what the charges say is spent with what the accounts say, by name.
fn differing(accounts: &[Account], spent: &Spent) -> Option<Problem> {
    let of = |id: i64, scope: &str| spent.get(&(id, scope.to_owned())).copied().unwrap_or_default();
    let differs = |Account { id, ledger }: &&Account| {
        let capped: BTreeSet<&String> = ledger.policy.iter().flat_map(|policy| policy.role_caps.keys()).collect();
        ledger.spent != of(*id, EVERYBODY)
            || !ledger.spent_by_role.keys().eq(capped)
            || ledger.spent_by_role.iter().any(|(role, counted)| *counted != of(*id, role))
    };
    let ledger = &accounts.iter().find(differs)?.ledger;
    Some(Problem::SpentDiffers { dataset: ledger.dataset.to_string() })
}

/// Finds the first stored result whose bytes are not those that were released.
async fn changed_result(connection: &mut Connection) -> Result<Option<Problem>> {
    let sql = "SELECT id, result, result_digest FROM budget_charge WHERE id > $1 AND state = 'released' \
               AND result_location IS NULL ORDER BY id LIMIT $2";
    let mut last = 0;
    loop {
        let rows = connection.query(sql).bind(last).bind(RESULTS).fetch_all().await?;
        if rows.is_empty() {
            return Ok(None);
        }
        for row in &rows {
            last = row.get("id")?;
            let bytes: Option<Vec<u8>> = row.get("result")?;
            if bytes.map(|bytes| Digest::of(&bytes).to_string()) != row.get::<Option<String>>("result_digest")? {
                return Ok(Some(Problem::ReleaseChanged { charge: last }));
            }
        }
    }
}

/// Counts what the members of a role have spent of an account.
pub(super) async fn spent_by(connection: &mut Connection, account: i64, role: &str) -> Result<Amount> {
    let sql = "SELECT c.epsilon_micro, c.delta_femto, c.roles FROM budget_entry e JOIN budget_charge c ON c.id = e.charge_id \
               WHERE e.budget_id = $1 ORDER BY c.id";
    let mut spent = Amount::default();
    for row in connection.query(sql).bind(account).fetch_all().await? {
        let roles: BTreeSet<String> =
            serde_json::from_str(row.get("roles")?).map_err(|error| damaged(format!("roles of a charge: {error}")))?;
        if roles.contains(role) {
            spent = spent.plus(accounts::amount(&row)?);
        }
    }
    Ok(spent)
}
