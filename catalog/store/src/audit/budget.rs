//! What happens to privacy budgets, as records: names, amounts and digests, never a result.

use std::collections::BTreeMap;

use causeway_audit::{Action, Context, Digest, Event, Object, ObjectKind, Outcome};
use causeway_model::audit::CoveredKey;
use causeway_model::{Charge, Ledger, PolicyChange};

use super::events::Before;
use super::{append, covered, has_started};
use crate::connection::Connection;
use crate::error::Result;

/// What happens to a charge.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ChargeChange {
    Reserved,
    TakenOver,
    Released,
    Burned,
}

impl ChargeChange {
    fn name(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::TakenOver => "taken_over",
            Self::Released => "released",
            Self::Burned => "burned",
        }
    }
}

/// Records what happened to a charge, and covers it.
pub(crate) async fn charge_changed(
    connection: &mut Connection,
    charge: &Charge,
    actor: &str,
    change: ChargeChange,
) -> Result<()> {
    if !has_started(connection).await? {
        return Ok(());
    }
    let outcome = match (change, &charge.error_code) {
        (ChargeChange::Reserved | ChargeChange::TakenOver, _) => Outcome::started(),
        (ChargeChange::Burned, Some(code)) => Outcome::failed(code),
        _ => Outcome::succeeded(),
    };
    let operator =
        Object::new(ObjectKind::Operator, &charge.spec.operator).digest(Digest::of(charge.spec.parameters.as_bytes()));
    let context = Context { run: charge.spec.run.as_ref().map(ToString::to_string), ..Context::default() };
    let mut event = Event::new(actor, Action::BudgetCharge, outcome)
        .object(operator)
        .fact("change", change.name())
        .fact("charge", charge.id.0.to_string())
        .fact("epsilon", charge.spec.cost.amount.epsilon())
        .fact("delta", charge.spec.cost.amount.delta())
        .fact("mechanism", &charge.spec.cost.mechanism)
        .fact("hash", &charge.hash)
        .context(context);
    for dataset in &charge.datasets {
        event = event.object(Object::new(ObjectKind::Budget, dataset.to_string()));
    }
    let event = covered::cover_charge(connection, event, charge.id).await?;
    append(connection, event).await.map(drop)
}

/// Looks at the policy that is about to be set; none if the log has not started.
pub(crate) async fn before_budget(connection: &mut Connection, id: i64) -> Result<Option<Before>> {
    if !has_started(connection).await? {
        return Ok(None);
    }
    let found: BTreeMap<CoveredKey, Digest> = covered::budgets(connection, id, id).await?;
    Ok(Some(Before(found)))
}

/// Records that the policy of an account was set, and covers it.
pub(crate) async fn budget_set(
    connection: &mut Connection,
    id: i64,
    ledger: &Ledger,
    change: &PolicyChange,
    before: Option<Before>,
) -> Result<()> {
    let Some(Before(before)) = before else { return Ok(()) };
    let Some(policy) = &ledger.policy else { return Ok(()) };
    let mut event = Event::new(&change.actor, Action::BudgetCharge, Outcome::succeeded())
        .object(Object::new(ObjectKind::Budget, ledger.dataset.to_string()).id(id).version(ledger.revision))
        .fact("change", "policy_set")
        .fact("cap_epsilon", policy.cap.epsilon())
        .fact("cap_delta", policy.cap.delta())
        .fact("spent_epsilon", ledger.spent.epsilon())
        .fact("spent_delta", ledger.spent.delta())
        .fact("allow_unsound", policy.allow_unsound.to_string());
    if let Some(reason) = &change.reason {
        event = event.fact("reason", reason);
    }
    for role in policy.role_caps.keys() {
        event = event.object(Object::new(ObjectKind::Role, role));
    }
    let event = covered::cover_budgets(connection, event, id, id).await?;
    let event = event.found(|table, key| before.get(&(table.to_owned(), key.to_owned())).copied());
    append(connection, event).await.map(drop)
}
