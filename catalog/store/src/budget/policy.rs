//! Policies, set.

use causeway_model::{Amount, BudgetPolicy, Ledger, PolicyChange, TableName};

use super::accounts::{self, Account};
use super::{check, make_durable};
use crate::audit;
use crate::connection::Connection;
use crate::error::{Result, invalid};
use crate::jobs::now;

/// The longest reason, in bytes: what a fact of the audit log holds.
const MAX_REASON: usize = 256;

pub(crate) async fn set(
    connection: &mut Connection,
    dataset: &TableName,
    policy: &BudgetPolicy,
    change: &PolicyChange,
) -> Result<Ledger> {
    if let Some(fault) = policy.fault() {
        return Err(invalid(format!("privacy budget of `{dataset}`: {fault}")));
    }
    make_durable(connection).await?;
    let account = the_account(connection, dataset).await?;
    check_loosening(connection, &account.ledger, policy, change).await?;
    let before = audit::before_budget(connection, account.id).await?;
    write(connection, account.id, policy).await?;
    balance_roles(connection, &account, policy).await?;
    let account = the_account(connection, dataset).await?;
    audit::budget_set(connection, account.id, &account.ledger, change, before).await?;
    Ok(account.ledger)
}

async fn the_account(connection: &mut Connection, dataset: &TableName) -> Result<Account> {
    let opened = accounts::open(connection, std::slice::from_ref(dataset)).await?;
    opened.into_iter().next().ok_or_else(|| invalid(format!("`{dataset}` has no account")))
}

/// Refuses to loosen a policy without a reason, or where nothing would say who did.
async fn check_loosening(
    connection: &mut Connection,
    ledger: &Ledger,
    next: &BudgetPolicy,
    change: &PolicyChange,
) -> Result<()> {
    let name = &ledger.dataset;
    let reason = change.reason.as_deref().unwrap_or_default();
    if reason.len() > MAX_REASON {
        return Err(invalid(format!("the reason has at most {MAX_REASON} bytes")));
    }
    if !ledger.policy.as_ref().is_some_and(|policy| policy.is_loosened_by(next)) {
        return Ok(());
    }
    if reason.trim().is_empty() {
        return Err(invalid(format!("the privacy budget of `{name}` is loosened only for a stated reason")));
    }
    if !audit::has_started(connection).await? {
        return Err(invalid(format!(
            "the privacy budget of `{name}` is loosened only on the record; start the audit log (`causeway audit start`)"
        )));
    }
    Ok(())
}

async fn write(connection: &mut Connection, id: i64, policy: &BudgetPolicy) -> Result<()> {
    let text =
        serde_json::to_string(policy).map_err(|error| invalid(format!("the policy cannot be stored: {error}")))?;
    let now = now(connection).await?;
    connection
        .query("UPDATE budget SET policy = $1, revision = revision + 1, changed_at = $2 WHERE id = $3")
        .bind(text)
        .bind(now)
        .bind(id)
        .execute()
        .await?;
    Ok(())
}

/// Counts what the members of each role that is now capped have spent, and forgets the counts of others. What everybody
/// has spent is counted from the first charge on.
async fn balance_roles(connection: &mut Connection, account: &Account, policy: &BudgetPolicy) -> Result<()> {
    let known = &account.ledger.spent_by_role;
    for role in known.keys().filter(|role| !policy.role_caps.contains_key(*role)) {
        let sql = "DELETE FROM budget_balance WHERE budget_id = $1 AND scope = $2";
        connection.query(sql).bind(account.id).bind(role).execute().await?;
    }
    for role in policy.role_caps.keys().filter(|role| !known.contains_key(*role)) {
        let spent = check::spent_by(connection, account.id, role).await?;
        accounts::put(connection, account.id, role, spent).await?;
    }
    if account.ledger.spent == Amount::default() {
        accounts::put(connection, account.id, accounts::EVERYBODY, Amount::default()).await?;
    }
    Ok(())
}
