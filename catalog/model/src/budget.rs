//! Privacy budgets: what may be spent on whom, and what each release has cost.
//!
//! All amounts are integers, rounded up by whoever states a cost, so that sums and comparisons are exact: ten
//! charges of 0.1 fit under a cap of 1.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::{ChargeId, RunId, TableName, VersionId};

/// The largest stored result of a release, in bytes; a larger one lies in the lake and is named by place and digest.
pub const MAX_STORED_RESULT: usize = 1 << 20;

/// δ of 1 in the unit of [`Amount::delta_femto`].
pub const WHOLE_DELTA: u64 = 1_000_000_000_000_000;

/// An amount of privacy budget.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Amount {
    /// Millionths of ε.
    pub epsilon_micro: u64,
    /// δ in units of 10⁻¹⁵.
    #[serde(default)]
    pub delta_femto: u64,
}

impl Amount {
    /// The largest amount that a store keeps.
    pub const MAX: Self = Self { epsilon_micro: i64::MAX.cast_unsigned(), delta_femto: i64::MAX.cast_unsigned() };

    /// Returns an amount of pure ε, in millionths.
    pub const fn pure(epsilon_micro: u64) -> Self {
        Self { epsilon_micro, delta_femto: 0 }
    }

    /// Adds, at most up to [`Amount::MAX`]: what has been spent never wraps round.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            epsilon_micro: self.epsilon_micro.saturating_add(other.epsilon_micro).min(Self::MAX.epsilon_micro),
            delta_femto: self.delta_femto.saturating_add(other.delta_femto).min(Self::MAX.delta_femto),
        }
    }

    /// Returns what is left after taking `other` away, each part at least 0.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self {
            epsilon_micro: self.epsilon_micro.saturating_sub(other.epsilon_micro),
            delta_femto: self.delta_femto.saturating_sub(other.delta_femto),
        }
    }

    /// Returns true if both parts are at most those of `other`.
    pub fn fits(self, other: Self) -> bool {
        self.epsilon_micro <= other.epsilon_micro && self.delta_femto <= other.delta_femto
    }

    /// Returns ε as a decimal number.
    pub fn epsilon(self) -> String {
        decimal(self.epsilon_micro, 6)
    }

    /// Returns δ as a decimal number.
    pub fn delta(self) -> String {
        decimal(self.delta_femto, 15)
    }
}

impl fmt::Display for Amount {
    /// Writes `epsilon 0.1`, with δ where it is not 0.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "epsilon {}", self.epsilon())?;
        if self.delta_femto > 0 { write!(f, ", delta {}", self.delta()) } else { Ok(()) }
    }
}

/// Writes a number of units of the last of `digits` decimals, without zeros at its end.
fn decimal(units: u64, digits: usize) -> String {
    let padded = format!("{units:0>width$}", width = digits + 1);
    let (whole, fraction) = padded.split_at(padded.len() - digits);
    match fraction.trim_end_matches('0') {
        "" => whole.to_owned(),
        fraction => format!("{whole}.{fraction}"),
    }
}

/// Which tables a guarantee cannot tell apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adjacency {
    /// One has a privacy unit that the other lacks.
    #[default]
    AddRemove,
    /// The rows of one privacy unit are replaced by others.
    Substitute,
}

impl Adjacency {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::AddRemove, Self::Substitute];

    /// Returns the word for it, as stored and as shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::AddRemove => "add_remove",
            Self::Substitute => "substitute",
        }
    }
}

/// What may be spent on the people in a dataset, and how it is counted.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetPolicy {
    /// The column that says whose row it is; `None` if every row is somebody else's.
    #[serde(default)]
    pub unit: Option<String>,
    /// What the guarantee is about.
    #[serde(default)]
    pub adjacency: Adjacency,
    /// The most rows of one unit.
    #[serde(default = "one_row")]
    pub rows_per_unit: u32,
    /// What all releases together may cost.
    pub cap: Amount,
    /// What the releases to the members of a role may cost together, in addition to `cap`. A user's name is a role of
    /// that user alone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub role_caps: BTreeMap<String, Amount>,
    /// True if mechanisms without a proof are admitted, at their honest worst case.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_unsound: bool,
    /// The public order of magnitude of the number of units: one digit and zeros, as in 200. Never a count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cohort_size: Option<u64>,
}

