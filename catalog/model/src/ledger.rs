//! The ledger of privacy budgets that every store keeps.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::{
    BudgetPolicy, Charge, ChargeId, ChargeLease, ChargePage, Ledger, NewCharge, PolicyChange, ReleasedResult,
    Reservation, Result, StoredRelease, TableName, VersionId,
};

/// Privacy budgets and the charges on them.
///
/// ```text
///              A: check every cap, pay                B: store the result, make it visible
/// reserve_charge ─────────────────> reserved ──────────────────────> released
///                                    │    ^ the lease is over:
///                                    │    └ the next one who asks takes over
///                                    └──────────────────────────────> burned
/// ```
///
/// A release is paid for before anything is computed and never paid back, so what was spent bounds what was seen
/// whenever a process dies. One result a charge becomes visible: before B nobody has seen anything, so whoever takes
/// over may compute with fresh noise; after B the stored result is what everybody gets.
///
/// A charge is on the accounts of its inputs' datasets and of all that these were made from, as the record of lineage
/// has it, through copies, views' tables, and files that were exported and read again. A dataset is meant by its
/// name: dropped and made again, it keeps its account. What stands between a dataset and those it was made from makes no difference: what was
/// released and stored as a table is counted again where it is asked again.
#[async_trait]
pub trait Budget: Send + Sync + Debug {
    /// Sets the policy of a dataset, which need not exist yet. Lowering a cap below what is spent leaves nothing. A policy
    /// is loosened (a cap raised, a role's cap taken away, `allow_unsound` set, or the unit changed) only for a stated
    /// reason and while the audit log is kept; else fails with [`crate::CatalogError::Invalid`]. No call takes a policy away.
    async fn set_budget(&self, dataset: &TableName, policy: &BudgetPolicy, change: &PolicyChange) -> Result<Ledger>;

    /// Finds the account of a dataset. `None` if it has no policy and nothing was spent.
    async fn budget(&self, dataset: &TableName) -> Result<Option<Ledger>>;

    /// Lists the accounts by name.
    async fn budgets(&self) -> Result<Vec<Ledger>>;

    /// Lists the accounts that a charge on these versions would be on, by name; those of datasets without a policy too.
    async fn budgets_of(&self, inputs: &[VersionId]) -> Result<Vec<Ledger>>;

    /// Pays for a release, all accounts together or none, and takes it for `lease_ms` milliseconds; or returns what became
    /// of the key before. Fails with [`crate::CatalogError::BudgetExceeded`] or [`crate::CatalogError::BudgetTerms`] if a
    /// policy forbids it, with [`crate::CatalogError::AlreadyExists`] if the key was used to ask for something else, with
    /// [`crate::CatalogError::ChargeBurned`] if its release was given up.
    async fn reserve_charge(&self, charge: &NewCharge, lease_ms: i64) -> Result<Reservation>;

    /// Holds a charge for `lease_ms` milliseconds from now. Fails with [`crate::CatalogError::ChargeLost`] if somebody
    /// else has it, or it has ended.
    async fn renew_charge(&self, lease: &ChargeLease, lease_ms: i64) -> Result<()>;

    /// Makes the result of a charge visible. Fails with [`crate::CatalogError::ChargeLost`] if somebody has taken over:
    /// the result must then be thrown away. A call that is made again with the same result does no harm.
    async fn release_charge(&self, lease: &ChargeLease, result: &ReleasedResult) -> Result<Charge>;

    /// Gives a charge up, for an error of this code: it stays paid for and nobody will see a result. Fails as
    /// [`Budget::release_charge`] does.
    async fn burn_charge(&self, lease: &ChargeLease, code: &str) -> Result<Charge>;

    /// Returns a charge.
    async fn charge(&self, id: ChargeId) -> Result<Charge>;

    /// Lists charges, newest first.
    async fn charges(&self, page: &ChargePage) -> Result<Vec<Charge>>;

    /// Finds the newest release of a question ([`NewCharge::question`]), whatever the versions it read.
    async fn stored_release(&self, question: &str) -> Result<Option<StoredRelease>>;
}
