//! What a run would do, before it does anything.

use std::collections::BTreeSet;
use std::fmt;

use causeway_engine::Engine;
use causeway_model::{Fold, Gap, Rights, Step};
use serde::Serialize;

use crate::error::Result;
use crate::pipeline::{Pipeline, PipelineStep};
use crate::schedule::Schedule;

/// What has become of a step's text since it last succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It has never succeeded, as far as the user may know.
    New,
    /// The statement is another one.
    Changed,
    /// The statement is the same; it runs only if its inputs have changed.
    Same,
}

/// A step, planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedStep {
    /// Its name.
    pub name: String,
    /// Its file.
    pub file: String,
    /// What the statement does.
    pub kind: &'static str,
    /// The tables and views it reads.
    pub reads: Vec<String>,
    /// The files it reads.
    pub files: Vec<String>,
    /// The tables and views it makes, changes or drops.
    pub writes: Vec<String>,
    /// The steps it waits for.
    pub after: Vec<String>,
    /// The parameters that it and its checks use.
    pub parameters: BTreeSet<String>,
    /// How many checks follow it.
    pub n_checks: usize,
    /// How its table is brought up to date: full, append or incremental(key).
    pub materialize: String,
    /// What has become of its text.
    pub change: Change,
}

/// When a pipeline fires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedSchedule {
    /// The cron rule.
    pub cron: String,
    /// The zone.
    pub zone: String,
    /// The rule for skipped times.
    pub gap: Gap,
    /// The rule for repeated times.
    pub fold: Fold,
}

/// A pipeline, planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Its name.
    pub pipeline: String,
    /// What it is for.
    pub description: String,
    /// The SHA-256 of its files.
    pub digest: String,
    /// When it fires.
    pub schedule: Option<PlannedSchedule>,
    /// The tables and views that it reads and no step of it writes.
    pub inputs: Vec<String>,
    /// The steps in the order they run.
    pub steps: Vec<PlannedStep>,
}

impl Plan {
    /// Plans a pipeline for a user (`None` for the embedded mode's): asks the catalog what has
    /// succeeded, as far as the user may see runs, and runs nothing.
    ///
    /// # Errors
    /// If there is no such user; errors of the catalog.
    pub async fn new(pipeline: &Pipeline, engine: &Engine, user: Option<&str>) -> Result<Self> {
        let rights = engine.rights(user).await?;
        let mut steps = Vec::with_capacity(pipeline.steps.len());
        for step in &pipeline.steps {
            let last = engine.catalog().last_success(&pipeline.name, &step.name).await?;
            let last = match last {
                Some(last) if sees(engine, &rights, &last).await? => Some(last),
                _ => None,
            };
            let change = match last {
                None => Change::New,
                Some(last) if step.has_said(&last.sql) => Change::Same,
                Some(_) => Change::Changed,
            };
            steps.push(planned(pipeline, step, change));
        }
        Ok(Self {
            pipeline: pipeline.name.clone(),
            description: pipeline.description.clone(),
            digest: pipeline.digest.clone(),
            schedule: pipeline.schedule.as_ref().map(planned_schedule),
            inputs: inputs(pipeline),
            steps,
        })
    }
}

/// Returns true if a user may see the run of a step: of one's own, or all of them.
async fn sees(engine: &Engine, rights: &Rights, step: &Step) -> Result<bool> {
    let all = rights.sees_record() || rights.has_role("operator");
    Ok(all || engine.catalog().run(&step.run).await?.actor == rights.user)
}

fn planned(pipeline: &Pipeline, step: &PipelineStep, change: Change) -> PlannedStep {
    let names = step.after.iter().filter_map(|earlier| pipeline.steps.get(*earlier));
    PlannedStep {
        name: step.name.clone(),
        file: step.file.display().to_string(),
        kind: step.statement.kind.name(),
        reads: step.statement.reads.iter().map(ToString::to_string).collect(),
        files: step.statement.files.clone(),
        writes: step.statement.writes.iter().map(ToString::to_string).collect(),
        after: names.map(|earlier| earlier.name.clone()).collect(),
        parameters: step.parameters().cloned().collect(),
        n_checks: step.checks.len(),
        materialize: step.materialize.as_ref().map(|(way, _)| way.clone()).unwrap_or_default().to_string(),
        change,
    }
}

fn planned_schedule(schedule: &Schedule) -> PlannedSchedule {
    PlannedSchedule {
        cron: schedule.cron().to_owned(),
        zone: schedule.zone().name().to_owned(),
        gap: schedule.gap(),
        fold: schedule.fold(),
    }
}

fn inputs(pipeline: &Pipeline) -> Vec<String> {
    let read = pipeline.steps.iter().flat_map(PipelineStep::reads);
    let outside: BTreeSet<_> = read.filter(|table| !pipeline.writes(table)).collect();
    outside.iter().map(ToString::to_string).collect()
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "pipeline {}: {} steps", self.pipeline, self.steps.len())?;
        if !self.description.is_empty() {
            writeln!(f, "  {}", self.description)?;
        }
        if let Some(schedule) = &self.schedule {
            writeln!(f, "  fires at `{}` in {}", schedule.cron, schedule.zone)?;
        }
        if !self.inputs.is_empty() {
            writeln!(f, "  reads from the lake: {}", self.inputs.join(", "))?;
        }
        self.steps.iter().enumerate().try_for_each(|(idx, step)| write!(f, "{:>3}. {step}", idx + 1))
    }
}

impl fmt::Display for PlannedStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let change = match self.change {
            Change::New => "new",
            Change::Changed => "changed",
            Change::Same => "same text",
        };
        let how = if self.materialize == "full" { String::new() } else { format!(", {}", self.materialize) };
        writeln!(f, "{} [{}{how}] {change}", self.name, self.kind)?;
        let mut line = |title: &str, names: &[String]| match names {
            [] => Ok(()),
            names => writeln!(f, "       {title} {}", names.join(", ")),
        };
        line("reads ", &self.files)?;
        line("reads ", &self.reads)?;
        line("writes", &self.writes)?;
        line("after ", &self.after)?;
        line("needs ", &self.parameters.iter().map(|name| format!(":{name}")).collect::<Vec<_>>())?;
        match self.n_checks {
            0 => Ok(()),
            1 => writeln!(f, "       1 check"),
            n => writeln!(f, "       {n} checks"),
        }
    }
}