fn one_row() -> u32 {
    1
}

impl BudgetPolicy {
    /// Returns a policy with this cap for rows that are each somebody else's.
    pub fn new(cap: Amount) -> Self {
        Self {
            unit: None,
            adjacency: Adjacency::AddRemove,
            rows_per_unit: 1,
            cap,
            role_caps: BTreeMap::new(),
            allow_unsound: false,
            cohort_size: None,
        }
    }

    /// Returns what is wrong with it, and how to set it right.
    pub fn fault(&self) -> Option<String> {
        if self.rows_per_unit == 0 {
            return Some("rows_per_unit must be at least 1".into());
        }
        for (role, cap) in std::iter::once((None, &self.cap)).chain(self.role_caps.iter().map(|(r, c)| (Some(r), c))) {
            let of = role.map(|role| format!(" of role `{role}`")).unwrap_or_default();
            if !cap.fits(Amount::MAX) {
                return Some(format!("the cap{of} must be at most {}", Amount::MAX.epsilon()));
            }
            if cap.delta_femto >= WHOLE_DELTA {
                return Some(format!("the cap of delta{of} must be below 1, got {}", cap.delta()));
            }
        }
        if self.role_caps.contains_key("") {
            return Some("a cap of a role must name the role".into());
        }
        match self.cohort_size {
            Some(size) if !is_round(size) => {
                Some("cohort_size must be one digit and zeros, as in 200: it is public, a count is not".into())
            }
            _ => None,
        }
    }

    /// Returns true if `next` lets something through that this policy does not, or counts otherwise.
    pub fn is_loosened_by(&self, next: &Self) -> bool {
        let counts_otherwise = (&self.unit, self.adjacency) != (&next.unit, next.adjacency);
        let role_is_looser =
            |(role, cap): (&String, &Amount)| next.role_caps.get(role).is_none_or(|next| !next.fits(*cap));
        counts_otherwise
            || next.rows_per_unit < self.rows_per_unit
            || !next.cap.fits(self.cap)
            || self.role_caps.iter().any(role_is_looser)
            || (next.allow_unsound && !self.allow_unsound)
    }
}

/// Returns true if a number has one digit that is not 0.
fn is_round(number: u64) -> bool {
    let digits = number.to_string();
    number > 0 && digits.bytes().skip(1).all(|digit| digit == b'0')
}

/// Who sets a policy, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyChange {
    /// Who.
    pub actor: String,
    /// Why; must be given where the policy is loosened. At most 256 bytes, no personal data.
    pub reason: Option<String>,
}

/// The account of a dataset, by its name: dropping the dataset and making it again leaves it as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    /// The dataset.
    pub dataset: TableName,
    /// Its policy; without one, releases are recorded and nothing limits them.
    pub policy: Option<BudgetPolicy>,
    /// How often the policy was set.
    pub revision: i64,
    /// What has been spent, before the policy was set too.
    pub spent: Amount,
    /// Of that, what went to the members of each role that the policy caps.
    pub spent_by_role: BTreeMap<String, Amount>,
    /// When the policy was set last (RFC 3339, UTC, the database's clock).
    pub changed_at: Option<String>,
}

impl Ledger {
    /// Returns the account of a dataset on which nothing was spent.
    pub fn new(dataset: TableName) -> Self {
        Self {
            dataset,
            policy: None,
            revision: 0,
            spent: Amount::default(),
            spent_by_role: BTreeMap::new(),
            changed_at: None,
        }
    }

    /// Returns what is left for everybody together; `None` if nothing limits it.
    pub fn remaining(&self) -> Option<Amount> {
        Some(self.policy.as_ref()?.cap.minus(self.spent))
    }

