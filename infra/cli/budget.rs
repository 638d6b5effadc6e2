//! `causeway budget`: what may be spent on the people in each dataset, and what was.

use causeway_model::{Charge, ChargePage, Ledger, Rights, TableName};
use serde_json::{Value, json};

use crate::app::App;
use crate::args::{BudgetOptions, LimitOptions};
use crate::errors::Failure;
use crate::exit::Exit;
use crate::output::grid::Grid;
use crate::session::Session;
use crate::terminal::print;

/// Lists the accounts, or shows one with its newest charges.
pub(crate) fn budget(app: &App, options: &BudgetOptions) -> Result<Exit, Failure> {
    let session = Session::open(app, &LimitOptions::default())?;
    let engine = &session.engine;
    let (accounts, charges) = app.wait(async {
        let rights = engine.rights(app.user.as_deref()).await?;
        let seen = |name: &TableName| rights.sees_record() || rights.may_govern() || rights.may_know(name);
        let mut accounts = engine.catalog().budgets().await?;
        accounts.retain(|account| {
            seen(&account.dataset) && options.table.as_ref().is_none_or(|table| *table == account.dataset.to_string())
        });
        let Some(account) = accounts.first().filter(|_| options.table.is_some()) else {
            return Ok((accounts, Vec::new()));
        };
        let page = ChargePage {
            dataset: Some(account.dataset.clone()),
            actor: own(&rights),
            ..ChargePage::newest(options.count)
        };
        let charges = engine.catalog().charges(&page).await?;
        Ok((accounts, charges))
    })?;
    if let (Some(table), true) = (&options.table, accounts.is_empty()) {
        return Err(Failure::new(
            Exit::Failed,
            format!("`{table}` has no privacy budget, and nothing was spent on it"),
        )
        .with_hint("a steward sets one: CALL set_privacy_budget('schema.table', epsilon => 4.0)"));
    }
    let told = match (app.terminal.json, options.table.is_some()) {
        (true, false) => format!("{}\n", accounts.iter().map(fact).collect::<Value>()),
        (true, true) => {
            format!("{}\n", accounts.iter().map(|account| with_charges(account, &charges)).collect::<Value>())
        }
        (false, false) => format!("{}\n", table(&accounts)),
        (false, true) => format!("{}\n{}\n", table(&accounts), charges_table(&charges)),
    };
    print(&told)?;
    Ok(Exit::Ok)
}

/// Whose charges are shown: those of others to who sees the record alone.
fn own(rights: &Rights) -> Option<String> {
    (!rights.sees_record() && !rights.may_govern()).then(|| rights.user.clone())
}

fn table(accounts: &[Ledger]) -> Grid {
    let mut grid = Grid::new(&["dataset", "unit", "epsilon cap", "spent", "left", "delta cap", "spent", "left"]);
    for account in accounts {
        let cap = account.policy.as_ref().map(|policy| policy.cap);
        let left = account.remaining();
        let shown = |amount: Option<String>| amount.unwrap_or_else(|| "none".to_owned());
        grid.row([
            account.dataset.to_string(),
            account.policy.as_ref().and_then(|policy| policy.unit.clone()).unwrap_or_else(|| "row".to_owned()),
            shown(cap.map(|cap| cap.epsilon())),
            account.spent.epsilon(),
            shown(left.map(|left| left.epsilon())),
            shown(cap.map(|cap| cap.delta())),
            account.spent.delta(),
            shown(left.map(|left| left.delta())),
        ]);
    }
    grid.right([2, 3, 4, 5, 6, 7])
}

fn charges_table(charges: &[Charge]) -> Grid {
    let mut grid = Grid::new(&["charge", "state", "operator", "epsilon", "delta", "who", "paid", "error"]);
    for charge in charges {
        let cost = charge.spec.cost.amount;
        grid.row([
            charge.id.0.to_string(),
            charge.state.name().to_owned(),
            charge.spec.operator.clone(),
            cost.epsilon(),
            cost.delta(),
            charge.spec.actor.clone(),
            charge.reserved_at.clone(),
            charge.error_code.clone().unwrap_or_default(),
        ]);
    }
    grid.right([0, 3, 4])
}

fn fact(account: &Ledger) -> Value {
    let policy = account.policy.as_ref();
    let left = account.remaining();
    json!({
        "dataset": account.dataset.to_string(), "policy": policy, "epsilon_spent": account.spent.epsilon(),
        "delta_spent": account.spent.delta(), "epsilon_left": left.map(|left| left.epsilon()),
        "delta_left": left.map(|left| left.delta()), "revision": account.revision, "changed_at": account.changed_at,
    })
}

fn with_charges(account: &Ledger, charges: &[Charge]) -> Value {
    let told = |charge: &Charge| {
        let cost = charge.spec.cost.amount;
        json!({
            "charge": charge.id.0, "state": charge.state.name(), "operator": charge.spec.operator,
            "mechanism": charge.spec.cost.mechanism, "epsilon": cost.epsilon(), "delta": cost.delta(),
            "actor": charge.spec.actor, "run": charge.spec.run.as_ref().map(|run| &run.0),
            "reserved_at": charge.reserved_at, "ended_at": charge.ended_at, "error_code": charge.error_code,
        })
    };
    let mut shown = fact(account);
    shown["charges"] = charges.iter().map(told).collect();
    shown
}
