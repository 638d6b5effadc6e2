//! Which rows of a relation a user sees.
//!
//! Admins and auditors see everything, stewards all about tables and rights. Others see columns and
//! edges of columns they may read, live datasets and their versions if they may read all of them (the number of rows of a
//! table with hidden ones would say how many), runs they started, jobs they submitted and schedules they own (an `operator`: all of
//! these), grants and policies of their own roles, budgets of tables they know of, and what they were charged. An `operator` sees the workers. Nobody else sees the audit log or lineage
//! events.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, new_null_array};
use arrow::compute::filter_record_batch;
use arrow::datatypes::Int64Type;
use causeway_model::{Catalog, DatasetPolicy, JobPage, ReadableColumns, Rights, TableName};
use datafusion::error::Result;

use crate::provider::{Source, catalog_error};

/// Keeps the rows of a relation that a user may see.
pub(crate) async fn visible(
    source: &Source,
    batch: RecordBatch,
    catalog: &dyn Catalog,
    rights: &Rights,
) -> Result<RecordBatch> {
    if rights.sees_record() {
        return Ok(batch);
    }
    let reader = Reader::new(source, catalog, rights).await?;
    let shown = |row| Some(reader.sees(source, &Row { batch: &batch, row }));
    let keep: BooleanArray = (0..batch.num_rows()).map(shown).collect();
    without_queries(filter_record_batch(&batch, &keep)?)
}

/// Hides the queries of views: they name columns that the user may not know of.
fn without_queries(batch: RecordBatch) -> Result<RecordBatch> {
    let Some((index, field)) = batch.schema_ref().column_with_name("view_sql") else { return Ok(batch) };
    let mut columns = batch.columns().to_vec();
    columns[index] = new_null_array(field.data_type(), batch.num_rows());
    Ok(RecordBatch::try_new(batch.schema(), columns)?)
}

/// A user, and what of the record decides what the user sees.
struct Reader<'a> {
    rights: &'a Rights,
    own_runs: BTreeSet<String>,
    own_jobs: BTreeSet<i64>,
    policed: BTreeSet<TableName>,
    protected: BTreeMap<TableName, DatasetPolicy>,
}

impl<'a> Reader<'a> {
    /// Reads what the relation needs.
    async fn new(source: &Source, catalog: &dyn Catalog, rights: &'a Rights) -> Result<Self> {
        let mut reader = Self {
            rights,
            own_runs: BTreeSet::new(),
            own_jobs: BTreeSet::new(),
            policed: BTreeSet::new(),
            protected: BTreeMap::new(),
        };
        if !rights.may_govern() {
            let datasets = catalog.datasets(false).await.map_err(catalog_error)?;
            let protected = datasets.into_iter().filter(|dataset| dataset.policy.protected);
            reader.protected = protected.map(|dataset| (dataset.name, dataset.policy)).collect();
        }
        match source {
            Source::Runs | Source::Steps | Source::OperatorRuns => {
                let runs = catalog.runs(i64::MAX).await.map_err(catalog_error)?;
                let own = runs.into_iter().filter(|run| run.actor == rights.user);
                reader.own_runs = own.map(|run| run.id.0).collect();
            }
            Source::Attempts => {
                let own = JobPage { actor: Some(rights.user.clone()), ..JobPage::newest(i64::MAX) };
                let jobs = catalog.jobs(&own).await.map_err(catalog_error)?;
                reader.own_jobs = jobs.into_iter().map(|job| job.id.0).collect();
            }
            Source::Datasets | Source::DatasetVersions => {
                let policies = catalog.row_policies(None).await.map_err(catalog_error)?;
                reader.policed = policies.into_iter().map(|policy| policy.table).collect();
            }
            _ => {}
        }
        Ok(reader)
    }

    fn sees(&self, source: &Source, row: &Row<'_>) -> bool {
        let rights = self.rights;
        match source {
            Source::Operators | Source::OperatorOptions => true,
            Source::Runs | Source::Steps | Source::OperatorRuns => {
                rights.has_role("operator") || self.own_runs.contains(row.text("run"))
            }
            Source::Jobs => rights.has_role("operator") || row.text("actor") == rights.user,
            Source::Attempts => {
                rights.has_role("operator") || row.integer("job").is_some_and(|job| self.own_jobs.contains(&job))
            }
            Source::Workers => rights.has_role("operator"),
            Source::Schedules | Source::Slots | Source::Backfills => {
                rights.has_role("operator") || row.text("owner") == rights.user
            }
            Source::Datasets | Source::DatasetVersions => {
                row.is_null("dropped_at") && self.may_read_all(&row.table("name"))
            }
            Source::Columns => self.knows_column(&row.table("dataset"), row.text("name")),
            Source::TableLineage | Source::ColumnLineage | Source::Lineage(_) => {
                self.knows(row, "dataset", "column") && self.knows(row, "source_dataset", "source_column")
            }
            Source::PrivacyBudgets => rights.may_govern() || rights.may_know(&row.table("name")),
            Source::PrivacyCharges => rights.may_govern() || row.text("actor") == rights.user,
            // An event names tables and columns of all who took part.
            Source::Audit | Source::OpenLineage => false,
            Source::Principals => rights.may_govern() || rights.has_role(row.text("name")),
            Source::Grants => rights.may_govern() || rights.has_role(row.text("grantee")),
            Source::RowPolicies => {
                rights.may_govern() || (rights.has_role(row.text("grantee")) && rights.may_know(&row.table("table")))
            }
        }
    }

    /// Returns true if all of a table may be read, so that its counts and its text say nothing new.
    fn may_read_all(&self, table: &TableName) -> bool {
        self.rights.may_govern()
            || (self.rights.readable(table) == ReadableColumns::All
                && !self.policed.contains(table)
                && self.protected.get(table).is_none_or(|policy| {
                    policy.identifying.iter().all(|column| self.rights.is_shown(table, policy, column))
                }))
    }

    /// Returns true if a column may be known: protection hides identifying ones.
    fn knows_column(&self, table: &TableName, column: &str) -> bool {
        self.rights.may_know_column(table, column)
            && self.protected.get(table).is_none_or(|policy| {
                !policy.identifying.iter().any(|name| name == column) || self.rights.is_shown(table, policy, column)
            })
    }

    /// Returns true if one side of an edge may be known; an unknown side says nothing.
    fn knows(&self, row: &Row<'_>, dataset: &str, column: &str) -> bool {
        if row.is_null(dataset) {
            return true;
        }
        // A schema's name has no dot.
        let (schema, table) = row.text(dataset).split_once('.').unwrap_or_default();
        let table = TableName::new(schema, table);
        if row.is_null(column) { self.rights.may_know(&table) } else { self.knows_column(&table, row.text(column)) }
    }
}

/// A row of a relation.
struct Row<'a> {
    batch: &'a RecordBatch,
    row: usize,
}

impl Row<'_> {
    /// Returns true for a null, also in a column that the relation does not have.
    fn is_null(&self, column: &str) -> bool {
        self.batch.column_by_name(column).is_none_or(|values| values.is_null(self.row))
    }

    fn text(&self, column: &str) -> &str {
        let values = self.batch.column_by_name(column).and_then(|values| values.as_string_opt::<i32>());
        values.map_or("", |values| values.value(self.row))
    }

    fn integer(&self, column: &str) -> Option<i64> {
        let values = self.batch.column_by_name(column)?.as_primitive_opt::<Int64Type>()?;
        Some(values.value(self.row))
    }

    /// Reads a name whose schema stands in the column `schema`.
    fn table(&self, column: &str) -> TableName {
        TableName::new(self.text("schema"), self.text(column))
    }
}
