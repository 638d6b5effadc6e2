//! Edges between versions of tables: what steps read and made.

use std::collections::{BTreeSet, HashMap, VecDeque};

use arrow::array::ArrayRef;
use causeway_model::{Catalog, DatasetId, DatasetVersion, Direction, Step, StepId, TableName, VersionId};
use datafusion::error::Result;

use crate::cells::{instants, integers, optional_booleans, optional_integers, optional_texts, texts};
use crate::provider::catalog_error;
use crate::question::Question;

/// All versions and steps.
struct Tables {
    names: HashMap<DatasetId, TableName>,
    versions: HashMap<VersionId, DatasetVersion>,
    steps: Vec<Step>,
}

/// A step between a version it read and one it made.
struct Edge<'a> {
    depth: i64,
    source: VersionId,
    made: VersionId,
    step: &'a Step,
}

impl Tables {
    async fn read(catalog: &dyn Catalog) -> Result<Self> {
        let datasets = catalog.datasets(true).await.map_err(catalog_error)?;
        let versions = catalog.versions(None).await.map_err(catalog_error)?;
        Ok(Self {
            names: datasets.into_iter().map(|dataset| (dataset.id, dataset.name)).collect(),
            versions: versions.into_iter().map(|version| (version.id, version)).collect(),
            steps: catalog.steps(None).await.map_err(catalog_error)?,
        })
    }

    /// Returns every edge, in the order of the steps.
    fn all(&self) -> Vec<Edge<'_>> {
        let of = |step| edges(step, 1);
        self.steps.iter().flat_map(of).collect()
    }

    /// Follows the steps from a version, nearest first; every edge once.
    fn from(&self, target: VersionId, direction: Direction, depth: Option<i64>) -> Vec<Edge<'_>> {
        let mut found = Vec::new();
        let mut waiting = VecDeque::from([(target, 1)]);
        let mut seen = BTreeSet::from([target]);
        while let Some((version, distance)) = waiting.pop_front() {
            if depth.is_some_and(|depth| distance > depth) {
                continue;
            }
            for edge in self.at(version, direction, distance) {
                let next = if direction == Direction::Upstream { edge.source } else { edge.made };
                if seen.insert(next) {
                    waiting.push_back((next, distance + 1));
                }
                found.push(edge);
            }
        }
        found
    }

    fn at(&self, version: VersionId, direction: Direction, depth: i64) -> Vec<Edge<'_>> {
        let maker: Option<StepId> = self.versions.get(&version).and_then(|version| version.step);
        let steps = self.steps.iter().filter(|step| match direction {
            Direction::Upstream => Some(step.id) == maker,
            Direction::Downstream => step.inputs.contains(&version),
        });
        let is_here = |edge: &Edge<'_>| match direction {
            Direction::Upstream => edge.made == version,
            Direction::Downstream => edge.source == version,
        };
        steps.flat_map(|step| edges(step, depth)).filter(is_here).collect()
    }

    fn name(&self, id: VersionId) -> String {
        let name = self.versions.get(&id).and_then(|version| self.names.get(&version.dataset));
        name.map(ToString::to_string).unwrap_or_default()
    }

    fn number(&self, id: VersionId) -> i64 {
        self.versions.get(&id).map_or(0, |version| version.version)
    }
}

fn edges(step: &Step, depth: i64) -> Vec<Edge<'_>> {
    let made = |source: VersionId| step.outputs.iter().map(move |made| Edge { depth, source, made: *made, step });
    step.inputs.iter().flat_map(|source| made(*source)).collect()
}

/// Returns the edges between tables around a target, as rows of a lineage function.
pub(crate) async fn closure(
    catalog: &dyn Catalog,
    target: &DatasetVersion,
    question: &Question,
) -> Result<Vec<ArrayRef>> {
    let tables = Tables::read(catalog).await?;
    let edges = tables.from(target.id, question.direction, question.depth);
    let rows = || edges.iter();
    let nothing = || rows().map(|_| None::<&str>);
    Ok(vec![
        integers(rows().map(|edge| edge.depth)),
        texts(rows().map(|edge| tables.name(edge.made))),
        integers(rows().map(|edge| tables.number(edge.made))),
        optional_texts(nothing()),
        optional_texts(rows().map(|edge| Some(tables.name(edge.source)))),
        optional_integers(rows().map(|edge| Some(tables.number(edge.source)))),
        optional_texts(nothing()),
        optional_texts(nothing()),
        optional_booleans(rows().map(|_| None)),
        optional_booleans(rows().map(|_| None)),
        texts(rows().map(|edge| &edge.step.run.0)),
        texts(rows().map(|edge| &edge.step.name)),
    ])
}

/// Returns the rows of `system.table_lineage`.
pub(crate) async fn all(catalog: &dyn Catalog) -> Result<Vec<ArrayRef>> {
    let tables = Tables::read(catalog).await?;
    let edges = tables.all();
    let rows = || edges.iter();
    Ok(vec![
        texts(rows().map(|edge| tables.name(edge.made))),
        integers(rows().map(|edge| tables.number(edge.made))),
        optional_texts(rows().map(|edge| Some(tables.name(edge.source)))),
        optional_integers(rows().map(|edge| Some(tables.number(edge.source)))),
        texts(rows().map(|edge| &edge.step.kind)),
        texts(rows().map(|edge| &edge.step.run.0)),
        texts(rows().map(|edge| &edge.step.name)),
        instants(rows().map(|edge| edge.step.finished_at.as_deref()))?,
    ])
}
