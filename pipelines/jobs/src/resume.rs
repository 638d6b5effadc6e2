//! Whether an interrupted run goes on or a new one begins.
//!
//! A commit carries the name of its run and step, so only the same run can tell a commit that landed
//! from one that did not. An interrupted run is therefore continued as long as what it has done is
//! still what it would do now: the same files in the pipeline, the same parameters, the same inputs.
//!
//! All attempts at a job are one run, whatever changes between them: a second run would do again what the
//! first has done.

use std::collections::BTreeSet;

use causeway_model::{
    CatalogError, DatasetKind, DatasetVersion, NewRun, Run, RunId, RunKind, RunState, Step, StepState,
};
use uuid::Uuid;

use crate::digest;
use crate::error::Result;
use crate::incremental::newest_only;
use crate::pipeline::{Pipeline, PipelineStep};
use crate::run::Runner;

/// The kinds of steps that add to what is there, so that doing them twice would show.
const ADDING: [&str; 5] = ["insert", "update", "delete", "merge", "copy_into"];

impl Runner {
    /// Opens the pipeline's interrupted run again, or begins a new one. Returns true if resumed.
    pub(crate) async fn open_run(&self, pipeline: &Pipeline) -> Result<(RunId, bool)> {
        if let Some(run) = self.given_run().await? {
            self.settle_steps(pipeline, &run, is_rewritten).await?;
            self.engine.catalog().resume_run(&run.id).await?;
            return Ok((run.id, true));
        }
        let latest = self.engine.catalog().latest_run(&pipeline.name).await?;
        if let Some(run) = latest.filter(|run| run.state != RunState::Succeeded) {
            // The run of a job is that job's: another one's work must not be taken for its own.
            if self.job.is_none() && self.may_resume(pipeline, &run).await? {
                self.engine.catalog().resume_run(&run.id).await?;
                return Ok((run.id, true));
            }
            self.settle(pipeline, &run).await?;
        }
        let run = self.job.as_ref().map_or_else(|| RunId(Uuid::now_v7().to_string()), |job| job.run.clone());
        let new = NewRun {
            id: run.clone(),
            kind: RunKind::Pipeline,
            pipeline: Some(pipeline.name.clone()),
            pipeline_digest: Some(pipeline.digest.clone()),
            engine_version: self.engine.config().version.clone(),
            actor: self.context(&pipeline.name).actor(),
            parameters: self.parameters.clone(),
        };
        match self.engine.catalog().begin_run(&new).await {
            // An earlier attempt at the job, whose lease is over, has begun it just now.
            Err(CatalogError::AlreadyExists { .. }) if self.job.is_some() => Box::pin(self.open_run(pipeline)).await,
            begun => Ok(begun.map(|()| (run, false))?),
        }
    }

    /// Returns the run of the job that this runner works for, if an attempt has begun it.
    pub(crate) async fn given_run(&self) -> Result<Option<Run>> {
        let Some(job) = &self.job else { return Ok(None) };
        match self.engine.catalog().run(&job.run).await {
            Ok(run) => Ok(Some(run)),
            Err(CatalogError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn may_resume(&self, pipeline: &Pipeline, run: &Run) -> Result<bool> {
        // What another user's rights show is another result.
        if run.actor != self.context(&pipeline.name).actor() {
            return Ok(false);
        }
        if run.parameters != self.parameters {
            return Ok(false);
        }
        if run.pipeline_digest.as_deref() != Some(pipeline.digest.as_str()) {
            return Ok(false);
        }
        let recorded = self.engine.catalog().steps(Some(&run.id)).await?;
        for step in &pipeline.steps {
            let done = recorded.iter().find(|done| done.name == step.name && done.state == StepState::Succeeded);
            if let Some(done) = done
                && !self.is_current(pipeline, step, done).await?
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Returns true if the files a step read have the same content now, and the tables from outside
    /// the pipeline the same version.
    async fn is_current(&self, pipeline: &Pipeline, step: &PipelineStep, done: &Step) -> Result<bool> {
        let mut read = BTreeSet::new();
        let mut inputs = Vec::with_capacity(done.inputs.len());
        for input in &done.inputs {
            inputs.push(self.engine.catalog().version_by_id(*input).await?);
        }
        for version in newest_only(inputs) {
            if !self.is_newest(pipeline, &version).await? {
                return Ok(false);
            }
            read.extend(version.digest);
        }
        let statements = self.engine.analyse_with(&step.statement.sql, &self.parameters)?;
        for file in statements.iter().flat_map(|statement| &statement.files) {
            match digest::of_file(&step.base_dir.join(file)).await {
                Ok(now) if read.contains(&now) => {}
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    async fn is_newest(&self, pipeline: &Pipeline, version: &DatasetVersion) -> Result<bool> {
        let dataset = self.engine.catalog().dataset_by_id(version.dataset).await?;
        if dataset.kind == DatasetKind::File || pipeline.writes(&dataset.name) {
            return Ok(true);
        }
        let newest = self.engine.catalog().latest_version(dataset.id).await?;
        Ok(dataset.dropped_at.is_none() && newest.is_some_and(|newest| newest.id == version.id))
    }

    /// Ends a run that is not continued. A step of it that may have changed a table without the
    /// record knowing is recorded first if its commit has landed: a new run could not recognise it.
    async fn settle(&self, pipeline: &Pipeline, run: &Run) -> Result<()> {
        self.settle_steps(pipeline, run, |_, _| true).await?;
        if run.state == RunState::Running {
            self.engine.catalog().finish_run(&run.id, RunState::Failed).await?;
        }
        Ok(())
    }

    /// Records what steps of a run may have committed unrecorded; those that are `asked` for, beside what
    /// stands in their place now.
    async fn settle_steps(
        &self,
        pipeline: &Pipeline,
        run: &Run,
        asked: impl Fn(&Step, Option<&PipelineStep>) -> bool,
    ) -> Result<()> {
        for step in self.engine.catalog().steps(Some(&run.id)).await? {
            let in_doubt = matches!(step.state, StepState::Running | StepState::Failed);
            let now = pipeline.steps.iter().find(|now| now.name == step.name);
            if in_doubt && ADDING.contains(&step.kind.as_str()) && asked(&step, now) {
                let base_dir = now.map_or_else(|| pipeline.dir.clone(), |now| now.base_dir.clone());
                Box::pin(self.engine.settle(&step, Some(base_dir))).await;
            }
        }
        Ok(())
    }
}

/// Returns true if a step says something else now than it did: what it has committed it cannot find.
fn is_rewritten(step: &Step, now: Option<&PipelineStep>) -> bool {
    now.is_none_or(|now| !now.has_said(&step.sql))
}
