//! One side of a comparison: the steps of a run, or those that made a version.

use std::collections::{BTreeMap, BTreeSet};

use causeway_model::{Catalog, Direction, OperatorUse, Run, Step, VersionId};
use serde::Serialize;

use crate::errors::Failure;
use crate::lineage::graph::links;
use crate::record::Record;
use crate::runs::Named;

/// One side of a comparison.
pub(super) struct Side<'a> {
    pub(super) label: Label,
    pub(super) is_of_versions: bool,
    /// The steps by what they are matched by, and those keys in the order of the steps.
    pub(super) steps: BTreeMap<String, Entry<'a>>,
    pub(super) order: Vec<String>,
}

/// What a side is, for people and programs.
#[derive(Debug, Serialize)]
pub(super) struct Label {
    /// The version asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<String>,
    pub(super) run: Option<String>,
    pub(super) pipeline: Option<String>,
    pub(super) pipeline_digest: Option<String>,
    pub(super) state: Option<&'static str>,
    pub(super) engine_version: Option<String>,
    pub(super) user: Option<String>,
    pub(super) started_at: Option<String>,
}

/// A step with what belongs to it.
pub(super) struct Entry<'a> {
    pub(super) step: &'a Step,
    /// Of a step that was up to date the one that had made what it would have made; else the same.
    pub(super) made: &'a Step,
    pub(super) run: &'a Run,
    /// The run that made it.
    pub(super) made_in: &'a Run,
    pub(super) operators: Vec<OperatorUse>,
}

impl<'a> Side<'a> {
    /// Collects the steps of a run, or those that a version came from.
    pub(super) async fn new(catalog: &dyn Catalog, record: &'a Record, named: &Named) -> Result<Self, Failure> {
        let (keyed, run, version) = match named {
            Named::Run(run) => {
                let steps = record.steps_of(&run.id).into_iter().map(|step| (step.name.clone(), step));
                (steps.collect::<Vec<_>>(), Some(run), None)
            }
            Named::Version(version) => {
                let run = record.maker(version.id).and_then(|step| record.run(&step.run));
                (steps_behind(record, version.id), run, Some(record.name(version.id)))
            }
        };
        let mut side = Self {
            label: label(run, version),
            is_of_versions: matches!(named, Named::Version(_)),
            steps: BTreeMap::new(),
            order: Vec::new(),
        };
        for (key, step) in keyed {
            let Some(run) = record.run(&step.run) else { continue };
            let made = record.making(step);
            let made_in = record.run(&made.run).unwrap_or(run);
            let operators = catalog.operators(made.id).await?;
            side.order.push(key.clone());
            side.steps.insert(key, Entry { step, made, run, made_in, operators });
        }
        Ok(side)
    }

    /// Returns the key of the step of this side that made a version.
    pub(super) fn maker(&self, version: VersionId) -> Option<&str> {
        let of = |entry: &Entry<'_>| entry.made.outputs.contains(&version);
        self.steps.iter().find(|(_, entry)| of(entry)).map(|(key, _)| key.as_str())
    }
}

fn label(run: Option<&Run>, version: Option<String>) -> Label {
    Label {
        version,
        run: run.map(|run| run.id.0.clone()),
        pipeline: run.and_then(|run| run.pipeline.clone()),
        pipeline_digest: run.and_then(|run| run.pipeline_digest.clone()),
        state: run.map(|run| run.state.name()),
        engine_version: run.map(|run| run.engine_version.clone()),
        user: run.map(|run| run.actor.clone()),
        started_at: run.map(|run| run.started_at.clone()),
    }
}

/// Returns the steps that a version came from, oldest first, each by the table it made. Of several
/// that made versions of one table the nearest counts.
fn steps_behind(record: &Record, version: VersionId) -> Vec<(String, &Step)> {
    let mut outputs = vec![version];
    outputs.extend(links(record, version, Direction::Upstream, None).into_iter().map(|link| link.input));
    let mut seen = BTreeSet::new();
    let mut steps = Vec::new();
    for output in outputs {
        let Some((dataset, step)) = record.version(output).map(|(dataset, _)| dataset).zip(record.maker(output)) else {
            continue;
        };
        let key = dataset.name.to_string();
        if seen.insert(key.clone()) {
            steps.push((key, step));
        }
    }
    steps.sort_by_key(|(_, step)| step.id);
    steps
}
