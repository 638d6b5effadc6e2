//! What the catalog and the operators know, as SQL: the tables of the schema `system` and the lineage
//! functions.
//!
//! ```text
//! SELECT … FROM system.runs ──> SystemTable (schema known) ──scan──> Catalog ──> one record batch
//! SELECT … FROM lineage_upstream('clinical.survival_by_sex.survival') ──────────^
//! ```
//!
//! Nothing is read before a query runs. [`relations`] describes every table and function with the
//! meaning of its columns; the shell and the docs are derived from it. Rows are made in one module for
//! each subject: datasets, runs, operators, lineage, events.

mod access;
mod audit;
mod cells;
mod datasets;
mod describe;
mod jobs;
mod lineage;
mod openlineage;
mod operators;
mod privacy;
mod provider;
mod question;
mod runs;
mod schedules;
mod steps;
mod tables;
#[cfg(test)]
mod tests;
mod visible;

use std::sync::Arc;

use causeway_core::{Literal, Literals};
use causeway_engine::{SystemFunction, SystemRelations};
use causeway_model::{Catalog, Direction, Rights};
use causeway_openlineage::{Emitter, Reader};
use datafusion::catalog::TableProvider;

pub use describe::{ColumnDoc, RelationDoc, docs_markdown, relations};
pub use lineage::Target;

use provider::{Source, SystemTable};
use question::Question;

/// The relations of one lake.
#[derive(Debug, Clone)]
pub struct System {
    catalog: Arc<dyn Catalog>,
    events: Option<Reader>,
}

impl System {
    /// Makes the relations of a catalog.
    pub fn new(catalog: Arc<dyn Catalog>) -> Self {
        Self { catalog, events: None }
    }

    /// Shows OpenLineage events as `emitter` makes them.
    #[must_use]
    pub fn with_events(mut self, emitter: Emitter) -> Self {
        self.events = Some(Reader::new(Arc::clone(&self.catalog), emitter));
        self
    }

    fn provider(&self, relation: &'static RelationDoc, source: Source, rights: &Arc<Rights>) -> Arc<dyn TableProvider> {
        Arc::new(SystemTable::new(self.clone(), relation, source, Arc::clone(rights)))
    }
}

impl SystemRelations for System {
    fn tables(&self) -> Vec<&'static str> {
        relations().iter().filter(|relation| relation.usage.is_none()).map(|relation| relation.name).collect()
    }

    fn table(&self, name: &str, rights: &Arc<Rights>) -> Option<Arc<dyn TableProvider>> {
        let relation = relations().iter().find(|relation| relation.name == name)?;
        Some(self.provider(relation, Source::of_table(name)?, rights))
    }

    fn functions(&self) -> Vec<SystemFunction> {
        let function = |relation: &RelationDoc| {
            relation.usage.map(|usage| SystemFunction { name: relation.name, usage, summary: relation.summary })
        };
        relations().iter().filter_map(function).collect()
    }

    fn function(
        &self,
        name: &str,
        arguments: &[Literal],
        options: &Literals,
        rights: &Arc<Rights>,
    ) -> Result<Arc<dyn TableProvider>, String> {
        let direction = match name {
            "lineage_upstream" => Direction::Upstream,
            "lineage_downstream" => Direction::Downstream,
            _ => return Err(format!("there is no system function `{name}`")),
        };
        let relation = relations()
            .iter()
            .find(|relation| relation.name == name)
            .ok_or_else(|| format!("there is no system function `{name}`"))?;
        let usage = relation.usage.unwrap_or_default();
        let source = Source::Lineage(Question::check(direction, name, usage, arguments, options)?);
        Ok(self.provider(relation, source, rights))
    }
}
