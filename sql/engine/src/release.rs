//! Releases by privacy mechanisms: paid for before a row is read, seen once.
//!
//! ```text
//! key = digest of operator, options, what it reads, and at which versions
//! reserve ──stored──> the release as it was, at no cost
//!    │granted
//!    ├─ run, with fresh noise; the lease is renewed
//!    └─ release (the result is kept with the charge) ──> shown
//! ```
//!
//! The same question about the same versions is the same release, whoever asks and however often: noise that was drawn
//! anew could be averaged away. Once a release is paid for, what it fails with does not depend on the data.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use causeway_audit::{Action, Event, Object, ObjectKind, Outcome};
use causeway_core::{Literals, Operator, OperatorFactory, PrivacyCost};
use causeway_lake::Lake;
use causeway_model::{
    Adjacency, Amount, Catalog, CatalogError, ChargeCost, ChargeLease, EdgeKind, Ledger, MAX_STORED_RESULT, NewCharge,
    ReleasedResult, Reservation, Rights, RunId, StoredRelease, VersionId,
};
use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::ipc::reader::StreamReader;
use datafusion::arrow::ipc::writer::StreamWriter;
use datafusion::common::Result as DfResult;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::access::denied;
use crate::api::Rows;
use crate::error::{EngineError, ErrorKind, Result};
use crate::lineage::{OriginSource, plan_lineage};
use crate::plan::extension_lineage;

/// How long a worker that fell silent keeps a charge from others.
const LEASE: Duration = Duration::from_secs(10);

/// How often the charge of a mechanism that runs long is renewed.
const RENEWAL: Duration = Duration::from_secs(3);

/// How often somebody else's charge is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// Releases of one question about the same versions that may be given up before no more are begun.
const MAX_BURNED: u32 = 1000;

/// One call of a mechanism, as planned.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    operator: &'static str,
    options: serde_json::Value,
    cost: PrivacyCost,
    /// What is read, in words: the plans of the inputs.
    text: String,
    /// The references of the scans.
    reads: BTreeSet<String>,
    /// The column that names the privacy unit, as the table it comes from has it.
    unit: Option<String>,
}

impl Question {
    /// Describes the call of an operator that is a mechanism; `None` for another.
    pub(crate) fn of(
        factory: &dyn OperatorFactory,
        literals: &Literals,
        operator: &dyn Operator,
        inputs: &[&LogicalPlan],
    ) -> DfResult<Option<Self>> {
        let Some(cost) = operator.privacy_cost() else { return Ok(None) };
        let mut reads = BTreeSet::new();
        for input in inputs {
            input.apply_with_subqueries(|node| {
                if let LogicalPlan::TableScan(scan) = node {
                    reads.insert(scan.table_name.to_string());
                }
                Ok(TreeNodeRecursion::Continue)
            })?;
        }
        let spec = factory.spec();
        let options = literals.clone().or(operator.roles().as_options());
        let options = json!({"version": spec.version, "options": options});
        let text = inputs.iter().map(|input| input.display_indent().to_string()).collect::<Vec<_>>().join("\n");
        let unit = cost.unit.as_ref().map(|unit| {
            let found = inputs.first().and_then(|input| origin(input, unit));
            found.unwrap_or_else(|| format!("{unit} (computed)"))
        });
        Ok(Some(Self { operator: spec.name, options, cost, text, reads, unit }))
    }

    fn digest(&self, more: &str) -> String {
        let told = json!([self.operator, self.options, self.text, more]);
        hex::encode(Sha256::digest(told.to_string().as_bytes()))
    }
}

/// Returns the column of a table that a column of a plan is, if it is one unchanged.
fn origin(plan: &LogicalPlan, column: &str) -> Option<String> {
    let lineage = plan_lineage(plan, &extension_lineage);
    let (_, origins) = lineage.columns.iter().find(|(name, _)| name == column)?;
    let mut origins = origins.iter();
    match (origins.next(), origins.next()) {
        (Some(origin), None) if origin.kind == EdgeKind::Identity => match &origin.source {
            OriginSource::Column { column, .. } => Some(column.clone()),
            OriginSource::Unknown => None,
        },
        _ => None,
    }
}

/// Where the mechanisms of a statement pay.
pub(crate) struct Till {
    catalog: Arc<dyn Catalog>,
    lake: Lake,
    rights: Arc<Rights>,
    run: Option<RunId>,
    versions: Mutex<BTreeMap<String, VersionId>>,
}

impl Till {
    pub(crate) fn new(catalog: Arc<dyn Catalog>, lake: Lake, rights: Arc<Rights>, run: Option<RunId>) -> Self {
        Self { catalog, lake, rights, run, versions: Mutex::default() }
    }

