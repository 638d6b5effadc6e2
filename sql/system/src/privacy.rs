//! Rows of `system.privacy_budgets` and `system.privacy_charges`.

use arrow::array::ArrayRef;
use causeway_model::{Amount, Catalog, ChargePage, Ledger};
use datafusion::error::Result;
use serde_json::json;

use crate::cells::{
    booleans, instants, integers, optional_booleans, optional_integers, optional_numbers, optional_texts, text_lists,
    texts,
};
use crate::provider::{Ask, catalog_error};

/// Units of ε and of δ in one.
const MICRO: f64 = 1e6;
const FEMTO: f64 = 1e15;

pub(crate) async fn budgets(catalog: &dyn Catalog) -> Result<Vec<ArrayRef>> {
    let accounts = catalog.budgets().await.map_err(catalog_error)?;
    let rows = || accounts.iter();
    let policies = || rows().map(|row| row.policy.as_ref());
    let caps = || policies().map(|policy| policy.map(|policy| policy.cap));
    let spent = || rows().map(|row| Some(row.spent));
    let left = || rows().map(Ledger::remaining);
    Ok(vec![
        texts(rows().map(|row| &row.dataset.schema)),
        texts(rows().map(|row| &row.dataset.table)),
        optional_numbers(caps().map(epsilon)),
        optional_numbers(spent().map(epsilon)),
        optional_numbers(left().map(epsilon)),
        optional_numbers(caps().map(delta)),
        optional_numbers(spent().map(delta)),
        optional_numbers(left().map(delta)),
        optional_texts(policies().map(|policy| policy.and_then(|policy| policy.unit.as_ref()))),
        optional_integers(policies().map(|policy| policy.map(|policy| i64::from(policy.rows_per_unit)))),
        optional_texts(policies().map(|policy| policy.map(|policy| policy.adjacency.name()))),
        optional_texts(rows().map(role_caps)),
        optional_booleans(policies().map(|policy| policy.map(|policy| policy.allow_unsound))),
        optional_integers(policies().map(|policy| policy.and_then(|policy| policy.cohort_size?.try_into().ok()))),
        integers(rows().map(|row| row.revision)),
        instants(rows().map(|row| row.changed_at.as_deref()))?,
    ])
}

/// Newest first.
pub(crate) async fn charges(ask: &Ask<'_>) -> Result<Vec<ArrayRef>> {
    let limit = ask.limit.and_then(|limit| i64::try_from(limit).ok()).unwrap_or(i64::MAX);
    let charges = ask.catalog.charges(&ChargePage::newest(limit)).await.map_err(catalog_error)?;
    let rows = || charges.iter();
    Ok(vec![
        integers(rows().map(|row| row.id.0)),
        texts(rows().map(|row| row.state.name())),
        texts(rows().map(|row| &row.spec.operator)),
        texts(rows().map(|row| &row.spec.cost.mechanism)),
        booleans(rows().map(|row| row.spec.cost.is_sound)),
        optional_numbers(rows().map(|row| epsilon(Some(row.spec.cost.amount)))),
        optional_numbers(rows().map(|row| delta(Some(row.spec.cost.amount)))),
        text_lists(rows().map(|row| row.datasets.iter().map(ToString::to_string))),
        texts(rows().map(|row| &row.spec.actor)),
        optional_texts(rows().map(|row| row.spec.run.as_ref().map(|run| &run.0))),
        texts(rows().map(|row| &row.spec.parameters)),
        integers(rows().map(|row| row.n_takeovers)),
        optional_texts(rows().map(|row| row.result_digest.as_ref())),
        optional_integers(rows().map(|row| row.result_bytes)),
        optional_texts(rows().map(|row| row.error_code.as_ref())),
        instants(rows().map(|row| Some(row.reserved_at.as_str())))?,
        instants(rows().map(|row| row.ended_at.as_deref()))?,
    ])
}

/// Returns the caps of roles as JSON.
fn role_caps(account: &Ledger) -> Option<String> {
    let caps = account.policy.as_ref()?.role_caps.iter();
    let told: serde_json::Map<_, _> = caps
        .map(|(role, cap)| {
            let spent = account.spent_by_role.get(role).copied().unwrap_or_default();
            (role.clone(), json!({"epsilon_cap": cap.epsilon(), "epsilon_spent": spent.epsilon()}))
        })
        .collect();
    Some(serde_json::Value::Object(told).to_string())
}

fn epsilon(amount: Option<Amount>) -> Option<f64> {
    amount.map(|amount| float(amount.epsilon_micro) / MICRO)
}

fn delta(amount: Option<Amount>) -> Option<f64> {
    amount.map(|amount| float(amount.delta_femto) / FEMTO)
}

#[expect(clippy::cast_precision_loss, reason = "shown, not summed")]
fn float(units: u64) -> f64 {
    units as f64
}