    /// Returns why a charge by someone with these roles is refused.
    ///
    /// # Errors
    /// [`crate::CatalogError::BudgetTerms`] if the policy does not admit such a mechanism,
    /// [`crate::CatalogError::BudgetExceeded`] for the first cap that it does not fit under: that of everybody, then those
    /// of roles by name.
    pub fn admit(&self, cost: &ChargeCost, roles: &BTreeSet<String>) -> crate::Result<()> {
        let Some(policy) = &self.policy else { return Ok(()) };
        if let Some(reason) = cost.fault_under(policy) {
            return Err(crate::CatalogError::BudgetTerms { dataset: self.dataset.to_string(), reason });
        }
        let of_roles = policy.role_caps.iter().filter(|(role, _)| roles.contains(*role)).map(|(role, cap)| {
            let spent = self.spent_by_role.get(role).copied().unwrap_or_default();
            (Some(role), cap.minus(spent))
        });
        for (role, remaining) in std::iter::once((None, policy.cap.minus(self.spent))).chain(of_roles) {
            if !cost.amount.fits(remaining) {
                let shortfall =
                    Shortfall { dataset: self.dataset.clone(), role: role.cloned(), requested: cost.amount, remaining };
                return Err(crate::CatalogError::BudgetExceeded(Box::new(shortfall)));
            }
        }
        Ok(())
    }
}

/// By how much a release does not fit under a cap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortfall {
    /// The dataset whose policy it is.
    pub dataset: TableName,
    /// The role whose cap it is; `None` for the cap of everybody.
    pub role: Option<String>,
    /// What the release asks for.
    pub requested: Amount,
    /// What is left.
    pub remaining: Amount,
}

impl Shortfall {
    /// Returns what is missing.
    pub fn difference(&self) -> Amount {
        self.requested.minus(self.remaining)
    }
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = self.role.as_ref().map(|role| format!(" for role `{role}`")).unwrap_or_default();
        let difference = self.difference();
        write!(
            f,
            "the release asks for {}, but the privacy budget of `{}`{of} has {} left",
            shown(self.requested, difference),
            self.dataset,
            shown(self.remaining, difference)
        )?;
        let short = match (difference.epsilon_micro, difference.delta_femto) {
            (_, 0) => format!("epsilon {}", difference.epsilon()),
            (0, _) => format!("delta {}", difference.delta()),
            _ => difference.to_string(),
        };
        write!(f, ": {short} too little; ask for less, or have the cap raised")
    }
}

/// Writes an amount with δ if δ is what is missing, even where it is 0.
fn shown(amount: Amount, difference: Amount) -> String {
    match (amount.delta_femto, difference.delta_femto) {
        (0, 1..) => format!("{amount}, delta 0"),
        _ => amount.to_string(),
    }
}

/// What a release costs, fixed before any row is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChargeCost {
    /// The mechanism, in the field's words.
    pub mechanism: String,
    /// The amount, rounded up.
    pub amount: Amount,
    /// The column by which the mechanism bounds what one unit contributes; `None` if it takes every row for somebody
    /// else's.
    pub unit: Option<String>,
    /// The most rows of one unit that the noise covers.
    pub rows_per_unit: u32,
    /// What its guarantee is about.
    pub adjacency: Adjacency,
    /// False for noise without a proof; the amount is then its honest worst case.
    pub is_sound: bool,
}

impl ChargeCost {
    /// Returns why a policy does not admit it.
    fn fault_under(&self, policy: &BudgetPolicy) -> Option<String> {
        if !self.is_sound && !policy.allow_unsound {
            return Some(format!(
                "{} has no proof of privacy; use a mechanism that has, or have allow_unsound set",
                self.mechanism
            ));
        }
        if self.adjacency != policy.adjacency {
            let (counted, given) = (policy.adjacency.name(), self.adjacency.name());
            return Some(format!("it counts for adjacency {counted}, {} is private for {given}", self.mechanism));
        }
        match &policy.unit {
            Some(unit) if self.unit.is_none() && self.rows_per_unit < policy.rows_per_unit => Some(format!(
                "a unit (`{unit}`) has up to {} rows, {} covers {}; name the unit's column",
                policy.rows_per_unit, self.mechanism, self.rows_per_unit
            )),
            _ => None,
        }
    }
}

/// A charge about to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCharge {
    /// What names this release for ever: a digest of job, step, all that the result depends on but noise, and the
    /// pinned versions. Whoever comes with it again gets the same release.
    pub key: String,
    /// What was asked: as `key`, without job, step and versions.
    pub question: String,
    /// Who asks.
    pub actor: String,
    /// The roles of who asks, direct and through other roles, the own name among them ([`crate::Rights::roles`]).
    pub roles: BTreeSet<String>,
    /// The run it belongs to.
    pub run: Option<RunId>,
    /// The operator.
    pub operator: String,
    /// Its options, as JSON.
    pub parameters: String,
    /// The versions that are read.
    pub inputs: Vec<VersionId>,
    /// What it costs.
    pub cost: ChargeCost,
}

