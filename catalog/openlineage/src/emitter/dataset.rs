//! The datasets of a step's event.

use causeway_model::{Column, DatasetKind, LineageEdge, Transition, VersionId};

use super::{Emitter, is_check, what};
use crate::error::{OpenLineageError, Result};
use crate::event::{DatasetFacets, InputFacets, InputPart, OutputFacets, OutputPart};
use crate::facet::Facet;
use crate::facets::{Assertion, Assertions, Identifier, OutputStatistics, Schema, SchemaField, Symlinks, Version};
use crate::lineage::column_lineage;
use crate::naming::DatasetName;
use crate::record::{DatasetRecord, StepRecord};

/// The code of a check that was answered, and not with true.
const CHECK_FAILED: &str = "CW0608";

/// The statement whose row count is of rows removed.
const DELETE: &str = "delete";

impl Emitter {
    pub(super) fn datasets(
        &self,
        record: &StepRecord,
        transition: Transition,
        producer: &str,
    ) -> Result<(Vec<InputPart>, Vec<OutputPart>)> {
        let inputs = record.inputs.iter().map(|input| self.input(record, input, transition, producer));
        let inputs = inputs.collect::<Result<_>>()?;
        if transition != Transition::Complete {
            return Ok((inputs, Vec::new()));
        }
        check_edges(record)?;
        let outputs = (0..record.outputs.len()).map(|index| self.output(record, index, producer));
        Ok((inputs, outputs.collect::<Result<_>>()?))
    }

    fn input(
        &self,
        record: &StepRecord,
        input: &DatasetRecord,
        transition: Transition,
        producer: &str,
    ) -> Result<InputPart> {
        let assertion = self.assertion(record, transition);
        let input_facets = assertion.map(|assertion| InputFacets {
            data_quality_assertions: Facet::new(producer, Assertions { assertions: [assertion] }),
        });
        Ok(InputPart {
            name: self.places.name(&input.dataset)?,
            facets: self.dataset_facets(input, producer),
            input_facets,
        })
    }

    fn output(&self, record: &StepRecord, index: usize, producer: &str) -> Result<OutputPart> {
        let output = &record.outputs[index];
        let edges = record.edges.iter().filter(|edge| edge.output == index);
        let lineage = column_lineage(edges, &output.version.columns, |id| self.origin(record, id))?;
        let statistics = statistics(record, output);
        Ok(OutputPart {
            name: self.places.name(&output.dataset)?,
            facets: DatasetFacets {
                column_lineage: lineage.map(|body| Facet::new(producer, body)),
                ..self.dataset_facets(output, producer)
            },
            output_facets: statistics.map(|body| OutputFacets { output_statistics: Facet::new(producer, body) }),
        })
    }

    fn dataset_facets(&self, record: &DatasetRecord, producer: &str) -> DatasetFacets {
        let fields = record.version.columns.iter().zip(1..).map(|(column, position)| field(column, position));
        let version = Version { dataset_version: record.version.version.to_string() };
        DatasetFacets {
            schema: Facet::new(producer, Schema { fields: fields.collect() }),
            version: Facet::new(producer, version),
            symlinks: self.symlinks(record).map(|body| Facet::new(producer, body)),
            column_lineage: None,
        }
    }

    /// Says what the catalog calls a table; views and files are called that already.
    fn symlinks(&self, record: &DatasetRecord) -> Option<Symlinks> {
        let DatasetName { namespace, name } = self.places.logical_name(&record.dataset);
        (record.dataset.kind == DatasetKind::Table)
            .then_some(Symlinks { identifiers: [Identifier { namespace, name, kind: "TABLE" }] })
    }

    fn origin(&self, record: &StepRecord, id: VersionId) -> Result<DatasetName> {
        let missing = || OpenLineageError::Record {
            what: what(record),
            problem: format!("an edge comes from version {}, which the record does not hold", id.0),
        };
        self.places.name(&record.version(id).ok_or_else(missing)?.dataset)
    }

    /// Returns what a check found; `None` while it runs, and if it could not be answered.
    fn assertion(&self, record: &StepRecord, transition: Transition) -> Option<Assertion> {
        let success = match transition {
            Transition::Complete => true,
            Transition::Fail if record.step.error_code.as_deref() == Some(CHECK_FAILED) => false,
            _ => return None,
        };
        let content = self.sends_sql.then(|| record.step.sql.clone());
        is_check(record).then(|| Assertion {
            assertion: "custom_sql",
            success,
            severity: record.blocking.map(|blocking| if blocking { "error" } else { "warn" }),
            name: record.step.name.clone(),
            content_type: content.is_some().then_some("sql"),
            content,
        })
    }
}

fn field(column: &Column, ordinal_position: usize) -> SchemaField {
    let unit = column.unit.as_ref().map(|unit| format!("unit: {unit}"));
    let parts: Vec<String> = column.meaning.clone().into_iter().chain(unit).collect();
    SchemaField {
        name: column.name.clone(),
        data_type: column.data_type.clone(),
        description: (!parts.is_empty()).then(|| parts.join("; ")),
        ordinal_position,
    }
}

/// Counts what the step wrote into one output. Bytes and files are known of whole versions alone, so
/// they are said only if the step wrote all of its rows.
fn statistics(record: &StepRecord, output: &DatasetRecord) -> Option<OutputStatistics> {
    let row_count = rows_written(record, output)?;
    let whole = output.version.n_rows == Some(row_count);
    let of_whole = |count: Option<i64>| count.filter(|_| whole);
    Some(OutputStatistics {
        row_count,
        size: of_whole(output.version.n_bytes),
        file_count: of_whole(output.version.n_files),
    })
}

fn rows_written(record: &StepRecord, output: &DatasetRecord) -> Option<i64> {
    if output.dataset.kind == DatasetKind::View || record.step.kind == DELETE {
        return None;
    }
    let is_quarantine =
        |of: &DatasetRecord| record.outputs.iter().any(|table| table.dataset.name.quarantine() == of.dataset.name);
    if is_quarantine(output) {
        return record.step.rows_quarantined;
    }
    let n_loaded = record.outputs.iter().filter(|of| !is_quarantine(of)).count();
    record.step.rows_out.filter(|_| n_loaded == 1)
}

/// Refuses edges that lead to no output: the facet of an output that is not there would be lost.
fn check_edges(record: &StepRecord) -> Result<()> {
    let lost = |edge: &&LineageEdge| edge.output >= record.outputs.len();
    match record.edges.iter().find(lost) {
        None => Ok(()),
        Some(edge) => Err(OpenLineageError::Record {
            what: what(record),
            problem: format!("an edge leads to output {} of {}", edge.output, record.outputs.len()),
        }),
    }
}
