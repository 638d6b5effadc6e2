//! What one record of the log says, and its canonical text.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::canonical::{self, Malformed};
use crate::digest::Digest;
use crate::error::{AuditError, Result};
use crate::time::Timestamp;

/// The version of the record's form.
const FORMAT: u32 = 1;

/// The longest value of a fact, in bytes: room for a signature, not for a row.
const LONGEST_FACT: usize = 256;

/// What was done or tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Action {
    /// The log was started; the first record, and only that.
    LogStart,
    /// Rows were read.
    Query,
    /// A procedure was called.
    Call,
    /// A table's rows or a definition changed: INSERT, UPDATE, DELETE, MERGE, COPY, CREATE, DROP.
    Change,
    /// Rows left the lake.
    Export,
    /// A run of a pipeline started or ended.
    Run,
    /// A job was submitted, cancelled, queued again, or ended.
    Job,
    /// A schedule was added, changed, paused, resumed or dropped, or a backfill of it started or stopped.
    Schedule,
    /// A privilege was given or taken.
    Grant,
    /// A user or role was created, changed or dropped.
    User,
    /// A dataset's policy changed.
    Policy,
    /// Privacy budget was set, reserved, charged or released.
    BudgetCharge,
    /// An erasure request made a step.
    ErasureAction,
    /// A certificate was issued.
    Certificate,
    /// A model version was promoted or retired.
    ModelPromotion,
    /// Something was tried and refused.
    RefusedAttempt,
    /// The signing key was replaced.
    KeyRotation,
    /// Records of the catalog were archived or removed by their retention.
    Retention,
}

/// What kind of thing an [`Object`] names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ObjectKind {
    /// A statement, by its digest.
    Statement,
    /// A schema.
    Schema,
    /// A table.
    Table,
    /// A view.
    View,
    /// A file outside the lake.
    File,
    /// A column.
    Column,
    /// An operator.
    Operator,
    /// A procedure.
    Procedure,
    /// A pipeline.
    Pipeline,
    /// A job.
    Job,
    /// A schedule.
    Schedule,
    /// A model.
    Model,
    /// A user.
    User,
    /// A role.
    Role,
    /// A signing key, by its id.
    Key,
    /// A policy.
    Policy,
    /// A privacy budget.
    Budget,
    /// An erasure request.
    Request,
    /// A certificate.
    Certificate,
}

/// A thing that was touched: by name, and where they exist by id, version and digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Object {
    /// The digest of its content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Its id in the catalog, 0 or above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// What it is.
    pub kind: ObjectKind,
    /// Its name.
    pub name: String,
    /// Its version, 0 or above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
}

impl Object {
    /// Names a thing.
    pub fn new(kind: ObjectKind, name: impl Into<String>) -> Self {
        Self { digest: None, id: None, kind, name: name.into(), version: None }
    }

    /// Adds its id.
    #[must_use]
    pub fn id(mut self, id: i64) -> Self {
        self.id = Some(id);
        self
    }

    /// Adds its version.
    #[must_use]
    pub fn version(mut self, version: i64) -> Self {
        self.version = Some(version);
        self
    }

    /// Adds the digest of its content.
    #[must_use]
    pub fn digest(mut self, digest: Digest) -> Self {
        self.digest = Some(digest);
        self
    }
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeState {
    /// It was admitted and not ended yet; a later record says how it ended.
    Started,
    /// It was done.
    Succeeded,
    /// It was admitted and failed.
    Failed,
    /// It was not admitted.
    Refused,
}

/// How it ended, with the code of the error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// The error's code, `CW0107`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The state.
    pub state: OutcomeState,
}

impl Outcome {
    /// It was admitted.
    pub fn started() -> Self {
        Self { code: None, state: OutcomeState::Started }
    }

    /// It was done.
    pub fn succeeded() -> Self {
        Self { code: None, state: OutcomeState::Succeeded }
    }

    /// It failed with an error of this code.
    pub fn failed(code: impl Into<String>) -> Self {
        Self { code: Some(code.into()), state: OutcomeState::Failed }
    }

    /// It was refused with an error of this code.
    pub fn refused(code: impl Into<String>) -> Self {
        Self { code: Some(code.into()), state: OutcomeState::Refused }
    }
}

/// What it belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// The sequence number of the record it goes on from: the admission of what now ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<u64>,
    /// The run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The session or connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The step, 0 or above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<i64>,
}

/// A row of the catalog as this record leaves it. A later record that covers the same row replaces
/// this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoveredRow {
    /// The digest of its content before, where it was looked at: it must be the one that the record before
    /// left, or the row was touched in between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Digest>,
    /// The digest of its content ([`crate::RowDigest`]); none if the row is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Its key as text. Errors print it: no personal data.
    pub key: String,
    /// The catalog's table.
    pub table: String,
}

/// What happened, before it has a place in the log. Names, ids, versions, digests and amounts, never
/// a value of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Who did it.
    pub actor: String,
    /// What was done.
    pub action: Action,
    /// How it ended.
    pub outcome: Outcome,
    /// What was touched, in the caller's order.
    pub objects: Vec<Object>,
    /// Amounts, privileges, reasons: names of letters, digits and `_`, values of at most 256 bytes.
    pub facts: BTreeMap<String, String>,
    /// What it belongs to.
    pub context: Context,
    /// The rows of the catalog that it wrote.
    pub covers: Vec<CoveredRow>,
}

