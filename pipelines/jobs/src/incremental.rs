//! Steps that follow their input: `-- materialize: append` and `-- materialize: incremental(key)`.
//!
//! Such a step's statement says what the whole table is. Run again, it is done for what was added to its
//! input since its last success, if that is all that has happened:
//! - the statement, and the values of its parameters, are those of the last success, by the same user;
//! - the user reads all of its inputs, and nobody else has written the table;
//! - rows were added to the first table in FROM, and nothing else was done to it;
//! - all other inputs are tables, at the versions of the last success.
//!
//! In any other case the table is made anew as a whole, which is always right. What was followed up to
//! where is in the record: the input versions pinned by the last success. The range is written into the
//! statement, and the statement of an attempt that has landed is the one that is recorded, so rows are
//! added once.

use std::collections::BTreeMap;
use std::fmt;

use causeway_engine::Growing;
use causeway_model::{Dataset, DatasetKind, DatasetVersion, Parameters, RunId, Step, StepState, TableName, VersionId};

use crate::error::Result;
use crate::pipeline::{Pipeline, PipelineStep};
use crate::run::Runner;

/// How a step's table is brought up to date.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Materialize {
    /// Made anew.
    #[default]
    Full,
    /// Each row comes from one row of the input; those of added rows are added.
    Append,
    /// Rows of one value of this column come from rows of the same; those of values among added rows are
    /// made anew.
    Incremental(String),
}

impl Materialize {
    /// Reads `full`, `append` or `incremental(key)`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let key = text.strip_prefix("incremental").map(str::trim).and_then(|rest| rest.strip_prefix('('));
        let key = key.and_then(|rest| rest.strip_suffix(')')).map(str::trim);
        let is_name = |key: &&str| {
            !key.is_empty() && key.chars().all(|character| character.is_alphanumeric() || character == '_')
        };
        match (text, key) {
            ("full", _) => Ok(Self::Full),
            ("append", _) => Ok(Self::Append),
            (_, Some(key)) if is_name(&key) => Ok(Self::Incremental(key.to_lowercase())),
            _ => Err("`-- materialize:` is full, append or incremental(key), with one column as the key".to_owned()),
        }
    }

    /// Returns the key of the rows that belong together.
    pub(crate) fn key(&self) -> Option<&str> {
        match self {
            Self::Incremental(key) => Some(key),
            Self::Full | Self::Append => None,
        }
    }
}

impl fmt::Display for Materialize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("full"),
            Self::Append => f.write_str("append"),
            Self::Incremental(key) => write!(f, "incremental({key})"),
        }
    }
}

/// What the last success of a step has read, as far as it is followed.
struct Followed {
    /// The newest version of the input.
    input: DatasetVersion,
    /// The versions of the other tables, and of the step's own, if it has read that.
    others: BTreeMap<TableName, i64>,
}

impl Runner {
    /// Returns the statement to run for a step.
    pub(crate) async fn statement_of(&self, run: &RunId, pipeline: &Pipeline, step: &PipelineStep) -> Result<String> {
        let whole = &step.statement.sql;
        let Some(growing) = &step.growing else { return Ok(whole.clone()) };
        if let Some(earlier) = self.engine.catalog().step(run, &step.name).await? {
            // One that did not end may still commit: this attempt would take that for its own.
            let is_kept = match earlier.state {
                StepState::Succeeded | StepState::Running => true,
                StepState::Failed => self.engine.is_landed(&earlier).await?,
                StepState::Blocked | StepState::UpToDate => false,
            };
            if is_kept {
                return Ok(earlier.sql);
            }
        }
        let Some(last) = self.engine.catalog().last_success(&pipeline.name, &step.name).await? else {
            return Ok(whole.clone());
        };
        let Some(followed) = self.followed(step, growing, &last).await? else { return Ok(whole.clone()) };
        let Some(newest) = self.engine.catalog().latest_version(followed.input.dataset).await? else {
            return Ok(whole.clone());
        };
        let (since, until) = (followed.input.version, newest.version);
        if since == until {
            return Ok(last.sql);
        }
        if !self.engine.is_grown(growing.input(), since, until).await? {
            return Ok(whole.clone());
        }
        let mut pins = followed.others;
        for table in &step.statement.writes {
            if let Some((_, Some(own))) = self.engine.catalog().newest(table).await? {
                pins.insert(table.clone(), own.version);
            }
        }
        Ok(growing.since(since, until, &pins)?)
    }

