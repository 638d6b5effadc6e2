//! Users, roles and what they may do.
//!
//! A role's rights go to its members, roles among them. Five roles are always there ([`BUILT_IN`]):
//! `admin` may do everything; `auditor` reads the whole record (`system.*`, lineage, audit) and no
//! data; `steward` says what tables hold and who may read them; `operator` runs and ends jobs;
//! `analyst` may do what is granted. `admin`, `auditor` and `steward` know of every table, others only
//! of those they hold a right on.

use std::collections::BTreeSet;

use crate::{Column, Dataset, DatasetPolicy, DatasetVersion, TableName};

/// The roles that every catalog has.
pub const BUILT_IN: [&str; 5] = ["admin", "analyst", "auditor", "operator", "steward"];

/// The role that everyone is a member of.
pub const PUBLIC: &str = "public";

/// Someone, or a group of people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PrincipalKind {
    /// A person or a program.
    User,
    /// A group.
    Role,
}

impl PrincipalKind {
    /// All kinds.
    pub const ALL: [Self; 2] = [Self::User, Self::Role];

    /// Returns the word for it, as stored and as shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Role => "role",
        }
    }
}

/// A user or a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Its name; users and roles share one space of names.
    pub name: String,
    /// What it is.
    pub kind: PrincipalKind,
    /// The roles it is a direct member of, by name.
    pub member_of: Vec<String>,
    /// When it was made (RFC 3339, UTC, the database's clock).
    pub created_at: String,
}

/// What may be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Privilege {
    /// To read a table or view, or some of its columns.
    Select,
    /// To make private releases of a table or view: to read it through privacy mechanisms alone.
    Release,
    /// To add rows.
    Insert,
    /// To change rows.
    Update,
    /// To remove rows.
    Delete,
    /// To make, replace and drop tables and views of a schema.
    Create,
    /// To call an operator.
    Execute,
}

impl Privilege {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Select, Self::Release, Self::Insert, Self::Update, Self::Delete, Self::Create, Self::Execute];

    /// Returns the word for it, as stored and as shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Select => "select",
            Self::Release => "release",
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Create => "create",
            Self::Execute => "execute",
        }
    }
}

/// What a privilege is granted on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Securable {
    /// A table or view, by name: a grant outlives the replacement of its table, not its drop.
    Table(TableName),
    /// A schema: all its tables and views, those to come included.
    Schema(String),
    /// An operator.
    Operator(String),
}

impl std::fmt::Display for Securable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Table(name) => write!(f, "{name}"),
            Self::Schema(name) => write!(f, "schema {name}"),
            Self::Operator(name) => write!(f, "operator {name}"),
        }
    }
}

/// One privilege of one principal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// Who has it.
    pub grantee: String,
    /// What is allowed.
    pub privilege: Privilege,
    /// On what.
    pub on: Securable,
    /// The column of a table that may be read; `None` for all.
    pub column: Option<String>,
}

/// Which rows of a table a principal may see.
///
/// A table without policies shows all rows to who may read it. Otherwise a row is shown if one of
/// the reader's permissive policies holds for it, and all the reader's restrictive ones do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowPolicy {
    /// The table.
    pub table: TableName,
    /// Its name, unique in the table.
    pub name: String,
    /// Whom it is for; [`PUBLIC`] for everyone.
    pub grantee: String,
    /// The condition, a boolean SQL expression over the table's columns.
    pub condition: String,
    /// True if it narrows what other policies show.
    pub restrictive: bool,
}

/// A change of who may do what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessChange {
    /// A new user or role.
    Create(PrincipalKind, String),
    /// A user or role goes, with its grants and memberships. Row policies for it stay.
    Drop(PrincipalKind, String),
    /// `member` joins `role`.
    Join {
        /// The role.
        role: String,
        /// A user or a role.
        member: String,
    },
    /// `member` leaves `role`.
    Leave {
        /// The role.
        role: String,
        /// A user or a role.
        member: String,
    },
    /// A privilege is given; none if it is there already.
    Grant(Grant),
    /// A privilege is taken away.
    Revoke(Grant),
    /// A row policy is added.
    AddPolicy(RowPolicy),
    /// A row policy is removed.
    DropPolicy {
        /// The table.
        table: TableName,
        /// The policy's name.
        name: String,
    },
}

/// The columns of a table that may be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadableColumns {
    /// All, those to come included.
    All,
    /// These; never empty.
    Some(BTreeSet<String>),
    /// None: to this user the table is not there.
    None,
}