/// Where a charge is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChargeState {
    /// Paid for; nobody has seen a result.
    Reserved,
    /// Its one result is visible.
    Released,
    /// Given up: paid for, never to be seen.
    Burned,
}

impl ChargeState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Reserved, Self::Released, Self::Burned];

    /// Returns the word for it, as stored and as shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Released => "released",
            Self::Burned => "burned",
        }
    }
}

/// The right to release or burn a charge. Whoever comes with it after somebody took over is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChargeLease {
    /// The charge.
    pub charge: ChargeId,
    /// What nobody else knows.
    pub token: String,
}

/// What became of asking for a charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reservation {
    /// Paid for. The holder computes, with fresh noise, and releases.
    Granted {
        /// The right to release.
        lease: ChargeLease,
        /// True if it had been paid for before by somebody who fell silent.
        is_takeover: bool,
    },
    /// The key's release is there; nothing was charged.
    Stored(Box<StoredRelease>),
    /// Somebody else is at it; try again when its lease may be over.
    Held {
        /// The charge.
        charge: ChargeId,
        /// For how long its lease lasts, in milliseconds.
        for_ms: i64,
    },
}

/// A result, about to become visible or as it was.
#[derive(Clone, PartialEq, Eq)]
pub enum ReleasedResult {
    /// The bytes themselves, at most [`MAX_STORED_RESULT`].
    Inline(Vec<u8>),
    /// Where the bytes lie.
    Placed {
        /// The place.
        location: String,
        /// Their SHA-256, 64 hexadecimal digits.
        digest: String,
        /// How many they are.
        n_bytes: u64,
    },
}

impl fmt::Debug for ReleasedResult {
    /// Writes how much there is, not what.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inline(bytes) => write!(f, "Inline({} bytes)", bytes.len()),
            Self::Placed { location, n_bytes, .. } => write!(f, "Placed({location}, {n_bytes} bytes)"),
        }
    }
}

/// A release as it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRelease {
    /// The charge that paid for it.
    pub charge: Charge,
    /// The result.
    pub result: ReleasedResult,
    /// How long ago it was released, in milliseconds.
    pub age_ms: i64,
}

/// A charge. Instants are RFC 3339, UTC, by the database's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// Its number: 1, 2, 3, … without a gap.
    pub id: ChargeId,
    /// What was asked for.
    pub spec: NewCharge,
    /// The datasets whose accounts it is on: those of its inputs and all they were made from, by name.
    pub datasets: Vec<TableName>,
    /// Where it is.
    pub state: ChargeState,
    /// How often somebody took it over.
    pub n_takeovers: i64,
    /// The SHA-256 of the result, once it is released.
    pub result_digest: Option<String>,
    /// The size of the result.
    pub result_bytes: Option<i64>,
    /// Where the result lies, unless it is stored with the charge.
    pub result_location: Option<String>,
    /// The code of the error for which it was burned.
    pub error_code: Option<String>,
    /// When it was paid for.
    pub reserved_at: String,
    /// When it was released or burned.
    pub ended_at: Option<String>,
    /// The digest of the charge before it.
    pub previous_hash: String,
    /// Its digest: of all that is said of it when it is paid for, and of the digest before it.
    pub hash: String,
}

/// Which charges are listed, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChargePage {
    /// Only those on the account of this dataset.
    pub dataset: Option<TableName>,
    /// Only those in this state.
    pub state: Option<ChargeState>,
    /// Only those of this user.
    pub actor: Option<String>,
    /// Only those before this one: the last of the page before.
    pub before: Option<ChargeId>,
    /// At most so many.
    pub limit: i64,
}