    /// Returns what the last success has read of the input, if the step can go on from there.
    async fn followed(&self, step: &PipelineStep, growing: &Growing, last: &Step) -> Result<Option<Followed>> {
        let run = self.engine.catalog().run(&last.run).await?;
        let is_same = growing.has_said(&last.sql)
            && run.actor == self.context(&step.name).actor()
            && same_values(step, &run.parameters, &self.parameters)
            && self.reads_all(step).await?
            && self.is_last_writer(step, last).await?;
        if !is_same {
            return Ok(None);
        }
        self.read_of_input(step, growing, last).await
    }

    /// Returns true if this user reads all of what the step reads: what rights hide may have changed too.
    async fn reads_all(&self, step: &PipelineStep) -> Result<bool> {
        for table in &step.statement.reads {
            if !self.engine.reads_all(self.user.as_deref(), table).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Returns true if the newest version of what the step makes is the one that its last success made.
    async fn is_last_writer(&self, step: &PipelineStep, last: &Step) -> Result<bool> {
        for table in &step.statement.writes {
            let Some((_, Some(newest))) = self.engine.catalog().newest(table).await? else { return Ok(false) };
            if !last.outputs.contains(&newest.id) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Returns the versions of the input that a step has read, if all else that it read is as it was.
    async fn read_of_input(&self, step: &PipelineStep, growing: &Growing, last: &Step) -> Result<Option<Followed>> {
        let catalog = self.engine.catalog();
        let Some(input) = catalog.dataset(growing.input()).await? else { return Ok(None) };
        let (mut read, mut others) = (Vec::new(), BTreeMap::new());
        for version in &last.inputs {
            let version = catalog.version_by_id(*version).await?;
            if version.dataset == input.id {
                read.push(version);
                continue;
            }
            let dataset = catalog.dataset_by_id(version.dataset).await?;
            if dataset.kind != DatasetKind::Table || !self.is_own_or_newest(step, &dataset, &version).await? {
                return Ok(None);
            }
            others.insert(dataset.name, version.version);
        }
        let newest = read.into_iter().max_by_key(|version: &DatasetVersion| version.version);
        Ok(newest.map(|input| Followed { input, others }))
    }

    async fn is_own_or_newest(&self, step: &PipelineStep, dataset: &Dataset, version: &DatasetVersion) -> Result<bool> {
        if step.writes(&dataset.name) {
            return Ok(true);
        }
        let newest = self.engine.catalog().latest_version(dataset.id).await?;
        Ok(dataset.dropped_at.is_none() && newest.is_some_and(|newest| newest.id == version.id))
    }
}

fn same_values(step: &PipelineStep, before: &Parameters, now: &Parameters) -> bool {
    step.statement.parameters.iter().all(|name| before.get(name) == now.get(name))
}

/// Leaves of several versions of a dataset the newest: a step that follows a table names two.
pub(crate) fn newest_only(versions: Vec<DatasetVersion>) -> Vec<DatasetVersion> {
    let superseded: Vec<VersionId> = versions
        .iter()
        .filter(|one| versions.iter().any(|other| other.dataset == one.dataset && other.version > one.version))
        .map(|version| version.id)
        .collect();
    versions.into_iter().filter(|version| !superseded.contains(&version.id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_are_read() {
        assert_eq!(Materialize::parse("full"), Ok(Materialize::Full));
        assert_eq!(Materialize::parse("append"), Ok(Materialize::Append));
        assert_eq!(Materialize::parse("incremental( Day )"), Ok(Materialize::Incremental("day".to_owned())));
        for wrong in ["", "Full", "incremental", "incremental()", "incremental(a, b)", "incremental(a;)", "append(a)"] {
            assert!(Materialize::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Materialize::Incremental("day".to_owned()).to_string(), "incremental(day)");
    }
}
