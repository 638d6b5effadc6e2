//! The audit log as a catalog keeps it: what a store does for it, how a whole log is checked, and how
//! a record is proved.
//!
//! The log itself, what a record is and how it is hashed and signed, is in [`causeway_audit`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use async_trait::async_trait;
use causeway_audit::{
    AuditError, Digest, Event, Export, Finding, Frontier, InclusionProof, KeyChain, LogId, Node, NodeId, Place, Plan,
    Problem, PublicKey, Record, SignedHead, StoredRecord, Summary, Timestamp, Tree, Verifier, leaf_hash,
};

use crate::{CatalogError, Result};

/// Records that are read at once.
const BATCH: i64 = 2_000;

/// Where the log stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditState {
    /// Its name.
    pub log: LogId,
    /// Its first key, as the catalog says; what is trusted lies outside the catalog.
    pub first_key: PublicKey,
    /// The right edge of the tree: its size and root.
    pub frontier: Frontier,
    /// The database's time.
    pub now: Timestamp,
}

/// A record as it is stored, damaged or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// Its number.
    pub sequence: i64,
    /// Its canonical text.
    pub content: Vec<u8>,
    /// Its leaf hash.
    pub leaf_hash: Vec<u8>,
}

/// The table and key of a row of the catalog that records cover.
pub type CoveredKey = (String, String);

/// All that records may cover, as it is now, in one state of the catalog.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CoveredRows {
    /// The number of the last record in that state; `None` if there is none.
    pub last: Option<i64>,
    /// The digests.
    pub digests: BTreeMap<CoveredKey, Digest>,
    /// Those that a record must cover, since they came after the log started.
    pub required: BTreeSet<CoveredKey>,
    /// What is wrong with the ledger of privacy budgets, recomputed from its charges.
    pub ledger: Option<Problem>,
}

/// What a store does for its audit log.
///
/// Runs of pipelines, steps that end and changes of rights become records in the transaction that
/// changes the catalog. Until the log has started nothing becomes a record.
#[async_trait]
pub trait AuditLog: Send + Sync + Debug {
    /// Starts the log. Fails with [`CatalogError::AlreadyExists`] if it has started.
    async fn start_audit(&self, actor: &str, log: &LogId, key: &PublicKey) -> Result<()>;

    /// Returns where the log stands; `None` if it has not started.
    async fn audit_state(&self) -> Result<Option<AuditState>>;

    /// Adds a record and returns its number; `None`, and nothing added, if the log has not started.
    async fn record(&self, event: Event) -> Result<Option<u64>>;

    /// Lists records from a number on, at most `limit`.
    async fn audit_records(&self, from: i64, limit: i64) -> Result<Vec<AuditRecord>>;

    /// Returns those of these nodes of the tree that are stored.
    async fn audit_nodes(&self, ids: &[NodeId]) -> Result<Vec<Node>>;

    /// Digests all that records may cover.
    async fn covered_rows(&self) -> Result<CoveredRows>;
}