/// All that a user may do: the sum over the user's roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    /// The user.
    pub user: String,
    /// The user's roles, direct and through other roles, [`PUBLIC`] and the user's own name among them.
    pub roles: BTreeSet<String>,
    /// The grants of all of them.
    pub grants: BTreeSet<Grant>,
}

impl Rights {
    /// Returns the rights of the embedded mode's only user.
    pub fn embedded() -> Self {
        Self { user: "admin".to_owned(), roles: BTreeSet::from(["admin".to_owned()]), grants: BTreeSet::new() }
    }

    /// Returns true for a member of `role`; an admin is not a member of other roles by that.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.contains(role)
    }

    /// Returns true if everything is allowed.
    pub fn is_admin(&self) -> bool {
        self.has_role("admin")
    }

    /// Returns true if the whole record may be read: runs, lineage, audit of every table.
    pub fn sees_record(&self) -> bool {
        self.is_admin() || self.has_role("auditor")
    }

    /// Returns true if users, roles, grants and policies may be changed.
    pub fn may_govern(&self) -> bool {
        self.is_admin() || self.has_role("steward")
    }

    /// Returns the columns of a table that may be read.
    pub fn readable(&self, table: &TableName) -> ReadableColumns {
        if self.may(Privilege::Select, &Securable::Table(table.clone())) {
            return ReadableColumns::All;
        }
        let columns: BTreeSet<String> = self
            .grants
            .iter()
            .filter(|grant| grant.privilege == Privilege::Select && grant.on == Securable::Table(table.clone()))
            .filter_map(|grant| grant.column.clone())
            .collect();
        if columns.is_empty() { ReadableColumns::None } else { ReadableColumns::Some(columns) }
    }

    /// Returns the columns of a version of a table that may be read. Identifying columns of a protected
    /// table are read by who was granted them by name, not by who may read the table or its schema.
    pub fn readable_columns(&self, dataset: &Dataset, version: &DatasetVersion) -> ReadableColumns {
        let all = self.readable(&dataset.name);
        let hidden = |column: &Column| {
            let identifying = column.identifying || dataset.policy.identifying.contains(&column.name);
            identifying && !self.is_shown(&dataset.name, &dataset.policy, &column.name)
        };
        if all != ReadableColumns::All || !version.columns.iter().any(hidden) {
            return all;
        }
        let shown = version.columns.iter().filter(|column| !hidden(column));
        let shown: BTreeSet<String> = shown.map(|column| column.name.clone()).collect();
        if shown.is_empty() { ReadableColumns::None } else { ReadableColumns::Some(shown) }
    }

    /// Returns true if private releases may be made of a table.
    pub fn may_release(&self, table: &TableName) -> bool {
        self.may(Privilege::Release, &Securable::Table(table.clone()))
    }

    /// Returns true if an identifying column is not hidden by the protection of its table.
    pub fn is_shown(&self, table: &TableName, policy: &DatasetPolicy, column: &str) -> bool {
        let by_name = |grant: &Grant| {
            grant.privilege == Privilege::Select
                && grant.on == Securable::Table(table.clone())
                && grant.column.as_deref() == Some(column)
        };
        !policy.protected || self.is_admin() || self.grants.iter().any(by_name)
    }

    /// Returns true if the whole of `on` is covered: a grant on a schema covers its tables.
    pub fn may(&self, privilege: Privilege, on: &Securable) -> bool {
        self.is_admin()
            || self
                .grants
                .iter()
                .any(|grant| grant.privilege == privilege && grant.column.is_none() && covers(&grant.on, on))
    }

    /// Returns true if the table's being there may be known: some right on it is held.
    pub fn may_know(&self, table: &TableName) -> bool {
        let table = Securable::Table(table.clone());
        self.sees_record() || self.may_govern() || self.grants.iter().any(|grant| covers(&grant.on, &table))
    }

    /// Returns true if a column's being there may be known.
    pub fn may_know_column(&self, table: &TableName, column: &str) -> bool {
        self.sees_record()
            || self.may_govern()
            || match self.readable(table) {
                ReadableColumns::All => true,
                ReadableColumns::Some(columns) => columns.contains(column),
                ReadableColumns::None => false,
            }
            || self.may_release(table)
    }

    /// Returns true if the being there of a column of this very dataset may be known: protection hides
    /// identifying ones.
    pub fn may_know_column_of(&self, dataset: &Dataset, column: &str) -> bool {
        let hidden = || {
            dataset.policy.identifying.iter().any(|name| name == column)
                && !self.is_shown(&dataset.name, &dataset.policy, column)
        };
        self.may_know_column(&dataset.name, column) && (self.sees_record() || self.may_govern() || !hidden())
    }

    /// Returns the condition on the rows of a table that this user may see, in SQL; `None` for all rows.
    pub fn row_condition(&self, policies: &[RowPolicy]) -> Option<String> {
        if policies.is_empty() || self.is_admin() {
            return None;
        }
        let mine = |restrictive: bool| {
            let of_mine = policies
                .iter()
                .filter(move |policy| policy.restrictive == restrictive && self.roles.contains(&policy.grantee));
            of_mine.map(|policy| format!("({})", policy.condition)).collect::<Vec<_>>()
        };
        let permissive = mine(false);
        let shown = if permissive.is_empty() { "false".to_owned() } else { permissive.join(" OR ") };
        let narrowed = mine(true).into_iter().map(|condition| format!(" AND {condition}")).collect::<String>();
        Some(format!("({shown}){narrowed}"))
    }
}

