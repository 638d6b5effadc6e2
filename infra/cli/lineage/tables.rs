//! Table lineage: versions and the steps between them, from the pinned inputs.

use std::collections::HashSet;

use causeway_core::OperatorFactory;
use causeway_model::{Direction, OperatorUse, Step, VersionId};
use causeway_system::Target;
use serde_json::{Value, json};

use crate::record::Record;
use crate::terminal::{Terminal, Tone};
use crate::tree::Node;

/// The record, and where it is drawn.
struct Drawing<'a> {
    terminal: &'a Terminal,
    record: &'a Record,
}

/// Draws the versions that a version came from, or those made from it.
pub(super) fn tree(
    terminal: &Terminal,
    record: &Record,
    target: &Target,
    direction: Direction,
    depth: Option<i64>,
) -> Node {
    let record = Drawing { terminal, record };
    let mut node = record.version_node(target.version.id);
    let mut seen = HashSet::from([target.version.id]);
    record.grow(&mut node, target.version.id, direction, depth.unwrap_or(i64::MAX), &mut seen);
    node
}

impl Drawing<'_> {
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
            step_node.children.extend(self.record.operators(step.id).iter().map(|used| self.operator_node(used)));
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
            Direction::Upstream => self.record.maker(version).into_iter().collect(),
            Direction::Downstream => self.record.readers(version).collect(),
        }
    }

    fn version_node(&self, id: VersionId) -> Node {
        let Some((dataset, version)) = self.record.version(id) else {
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

    /// Says which columns played which role in an operator: what was the outcome, what the treatment.
    fn operator_node(&self, used: &OperatorUse) -> Node {
        let spec = causeway_all::find(&used.operator).map(OperatorFactory::spec);
        let roles = spec.into_iter().flat_map(|spec| spec.inputs).flat_map(|input| input.columns);
        let mut played = serde_json::Map::new();
        for role in roles {
            if let Some(columns) = used.options.get(role.role).filter(|value| value.is_string() || value.is_array()) {
                played.insert(role.role.to_owned(), columns.clone());
            }
        }
        let said: Vec<String> = played.iter().map(|(role, columns)| format!("{role} {}", names(columns))).collect();
        let mut text = format!("operator {}", self.terminal.paint_output(Tone::Strong, &used.operator));
        if !said.is_empty() {
            text.push_str(&format!("  {}", self.terminal.paint_output(Tone::Faint, &said.join("; "))));
        }
        Node::new(text, json!({"operator": used.operator, "roles": played}))
    }
}

/// Names of one role that are printed.
const MAX_NAMES: usize = 12;

/// Lists column names: one, or those of an array.
fn names(columns: &Value) -> String {
    let all: Vec<&str> = match columns {
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        name => name.as_str().into_iter().collect(),
    };
    let first = all.iter().take(MAX_NAMES).copied().collect::<Vec<_>>().join(", ");
    if all.len() > MAX_NAMES { format!("{first} and {} more", all.len() - MAX_NAMES) } else { first }
}