impl ChargePage {
    /// Returns the page of the newest charges.
    pub fn newest(limit: i64) -> Self {
        Self { dataset: None, state: None, actor: None, before: None, limit }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(epsilon_micro: u64, delta_femto: u64) -> Amount {
        Amount { epsilon_micro, delta_femto }
    }

    fn cost(amount: Amount) -> ChargeCost {
        ChargeCost {
            mechanism: "discrete Laplace histogram".into(),
            amount,
            unit: None,
            rows_per_unit: 1,
            adjacency: Adjacency::AddRemove,
            is_sound: true,
        }
    }

    fn ledger(policy: BudgetPolicy, spent: Amount) -> Ledger {
        Ledger { policy: Some(policy), spent, ..Ledger::new(TableName::new("clinical", "lung")) }
    }

    fn refusal(ledger: &Ledger, cost: &ChargeCost, roles: &[&str]) -> String {
        let roles = roles.iter().map(|&role| role.to_owned()).collect();
        ledger.admit(cost, &roles).unwrap_err().to_string()
    }

    #[test]
    fn amounts_are_written_as_decimals() {
        for (amount, text) in [
            (amount(100_000, 0), "epsilon 0.1"),
            (amount(1_000_000, 0), "epsilon 1"),
            (amount(0, 0), "epsilon 0"),
            (amount(12_000_001, 1_000_000_000), "epsilon 12.000001, delta 0.000001"),
            (amount(10, 1), "epsilon 0.00001, delta 0.000000000000001"),
        ] {
            assert_eq!(amount.to_string(), text);
        }
    }

    #[test]
    fn ten_tenths_are_one() {
        let spent = (0..10).fold(Amount::default(), |spent, _| spent.plus(Amount::pure(100_000)));
        assert_eq!(spent, Amount::pure(1_000_000));
        assert_eq!(Amount::MAX.plus(Amount::pure(1)), Amount::MAX);
        assert_eq!(Amount::pure(1).minus(Amount::pure(2)), Amount::default());
    }

    #[test]
    fn a_refusal_names_requested_remaining_and_difference() {
        let lung = ledger(BudgetPolicy::new(Amount::pure(1_000_000)), Amount::pure(800_000));
        assert_eq!(
            refusal(&lung, &cost(Amount::pure(300_000)), &[]),
            "the release asks for epsilon 0.3, but the privacy budget of `clinical.lung` has epsilon 0.2 left: \
             epsilon 0.1 too little; ask for less, or have the cap raised"
        );
        assert_eq!(
            refusal(&lung, &cost(amount(100_000, 5)), &[]),
            "the release asks for epsilon 0.1, delta 0.000000000000005, but the privacy budget of `clinical.lung` has \
             epsilon 0.2, delta 0 left: delta 0.000000000000005 too little; ask for less, or have the cap raised"
        );
        assert!(lung.admit(&cost(Amount::pure(200_000)), &BTreeSet::new()).is_ok());
    }

    #[test]
    fn a_role_is_capped_beside_everybody() {
        let role_caps = BTreeMap::from([("analyst".to_owned(), Amount::pure(500_000))]);
        let policy = BudgetPolicy { role_caps, ..BudgetPolicy::new(Amount::pure(1_000_000)) };
        let spent_by_role = BTreeMap::from([("analyst".to_owned(), Amount::pure(400_000))]);
        let lung = Ledger { spent_by_role, ..ledger(policy, Amount::pure(850_000)) };
        let text = refusal(&lung, &cost(Amount::pure(120_000)), &["analyst", "public"]);
        assert!(text.contains("`clinical.lung` for role `analyst` has epsilon 0.1 left"), "{text}");
        let text = refusal(&lung, &cost(Amount::pure(160_000)), &["analyst"]);
        assert!(text.contains("`clinical.lung` has epsilon 0.15 left"), "{text}");
        assert!(lung.admit(&cost(Amount::pure(120_000)), &BTreeSet::from(["steward".to_owned()])).is_ok());
    }

    #[test]
    fn what_a_policy_does_not_admit_is_refused_before_amounts_count() {
        let policy =
            BudgetPolicy { unit: Some("patient".into()), rows_per_unit: 3, ..BudgetPolicy::new(Amount::pure(1)) };
        let lung = ledger(policy, Amount::default());
        let fine = ChargeCost { unit: Some("patient".into()), ..cost(Amount::pure(1)) };
        assert!(lung.admit(&fine, &BTreeSet::new()).is_ok());
        assert!(lung.admit(&ChargeCost { rows_per_unit: 3, ..cost(Amount::pure(1)) }, &BTreeSet::new()).is_ok());
        for (wrong, expected) in [
            (ChargeCost { is_sound: false, ..fine.clone() }, "has no proof of privacy"),
            (ChargeCost { adjacency: Adjacency::Substitute, ..fine.clone() }, "it counts for adjacency add_remove"),
            (cost(Amount::pure(1)), "a unit (`patient`) has up to 3 rows"),
        ] {
            let text = refusal(&lung, &wrong, &[]);
            assert!(text.contains("`clinical.lung`") && text.contains(expected), "{text}");
        }
    }

    #[test]
    fn a_policy_that_makes_no_sense_says_so() {
        let policy = BudgetPolicy::new(Amount::pure(1));
        assert_eq!(policy.fault(), None);
        let roles = |role: &str, cap| BTreeMap::from([(role.to_owned(), cap)]);
        for wrong in [
            BudgetPolicy { rows_per_unit: 0, ..policy.clone() },
            BudgetPolicy { cap: Amount::pure(u64::MAX), ..policy.clone() },
            BudgetPolicy { cap: amount(1, WHOLE_DELTA), ..policy.clone() },
            BudgetPolicy { role_caps: roles("", Amount::pure(1)), ..policy.clone() },
            BudgetPolicy { role_caps: roles("analyst", amount(1, WHOLE_DELTA)), ..policy.clone() },
            BudgetPolicy { cohort_size: Some(0), ..policy.clone() },
            BudgetPolicy { cohort_size: Some(228), ..policy.clone() },
        ] {
            assert!(wrong.fault().is_some(), "{wrong:?}");
        }
        for round in [1, 9, 200, 5_000_000] {
            assert_eq!(BudgetPolicy { cohort_size: Some(round), ..policy.clone() }.fault(), None);
        }
    }

    #[test]
    fn what_lets_more_through_is_looser() {
        let role_caps = BTreeMap::from([("analyst".to_owned(), Amount::pure(5))]);
        let old = BudgetPolicy { role_caps, rows_per_unit: 2, ..BudgetPolicy::new(amount(10, 10)) };
        let with_role = |cap| BTreeMap::from([("analyst".to_owned(), cap)]);
        for looser in [
            BudgetPolicy { cap: amount(11, 1), ..old.clone() },
            BudgetPolicy { cap: amount(1, 11), ..old.clone() },
            BudgetPolicy { role_caps: BTreeMap::new(), ..old.clone() },
            BudgetPolicy { role_caps: with_role(Amount::pure(6)), ..old.clone() },
            BudgetPolicy { allow_unsound: true, ..old.clone() },
            BudgetPolicy { rows_per_unit: 1, ..old.clone() },
            BudgetPolicy { unit: Some("patient".into()), ..old.clone() },
            BudgetPolicy { adjacency: Adjacency::Substitute, ..old.clone() },
        ] {
            assert!(old.is_loosened_by(&looser), "{looser:?}");
        }
        for tighter in [
            BudgetPolicy { cap: amount(10, 10), ..old.clone() },
            BudgetPolicy { cap: amount(0, 0), rows_per_unit: 3, ..old.clone() },
            BudgetPolicy { role_caps: with_role(Amount::pure(4)), cohort_size: Some(200), ..old.clone() },
        ] {
            assert!(!old.is_loosened_by(&tighter), "{tighter:?}");
        }
    }

    #[test]
    fn a_policy_is_read_as_it_was_written() {
        let text = r#"{"cap":{"epsilon_micro":1000000}}"#;
        assert_eq!(serde_json::from_str::<BudgetPolicy>(text).unwrap(), BudgetPolicy::new(Amount::pure(1_000_000)));
        let policy = BudgetPolicy {
            unit: Some("patient".into()),
            adjacency: Adjacency::Substitute,
            rows_per_unit: 4,
            role_caps: BTreeMap::from([("analyst".to_owned(), amount(1, 2))]),
            allow_unsound: true,
            cohort_size: Some(200),
            ..BudgetPolicy::new(amount(3, 4))
        };
        let text = serde_json::to_string(&policy).unwrap();
        assert_eq!(serde_json::from_str::<BudgetPolicy>(&text).unwrap(), policy);
        assert!(serde_json::from_str::<BudgetPolicy>(r#"{"cap":{"epsilon_micro":1},"caps":1}"#).is_err());
    }

    #[test]
    fn a_result_is_not_printed() {
        assert_eq!(format!("{:?}", ReleasedResult::Inline(b"secret".to_vec())), "Inline(6 bytes)");
    }
}
