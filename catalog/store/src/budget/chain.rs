//! The digest of a charge, over all that is said of it when it is paid for and over the digest of the one before it.

use causeway_audit::{Digest, RowDigest};
use causeway_model::{Charge, NewCharge, TableName};

use super::charge::{ids_json, roles_json};
use crate::error::Result;

/// What the first charge follows on.
pub(super) fn start() -> String {
    Digest::from_bytes([0; 32]).to_string()
}

/// What a digest is taken of.
pub(super) struct Link<'a> {
    pub(super) id: i64,
    pub(super) spec: &'a NewCharge,
    pub(super) datasets: Vec<&'a TableName>,
    /// RFC 3339.
    pub(super) reserved_at: &'a str,
    pub(super) previous: &'a str,
}

impl<'a> Link<'a> {
    /// Returns what a stored charge's digest is taken of.
    pub(super) fn of(charge: &'a Charge) -> Self {
        Self {
            id: charge.id.0,
            spec: &charge.spec,
            datasets: charge.datasets.iter().collect(),
            reserved_at: &charge.reserved_at,
            previous: &charge.previous_hash,
        }
    }

    /// Returns the digest: that of a row of `budget_charge` (`catalog/audit/FORMAT.md`), whose columns are named here.
    pub(super) fn hash(&self) -> Result<String> {
        let Self { spec, .. } = self;
        let (epsilon, delta) = super::accounts::stored(spec.cost.amount)?;
        let datasets: Vec<String> = self.datasets.iter().map(ToString::to_string).collect();
        let digest = RowDigest::new("budget_charge")
            .integer("id", Some(self.id))
            .text("idem_key", Some(&spec.key))
            .text("question", Some(&spec.question))
            .text("actor", Some(&spec.actor))
            .text("roles", Some(&roles_json(spec)?))
            .text("run", spec.run.as_ref().map(|run| run.0.as_str()))
            .text("operator", Some(&spec.operator))
            .text("parameters", Some(&spec.parameters))
            .text("inputs", Some(&ids_json(spec)?))
            .text("datasets", Some(&datasets.join("\n")))
            .text("mechanism", Some(&spec.cost.mechanism))
            .integer("epsilon_micro", Some(epsilon))
            .integer("delta_femto", Some(delta))
            .text("unit", spec.cost.unit.as_deref())
            .integer("rows_per_unit", Some(i64::from(spec.cost.rows_per_unit)))
            .text("adjacency", Some(spec.cost.adjacency.name()))
            .boolean("is_sound", Some(spec.cost.is_sound))
            .text("reserved_at", Some(self.reserved_at))
            .text("previous_hash", Some(self.previous));
        Ok(digest.finish().to_string())
    }
}
