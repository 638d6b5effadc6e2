//! Checks: assertions about the data, made right after their step.
//!
//! A check is a query that returns one boolean; true passes, false and null do not. It runs after
//! its step has committed (decision 0006), in every run, also when the step is up to date: a check may ask the
//! clock or other tables. Each run of a check is a step of the run of its own, called
//! `<step> check <n>`, so that the record says what was asserted about which versions.

use std::time::Instant;

use arrow::array::{Array, BooleanArray, RecordBatch};
use causeway_engine::{EngineError, Outcome, StatementContext};
use causeway_model::{NewStep, RunId, Step, StepOutcome, StepState, VersionId};
use futures::StreamExt;

use crate::digest::Digest;
use crate::error::{JobsError, Result};
use crate::header::Severity;
use crate::pipeline::{Check, PipelineStep};
use crate::run::Runner;
use crate::summary::CheckSummary;

/// The kind of such a step in the record.
const KIND: &str = "check";

/// Where a check stands in a run.
pub(crate) struct CheckPlace<'a> {
    pub(crate) run: &'a RunId,
    pub(crate) step: &'a PipelineStep,
    pub(crate) ordinal: i64,
}

impl Runner {
    /// Runs a check and records it. A failed check is no error of this call; only one that could not
    /// be run, or whose result is no answer, is.
    pub(crate) async fn run_check(
        &self,
        place: &CheckPlace<'_>,
        check: &Check,
        context: &StatementContext,
    ) -> Result<(CheckSummary, Option<JobsError>)> {
        let name = check.name(&place.step.name);
        let earlier = self.engine.catalog().step(place.run, &name).await?;
        if earlier.is_some_and(|step| step.state == StepState::Succeeded) {
            return Ok((check.summary(true), None));
        }
        let step = self.engine.catalog().begin_step(&self.new_check(place, check, name).await?).await?;
        let started = Instant::now();
        match self.answer(check, context).await {
            Ok(Some(true)) => {
                self.pass(&step, started).await?;
                Ok((check.summary(true), None))
            }
            Ok(answer) => {
                let found = if answer.is_some() { "false" } else { "null" };
                let error = JobsError::CheckFailed { number: check.number, found, sql: check.sql.clone() };
                self.fail(&step, &error).await?;
                Ok((check.summary(false), Some(error)))
            }
            Err(error) => {
                self.fail(&step, &error).await?;
                Err(error)
            }
        }
    }

    async fn new_check(&self, place: &CheckPlace<'_>, check: &Check, name: String) -> Result<NewStep> {
        let inputs = self.pin(check).await?;
        let mut digest = Digest::default();
        digest.add(&check.sql);
        inputs.iter().for_each(|input| digest.add(&input.0.to_string()));
        for (name, value) in check.parameters.iter().filter_map(|name| Some((name, self.parameters.get(name)?))) {
            digest.add(&format!(":{name} {}", value.parameter_type()));
            digest.add(&value.to_string());
        }
        Ok(NewStep {
            run: place.run.clone(),
            ordinal: place.ordinal,
            name,
            kind: KIND.to_owned(),
            sql: check.sql.clone(),
            fingerprint: digest.hex(),
            seed: 0,
            inputs,
            lease: self.lease(),
        })
    }

    /// Returns the versions a check reads. No other process runs this pipeline, so they stay the
    /// newest while it reads.
    async fn pin(&self, check: &Check) -> Result<Vec<VersionId>> {
        let catalog = self.engine.catalog();
        let rights = self.engine.rights(self.user.as_deref()).await?;
        let mut inputs = Vec::new();
        for table in check.reads.iter().filter(|table| rights.may_know(table)) {
            let Some(dataset) = catalog.dataset(table).await? else { continue };
            inputs.extend(catalog.latest_version(dataset.id).await?.map(|version| version.id));
        }
        Ok(inputs)
    }

    async fn answer(&self, check: &Check, context: &StatementContext) -> Result<Option<bool>> {
        let shape = |found: &str| JobsError::CheckShape { number: check.number, found: found.to_owned() };
        let Outcome::Rows(mut rows) = Box::pin(self.engine.execute(&check.sql, context)).await? else {
            return Err(shape("no rows: it is no query"));
        };
        let mut answer = None;
        while let Some(batch) = rows.stream.next().await {
            let batch = batch.map_err(EngineError::from)?;
            match (batch.num_rows(), answer) {
                (0, _) => {}
                (1, None) => answer = Some(single_boolean(&batch).map_err(|found| shape(&found))?),
                _ => return Err(shape("several rows")),
            }
        }
        answer.ok_or_else(|| shape("no row"))
    }

    async fn pass(&self, step: &Step, started: Instant) -> Result<()> {
        let duration_ms = i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX);
        let outcome = StepOutcome { duration_ms, ..StepOutcome::default() };
        self.engine.catalog().complete_step(step.id, step.attempt, &outcome).await?;
        Ok(())
    }

    async fn fail(&self, step: &Step, error: &JobsError) -> Result<()> {
        Ok(self.engine.catalog().fail_step(step.id, step.attempt, error.code(), &error.to_string()).await?)
    }
}

impl Check {
    /// Returns its name in the record of runs; step names hold no space, so it is no step's.
    pub(crate) fn name(&self, step: &str) -> String {
        format!("{step} check {}", self.number)
    }

    pub(crate) fn is_blocking(&self) -> bool {
        self.severity == Severity::Block
    }

    fn summary(&self, passed: bool) -> CheckSummary {
        CheckSummary { number: self.number, sql: self.sql.clone(), blocking: self.is_blocking(), passed }
    }
}

fn single_boolean(batch: &RecordBatch) -> Result<Option<bool>, String> {
    let [column] = batch.columns() else { return Err(format!("{} columns", batch.num_columns())) };
    let found = || format!("a column of type {}", column.data_type());
    let answers = column.as_any().downcast_ref::<BooleanArray>().ok_or_else(found)?;
    Ok((!answers.is_null(0)).then(|| answers.value(0)))
}
