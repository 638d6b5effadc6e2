//! Datasets, their versions and columns.

use crate::{DatasetId, StepId, TableName, VersionId};

/// What a dataset is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatasetKind {
    /// A Delta table of the lake.
    Table,
    /// A stored query.
    View,
    /// A file outside the lake that was read; its schema is `file`, its name the path.
    File,
}

impl DatasetKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Table, Self::View, Self::File];

    /// Returns the word for it, as stored and as shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::View => "view",
            Self::File => "file",
        }
    }
}

/// A table, view or file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// Its id. A name that is dropped and created again gets a new id.
    pub id: DatasetId,
    /// Its name.
    pub name: TableName,
    /// What it is.
    pub kind: DatasetKind,
    /// Where the data lie: for a table the folder relative to the lake's root, for a file its path.
    pub location: String,
    /// The query of a view.
    pub view_sql: Option<String>,
    /// What must be known to protect the people in it.
    pub policy: DatasetPolicy,
    /// When it was made (RFC 3339, UTC, the database's clock).
    pub created_at: String,
    /// When it was dropped, if it was.
    pub dropped_at: Option<String>,
}

/// What must be known about a dataset to protect the people in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DatasetPolicy {
    /// Columns that identify a person: kept out of file statistics.
    pub identifying: Vec<String>,
    /// The column that says whose row it is.
    pub subject_key: Option<String>,
    /// Within what the subject key says who someone is: a hospital, a registry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_domain: Option<String>,
    /// True if only admins drop it, replace it or take its rows out of the lake, and its identifying
    /// columns are read only by who was granted them by name.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub protected: bool,
    /// What of the above was said of the table itself, and so holds for new content too.
    #[serde(skip_serializing_if = "Declared::is_empty")]
    pub declared: Declared,
}

/// What was declared of a table (`ALTER TABLE … SET`), beside what its contract and inputs declare.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Declared {
    /// Columns that identify a person.
    pub identifying: Vec<String>,
    /// The column that says whose row it is.
    pub subject_key: Option<String>,
}

impl Declared {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl DatasetPolicy {
    /// Returns the policy of the table's new content: `found` is what the content's contract or inputs
    /// say, to which comes what was declared of the table, as far as it has these columns.
    #[must_use]
    pub fn renewed(&self, found: Self, columns: &[Column]) -> Self {
        let is_there = |name: &&String| columns.iter().any(|column| column.name == **name);
        let identifying: Vec<String> = self.declared.identifying.iter().filter(is_there).cloned().collect();
        let subject_key = self.declared.subject_key.as_ref().filter(is_there).cloned();
        let mut renewed = found;
        for column in &identifying {
            if !renewed.identifying.contains(column) {
                renewed.identifying.push(column.clone());
            }
        }
        renewed.subject_key = subject_key.clone().or(renewed.subject_key);
        renewed.identity_domain = self.identity_domain.clone().or(renewed.identity_domain);
        renewed.protected |= self.protected;
        renewed.declared = Declared { identifying, subject_key };
        renewed
    }
}

/// One version of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetVersion {
    /// Its id.
    pub id: VersionId,
    /// The dataset.
    pub dataset: DatasetId,
    /// The Delta version of a table; 0, 1, … for the contents of a file or the text of a view.
    pub version: i64,
    /// Rows, if known.
    pub n_rows: Option<i64>,
    /// Bytes stored, if known.
    pub n_bytes: Option<i64>,
    /// Data files, if known.
    pub n_files: Option<i64>,
    /// The SHA-256 of a file's content, or of a view's text.
    pub digest: Option<String>,
    /// The columns in order.
    pub columns: Vec<Column>,
    /// The step that made it; `None` for a file.
    pub step: Option<StepId>,
    /// When it was recorded (RFC 3339, UTC, the database's clock).
    pub committed_at: String,
}

/// A column of a dataset version.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its SQL type.
    pub data_type: String,
    /// True if it may hold nulls.
    pub nullable: bool,
    /// Its unit, if the contract or the operator states one.
    pub unit: Option<String>,
    /// What it means, if stated.
    pub meaning: Option<String>,
    /// True if it identifies a person.
    pub identifying: bool,
}

/// A file outside the lake, about to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// The path as the user wrote it, relative to the project where possible.
    pub path: String,
    /// The SHA-256 of its content, in hex.
    pub digest: String,
    /// Its size.
    pub n_bytes: i64,
    /// Its columns, as the header or the contract says.
    pub columns: Vec<Column>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn column(name: &str) -> Column {
        Column {
            name: name.to_owned(),
            data_type: "text".to_owned(),
            nullable: true,
            unit: None,
            meaning: None,
            identifying: false,
        }
    }

    #[test]
    fn new_content_keeps_what_was_declared_of_columns_it_has() {
        let table = DatasetPolicy {
            identifying: names(&["name", "old", "derived"]),
            subject_key: Some("patient".to_owned()),
            identity_domain: Some("hospital".to_owned()),
            protected: true,
            declared: Declared { identifying: names(&["name", "old"]), subject_key: Some("patient".to_owned()) },
        };
        let found = DatasetPolicy { identifying: names(&["birth"]), ..DatasetPolicy::default() };
        let renewed = table.renewed(found, &["name", "birth", "patient"].map(column));
        assert_eq!(renewed.identifying, ["birth", "name"]);
        assert_eq!(renewed.declared.identifying, ["name"]);
        assert_eq!(renewed.subject_key.as_deref(), Some("patient"));
        assert!(renewed.protected && renewed.identity_domain.is_some());
        let without_key = table.renewed(DatasetPolicy::default(), &[column("birth")]);
        assert_eq!((without_key.subject_key, without_key.identifying), (None, Vec::new()));
    }

    #[test]
    fn a_policy_without_declarations_is_stored_as_before() {
        let policy = DatasetPolicy { identifying: names(&["name"]), ..DatasetPolicy::default() };
        let stored = serde_json::to_string(&policy).unwrap();
        assert_eq!(stored, r#"{"identifying":["name"],"subject_key":null}"#);
        assert_eq!(serde_json::from_str::<DatasetPolicy>(&stored).unwrap(), policy);
    }
}
