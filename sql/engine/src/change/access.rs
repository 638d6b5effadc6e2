//! CREATE and DROP of users, roles and policies; GRANT and REVOKE: checked here, recorded as one step.

use std::collections::BTreeSet;

use causeway_lake::At;
use causeway_model::{
    AccessChange, BUILT_IN, DatasetKind, DatasetVersion, Grant, PUBLIC, Principal, PrincipalKind, ReadableColumns,
    RowPolicy, Securable, StepOutcome, TableName,
};
use datafusion::datasource::provider_as_source;

use crate::access::{AccessStatement, condition, denied};
use crate::call::table_key;
use crate::error::{EngineError, ErrorKind, Result};

use super::{Change, Prepared, Task};

impl Change<'_> {
    pub(super) async fn change_access(&self, statement: &AccessStatement) -> Result<Prepared> {
        let principals = self.engine.catalog().principals().await?;
        let mut changes = Vec::new();
        for change in &statement.changes {
            self.may_change(change)?;
            if self.changes_something(change, &principals, statement.lenient).await? {
                changes.push(change.clone());
            }
        }
        if changes.is_empty() {
            return Ok(Prepared::nothing());
        }
        let outcome = StepOutcome { access: changes, ..StepOutcome::default() };
        Ok(Prepared { task: Task::Record(Box::new(outcome)), ..Prepared::nothing() })
    }

    /// Admins change everything. Stewards say who may read what, but give themselves nothing.
    fn may_change(&self, change: &AccessChange) -> Result<()> {
        let rights = &self.guard.rights;
        if rights.is_admin() {
            return Ok(());
        }
        match change {
            AccessChange::Create(..)
            | AccessChange::Drop(..)
            | AccessChange::Join { .. }
            | AccessChange::Leave { .. } => Err(denied("users, roles and their members are for admins")),
            _ if !rights.may_govern() => Err(denied("grants and policies are for admins and stewards")),
            AccessChange::Grant(Grant { grantee, .. }) if rights.has_role(grantee) => {
                Err(denied(format!("you are `{grantee}`, or one of its members: nobody grants rights to themselves"))
                    .with_hint("another steward or an admin can"))
            }
            AccessChange::AddPolicy(policy) if !policy.restrictive && rights.has_role(&policy.grantee) => {
                self.not_a_reader(&policy.table)
            }
            AccessChange::DropPolicy { table, .. } => self.not_a_reader(table),
            _ => Ok(()),
        }
    }

    /// Nobody widens the rows that they see themselves.
    fn not_a_reader(&self, table: &TableName) -> Result<()> {
        if self.guard.rights.readable(table) == ReadableColumns::None {
            return Ok(());
        }
        Err(denied(format!("you read `{table}` yourself: who may see more of its rows is for others to say"))
            .with_hint("another steward or an admin can"))
    }

    /// Checks a change against what there is; returns false if what it asks for is so already.
    async fn changes_something(&self, change: &AccessChange, known: &[Principal], lenient: bool) -> Result<bool> {
        match change {
            AccessChange::Create(_, name) => {
                not_built_in(name)?;
                absent(known.iter().any(|principal| principal.name == *name), "user or role", name, lenient)
            }
            AccessChange::Drop(kind, name) => {
                not_built_in(name)?;
                self.check_no_policy(name).await?;
                present(known.iter().any(|one| one.name == *name && one.kind == *kind), kind.name(), name, lenient)
            }
            AccessChange::Join { role, member } => joins(known, role, member),
            AccessChange::Leave { role, member } => {
                let is_member = find(known, member)?.member_of.contains(role);
                present(is_member, "member", &format!("{member} of {role}"), false)
            }
            AccessChange::Grant(grant) => {
                find_or_public(known, &grant.grantee)?;
                self.check_securable(grant).await?;
                Ok(!self.engine.catalog().grants().await?.contains(grant))
            }
            AccessChange::Revoke(grant) => {
                let there = self.engine.catalog().grants().await?.contains(grant);
                present(
                    there,
                    "grant",
                    &format!("{} on {} to {}", grant.privilege.name(), grant.on, grant.grantee),
                    false,
                )
            }
            AccessChange::AddPolicy(policy) => {
                find_or_public(known, &policy.grantee)?;
                self.check_policy(policy).await?;
                Ok(true)
            }
            AccessChange::DropPolicy { table, name } => {
                let policies = self.engine.catalog().row_policies(Some(table)).await?;
                let there = policies.iter().any(|policy| policy.name == *name);
                present(there, "policy", &format!("{name} on {table}"), lenient)
            }
        }
    }

    /// A table whose last policy goes shows all its rows, so none goes unsaid.
    async fn check_no_policy(&self, name: &str) -> Result<()> {
        let policies = self.engine.catalog().row_policies(None).await?;
        match policies.iter().find(|policy| policy.grantee == name) {
            Some(policy) => Err(EngineError::new(
                ErrorKind::Refused,
                format!("row policy `{}` of `{}` is for `{name}`", policy.name, policy.table),
            )
            .with_hint(format!("DROP POLICY {} ON {} first, if its rows may be shown", policy.name, policy.table))),
            None => Ok(()),
        }
    }

    async fn check_securable(&self, grant: &Grant) -> Result<()> {
        match &grant.on {
            Securable::Table(name) => {
                let (_, newest) = self.governed(name).await?;
                match &grant.column {
                    Some(column) if !newest.columns.iter().any(|one| one.name == *column) => {
                        let columns = newest.columns.iter().map(|one| one.name.as_str());
                        Err(unknown("column", &format!("{name}.{column}"), causeway_core::nearest(column, columns)))
                    }
                    _ => Ok(()),
                }
            }
            Securable::Schema(name) if name == "file" || name == crate::parse::DEFAULT_SCHEMA => Ok(()),
            Securable::Schema(name) => {
                let schemas = self.engine.catalog().schemas().await?;
                if schemas.contains(name) {
                    return Ok(());
                }
                Err(unknown("schema", name, causeway_core::nearest(name, schemas.iter().map(String::as_str))))
            }
            Securable::Operator(name) => match crate::call::operator(name) {
                Some(_) => Ok(()),
                None => {
                    let names = causeway_all::operators().map(|factory| factory.spec().name);
                    Err(unknown("operator", name, causeway_core::nearest(name, names)))
                }
            },
        }
    }

    async fn check_policy(&self, policy: &RowPolicy) -> Result<()> {
        let (kind, newest) = self.governed(&policy.table).await?;
        if kind != DatasetKind::Table {
            return Err(EngineError::new(
                ErrorKind::Plan,
                format!("`{}` is a view; policies are for tables", policy.table),
            ));
        }
        let policies = self.engine.catalog().row_policies(Some(&policy.table)).await?;
        let taken = policies.iter().any(|one| one.name == policy.name && one.grantee == policy.grantee);
        absent(taken, "policy", &format!("{} on {} for {}", policy.name, policy.table, policy.grantee), false)?;
        let dataset = self.engine.catalog().dataset_by_id(newest.dataset).await?;
        let snapshot = self.engine.lake().snapshot_at(&dataset.location, &At::Version(newest.version)).await?;
        condition(&self.state, &table_key(&policy.table), provider_as_source(snapshot.provider()), policy).await
    }

    /// Returns the newest version of a table or view that is to be governed.
    async fn governed(&self, name: &TableName) -> Result<(DatasetKind, DatasetVersion)> {
        let catalog = self.engine.catalog();
        let dataset = match catalog.dataset(name).await? {
            Some(dataset) if dataset.kind != DatasetKind::File => dataset,
            _ => return Err(self.engine.unknown_table(name, &self.guard.rights).await),
        };
        match catalog.latest_version(dataset.id).await? {
            Some(newest) => Ok((dataset.kind, newest)),
            None => Err(EngineError::new(ErrorKind::NotFound, format!("`{name}` has no version yet"))),
        }
    }
}

