//! What is recorded about a run, about what a version came from, or about everything; found by id.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use causeway_model::{
    Catalog, Dataset, DatasetId, DatasetVersion, Direction, OperatorUse, Run, RunId, Step, StepId, StepState, VersionId,
};

use crate::errors::Failure;

/// A part of the record.
#[derive(Default)]
pub(crate) struct Record {
    datasets: HashMap<DatasetId, Dataset>,
    versions: HashMap<VersionId, DatasetVersion>,
    steps: BTreeMap<StepId, Step>,
    runs: HashMap<RunId, Run>,
    /// The steps that made what others were up to date with.
    makings: HashMap<StepId, StepId>,
    operators: HashMap<StepId, Vec<OperatorUse>>,
    /// The versions whose rows a step kept and added to.
    kept: HashMap<StepId, Vec<VersionId>>,
}

impl Record {
    /// Reads what lies around a version: all that it came from, or, since the record has no way from a
    /// version to its readers, everything.
    pub(crate) async fn around(
        catalog: &dyn Catalog,
        version: &DatasetVersion,
        direction: Direction,
        depth: Option<i64>,
    ) -> Result<Self, Failure> {
        let mut record = Self::default();
        match direction {
            Direction::Upstream => record.add_upstream(catalog, version.id, depth).await?,
            Direction::Downstream => record.add_all(catalog).await?,
        }
        Ok(record)
    }

    async fn add_all(&mut self, catalog: &dyn Catalog) -> Result<(), Failure> {
        self.steps.extend(catalog.steps(None).await?.into_iter().map(|step| (step.id, step)));
        for (step, used) in catalog.all_operators().await? {
            self.operators.entry(step).or_default().push(used);
        }
        self.runs.extend(catalog.runs(i64::MAX).await?.into_iter().map(|run| (run.id.clone(), run)));
        self.datasets.extend(catalog.datasets(true).await?.into_iter().map(|dataset| (dataset.id, dataset)));
        self.versions.extend(catalog.versions(None).await?.into_iter().map(|version| (version.id, version)));
        Ok(())
    }

    /// Reads the steps that a version came from, at most `depth` of them in a row.
    pub(crate) async fn add_upstream(
        &mut self,
        catalog: &dyn Catalog,
        version: VersionId,
        depth: Option<i64>,
    ) -> Result<(), Failure> {
        let mut waiting = BTreeSet::from([version]);
        let mut distance = 0;
        while !waiting.is_empty() {
            let mut next = BTreeSet::new();
            for id in std::mem::take(&mut waiting) {
                self.add_version(catalog, id).await?;
                let step = self.versions.get(&id).and_then(|version| version.step);
                let is_near = depth.is_none_or(|depth| distance <= depth);
                if let Some(step) = step.filter(|step| is_near && !self.steps.contains_key(step)) {
                    let step = self.add_step(catalog, step).await?;
                    next.extend(step.inputs.iter().copied());
                }
            }
            distance += 1;
            waiting = next;
        }
        Ok(())
    }

    /// Reads a run with its steps, what they read and made, and who made what they read.
    pub(crate) async fn add_run(&mut self, catalog: &dyn Catalog, run: &Run) -> Result<(), Failure> {
        self.runs.insert(run.id.clone(), run.clone());
        for step in catalog.steps(Some(&run.id)).await? {
            let making = making(catalog, run, &step).await?;
            self.add_step(catalog, step.id).await?;
            if let Some(making) = making {
                self.makings.insert(step.id, making);
                self.add_step(catalog, making).await?;
            }
        }
        for id in self.steps.values().flat_map(|step| step.inputs.clone()).collect::<BTreeSet<_>>() {
            let maker = self.versions.get(&id).and_then(|version| version.step);
            if let Some(maker) = maker.filter(|maker| !self.steps.contains_key(maker)) {
                self.add_step(catalog, maker).await?;
            }
        }
        Ok(())
    }

    async fn add_step(&mut self, catalog: &dyn Catalog, id: StepId) -> Result<Step, Failure> {
        if let Some(step) = self.steps.get(&id) {
            return Ok(step.clone());
        }
        let step = catalog.step_by_id(id).await?;
        for version in step.inputs.iter().chain(&step.outputs) {
            self.add_version(catalog, *version).await?;
        }
        if !self.runs.contains_key(&step.run) {
            self.runs.insert(step.run.clone(), catalog.run(&step.run).await?);
        }
        self.add_kept(catalog, &step).await?;
        self.operators.insert(id, catalog.operators(id).await?);
        self.steps.insert(id, step.clone());
        Ok(step)
    }

