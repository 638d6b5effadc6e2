//! Names that other tools use for the same data: where they lie, not what we call them.

use std::path::{Component, Path, PathBuf};

use causeway_model::{Dataset, DatasetKind};
use percent_encoding::percent_decode_str;
use url::Url;

use crate::error::{OpenLineageError, Result};

/// The port of a Postgres server whose URL names none.
const POSTGRES_PORT: u16 = 5432;

/// The name of a dataset: a data source and a name that is unique there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
pub struct DatasetName {
    /// `file`, `s3://bucket`, `postgres://host:port`.
    pub namespace: String,
    /// The absolute path; the key; `database.schema.table`.
    pub name: String,
}

impl DatasetName {
    fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

/// Where the data of a catalog lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    lake: DatasetName,
    project: PathBuf,
    folders: Vec<PathBuf>,
    logical: String,
}

impl Places {
    /// Says where tables lie (`lake`, a URL or an absolute path), which folder relative paths of
    /// files start from (`project`, absolute), and in which namespace the catalog's own names live
    /// (`logical`).
    ///
    /// # Errors
    /// [`OpenLineageError::Place`] if the lake's place cannot be named or the project's folder is
    /// not absolute.
    pub fn new(lake: &str, project: impl Into<PathBuf>, logical: impl Into<String>) -> Result<Self> {
        let project = project.into();
        if !project.is_absolute() {
            return Err(unnamed(&project.to_string_lossy(), "the project's folder must be an absolute path"));
        }
        Ok(Self { lake: place(lake, &project)?, project, folders: Vec::new(), logical: logical.into() })
    }

    /// Lets the path of a file start in any of these folders: the catalog calls a file by its path in
    /// the folder that it was read from. It is the first where the file lies, else the project's.
    #[must_use]
    pub fn with_folders(mut self, folders: impl IntoIterator<Item = PathBuf>) -> Self {
        self.folders.extend(folders);
        self
    }

    /// Returns the namespace of the catalog's own names.
    pub fn logical(&self) -> &str {
        &self.logical
    }

    /// Names a dataset: a table by its folder in the lake, a file by its path. A view has no data
    /// of its own; it is called what the catalog calls it.
    ///
    /// # Errors
    /// [`OpenLineageError::Place`] if its location cannot be named.
    pub fn name(&self, dataset: &Dataset) -> Result<DatasetName> {
        match dataset.kind {
            DatasetKind::View => Ok(self.logical_name(dataset)),
            DatasetKind::Table if !dataset.location.contains("://") => Ok(self.in_lake(&dataset.location)),
            DatasetKind::Table => place(&dataset.location, &self.project),
            DatasetKind::File => place(&dataset.location, self.folder_of(&dataset.location)),
        }
    }

    /// Returns what the catalog calls a dataset.
    pub fn logical_name(&self, dataset: &Dataset) -> DatasetName {
        DatasetName::new(&self.logical, dataset.name.to_string())
    }

    fn folder_of(&self, file: &str) -> &Path {
        self.folders.iter().find(|folder| folder.join(file).is_file()).unwrap_or(&self.project)
    }

    fn in_lake(&self, location: &str) -> DatasetName {
        let root = self.lake.name.trim_end_matches('/');
        let location = location.trim_matches('/');
        // A bucket whose root is the lake has the empty name.
        let name = if self.lake.name.is_empty() { location.to_owned() } else { format!("{root}/{location}") };
        DatasetName::new(&self.lake.namespace, name)
    }
}

/// Names a path or a URL.
fn place(text: &str, project: &Path) -> Result<DatasetName> {
    if !text.contains("://") {
        return Ok(DatasetName::new("file", absolute(text, project)));
    }
    // Parse errors do not show the text: it may hold a password.
    let url = Url::parse(text).map_err(|error| unnamed(&without_credentials(text), &error.to_string()))?;
    match url.scheme() {
        "file" => Ok(DatasetName::new("file", absolute(&decoded(url.path(), text)?, project))),
        "memory" => Ok(DatasetName::new("memory", decoded(url.path(), text)?)),
        "postgres" | "postgresql" => postgres(&url, text),
        "s3" | "s3a" => in_store("s3", &url, text),
        scheme => in_store(scheme, &url, text),
    }
}

/// Names a thing in an object store or on a server: `scheme://authority` and the path without the
/// first slash. User, password, query and fragment are no part of a name.
fn in_store(scheme: &str, url: &Url, text: &str) -> Result<DatasetName> {
    let host = host(url, text)?;
    let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let key = decoded(url.path(), text)?;
    Ok(DatasetName::new(format!("{scheme}://{authority}"), key.trim_matches('/')))
}

/// Names a table in Postgres: `postgres://host:port` and `database.schema.table`.
fn postgres(url: &Url, text: &str) -> Result<DatasetName> {
    let host = host(url, text)?;
    let path = decoded(url.path(), text)?;
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    if parts.len() != 3 || parts.iter().any(|part| part.is_empty()) {
        let problem = "a table in Postgres is named postgres://host:port/database/schema/table";
        return Err(unnamed(&without_credentials(text), problem));
    }
    let port = url.port().unwrap_or(POSTGRES_PORT);
    Ok(DatasetName::new(format!("postgres://{host}:{port}"), parts.join(".")))
}

fn host<'a>(url: &'a Url, text: &str) -> Result<&'a str> {
    let host = url.host_str().filter(|host| !host.is_empty());
    host.ok_or_else(|| unnamed(&without_credentials(text), "it names no host or bucket"))
}

fn decoded(path: &str, text: &str) -> Result<String> {
    let path = percent_decode_str(path).decode_utf8();
    path.map(Into::into).map_err(|_| unnamed(&without_credentials(text), "its path is not UTF-8"))
}

/// Makes a path absolute and drops `.` and `..`, without asking the file system.
fn absolute(path: &str, project: &Path) -> String {
    let mut clean = PathBuf::from("/");
    for part in project.join(path).components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => {
                clean.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    clean.to_string_lossy().into_owned()
}

/// Cuts what stands before `@`, and the query, out of something that may be a URL.
fn without_credentials(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.split_once('/').map_or((rest, None), |(authority, path)| (authority, Some(path)));
    let host = authority.rsplit('@').next().unwrap_or_default();
    path.map_or_else(|| format!("{scheme}://{host}"), |path| format!("{scheme}://{host}/{path}"))
}

fn unnamed(place: &str, problem: &str) -> OpenLineageError {
    OpenLineageError::Place { place: place.to_owned(), problem: problem.to_owned() }
}

#[cfg(test)]
mod tests;
