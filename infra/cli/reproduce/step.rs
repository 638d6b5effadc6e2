//! One step, repeated.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use causeway_core::Cancel;
use causeway_engine::{Engine, Outcome as Answer, ProgressSink, StepRequest, varying};
use causeway_lake::{At, LakeError, Snapshot};
use causeway_model::{Dataset, DatasetKind, DatasetVersion, Rights, Run, Step, StepState, VersionId};
use futures::TryStreamExt as _;
use serde::Serialize;

use super::content::{Compared, compare};
use super::instants::pinned;
use super::scratch::{Given, Scratch, begin_run};
use crate::errors::Failure;
use crate::record::Record;
use crate::session::Session;

/// The code of a check that did not hold.
const CHECK_FAILED: &str = "CW0608";

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// It gave the same.
    Reproduced,
    /// It gave something else.
    Differs,
    /// It cannot be repeated; the reason says why.
    Impossible,
    /// There is nothing to repeat.
    Skipped,
}

impl Verdict {
    /// Returns true if the record stands.
    pub(super) fn is_good(self) -> bool {
        matches!(self, Self::Reproduced | Self::Skipped)
    }
}

/// A step, repeated.
#[derive(Debug, Serialize)]
pub(super) struct Reproduction {
    pub(super) step: String,
    pub(super) kind: String,
    pub(super) verdict: Verdict,
    /// Why it cannot be repeated, or was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    /// What it made, compared.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) outputs: Vec<Output>,
}

/// One version that the step made, compared with what it makes now.
#[derive(Debug, Serialize)]
pub(super) struct Output {
    /// The recorded version.
    pub(super) version: String,
    #[serde(flatten)]
    pub(super) compared: Difference,
}

/// How an output compares.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Difference {
    /// A table, by content.
    Table(Compared),
    /// A view, by text and columns.
    View {
        /// True if both are the same.
        same: bool,
    },
    /// Only one of the two made it.
    Missing {
        /// Who did not.
        missing: &'static str,
    },
}

impl Difference {
    fn is_same(&self) -> bool {
        match self {
            Self::Table(compared) => compared.is_same(),
            Self::View { same } => *same,
            Self::Missing { .. } => false,
        }
    }
}

/// Why a step cannot be repeated.
enum Obstacle {
    /// There is nothing to repeat.
    Nothing(String),
    /// Something stands in the way.
    Reason(String),
}

impl From<Failure> for Obstacle {
    fn from(failure: Failure) -> Self {
        Self::Reason(failure.message().to_owned())
    }
}

/// What it takes to repeat a step.
pub(super) struct Repeating<'a> {
    pub(super) session: &'a Session,
    pub(super) record: &'a Record,
    pub(super) run: &'a Run,
    /// Where relative paths start; `None` for the current folder.
    pub(super) base_dir: Option<PathBuf>,
    pub(super) cancel: Cancel,
    pub(super) progress: ProgressSink,
}

