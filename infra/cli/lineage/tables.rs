//! Table lineage: versions and the steps between them, from the pinned inputs.

use std::collections::{HashMap, HashSet};

use causeway_model::{Catalog, Dataset, DatasetId, DatasetVersion, Direction, Step, StepId, VersionId};
use causeway_system::Target;
use serde_json::json;

use crate::errors::Failure;
use crate::terminal::{Terminal, Tone};
use crate::tree::Node;

/// Everything recorded, by id.
struct Record<'a> {
    terminal: &'a Terminal,
    datasets: HashMap<DatasetId, Dataset>,
    versions: HashMap<VersionId, DatasetVersion>,
    steps: Vec<Step>,
    steps_by_id: HashMap<StepId, usize>,
}

/// Draws the versions that a version came from, or those made from it.
pub(super) async fn tree(
    terminal: &Terminal,
    catalog: &dyn Catalog,
    target: &Target,
    direction: Direction,
    depth: Option<i64>,
) -> Result<Node, Failure> {
    let steps = catalog.steps(None).await?;
    let record = Record {
        terminal,
        datasets: catalog.datasets(true).await?.into_iter().map(|dataset| (dataset.id, dataset)).collect(),
        versions: catalog.versions(None).await?.into_iter().map(|version| (version.id, version)).collect(),
        steps_by_id: steps.iter().enumerate().map(|(index, step)| (step.id, index)).collect(),
        steps,
    };
    let mut node = record.version_node(target.version.id);
    let mut seen = HashSet::from([target.version.id]);
    record.grow(&mut node, target.version.id, direction, depth.unwrap_or(i64::MAX), &mut seen);
    Ok(node)
}

impl Record<'_> {
    /// Hangs the neighbours of a version below it; one seen before is named but not grown again.
    fn grow(
        &self,
        node: &mut Node,
        version: VersionId,
        direction: Direction,
        depth: i64,
        seen: &mut HashSet<VersionId>,
    ) {
        if depth == 0 {
            return;
        }
        for step in self.steps_at(version, direction) {
            let mut step_node = self.step_node(step);
            let next = if direction == Direction::Upstream { &step.inputs } else { &step.outputs };
            for neighbour in next.iter().filter(|neighbour| **neighbour != version) {
                let mut child = self.version_node(*neighbour);
                if seen.insert(*neighbour) {
                    self.grow(&mut child, *neighbour, direction, depth - 1, seen);
                } else {
                    child.text.push_str(&self.terminal.paint_output(Tone::Faint, "  (shown above)"));
                }
                step_node.children.push(child);
            }
            node.children.push(step_node);
        }
    }

    fn steps_at(&self, version: VersionId, direction: Direction) -> Vec<&Step> {
        match direction {
            Direction::Upstream => {
                let maker = self.versions.get(&version).and_then(|version| version.step);
                maker
                    .and_then(|step| self.steps_by_id.get(&step))
                    .map(|index| &self.steps[*index])
                    .into_iter()
                    .collect()
            }
            Direction::Downstream => {
                self.steps.iter().filter(|step| step.inputs.contains(&version) && !step.outputs.is_empty()).collect()
            }
        }
    }

    fn version_node(&self, id: VersionId) -> Node {
        let version = self.versions.get(&id);
        let dataset = version.and_then(|version| self.datasets.get(&version.dataset));
        let (Some(version), Some(dataset)) = (version, dataset) else {
            return Node::new("unknown", json!({"dataset": null}));
        };
        let name = dataset.name.to_string();
        let mut text = format!("{} @{}", self.terminal.paint_output(Tone::Name, &name), version.version);
        if let Some(n_rows) = version.n_rows {
            text.push_str(&format!("  {n_rows} rows"));
        }
        if let Some(digest) = version.digest.as_ref().and_then(|digest| digest.get(..12)) {
            text.push_str(&format!("  sha256 {digest}…"));
        }
        if dataset.dropped_at.is_some() {
            text.push_str("  (dropped)");
        }
        let fact = json!({
            "dataset": name, "kind": dataset.kind.name(), "version": version.version, "n_rows": version.n_rows,
            "digest": version.digest, "committed_at": version.committed_at,
        });
        Node::new(text, fact)
    }

    fn step_node(&self, step: &Step) -> Node {
        let when = step.started_at.get(..19).unwrap_or(&step.started_at);
        let text = format!("step {} ({})", self.terminal.paint_output(Tone::Strong, &step.name), step.kind);
        let run = self.terminal.paint_output(Tone::Faint, &format!("run {} at {when}", step.run));
        Node::new(format!("{text}  {run}"), json!({"step": step.name, "kind": step.kind, "run": step.run.0}))
    }
}