fn covers(granted: &Securable, asked: &Securable) -> bool {
    match (granted, asked) {
        (Securable::Schema(schema), Securable::Table(table)) => *schema == table.schema,
        _ => granted == asked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> TableName {
        TableName::new("clinical", "lung")
    }

    fn rights(roles: &[&str], grants: Vec<(Privilege, Securable, Option<&str>)>) -> Rights {
        let grants = grants.into_iter().map(|(privilege, on, column)| Grant {
            grantee: roles[0].to_owned(),
            privilege,
            on,
            column: column.map(str::to_owned),
        });
        Rights {
            user: "u".to_owned(),
            roles: roles.iter().map(|&role| role.to_owned()).collect(),
            grants: grants.collect(),
        }
    }

    fn policy(grantee: &str, condition: &str, restrictive: bool) -> RowPolicy {
        RowPolicy {
            table: table(),
            name: condition.to_owned(),
            grantee: grantee.to_owned(),
            condition: condition.to_owned(),
            restrictive,
        }
    }

    #[test]
    fn nothing_is_allowed_that_was_not_granted() {
        let none = rights(&["analyst"], vec![]);
        assert_eq!(none.readable(&table()), ReadableColumns::None);
        assert!(!none.may_know(&table()) && !none.sees_record() && !none.may_govern());
        for privilege in Privilege::ALL {
            assert!(!none.may(privilege, &Securable::Schema("clinical".to_owned())), "{privilege:?}");
        }
    }

    #[test]
    fn a_schema_covers_its_tables_and_no_other() {
        let on = Securable::Schema("clinical".to_owned());
        let rights = rights(&["analyst"], vec![(Privilege::Select, on, None)]);
        assert_eq!(rights.readable(&table()), ReadableColumns::All);
        assert_eq!(rights.readable(&TableName::new("traffic", "lung")), ReadableColumns::None);
        assert!(!rights.may(Privilege::Insert, &Securable::Table(table())));
    }

    #[test]
    fn columns_add_up_and_do_not_make_a_whole() {
        let on = || Securable::Table(table());
        let granted = vec![(Privilege::Select, on(), Some("age")), (Privilege::Select, on(), Some("sex"))];
        let rights = rights(&["analyst"], granted);
        let columns = ["age", "sex"].map(str::to_owned);
        assert_eq!(rights.readable(&table()), ReadableColumns::Some(columns.into()));
        assert!(!rights.may(Privilege::Select, &on()) && rights.may_know(&table()));
    }

    #[test]
    fn an_auditor_reads_the_record_and_no_data() {
        let auditor = rights(&["auditor"], vec![]);
        assert!(auditor.sees_record() && !auditor.may_govern());
        assert_eq!(auditor.readable(&table()), ReadableColumns::None);
    }

    #[test]
    fn policies_widen_by_or_and_narrow_by_and() {
        let reader = rights(&["site1", "public"], vec![]);
        assert_eq!(reader.row_condition(&[]), None);
        assert_eq!(reader.row_condition(&[policy("site2", "site = 2", false)]).unwrap(), "(false)");
        let policies = [
            policy("site1", "site = 1", false),
            policy("public", "open", false),
            policy("public", "NOT withdrawn", true),
        ];
        assert_eq!(reader.row_condition(&policies).unwrap(), "((site = 1) OR (open)) AND (NOT withdrawn)");
        assert_eq!(Rights::embedded().row_condition(&policies), None);
    }
}
