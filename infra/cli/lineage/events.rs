//! Lineage as OpenLineage events: the runs and steps on the way, as they were recorded.

use std::collections::BTreeSet;
use std::sync::Arc;

use causeway_model::{Catalog, Direction, RunId, StepId};
use causeway_openlineage::{Change, EventSource as _, Reader, Transition};
use causeway_runtime::Project;
use causeway_system::Target;

use super::graph::links;
use crate::errors::Failure;
use crate::openlineage::emitter;
use crate::record::Record;

/// Returns the events of all runs and steps between the target and its origins, or what was made
/// of it, one a line in the order they happened.
pub(super) async fn lines(
    project: &Project,
    catalog: Arc<dyn Catalog>,
    target: &Target,
    direction: Direction,
    depth: Option<i64>,
) -> Result<String, Failure> {
    let record = Record::around(catalog.as_ref(), &target.version, direction, depth).await?;
    let mut steps: BTreeSet<StepId> =
        links(&record, target.version.id, direction, depth).into_iter().map(|link| link.step).collect();
    if direction == Direction::Upstream {
        steps.extend(record.maker(target.version.id).map(|step| step.id));
    }
    let reader = Reader::new(catalog, emitter(project)?);
    let mut changes = changes(&record, &steps);
    changes.sort_by(|a, b| (&a.at, a.id).cmp(&(&b.at, b.id)));
    let mut text = String::new();
    for change in &changes {
        text.push_str(&reader.event(change).await?.body);
        text.push('\n');
    }
    Ok(text)
}

/// Returns the start and the end of each step and of its run. Times may be equal; then a run starts
/// before its steps and ends after them.
fn changes(record: &Record, steps: &BTreeSet<StepId>) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut runs: BTreeSet<&RunId> = BTreeSet::new();
    for step in steps.iter().filter_map(|id| record.step(*id)) {
        runs.insert(&step.run);
        let change = |id, transition, at: &str| Change {
            id,
            run: step.run.clone(),
            step: Some(step.id),
            attempt: step.attempt,
            transition,
            at: at.to_owned(),
            failure: None,
        };
        changes.push(change(step.ordinal * 2 + 1, Transition::Start, &step.started_at));
        let ended = Transition::of_step(step).zip(step.finished_at.as_deref());
        changes.extend(ended.map(|(transition, at)| change(step.ordinal * 2 + 2, transition, at)));
    }
    for run in runs.into_iter().filter_map(|id| record.run(id)) {
        let change = |id, transition, at: &str| Change {
            id,
            run: run.id.clone(),
            step: None,
            attempt: 0,
            transition,
            at: at.to_owned(),
            failure: None,
        };
        changes.push(change(0, Transition::Start, &run.started_at));
        let ended = run.finished_at.as_deref();
        changes.extend(ended.map(|at| change(i64::MAX, Transition::of_run(run), at)));
    }
    changes
}