    /// Notes the versions that the scans of a statement read.
    pub(crate) fn pin(&self, versions: impl IntoIterator<Item = (String, VersionId)>) {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner).extend(versions);
    }

    /// Refuses a release that no budget limits.
    pub(crate) async fn require_budget(&self, question: &Question) -> Result<()> {
        let accounts = self.catalog.budgets_of(&self.charge(question, 0).inputs).await?;
        if accounts.iter().any(|account| account.policy.is_some()) {
            return Ok(());
        }
        Err(denied("no privacy budget is set for what this reads")
            .with_hint("ask a steward for CALL set_privacy_budget('schema.table', epsilon => …)"))
    }

    /// Returns the release of a question; `run` computes it if it is not there yet, `again` hears of one that is.
    pub(crate) async fn release<F>(
        &self,
        question: &Question,
        schema: &SchemaRef,
        run: impl FnOnce() -> F,
        again: impl FnOnce(&StoredRelease),
    ) -> Result<Vec<RecordBatch>>
    where
        F: Future<Output = DfResult<Vec<RecordBatch>>>,
    {
        let lease = match self.reserve(question).await? {
            Reserved::Granted(lease) => lease,
            Reserved::Stored(stored) => {
                again(&stored);
                return self.stored(&stored.result, schema).await;
            }
        };
        let batches = match self.renewing(&lease, run()).await {
            Ok(batches) => batches,
            Err(error) => return Err(self.given_up(&lease, error).await),
        };
        let result = match self.keep(&batches, schema).await {
            Ok(result) => result,
            Err(error) => return Err(self.given_up(&lease, error).await),
        };
        causeway_failpoints::at("release");
        self.catalog.release_charge(&lease, &result).await?;
        causeway_failpoints::at("released");
        Ok(batches)
    }

    /// Pays, or finds what was paid for. A key whose release was given up stays so; the next one is charged anew.
    async fn reserve(&self, question: &Question) -> Result<Reserved> {
        for number in 0..MAX_BURNED {
            let charge = self.charge(question, number);
            causeway_failpoints::at("reserve");
            loop {
                match self.catalog.reserve_charge(&charge, milliseconds(LEASE)).await {
                    Ok(Reservation::Granted { lease, .. }) => {
                        causeway_failpoints::at("reserved");
                        return Ok(Reserved::Granted(lease));
                    }
                    Ok(Reservation::Stored(stored)) => return Ok(Reserved::Stored(stored)),
                    Ok(Reservation::Held { .. }) => tokio::time::sleep(LOOK).await,
                    Err(CatalogError::ChargeBurned { .. }) => break,
                    Err(error) => return Err(self.turned_away(question, error).await),
                }
            }
        }
        Err(EngineError::new(ErrorKind::Data, "this release has failed too often; ask another question"))
    }

    /// Records that a release was refused for want of budget, or because the policy does not admit it.
    async fn turned_away(&self, question: &Question, error: CatalogError) -> EngineError {
        if matches!(error, CatalogError::BudgetExceeded(_) | CatalogError::BudgetTerms { .. }) {
            let event = Event::new(&self.rights.user, Action::RefusedAttempt, Outcome::refused(error.code()))
                .object(Object::new(ObjectKind::Operator, question.operator))
                .fact("question", question.digest(""));
            if let Err(failure) = self.catalog.record(event).await {
                tracing::error!(code = failure.code(), "a refused release is not in the audit log");
            }
        }
        error.into()
    }

    fn charge(&self, question: &Question, number: u32) -> NewCharge {
        let versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        let inputs: Vec<VersionId> = question.reads.iter().filter_map(|read| versions.get(read).copied()).collect();
        // What is no version of a table may be another thing next time.
        let is_pinned = question.reads.iter().all(|read| versions.contains_key(read));
        let moment = if is_pinned { String::new() } else { uuid::Uuid::now_v7().to_string() };
        let cost = &question.cost;
        NewCharge {
            key: question
                .digest(&json!([inputs.iter().map(|input| input.0).collect::<Vec<_>>(), number, moment]).to_string()),
            question: question.digest(""),
            actor: self.rights.user.clone(),
            roles: self.rights.roles.clone(),
            run: self.run.clone(),
            operator: question.operator.to_owned(),
            parameters: question.options["options"].to_string(),
            inputs,
            cost: ChargeCost {
                mechanism: cost.mechanism.to_owned(),
                amount: amount_of(cost),
                unit: question.unit.clone(),
                rows_per_unit: cost.rows_per_unit,
                adjacency: match cost.adjacency {
                    causeway_core::Adjacency::AddRemove => Adjacency::AddRemove,
                    causeway_core::Adjacency::Substitute => Adjacency::Substitute,
                },
                is_sound: cost.is_sound,
            },
        }
    }

    /// Makes a result ready to be stored with its charge; a large one lies in the lake from now on, where nobody
    /// finds it before the charge says so.
    async fn keep(&self, batches: &[RecordBatch], schema: &SchemaRef) -> Result<ReleasedResult> {
        let bytes = encode(batches, schema)?;
        if bytes.len() <= MAX_STORED_RESULT {
            return Ok(ReleasedResult::Inline(bytes));
        }
        let (digest, n_bytes) = (hex::encode(Sha256::digest(&bytes)), bytes.len() as u64);
        Ok(ReleasedResult::Placed { location: self.lake.keep(bytes).await?, digest, n_bytes })
    }

    /// Reads a result as it was stored.
    async fn stored(&self, result: &ReleasedResult, schema: &SchemaRef) -> Result<Vec<RecordBatch>> {
        match result {
            ReleasedResult::Inline(bytes) => decode(bytes, schema),
            ReleasedResult::Placed { location, digest, .. } => {
                let bytes = self.lake.kept(location).await?;
                if hex::encode(Sha256::digest(&bytes)) == *digest { decode(&bytes, schema) } else { Err(unreadable()) }
            }
        }
    }

    /// Runs a mechanism while holding its charge.
    async fn renewing<T>(&self, lease: &ChargeLease, work: impl Future<Output = DfResult<T>>) -> Result<T> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done.map_err(EngineError::from),
                () = tokio::time::sleep(RENEWAL) => self.catalog.renew_charge(lease, milliseconds(LEASE)).await?,
            }
        }
    }

    /// Gives a charge up after an error that would come again; another attempt takes up one that may not.
    async fn given_up(&self, lease: &ChargeLease, error: EngineError) -> EngineError {
        if matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::Timeout) || error.retryable() {
            return error;
        }
        if let Err(problem) = self.catalog.burn_charge(lease, error.code()).await {
            return problem.into();
        }
        EngineError::new(ErrorKind::Data, "the release failed after it was paid for; its budget is spent")
            .with_hint("an auditor finds the charge and its code in system.privacy_charges")
    }
}

