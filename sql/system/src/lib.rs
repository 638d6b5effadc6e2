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
//! each subject: datasets, runs, operators, lineage.

mod access;
mod cells;
mod datasets;
mod describe;
mod lineage;
mod operators;
mod provider;
mod runs;
mod steps;
#[cfg(test)]
mod tests;
mod visible;

use std::sync::Arc;

use causeway_core::{Literal, Literals, nearest};
use causeway_engine::{SystemFunction, SystemRelations};
use causeway_model::{Catalog, Direction, Rights};
use datafusion::catalog::TableProvider;

pub use describe::{ColumnDoc, RelationDoc, docs_markdown, relations};
pub use lineage::Target;

use provider::{Source, SystemTable};

/// The relations of one lake.
#[derive(Debug, Clone)]
pub struct System {
    catalog: Arc<dyn Catalog>,
}

impl System {
    /// Makes the relations of a catalog.
    pub fn new(catalog: Arc<dyn Catalog>) -> Self {
        Self { catalog }
    }

    fn provider(&self, relation: &'static RelationDoc, source: Source, rights: &Arc<Rights>) -> Arc<dyn TableProvider> {
        Arc::new(SystemTable::new(Arc::clone(&self.catalog), relation, source, Arc::clone(rights)))
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
        check_option_names(name, options, usage)?;
        let [Literal::Text(target)] = arguments else {
            return Err(format!("{name} takes one text, the table or column; the call is {usage}"));
        };
        let source = Source::Lineage {
            target: target.clone(),
            version: whole_number(name, options, "version", 0)?,
            depth: whole_number(name, options, "depth", 1)?,
            direction,
        };
        Ok(self.provider(relation, source, rights))
    }
}

/// The options of the lineage functions.
const LINEAGE_OPTIONS: [&str; 2] = ["depth", "version"];

fn check_option_names(function: &str, options: &Literals, usage: &str) -> Result<(), String> {
    match options.iter().find(|(option, _)| !LINEAGE_OPTIONS.contains(option)) {
        None => Ok(()),
        Some((option, _)) => {
            let meant = nearest(option, LINEAGE_OPTIONS).map(|name| format!(" (did you mean `{name}`?)"));
            Err(format!("{function} has no option `{option}`{}; the call is {usage}", meant.unwrap_or_default()))
        }
    }
}

fn whole_number(function: &str, options: &Literals, option: &str, min: i64) -> Result<Option<i64>, String> {
    match options.get(option) {
        None => Ok(None),
        Some(Literal::Integer(value)) if *value >= min => Ok(Some(*value)),
        Some(_) => Err(format!("option `{option}` of {function} must be a whole number >= {min}")),
    }
}
