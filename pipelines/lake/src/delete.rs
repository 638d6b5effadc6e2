//! Takes rows out of a table: only files that hold such rows are written anew.

use std::sync::Arc;

use datafusion::common::Column;
use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::Expr;
use datafusion::prelude::SessionContext;

use crate::error::{LakeError, Result};
use crate::lake::{Lake, commit_or_discard};
use crate::log::actions::Actions;
use crate::log::state::{DataFile, TableState};
use crate::properties::removal;
use crate::snapshot::Snapshot;
use crate::table::{Draft, Table, Tolerates};
use crate::types::{Commit, Marker};
use crate::write::Destination;

/// How often a delete starts anew behind other writers.
const ATTEMPTS: usize = 5;

/// A delete that is written but not committed.
pub(crate) struct Plan {
    pub(crate) actions: Actions,
    /// Rows taken out.
    pub(crate) n_rows: u64,
    pub(crate) files: Arc<Destination>,
}

impl Lake {
    /// Takes out the rows for which `predicate` is true, in one commit.
    ///
    /// Files without such rows stay as they are. The predicate is evaluated and forgotten: the log
    /// holds none of it. If no row matches, the commit holds the marker only.
    /// [`Commit::rows_written`] counts the rows taken out.
    ///
    /// # Errors
    /// [`LakeError::Rows`] if the predicate cannot be evaluated; [`LakeError::Conflict`] if other
    /// writers were quicker five times in a row.
    pub async fn delete(&self, location: &str, predicate: Expr, marker: &Marker) -> Result<Commit> {
        let table = self.table(location)?;
        let _pass = table.enter().await?;
        let mut attempt = 1;
        loop {
            match self.delete_once(&table, &predicate, marker).await {
                Err(LakeError::Conflict { .. }) if attempt < ATTEMPTS => attempt += 1,
                outcome => return outcome,
            }
        }
    }

    async fn delete_once(&self, table: &Table, predicate: &Expr, marker: &Marker) -> Result<Commit> {
        let base = table.existing().await?;
        if let Some(done) = table.committed(marker).await? {
            return Ok(done);
        }
        let Plan { actions, n_rows, files } = self.plan_delete(table, &base, predicate).await?;
        let draft = Draft { operation: "DELETE", n_rows, actions, tolerates: Tolerates::Nothing, behind_fence: false };
        commit_or_discard(table, Some(&base), draft, marker, &files).await
    }

    /// Writes the touched files anew without the rows; nothing is committed yet.
    pub(crate) async fn plan_delete(&self, table: &Table, base: &TableState, predicate: &Expr) -> Result<Plan> {
        let predicate = unqualified(predicate.clone())?;
        let (touched, n_rows) = self.touched(table, base, &predicate).await?;
        let files = Destination::new(&table.log, &base.schema, &base.identifying());
        let mut actions = Actions::default();
        if !touched.is_empty() {
            let kept = self.rows_of(table, base, touched.clone())?.filter(predicate.is_not_true())?;
            actions.adds = files.write(kept.execute_stream_partitioned().await?).await?.adds;
            actions.removes = touched.iter().map(|file| removal(file)).collect();
        }
        Ok(Plan { actions, n_rows, files })
    }

    /// Returns the files that hold rows to take out, and how many rows.
    async fn touched(&self, table: &Table, base: &TableState, predicate: &Expr) -> Result<(Vec<Arc<DataFile>>, u64)> {
        let (mut touched, mut n_rows) = (Vec::new(), 0);
        for file in base.files.iter() {
            let found = self.rows_of(table, base, vec![Arc::clone(file)])?.filter(predicate.clone())?.count().await?;
            if found > 0 {
                touched.push(Arc::clone(file));
                n_rows += found as u64;
            }
        }
        Ok((touched, n_rows))
    }

    /// Returns the rows of some of a table's files.
    fn rows_of(&self, table: &Table, base: &TableState, files: Vec<Arc<DataFile>>) -> Result<DataFrame> {
        let part = TableState { files: Arc::new(files), ..base.clone() };
        let snapshot = Snapshot::new(self.root(), &table.log, Arc::new(part));
        Ok(SessionContext::new().read_table(snapshot.provider())?)
    }
}

/// Drops table names from column references: the files are read under another name.
fn unqualified(predicate: Expr) -> Result<Expr> {
    let plain = predicate.transform(|expression| {
        Ok(match expression {
            Expr::Column(column) => Transformed::yes(Expr::Column(Column::new_unqualified(column.name))),
            other => Transformed::no(other),
        })
    })?;
    Ok(plain.data)
}