impl Event {
    /// Starts with who did what and how it ended.
    pub fn new(actor: impl Into<String>, action: Action, outcome: Outcome) -> Self {
        Self {
            actor: actor.into(),
            action,
            outcome,
            objects: Vec::new(),
            facts: BTreeMap::new(),
            context: Context::default(),
            covers: Vec::new(),
        }
    }

    /// Adds a thing that was touched.
    #[must_use]
    pub fn object(mut self, object: Object) -> Self {
        self.objects.push(object);
        self
    }

    /// Adds a fact; a second one of the same name replaces the first.
    #[must_use]
    pub fn fact(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.facts.insert(name.into(), value.into());
        self
    }

    /// Adds a row of the catalog that was written, with the digest of its new content.
    #[must_use]
    pub fn covers(mut self, table: impl Into<String>, key: impl Into<String>, digest: Digest) -> Self {
        self.covers.push(CoveredRow { before: None, digest: Some(digest), key: key.into(), table: table.into() });
        self
    }

    /// Says what the rows covered so far held before, by table and key.
    #[must_use]
    pub fn found(mut self, before: impl Fn(&str, &str) -> Option<Digest>) -> Self {
        for row in &mut self.covers {
            row.before = before(&row.table, &row.key);
        }
        self
    }

    /// Adds a row of the catalog that was removed.
    #[must_use]
    pub fn removes(mut self, table: impl Into<String>, key: impl Into<String>) -> Self {
        self.covers.push(CoveredRow { before: None, digest: None, key: key.into(), table: table.into() });
        self
    }

    /// Says what it belongs to.
    #[must_use]
    pub fn context(mut self, context: Context) -> Self {
        self.context = context;
        self
    }
}

/// One record: an event with its place and time. Fields stand in the order of the canonical text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    action: Action,
    actor: String,
    context: Context,
    covers: Vec<CoveredRow>,
    facts: BTreeMap<String, String>,
    format: u32,
    objects: Vec<Object>,
    outcome: Outcome,
    sequence: u64,
    time: Timestamp,
}

impl Record {
    /// Gives an event its place and time.
    ///
    /// # Errors
    /// [`AuditError::Record`] if a number has no exact text or a fact is not of its form.
    pub fn new(sequence: u64, time: Timestamp, event: Event) -> Result<Self> {
        let Event { actor, action, outcome, objects, facts, context, covers } = event;
        let record = Self { action, actor, context, covers, facts, format: FORMAT, objects, outcome, sequence, time };
        match record.fault() {
            Some(fault) => Err(AuditError::Record(fault)),
            None => Ok(record),
        }
    }

    /// Returns the canonical text, which is what the leaf hash is taken of.
    ///
    /// # Errors
    /// None that a caller can cause.
    pub fn encode(&self) -> Result<String> {
        canonical::encode(self)
    }

    /// Reads a canonical text.
    ///
    /// # Errors
    /// [`AuditError::Content`] if it is not the canonical text of a record of this version.
    pub fn decode(content: &[u8]) -> Result<Self> {
        let record: Self = canonical::decode(content).map_err(|malformed| refuse(content, malformed))?;
        match record.fault() {
            Some(fault) => Err(AuditError::Content(fault.to_owned())),
            None => Ok(record),
        }
    }

    /// Returns its place in the log, from 0.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Returns when it was recorded.
    pub fn time(&self) -> &Timestamp {
        &self.time
    }

    /// Returns who did it.
    pub fn actor(&self) -> &str {
        &self.actor
    }

    /// Returns what was done.
    pub fn action(&self) -> Action {
        self.action
    }

    /// Returns how it ended.
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// Returns what was touched.
    pub fn objects(&self) -> &[Object] {
        &self.objects
    }

    /// Returns the facts by name.
    pub fn facts(&self) -> &BTreeMap<String, String> {
        &self.facts
    }

    /// Returns what it belongs to.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Returns the rows of the catalog that it covers.
    pub fn covers(&self) -> &[CoveredRow] {
        &self.covers
    }

    /// Gives up the rows of the catalog that it covers.
    pub(crate) fn into_covers(self) -> Vec<CoveredRow> {
        self.covers
    }

    /// Returns what is wrong with it.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        let ids = self.objects.iter().flat_map(|object| [object.id, object.version]).chain([self.context.step]);
        let numbers = self.context.previous.into_iter().chain([self.sequence]);
        if !numbers.into_iter().all(canonical::is_exact) || !ids.flatten().all(canonical::is_exact_id) {
            return Some("a number must be 0 or above and below 2^53");
        }
        if self.format != FORMAT {
            return Some("its format is not known");
        }
        if !self.facts.keys().all(|name| is_fact_name(name)) {
            return Some("a fact's name must be lower-case letters, digits and `_`");
        }
        if self.facts.values().any(|value| value.len() > LONGEST_FACT) {
            return Some("a fact's value must be at most 256 bytes");
        }
        None
    }
}

fn is_fact_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

/// Says why a content is refused: a newer format is not damage.
fn refuse(content: &[u8], malformed: Malformed) -> AuditError {
    #[derive(Deserialize)]
    struct Versioned {
        format: u32,
    }
    match serde_json::from_slice(content) {
        Ok(Versioned { format }) if format > FORMAT => {
            AuditError::Content(format!("its format is {format}, this binary knows {FORMAT}; use a newer causeway"))
        }
        _ => AuditError::Content(malformed.to_string()),
    }
}
