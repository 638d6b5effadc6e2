//! `CALL set_privacy_budget(…)`: what may be spent on the people in a table.

use std::collections::BTreeMap;
use std::sync::Arc;

use causeway_core::PrivacyCost;
use causeway_model::{Adjacency, Amount, BudgetPolicy, Ledger, PolicyChange};
use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray};

use crate::access::{Guard, denied};
use crate::api::Rows;
use crate::engine::Engine;
use crate::error::{EngineError, ErrorKind, Result};
use crate::parse::parse_table_name;
use crate::procedure::Values;
use crate::release::amount_of;

/// An account as it is after a call.
pub(crate) struct Account(Ledger);

impl Engine {
    /// Sets a policy as the arguments say; what is not said is as in a new one.
    pub(crate) async fn set_privacy_budget(&self, mut values: Values<'_>, guard: &Guard) -> Result<Account> {
        if !guard.rights.may_govern() {
            return Err(denied("setting privacy budgets is for admins and stewards"));
        }
        let misused = values.statement.misused();
        let table = parse_table_name(&values.take_text(None)?.ok_or(misused.clone())?)?;
        let epsilon = values.take_number("epsilon")?.ok_or(misused)?;
        let delta = values.take_number("delta")?.unwrap_or(0.0);
        let mut policy = BudgetPolicy::new(amount("epsilon", epsilon, delta)?);
        policy.unit = values.take_text(Some("unit"))?;
        policy.rows_per_unit = small("rows_per_unit", values.take_integer(Some("rows_per_unit"))?.unwrap_or(1))?;
        policy.adjacency = adjacency(values.take_text(Some("adjacency"))?.as_deref())?;
        policy.role_caps = role_caps(&values.take_texts("roles")?, delta)?;
        policy.allow_unsound = values.take_flag("allow_unsound")?.unwrap_or(false);
        policy.cohort_size = values.take_integer(Some("cohort_size"))?.map(|size| size.try_into().unwrap_or(0));
        let reason = values.take_text(Some("reason"))?;
        values.finish()?;
        if let (Some(unit), Some((_, Some(version)))) = (&policy.unit, self.catalog().newest(&table).await?)
            && !version.columns.iter().any(|column| column.name == *unit)
        {
            let problem = format!("`{table}` has no column `{unit}`");
            return Err(
                EngineError::new(ErrorKind::Plan, problem).with_hint("unit names the column that says whose row it is")
            );
        }
        let change = PolicyChange { actor: guard.rights.user.clone(), reason };
        Ok(Account(self.catalog().set_budget(&table, &policy, &change).await?))
    }
}

fn amount(name: &str, epsilon: f64, delta: f64) -> Result<Amount> {
    let cost = PrivacyCost::pure("cap", epsilon).and_then(|cost| cost.with_delta(delta));
    cost.map(|cost| amount_of(&cost)).ok_or_else(|| {
        let problem = format!("{name} is a number above 0, and delta one from 0 to below 1");
        EngineError::new(ErrorKind::Plan, problem)
    })
}

fn small(name: &str, number: i64) -> Result<u32> {
    let fits = u32::try_from(number).ok().filter(|number| *number > 0);
    fits.ok_or_else(|| EngineError::new(ErrorKind::Plan, format!("{name} is a number from 1 to {}", u32::MAX)))
}

fn adjacency(word: Option<&str>) -> Result<Adjacency> {
    let Some(word) = word else { return Ok(Adjacency::default()) };
    Adjacency::ALL.into_iter().find(|kind| kind.name() == word).ok_or_else(|| {
        let names = Adjacency::ALL.map(Adjacency::name).join(" or ");
        EngineError::new(ErrorKind::Plan, format!("adjacency is {names}"))
    })
}

/// Reads `role=epsilon`; the cap on delta is that of everybody.
fn role_caps(words: &[String], delta: f64) -> Result<BTreeMap<String, Amount>> {
    let cap = |word: &String| {
        let (role, epsilon) = word.split_once('=').and_then(|(role, epsilon)| Some((role, epsilon.parse().ok()?)))?;
        Some((role.trim().to_owned(), epsilon))
    };
    let named = |word: &String| {
        let (role, epsilon) = cap(word)
            .ok_or_else(|| EngineError::new(ErrorKind::Plan, "roles is an array of caps as in ARRAY['analyst=1.5']"))?;
        Ok((role, amount("a role's cap", epsilon, delta)?))
    };
    words.iter().map(named).collect()
}

impl Account {
    /// Returns it as a row: table, cap, spent, remaining.
    pub(crate) fn rows(self) -> Result<Rows> {
        let ledger = self.0;
        let cap = ledger.policy.as_ref().map(|policy| policy.cap).unwrap_or_default();
        let column = |text: String| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
        let batch = RecordBatch::try_from_iter([
            ("dataset", column(ledger.dataset.to_string())),
            ("cap", column(cap.to_string())),
            ("spent", column(ledger.spent.to_string())),
            ("remaining", column(ledger.remaining().unwrap_or_default().to_string())),
        ])
        .map_err(|_| EngineError::new(ErrorKind::Internal, "an account cannot be shown"))?;
        Ok(Rows::of(batch))
    }
}