    /// Finds what an `INSERT` or a load added to. The step does not read it; its lineage says so.
    async fn add_kept(&mut self, catalog: &dyn Catalog, step: &Step) -> Result<(), Failure> {
        if !matches!(step.kind.as_str(), "insert" | "copy_into") {
            return Ok(());
        }
        for output in &step.outputs {
            let Some((dataset, made)) = self.version(*output).map(|(dataset, made)| (dataset.clone(), made.version))
            else {
                continue;
            };
            let name = dataset.name.to_string();
            let edges = catalog.lineage(*output, None, Direction::Upstream, Some(1)).await?;
            let own = edges.iter().filter(|edge| edge.source_dataset.as_deref() == Some(name.as_str()));
            // It may read older versions too; the rows it keeps are those of the newest before it.
            let kept = own.filter_map(|edge| edge.source_version).filter(|version| *version < made).max();
            let Some(number) = kept else { continue };
            if let Some(version) = catalog.version(dataset.id, number).await? {
                self.kept.entry(step.id).or_default().push(version.id);
                self.versions.insert(version.id, version);
            }
        }
        Ok(())
    }

    async fn add_version(&mut self, catalog: &dyn Catalog, id: VersionId) -> Result<(), Failure> {
        if self.versions.contains_key(&id) {
            return Ok(());
        }
        let version = catalog.version_by_id(id).await?;
        if let Entry::Vacant(place) = self.datasets.entry(version.dataset) {
            place.insert(catalog.dataset_by_id(version.dataset).await?);
        }
        self.versions.insert(id, version);
        Ok(())
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
        self.steps.values().filter(move |step| step.inputs.contains(&version) && !step.outputs.is_empty())
    }

    /// Returns a step by its id.
    pub(crate) fn step(&self, id: StepId) -> Option<&Step> {
        self.steps.get(&id)
    }

    /// Returns all steps, oldest first.
    pub(crate) fn steps(&self) -> impl Iterator<Item = &Step> {
        self.steps.values()
    }

    /// Returns the operators that ran in a step.
    pub(crate) fn operators(&self, step: StepId) -> &[OperatorUse] {
        self.operators.get(&step).map_or(&[], Vec::as_slice)
    }

    /// Returns a run by its id.
    pub(crate) fn run(&self, id: &RunId) -> Option<&Run> {
        self.runs.get(id)
    }

    /// Returns the steps of a run in order.
    pub(crate) fn steps_of(&self, run: &RunId) -> Vec<&Step> {
        let mut steps: Vec<&Step> = self.steps.values().filter(|step| step.run == *run).collect();
        steps.sort_by_key(|step| (step.ordinal, step.id));
        steps
    }

    /// Returns the step that made what a step was up to date with; of any other the step itself.
    pub(crate) fn making<'a>(&'a self, step: &'a Step) -> &'a Step {
        self.makings.get(&step.id).and_then(|id| self.step(*id)).unwrap_or(step)
    }

    /// Returns the versions whose rows a step kept and added to.
    pub(crate) fn kept(&self, step: &Step) -> &[VersionId] {
        self.kept.get(&step.id).map_or(&[], Vec::as_slice)
    }

    /// Names a version: `schema.table@3`, or the path of a file.
    pub(crate) fn name(&self, id: VersionId) -> String {
        self.version(id)
            .map_or_else(|| "unknown".to_owned(), |(dataset, version)| format!("{}@{}", dataset.name, version.version))
    }
}

/// Finds the step that made what a step was up to date with: mostly the last that succeeded.
async fn making(catalog: &dyn Catalog, run: &Run, step: &Step) -> Result<Option<StepId>, Failure> {
    let Some(pipeline) = run.pipeline.as_deref().filter(|_| step.state == StepState::UpToDate) else {
        return Ok(None);
    };
    let is_it = |made: &Step| {
        made.state == StepState::Succeeded
            && made.name == step.name
            && made.fingerprint == step.fingerprint
            && made.id < step.id
    };
    if let Some(last) = catalog.last_success(pipeline, &step.name).await?.filter(is_it) {
        return Ok(Some(last.id));
    }
    for made in catalog.steps(None).await?.into_iter().rev().filter(is_it) {
        if catalog.run(&made.run).await?.pipeline.as_deref() == Some(pipeline) {
            return Ok(Some(made.id));
        }
    }
    Ok(None)
}