fn not_built_in(name: &str) -> Result<()> {
    if name == PUBLIC || BUILT_IN.contains(&name) {
        return Err(EngineError::new(ErrorKind::Refused, format!("role `{name}` is built in")));
    }
    Ok(())
}

fn find<'a>(known: &'a [Principal], name: &str) -> Result<&'a Principal> {
    known.iter().find(|principal| principal.name == name).ok_or_else(|| {
        unknown("user or role", name, causeway_core::nearest(name, known.iter().map(|one| one.name.as_str())))
    })
}

fn find_or_public(known: &[Principal], name: &str) -> Result<()> {
    if name == PUBLIC { Ok(()) } else { find(known, name).map(|_| ()) }
}

/// Checks that `member` can join `role`; returns false if it is a member already.
fn joins(known: &[Principal], role: &str, member: &str) -> Result<bool> {
    let new = find(known, member)?;
    if find(known, role)?.kind != PrincipalKind::Role {
        return Err(EngineError::new(ErrorKind::Plan, format!("`{role}` is a user; only roles have members")));
    }
    if above(known, role).contains(member) {
        return Err(EngineError::new(
            ErrorKind::Plan,
            format!("`{role}` is a member of `{member}`: roles form no circle"),
        ));
    }
    Ok(!new.member_of.iter().any(|one| one == role))
}

/// Returns a role and all roles it is a member of, directly or not.
fn above<'a>(known: &'a [Principal], role: &'a str) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::from([role]);
    let mut left = vec![role];
    while let Some(name) = left.pop() {
        for principal in known.iter().filter(|principal| principal.name == name) {
            left.extend(principal.member_of.iter().map(String::as_str).filter(|role| seen.insert(role)));
        }
    }
    seen
}

fn present(there: bool, what: &str, name: &str, lenient: bool) -> Result<bool> {
    if there || lenient { Ok(there) } else { Err(unknown(what, name, None)) }
}

fn absent(there: bool, what: &str, name: &str, lenient: bool) -> Result<bool> {
    match (there, lenient) {
        (true, false) => Err(EngineError::new(ErrorKind::AlreadyExists, format!("{what} `{name}` exists already"))),
        (there, _) => Ok(!there),
    }
}

fn unknown(what: &str, name: &str, nearest: Option<String>) -> EngineError {
    let error = EngineError::new(ErrorKind::NotFound, format!("there is no {what} `{name}`"));
    match nearest {
        Some(nearest) => error.with_hint(format!("did you mean `{nearest}`?")),
        None => error.with_hint("system.principals, system.grants and system.row_policies list what there is"),
    }
}
