//! Accounts as they are stored: a dataset's policy, and what is spent.

use std::collections::BTreeMap;

use causeway_model::{Amount, BudgetPolicy, Ledger, TableName};
use serde_json::json;

use crate::connection::{Connection, Row, Sql};
use crate::error::{Result, damaged, invalid};
use crate::jobs::instant;

/// An account with its number.
pub(super) struct Account {
    pub(super) id: i64,
    pub(super) ledger: Ledger,
}

/// The scope of what everybody has spent.
pub(super) const EVERYBODY: &str = "";

macro_rules! select_account {
    ($from:literal) => {
        concat!(
            "SELECT b.id, b.schema_name, b.table_name, b.policy, b.revision, b.changed_at, s.scope, s.epsilon_micro, \
             s.delta_femto FROM ",
            $from,
            " LEFT JOIN budget_balance s ON s.budget_id = b.id ORDER BY b.schema_name, b.table_name, s.scope"
        )
    };
}

const NAMED: Sql = Sql {
    sqlite: select_account!(
        "json_each($1) e JOIN budget b ON b.schema_name = e.value ->> 0 AND b.table_name = e.value ->> 1"
    ),
    postgres: select_account!(
        "jsonb_array_elements($1::text::jsonb) e JOIN budget b ON b.schema_name = e ->> 0 AND b.table_name = e ->> 1"
    ),
};

/// Reads the accounts of datasets, in the order of names; none for one that has no account.
pub(super) async fn find(connection: &mut Connection, datasets: &[TableName]) -> Result<Vec<Account>> {
    let names: Vec<_> = datasets.iter().map(|name| json!([name.schema, name.table])).collect();
    let rows = connection.query(NAMED).bind(json!(names).to_string()).fetch_all().await?;
    from_rows(&rows)
}

/// Reads all accounts, in the order of names.
pub(super) async fn all(connection: &mut Connection) -> Result<Vec<Account>> {
    let rows = connection.query(select_account!("budget b")).fetch_all().await?;
    from_rows(&rows)
}

/// Reads the accounts of datasets, and makes those that are not there, in the order of names.
pub(super) async fn open(connection: &mut Connection, datasets: &[TableName]) -> Result<Vec<Account>> {
    let found = find(connection, datasets).await?;
    if found.len() == datasets.len() {
        return Ok(found);
    }
    for name in datasets.iter().filter(|name| !found.iter().any(|account| account.ledger.dataset == **name)) {
        let sql = "INSERT INTO budget (schema_name, table_name) VALUES ($1, $2)";
        connection.query(sql).bind(&name.schema).bind(&name.table).execute().await?;
    }
    find(connection, datasets).await
}

/// Writes what is spent.
pub(super) async fn keep(connection: &mut Connection, accounts: &[Account]) -> Result<()> {
    for Account { id, ledger } in accounts {
        put(connection, *id, EVERYBODY, ledger.spent).await?;
        for (role, spent) in &ledger.spent_by_role {
            put(connection, *id, role, *spent).await?;
        }
    }
    Ok(())
}

/// Writes what is spent of one account in one scope.
pub(super) async fn put(connection: &mut Connection, id: i64, scope: &str, spent: Amount) -> Result<()> {
    let (epsilon, delta) = stored(spent)?;
    connection
        .query(
            "INSERT INTO budget_balance (budget_id, scope, epsilon_micro, delta_femto) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (budget_id, scope) DO UPDATE SET epsilon_micro = excluded.epsilon_micro, \
             delta_femto = excluded.delta_femto",
        )
        .bind(id)
        .bind(scope)
        .bind(epsilon)
        .bind(delta)
        .execute()
        .await?;
    Ok(())
}

/// Returns the two parts of an amount as a database keeps them.
pub(super) fn stored(amount: Amount) -> Result<(i64, i64)> {
    let part = |number| i64::try_from(number).map_err(|_| invalid("an amount of privacy budget is too large"));
    Ok((part(amount.epsilon_micro)?, part(amount.delta_femto)?))
}

/// Reads an amount.
pub(super) fn amount(row: &Row) -> Result<Amount> {
    let part = |number: i64| u64::try_from(number).map_err(|_| damaged("an amount of privacy budget is below 0"));
    Ok(Amount { epsilon_micro: part(row.get("epsilon_micro")?)?, delta_femto: part(row.get("delta_femto")?)? })
}

/// Puts the rows of balances together, which come by account.
fn from_rows(rows: &[Row]) -> Result<Vec<Account>> {
    let mut accounts: Vec<Account> = Vec::new();
    for row in rows {
        let id: i64 = row.get("id")?;
        if accounts.last().is_none_or(|last| last.id != id) {
            accounts.push(Account { id, ledger: ledger(row)? });
        }
        let Some(account) = accounts.last_mut() else { continue };
        match row.get::<Option<String>>("scope")? {
            None => {}
            Some(scope) if scope == EVERYBODY => account.ledger.spent = amount(row)?,
            Some(role) => drop(account.ledger.spent_by_role.insert(role, amount(row)?)),
        }
    }
    Ok(accounts)
}

fn ledger(row: &Row) -> Result<Ledger> {
    let policy: Option<&str> = row.get("policy")?;
    Ok(Ledger {
        dataset: TableName { schema: row.get("schema_name")?, table: row.get("table_name")? },
        policy: policy.map(policy_of).transpose()?,
        revision: row.get("revision")?,
        spent: Amount::default(),
        spent_by_role: BTreeMap::new(),
        changed_at: row.get::<Option<i64>>("changed_at")?.map(instant).transpose()?,
    })
}

fn policy_of(text: &str) -> Result<BudgetPolicy> {
    serde_json::from_str(text).map_err(|error| damaged(format!("policy of a privacy budget: {error}")))
}
