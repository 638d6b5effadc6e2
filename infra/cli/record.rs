//! Everything recorded, read once and found by id.

use std::collections::HashMap;

use causeway_model::{Catalog, Dataset, DatasetId, DatasetVersion, Run, RunId, Step, StepId, StepState, VersionId};

use crate::errors::Failure;

/// Everything recorded.
pub(crate) struct Record {
    pub(crate) datasets: HashMap<DatasetId, Dataset>,
    pub(crate) versions: HashMap<VersionId, DatasetVersion>,
    /// In the order of their runs.
    pub(crate) steps: Vec<Step>,
    /// Newest first.
    pub(crate) runs: Vec<Run>,
    steps_by_id: HashMap<StepId, usize>,
    runs_by_id: HashMap<RunId, usize>,
}

impl Record {
    /// Reads the catalog.
    pub(crate) async fn read(catalog: &dyn Catalog) -> Result<Self, Failure> {
        let steps = catalog.steps(None).await?;
        let runs = catalog.runs(i64::MAX).await?;
        Ok(Self {
            datasets: catalog.datasets(true).await?.into_iter().map(|dataset| (dataset.id, dataset)).collect(),
            versions: catalog.versions(None).await?.into_iter().map(|version| (version.id, version)).collect(),
            steps_by_id: steps.iter().enumerate().map(|(index, step)| (step.id, index)).collect(),
            runs_by_id: runs.iter().enumerate().map(|(index, run)| (run.id.clone(), index)).collect(),
            steps,
            runs,
        })
    }

    /// Returns a version with its dataset.
    pub(crate) fn version(&self, id: VersionId) -> Option<(&Dataset, &DatasetVersion)> {
        let version = self.versions.get(&id)?;
        Some((self.datasets.get(&version.dataset)?, version))
    }

    /// Returns the step that made a version; none made a file.
    pub(crate) fn maker(&self, version: VersionId) -> Option<&Step> {
        self.step(self.versions.get(&version)?.step?)
    }

    /// Returns the steps that read a version and made something of it.
    pub(crate) fn readers(&self, version: VersionId) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(move |step| step.inputs.contains(&version) && !step.outputs.is_empty())
    }

    /// Returns a step by its id.
    pub(crate) fn step(&self, id: StepId) -> Option<&Step> {
        self.steps_by_id.get(&id).map(|index| &self.steps[*index])
    }

    /// Returns a run by its id.
    pub(crate) fn run(&self, id: &RunId) -> Option<&Run> {
        self.runs_by_id.get(id).map(|index| &self.runs[*index])
    }

    /// Returns the steps of a run in order.
    pub(crate) fn steps_of<'a>(&'a self, run: &'a RunId) -> impl Iterator<Item = &'a Step> {
        self.steps.iter().filter(move |step| step.run == *run)
    }

    /// Returns the step that made what a step was up to date with; of any other the step itself.
    pub(crate) fn making<'a>(&'a self, step: &'a Step) -> &'a Step {
        if step.state != StepState::UpToDate {
            return step;
        }
        let pipeline = |step: &Step| self.run(&step.run).and_then(|run| run.pipeline.as_ref());
        let is_it = |made: &&Step| {
            made.state == StepState::Succeeded
                && made.name == step.name
                && made.fingerprint == step.fingerprint
                && pipeline(made) == pipeline(step)
        };
        self.steps.iter().filter(|made| made.id < step.id).rfind(is_it).unwrap_or(step)
    }

    /// Names a version: `schema.table@3`, or the path of a file.
    pub(crate) fn name(&self, id: VersionId) -> String {
        self.version(id)
            .map_or_else(|| "unknown".to_owned(), |(dataset, version)| format!("{}@{}", dataset.name, version.version))
    }
}