/// A log cannot be checked, or is not as it was recorded and signed.
#[derive(Debug, thiserror::Error)]
pub enum AuditFailure {
    /// The catalog does not answer.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The log is not as it was.
    #[error(transparent)]
    Audit(#[from] AuditError),
}

impl From<Finding> for AuditFailure {
    fn from(finding: Finding) -> Self {
        Self::Audit(finding.into())
    }
}

/// Checks the whole log of a catalog: every leaf from its stored content, the exported heads, and
/// every row of the catalog that a record covers, and that what is spent of privacy budgets is the sum of
/// the charges. `progress` is told the number of records checked and
/// of all.
///
/// # Errors
/// The first bad record; or what kept it from being checked.
pub async fn verify(
    log: &dyn AuditLog,
    first_key: PublicKey,
    export: Export,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<Summary, AuditFailure> {
    let rows = log.covered_rows().await?;
    let mut verifier = Verifier::new(first_key, export);
    check_records(log, &mut verifier, rows.last, progress).await?;
    let covered: BTreeSet<CoveredKey> =
        verifier.covered().map(|row| (row.table.to_owned(), row.key.to_owned())).collect();
    let present = |table: &str, key: &str| rows.digests.get(&(table.to_owned(), key.to_owned())).copied();
    let summary = verifier.finish(present)?;
    if let Some((table, key)) = rows.required.difference(&covered).next().cloned() {
        return Err(Finding { place: Place::Catalog, problem: Problem::RowUnrecorded { table, key } }.into());
    }
    if let Some(problem) = rows.ledger {
        return Err(Finding { place: Place::Catalog, problem }.into());
    }
    check_state(log, &summary, first_key).await?;
    Ok(summary)
}

async fn check_records(
    log: &dyn AuditLog,
    verifier: &mut Verifier,
    last: Option<i64>,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<(), AuditFailure> {
    let Some(last) = last else { return Ok(()) };
    let mut n_checked = 0;
    read_records(log, i64::MIN, |AuditRecord { sequence, content, leaf_hash }| {
        if sequence > last {
            return Ok(false);
        }
        // No record has a number below 0: it stands out as one that is out of order.
        let sequence = u64::try_from(sequence).unwrap_or(u64::MAX);
        verifier.record(&StoredRecord { sequence, content: &content, leaf_hash: &leaf_hash })?;
        n_checked += 1;
        progress(n_checked, u64::try_from(last).unwrap_or(0) + 1);
        Ok(true)
    })
    .await
}

/// Reads records in order from a number on, a batch at a time, until `take` returns false or fails.
///
/// # Errors
/// The error of `take`, or that of the catalog.
pub async fn read_records<E: From<CatalogError>>(
    log: &dyn AuditLog,
    mut from: i64,
    mut take: impl FnMut(AuditRecord) -> Result<bool, E> + Send,
) -> Result<(), E> {
    loop {
        let batch = log.audit_records(from, BATCH).await?;
        let Some(last) = batch.last() else { return Ok(()) };
        from = last.sequence.saturating_add(1);
        for record in batch {
            if !take(record)? {
                return Ok(());
            }
        }
    }
}

/// Compares the stored state of the tree, on which the next record is put, unless it moved on since.
async fn check_state(log: &dyn AuditLog, summary: &Summary, first_key: PublicKey) -> Result<(), AuditFailure> {
    let differs = || Finding { place: Place::Catalog, problem: Problem::StateDiffers };
    let state = match log.audit_state().await {
        Err(CatalogError::Damaged(_)) | Ok(None) => return Err(differs().into()),
        state => state?.ok_or_else(differs)?,
    };
    let size = state.frontier.size();
    let is_same = size > summary.n_records || (size == summary.n_records && state.frontier.root() == summary.root);
    if is_same && state.log == summary.log && state.first_key == first_key { Ok(()) } else { Err(differs().into()) }
}

/// Proves that a record is in the log that a signed head speaks of.
///
/// # Errors
/// [`AuditError::Range`] if the head is older than the record, [`AuditError::Proof`] if what is stored
/// does not give the head's root.
pub async fn prove(
    log: &dyn AuditLog,
    index: u64,
    head: SignedHead,
    keys: KeyChain,
) -> Result<InclusionProof, AuditFailure> {
    let plan = Plan::inclusion(index, head.size())?;
    let wanted: Vec<NodeId> = plan.nodes().collect();
    let nodes: BTreeMap<NodeId, Digest> =
        log.audit_nodes(&wanted).await?.into_iter().map(|node| (node.id, node.hash)).collect();
    let record = stored_record(log, index).await?;
    let quick = plan
        .resolve(|id| nodes.get(&id).copied())
        .and_then(|path| InclusionProof::new(record.clone(), path, head.clone(), keys.clone()));
    if let Ok(proof) = quick {
        return Ok(proof);
    }
    // The stored nodes do not give the head's root: the records may.
    let tree = Tree::from_leaves(leaves(log, head.size()).await?);
    let path = plan.resolve(|id| tree.node(id))?;
    Ok(InclusionProof::new(record, path, head, keys)?)
}

/// Recomputes the leaf hashes of the first records.
async fn leaves(log: &dyn AuditLog, size: u64) -> Result<Vec<Digest>, AuditFailure> {
    let mut leaves = Vec::new();
    read_records::<AuditFailure>(log, 0, |record| {
        leaves.push(leaf_hash(&record.content));
        Ok((leaves.len() as u64) < size)
    })
    .await?;
    Ok(leaves)
}

async fn stored_record(log: &dyn AuditLog, index: u64) -> Result<Record, AuditFailure> {
    let sequence = i64::try_from(index).map_err(|_| AuditError::Range(format!("there is no record {index}")))?;
    let stored = log.audit_records(sequence, 1).await?.into_iter().find(|record| record.sequence == sequence);
    let stored = stored.ok_or_else(|| AuditError::Range(format!("record {index} is not stored")))?;
    Ok(Record::decode(&stored.content)?)
}