impl Repeating<'_> {
    /// Repeats a step and compares.
    pub(super) async fn step(&self, step: &Step) -> Reproduction {
        let (verdict, reason, outputs) = match self.outputs(step).await {
            Ok(outputs) if outputs.iter().all(|output| output.compared.is_same()) => {
                (Verdict::Reproduced, None, outputs)
            }
            Ok(outputs) => match self.varying(step) {
                Some(reason) => (Verdict::Impossible, Some(reason), outputs),
                None => (Verdict::Differs, None, outputs),
            },
            Err(Obstacle::Nothing(reason)) => (Verdict::Skipped, Some(reason), Vec::new()),
            Err(Obstacle::Reason(reason)) => (Verdict::Impossible, Some(reason), Vec::new()),
        };
        Reproduction { step: step.name.clone(), kind: step.kind.clone(), verdict, reason, outputs }
    }

    async fn outputs(&self, step: &Step) -> Result<Vec<Output>, Obstacle> {
        self.check_repeatable(step).await?;
        self.check_readable(step.inputs.iter().chain(&step.outputs)).await?;
        let scratch = Scratch::new(self.session, &self.given(step).await?).await?;
        if step.kind == "check" {
            self.check(&scratch, step).await?;
            return Ok(Vec::new());
        }
        begin_run(scratch.catalog.as_ref(), self.session, &step.run).await?;
        let mut request = StepRequest::again(step, self.run);
        let values = request.context.parameters.clone();
        request.sql = pinned(&step.sql, &values, |table, instant| self.version_at(step, table, instant));
        request.context.cancel = self.cancel.clone();
        request.context.progress = std::sync::Arc::clone(&self.progress);
        request.context.base_dir.clone_from(&self.base_dir);
        scratch.engine.run_step(&request).await.map_err(|error| self.no_longer_runs(step, &Failure::from(error)))?;
        self.compare(&scratch, step).await
    }

    /// Says what stands in the way before anything is run.
    async fn check_repeatable(&self, step: &Step) -> Result<(), Obstacle> {
        let nothing = |reason: &str| Err(Obstacle::Nothing(reason.to_owned()));
        match step.state {
            StepState::Succeeded => {}
            StepState::Failed if step.kind == "check" && step.error_code.as_deref() == Some(CHECK_FAILED) => {}
            StepState::UpToDate => return nothing("it was up to date, and what made it is not recorded"),
            state => return Err(Obstacle::Nothing(format!("its state is {}", state.name()))),
        }
        if step.kind == "copy_to" {
            return nothing("it wrote a file, whose content is not recorded");
        }
        if matches!(step.kind.as_str(), "alter_table" | "alter_view") {
            return nothing("it declared what the rows hold and changed none");
        }
        if step.outputs.is_empty() && step.kind != "check" {
            return nothing("it made no version");
        }
        let actor = &self.run.actor;
        let is_admin = *actor == Rights::embedded().user
            || self.session.engine.rights(Some(actor)).await.is_ok_and(|rights| rights.is_admin());
        if !is_admin {
            let reason = format!("it ran with the rights of `{actor}`, which may have narrowed what it read");
            return Err(Obstacle::Reason(reason));
        }
        self.check_operators(step).await
    }

    async fn check_operators(&self, step: &Step) -> Result<(), Obstacle> {
        for used in self.session.catalog.operators(step.id).await.map_err(Failure::from)? {
            let now = Engine::operators().map(|factory| factory.spec()).find(|spec| spec.name == used.operator);
            let now = now.map(|spec| i64::from(spec.version));
            if now != Some(used.version) {
                let now = now.map_or_else(|| "gone".to_owned(), |version| format!("version {version}"));
                let reason = format!("operator {} was version {} and is {now}", used.operator, used.version);
                return Err(Obstacle::Reason(reason));
            }
        }
        Ok(())
    }

    /// Checks that the versions can still be read: erasure takes old ones away.
    async fn check_readable(&self, versions: impl Iterator<Item = &VersionId>) -> Result<(), Obstacle> {
        for id in versions {
            let Some((dataset, version)) = self.record.version(*id) else { continue };
            if dataset.kind == DatasetKind::Table
                && let Err(error) = self.recorded(dataset, version).await
            {
                let reason = format!("{} can no longer be read: {error}", self.record.name(*id));
                return Err(Obstacle::Reason(reason));
            }
        }
        Ok(())
    }

    async fn recorded(&self, dataset: &Dataset, version: &DatasetVersion) -> Result<Snapshot, LakeError> {
        self.session.engine.lake().snapshot_at(&dataset.location, &At::Version(version.version)).await
    }

    /// Returns what was there for the step: its inputs, and the tables it changed as they were before.
    async fn given(&self, step: &Step) -> Result<Vec<Given>, Obstacle> {
        let mut given: BTreeMap<VersionId, Given> = BTreeMap::new();
        for (dataset, version) in step.inputs.iter().filter_map(|id| self.record.version(*id)) {
            let maker = self.record.maker(version.id).cloned();
            given.insert(version.id, Given { dataset: dataset.clone(), version: version.clone(), maker });
        }
        if step.kind != "create_table" && step.kind != "create_view" {
            for (dataset, made) in step.outputs.iter().filter_map(|id| self.record.version(*id)) {
                let versions = self.session.catalog.versions(Some(dataset.id)).await.map_err(Failure::from)?;
                let earlier = versions.into_iter().filter(|version| version.version < made.version);
                if let Some(version) = earlier.max_by_key(|version| version.version) {
                    given.insert(version.id, Given { dataset: dataset.clone(), version, maker: None });
                }
            }
        }
        let mut names = BTreeMap::new();
        for Given { dataset, .. } in given.values() {
            if *names.entry(&dataset.name).or_insert(dataset.id) != dataset.id {
                let reason = format!("`{}` was dropped and made again while the step ran", dataset.name);
                return Err(Obstacle::Reason(reason));
            }
        }
        Ok(given.into_values().collect())
    }

    /// Returns the version of a table that the step read as of an instant.
    fn version_at(&self, step: &Step, table: &str, instant: &str) -> Option<i64> {
        let instant = chrono::DateTime::parse_from_rfc3339(instant).ok()?;
        let read = step.inputs.iter().filter_map(|id| self.record.version(*id));
        let read = read.filter(|(dataset, version)| {
            let committed = chrono::DateTime::parse_from_rfc3339(&version.committed_at);
            dataset.name.to_string() == table && committed.is_ok_and(|committed| committed <= instant)
        });
        read.map(|(_, version)| version.version).max()
    }

    async fn compare(&self, scratch: &Scratch, step: &Step) -> Result<Vec<Output>, Obstacle> {
        let again = scratch.catalog.step(&step.run, &step.name).await.map_err(Failure::from)?;
        let Some(again) = again else { return Err(Obstacle::Reason("it did nothing this time".to_owned())) };
        self.check_files(scratch, step, &again).await?;
        let mut made = BTreeMap::new();
        for output in &again.outputs {
            let version = scratch.catalog.version_by_id(*output).await.map_err(Failure::from)?;
            let dataset = scratch.catalog.dataset_by_id(version.dataset).await.map_err(Failure::from)?;
            made.insert(dataset.name.clone(), (dataset, version));
        }
        let mut outputs = Vec::new();
        for id in &step.outputs {
            let Some((dataset, version)) = self.record.version(*id) else { continue };
            let compared = match made.remove(&dataset.name) {
                Some(now) => self.compare_output(scratch, (dataset, version), &now).await?,
                None => Difference::Missing { missing: "now" },
            };
            outputs.push(Output { version: self.record.name(*id), compared });
        }
        let surplus = made.into_keys();
        outputs.extend(
            surplus.map(|name| Output {
                version: name.to_string(),
                compared: Difference::Missing { missing: "recorded" },
            }),
        );
        Ok(outputs)
    }

    async fn compare_output(
        &self,
        scratch: &Scratch,
        recorded: (&Dataset, &DatasetVersion),
        now: &(Dataset, DatasetVersion),
    ) -> Result<Difference, Obstacle> {
        if recorded.0.kind != DatasetKind::Table {
            let same = recorded.1.digest == now.1.digest && recorded.1.columns == now.1.columns;
            return Ok(Difference::View { same });
        }
        let before = self.recorded(recorded.0, recorded.1).await.map_err(Failure::from)?;
        let after = scratch.lake.snapshot_at(&now.0.location, &At::Version(now.1.version)).await;
        Ok(Difference::Table(compare(&before, &after.map_err(Failure::from)?).await?))
    }

    /// Compares the files read then and now by their digests.
    async fn check_files(&self, scratch: &Scratch, step: &Step, again: &Step) -> Result<(), Obstacle> {
        let recorded = step.inputs.iter().filter_map(|id| self.record.version(*id));
        let recorded: BTreeMap<String, Option<String>> = recorded
            .filter(|(dataset, _)| dataset.kind == DatasetKind::File)
            .map(|(dataset, version)| (dataset.name.table.clone(), version.digest.clone()))
            .collect();
        for input in &again.inputs {
            let version = scratch.catalog.version_by_id(*input).await.map_err(Failure::from)?;
            let dataset = scratch.catalog.dataset_by_id(version.dataset).await.map_err(Failure::from)?;
            if dataset.kind != DatasetKind::File {
                continue;
            }
            let name = &dataset.name.table;
            let short =
                |digest: &Option<String>| digest.as_ref().and_then(|digest| digest.get(..12)).unwrap_or("?").to_owned();
            match recorded.get(name) {
                Some(then) if *then == version.digest => {}
                Some(then) => {
                    let (then, now) = (short(then), short(&version.digest));
                    let reason = format!("file `{name}` has changed: sha256 {then}… then, {now}… now");
                    return Err(Obstacle::Reason(reason));
                }
                None => return Err(Obstacle::Reason(format!("it reads another file now: `{name}`"))),
            }
        }
        Ok(())
    }

    /// Asks a check again.
    async fn check(&self, scratch: &Scratch, step: &Step) -> Result<(), Obstacle> {
        let request = StepRequest::again(step, self.run);
        let answer = scratch.engine.execute(&step.sql, &request.context).await;
        let answer = answer.map_err(|error| self.no_longer_runs(step, &Failure::from(error)))?;
        let Answer::Rows(rows) = answer else { return Err(Obstacle::Reason("it is no query".to_owned())) };
        let batches: Vec<_> =
            rows.stream.try_collect().await.map_err(|error| {
                self.no_longer_runs(step, &Failure::from(causeway_engine::EngineError::from(error)))
            })?;
        let holds = batches.iter().filter(|batch| batch.num_rows() > 0).any(|batch| {
            use arrow::array::Array as _;
            let answers = batch.column(0).as_any().downcast_ref::<arrow::array::BooleanArray>();
            answers.is_some_and(|answers| !answers.is_null(0) && answers.value(0))
        });
        if holds == (step.state == StepState::Succeeded) {
            return Ok(());
        }
        let (then, now) = if holds { ("did not hold", "holds") } else { ("held", "does not hold") };
        Err(Obstacle::Reason(format!("the check {then} then and {now} now")))
    }

    fn no_longer_runs(&self, step: &Step, failure: &Failure) -> Obstacle {
        let mut reason = format!("it no longer runs: {}", failure.message());
        if self.base_dir.is_none() && self.run.pipeline.is_some() && step.kind == "copy_into" {
            reason.push_str("; name the pipeline's folder with --pipeline DIR, where its paths start");
        }
        Obstacle::Reason(reason)
    }

    /// Says what in the text, or in a view it reads, gives another result each time.
    fn varying(&self, step: &Step) -> Option<String> {
        let views = step.inputs.iter().filter_map(|id| self.record.version(*id)?.0.view_sql.as_deref());
        let found: BTreeSet<String> = views.chain([step.sql.as_str()]).flat_map(varying).collect();
        let words: Vec<&str> = found.iter().map(String::as_str).collect();
        (!words.is_empty()).then(|| format!("not deterministic: {} gives another value each time", words.join(", ")))
    }
}
