//! What an event is made of: the catalog's records, put together.

use causeway_model::{Dataset, DatasetVersion, LineageEdge, Run, Step, VersionId};

/// A version of a dataset, with its dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetRecord {
    /// The dataset.
    pub dataset: Dataset,
    /// The version.
    pub version: DatasetVersion,
}

/// The time a run was meant for, which is not the time it ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NominalTime {
    /// The slot of the schedule (RFC 3339).
    pub start: String,
    /// The next slot, if known.
    pub end: Option<String>,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRecord {
    /// The run.
    pub run: Run,
    /// The time it was meant for, if a schedule started it.
    pub nominal_time: Option<NominalTime>,
}

/// A step of a run, with all that it read and wrote.
#[derive(Debug, Clone, PartialEq)]
pub struct StepRecord {
    /// Its run.
    pub run: RunRecord,
    /// The step; its state is not looked at, the transition says it.
    pub step: Step,
    /// The pinned inputs.
    pub inputs: Vec<DatasetRecord>,
    /// The versions it wrote.
    pub outputs: Vec<DatasetRecord>,
    /// Versions that edges come from and that are no inputs: the one before, of an appended table.
    pub origins: Vec<DatasetRecord>,
    /// Column lineage; [`LineageEdge::output`] counts in `outputs`.
    pub edges: Vec<LineageEdge>,
    /// For a check: true if a failure stops what follows, false if it only warns.
    pub blocking: Option<bool>,
}

impl StepRecord {
    /// Returns the version of that id among all that the record knows.
    pub(crate) fn version(&self, id: VersionId) -> Option<&DatasetRecord> {
        self.inputs.iter().chain(&self.origins).chain(&self.outputs).find(|record| record.version.id == id)
    }
}
