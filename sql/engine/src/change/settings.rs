//! ALTER TABLE and ALTER VIEW: a new version of the same content with another policy.
//!
//! The lake's table gets it too, so that whoever writes it next keeps the identifying columns out of
//! the statistics.

use std::collections::BTreeMap;

use causeway_lake::{Commit, TableOptions};
use causeway_model::{Dataset, DatasetKind, DatasetPolicy, DatasetVersion, OutputVersion, StepOutcome};

use crate::access::{Setting, SettingsStatement, denied};
use crate::call::table_key;
use crate::error::{EngineError, ErrorKind, Result};

use super::outcome::{Described, kept_edges, output_version};
use super::target::{Target, check_schema};
use super::{Change, Done, Prepared, Task};

/// A table's policy on its way into the lake.
pub(super) struct Declare {
    policy: DatasetPolicy,
    previous: DatasetVersion,
}

impl Change<'_> {
    pub(super) async fn alter(&self, statement: &SettingsStatement) -> Result<Prepared> {
        if !self.guard.rights.may_govern() {
            return Err(denied("what a table holds of persons is for admins and stewards to say"));
        }
        check_schema(self.engine, &statement.name.schema).await?;
        let Some((dataset, Some(newest))) = self.engine.catalog().newest(&statement.name).await? else {
            return Err(self.engine.unknown_table(&statement.name, &self.guard.rights).await);
        };
        if dataset.kind != statement.kind {
            let kind = dataset.kind.name();
            return Err(EngineError::new(ErrorKind::Plan, format!("`{}` is a {kind}", dataset.name))
                .with_hint(format!("use ALTER {}", kind.to_uppercase())));
        }
        let policy = changed(&dataset, &newest, &statement.settings)?;
        if policy == dataset.policy {
            return Ok(Prepared::nothing());
        }
        if dataset.policy.protected && takes_back(&dataset.policy, &policy) && !self.guard.rights.is_admin() {
            return Err(denied(format!("`{}` is protected: only an admin takes back what protects it", dataset.name)));
        }
        let inputs = BTreeMap::from([(table_key(&statement.name).to_string(), newest.clone())]);
        if dataset.kind == DatasetKind::View {
            let outcome = view_outcome(dataset, &newest, policy);
            return Ok(Prepared { inputs, task: Task::Record(Box::new(outcome)), ..Prepared::nothing() });
        }
        let mut prepared = Prepared { inputs, ..Prepared::nothing() };
        let fresh = policy.identifying.iter().find(|column| !dataset.policy.identifying.contains(column));
        if let Some(column) = fresh.filter(|_| newest.n_rows != Some(0)) {
            prepared = prepared.warning(format!(
                "values of `{column}` stand in the statistics of files written so far; CREATE OR REPLACE TABLE writes \
                 them anew without"
            ));
        }
        prepared.target = Some(Target {
            name: dataset.name.clone(),
            location: dataset.location.clone(),
            dataset: Some(dataset),
            newest: Some(newest.clone()),
        });
        prepared.task = Task::Declare(Box::new(Declare { policy, previous: newest }));
        Ok(prepared)
    }
}

impl Declare {
    pub(super) async fn perform(
        self,
        change: &Change<'_>,
        target: Option<Target>,
        landed: Option<Commit>,
    ) -> Result<Done> {
        let target = target.ok_or_else(|| EngineError::new(ErrorKind::Internal, "a declaration without a table"))?;
        let options = TableOptions { identifying: self.policy.identifying.clone() };
        let commit = match landed {
            Some(commit) => commit,
            None => change.engine.lake().declare(&target.location, &options, &change.marker()).await?,
        };
        let described = described(&self.previous, self.policy);
        let lineage = kept_edges(&self.previous, &described.columns, 0);
        let outputs = vec![output_version(&target, &commit, described, Some(&self.previous))];
        let outcome = StepOutcome { outputs, lineage, rows_out: Some(0), ..StepOutcome::default() };
        Ok(Done { outcome, warnings: Vec::new() })
    }
}

/// Returns the policy that the settings make of what there is.
fn changed(dataset: &Dataset, newest: &DatasetVersion, settings: &[Setting]) -> Result<DatasetPolicy> {
    let mut policy = dataset.policy.clone();
    for setting in settings {
        match setting {
            Setting::Identifying(columns) => {
                columns.iter().try_for_each(|column| known(dataset, newest, column))?;
                let declared = std::mem::take(&mut policy.declared.identifying);
                policy.identifying.retain(|column| !declared.contains(column));
                let fresh: Vec<String> =
                    columns.iter().filter(|column| !policy.identifying.contains(column)).cloned().collect();
                policy.identifying.extend(fresh.iter().cloned());
                policy.declared.identifying = fresh;
            }
            Setting::SubjectKey(column) => {
                column.iter().try_for_each(|column| known(dataset, newest, column))?;
                policy.subject_key.clone_from(column);
                policy.declared.subject_key.clone_from(column);
            }
            Setting::IdentityDomain(domain) => policy.identity_domain.clone_from(domain),
            Setting::Protected(protected) => policy.protected = *protected,
        }
    }
    Ok(policy)
}

fn known(dataset: &Dataset, newest: &DatasetVersion, column: &str) -> Result<()> {
    let names = || newest.columns.iter().map(|column| column.name.as_str());
    if names().any(|name| name == column) {
        return Ok(());
    }
    let error = EngineError::new(ErrorKind::Plan, format!("`{}` has no column `{column}`", dataset.name));
    Err(match causeway_core::nearest(column, names()) {
        Some(nearest) => error.with_hint(format!("did you mean `{nearest}`?")),
        None => error.with_hint("SELECT * FROM system.columns lists them"),
    })
}

fn takes_back(old: &DatasetPolicy, new: &DatasetPolicy) -> bool {
    !new.protected
        || old.identifying.iter().any(|column| !new.identifying.contains(column))
        || (old.subject_key.is_some() && old.subject_key != new.subject_key)
        || (old.identity_domain.is_some() && old.identity_domain != new.identity_domain)
}

fn described(previous: &DatasetVersion, policy: DatasetPolicy) -> Described {
    let mut columns = previous.columns.clone();
    for column in &mut columns {
        column.identifying = policy.identifying.contains(&column.name);
    }
    Described { columns, policy }
}

fn view_outcome(dataset: Dataset, newest: &DatasetVersion, policy: DatasetPolicy) -> StepOutcome {
    let described = described(newest, policy);
    let lineage = kept_edges(newest, &described.columns, 0);
    let output = OutputVersion {
        name: dataset.name,
        kind: DatasetKind::View,
        location: dataset.location,
        view_sql: dataset.view_sql,
        policy: Some(described.policy),
        version: 0,
        n_rows: None,
        n_bytes: None,
        n_files: None,
        digest: newest.digest.clone(),
        columns: described.columns,
        previous: Some(newest.id),
    };
    StepOutcome { outputs: vec![output], lineage, ..StepOutcome::default() }
}