/// Returns what a release costs.
pub(crate) fn amount_of(cost: &PrivacyCost) -> Amount {
    Amount { epsilon_micro: cost.epsilon_micro, delta_femto: cost.delta_femto }
}

enum Reserved {
    Granted(ChargeLease),
    Stored(Box<StoredRelease>),
}

/// Tells a plan in words, and the accounts that its releases are on.
pub(crate) fn explained(plan: &LogicalPlan, accounts: &[Ledger]) -> Result<Rows> {
    let mut lines = vec![("logical_plan", plan.display_indent().to_string())];
    for account in accounts {
        let left = match account.remaining() {
            Some(left) => format!("{} has {left} left", account.dataset),
            None => format!("{} has no budget; what is spent is recorded", account.dataset),
        };
        lines.push(("privacy_budget", left));
    }
    let column = |values: Vec<&str>| -> ArrayRef { Arc::new(StringArray::from(values)) };
    let batch = RecordBatch::try_from_iter([
        ("plan_type", column(lines.iter().map(|line| line.0).collect())),
        ("plan", column(lines.iter().map(|line| line.1.as_str()).collect())),
    ])
    .map_err(|_| EngineError::new(ErrorKind::Internal, "a plan cannot be shown"))?;
    Ok(Rows::of(batch))
}

fn encode(batches: &[RecordBatch], schema: &SchemaRef) -> Result<Vec<u8>> {
    let mut writer = StreamWriter::try_new(Vec::new(), schema).map_err(|_| unreadable())?;
    for batch in batches {
        writer.write(batch).map_err(|_| unreadable())?;
    }
    writer.into_inner().map_err(|_| unreadable())
}

fn decode(bytes: &[u8], schema: &SchemaRef) -> Result<Vec<RecordBatch>> {
    let reader = StreamReader::try_new(bytes, None).map_err(|_| unreadable())?;
    let batches = reader.collect::<std::result::Result<Vec<_>, _>>().map_err(|_| unreadable())?;
    let fits = batches.iter().all(|batch| batch.schema().fields() == schema.fields());
    if fits { Ok(batches) } else { Err(unreadable()) }
}

fn unreadable() -> EngineError {
    EngineError::new(ErrorKind::Internal, "a stored release cannot be read")
}

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
