//! HDF5 files, read with care: nothing is taken on the file's word before its size is checked.
//!
//! Every call of the HDF5 library goes through [`Source::call`], which turns a panic of the library into an
//! error. It is the one place where a panic is caught: the library reads bytes that anybody may have written,
//! and a damaged file must refuse itself, not end the thread that loads it.

mod array;
mod text;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use hdf5_pure::{
    AttrValue, Dataset, DatasetAccessProperties, Error, File, FileAccessProperties, FormatError, Group,
    MetadataCacheConfig,
};

pub(crate) use array::{Array, Kind};

use crate::error::{CellsError, Result};
use crate::limits::{Budget, Limits};

/// Bytes of the file's structure kept between reads.
const METADATA_CACHE_BYTES: usize = 8 << 20;

/// Names a file in errors and calls the library for it.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) file: Arc<str>,
}

/// An HDF5 file, open.
pub(crate) struct H5File {
    file: File,
    pub(crate) source: Source,
    pub(crate) budget: Budget,
}

/// What a name of a group stands for.
pub(crate) enum Node {
    Group(Folder),
    Dataset(Item),
    Absent,
}

/// A group and its path from the root.
#[derive(Clone)]
pub(crate) struct Folder {
    group: Group,
    pub(crate) path: String,
    source: Source,
}

/// A dataset and its path from the root, nothing of it read yet.
pub(crate) struct Item {
    dataset: Dataset,
    group: Group,
    name: String,
    pub(crate) path: String,
    source: Source,
}

impl Source {
    /// Calls the library; its errors and its panics become an error that names `place`.
    fn call<T>(&self, place: &str, call: impl FnOnce() -> Result<T, Error>) -> Result<T> {
        match self.try_call(place, call)? {
            Ok(value) => Ok(value),
            Err(error) => Err(self.explain(place, &error)),
        }
    }

    /// Calls the library; a panic becomes an error, the library's own error is the caller's to judge.
    fn try_call<T>(&self, place: &str, call: impl FnOnce() -> Result<T, Error>) -> Result<Result<T, Error>> {
        // What the call may leave half done is dropped with the file: no caller reads on after an error.
        catch_unwind(AssertUnwindSafe(call))
            .map_err(|_| self.malformed("HDF5", format!("the structure of `{place}` cannot be followed")))
    }

    fn explain(&self, place: &str, error: &Error) -> CellsError {
        let is_newer = matches!(
            error,
            Error::Format(
                FormatError::UnsupportedVersion(_)
                    | FormatError::InvalidLayoutVersion(_)
                    | FormatError::InvalidChunkIndexType(_)
                    | FormatError::UnsupportedExternalStorage
            )
        );
        if is_newer {
            let problem = format!("`{place}` is stored in a form of HDF5 that is not read ({error})");
            return self.unsupported(problem, "rewrite it with h5py and `libver=(\"earliest\", \"v114\")`");
        }
        self.malformed("HDF5", format!("`{place}` cannot be read ({error})"))
    }

    pub(crate) fn malformed(&self, format: &'static str, problem: String) -> CellsError {
        CellsError::Malformed { file: self.file.to_string(), format, problem }
    }

    pub(crate) fn unsupported(&self, problem: String, fix: &str) -> CellsError {
        CellsError::Unsupported { file: self.file.to_string(), problem, fix: fix.to_owned() }
    }

    pub(crate) fn missing(&self, what: &str, fix: &str) -> CellsError {
        CellsError::Missing { file: self.file.to_string(), what: what.to_owned(), fix: fix.to_owned() }
    }

    pub(crate) fn values(&self, problem: String) -> CellsError {
        CellsError::Values { file: self.file.to_string(), problem }
    }
}

impl H5File {
    /// Opens a file; of its content only the beginning is read.
    pub(crate) fn open(path: &Path, file: &str, limits: &Limits) -> Result<Self> {
        let io_error = |source| CellsError::Io { file: file.to_owned(), source };
        let n_bytes = std::fs::metadata(path).map_err(io_error)?.len();
        let source = Source { file: Arc::from(file) };
        if !hdf5_pure::is_hdf5(path).map_err(io_error)? {
            let problem = "it does not begin as an HDF5 file does".to_owned();
            return Err(source.malformed("HDF5", problem));
        }
        let access = FileAccessProperties::new().with_metadata_cache(MetadataCacheConfig::new(METADATA_CACHE_BYTES));
        let file = source.call("/", || File::open_streaming_with_options(path, access))?;
        let budget = Budget::new(&source.file, limits, n_bytes);
        Ok(Self { file, source, budget })
    }

    /// The group that holds everything.
    pub(crate) fn root(&self) -> Folder {
        Folder { group: self.file.root(), path: String::new(), source: self.source.clone() }
    }
}

impl Folder {
    /// Looks a name up. Links to other places and files are not followed: they count as absent.
    pub(crate) fn node(&self, name: &str) -> Result<Node> {
        let path = format!("{}/{name}", self.path);
        match self.source.try_call(&path, || self.group.dataset(name))? {
            Ok(dataset) => {
                let (group, name, source) = (self.group.clone(), name.to_owned(), self.source.clone());
                Ok(Node::Dataset(Item { dataset, group, name, path, source }))
            }
            Err(Error::NotADataset(_)) => {
                let group = self.source.call(&path, || self.group.group(name))?;
                Ok(Node::Group(Self { group, path, source: self.source.clone() }))
            }
            Err(Error::NotAGroup(_) | Error::Format(FormatError::PathNotFound(_))) => Ok(Node::Absent),
            Err(error) => Err(self.source.explain(&path, &error)),
        }
    }

    /// Looks a group up; none if there is no such group.
    pub(crate) fn group(&self, name: &str) -> Result<Option<Self>> {
        Ok(match self.node(name)? {
            Node::Group(folder) => Some(folder),
            Node::Dataset(_) | Node::Absent => None,
        })
    }

    /// Looks a dataset up that the layout demands.
    pub(crate) fn dataset(&self, name: &str, format: &'static str) -> Result<Item> {
        match self.node(name)? {
            Node::Dataset(item) => Ok(item),
            Node::Group(_) | Node::Absent => {
                Err(self.source.malformed(format, format!("`{}/{name}` is missing", self.path)))
            }
        }
    }

    /// The names of the groups and datasets in the group, sorted.
    pub(crate) fn names(&self) -> Result<Vec<String>> {
        let mut names = self.source.call(&self.path, || self.group.datasets())?;
        names.extend(self.source.call(&self.path, || self.group.groups())?);
        names.sort_unstable();
        Ok(names)
    }

    /// An attribute of one text.
    pub(crate) fn text(&self, attribute: &str) -> Result<Option<String>> {
        Ok(self.attribute(attribute)?.and_then(|value| value.as_str().map(str::to_owned)))
    }

    /// An attribute, as the library gives it.
    pub(crate) fn attribute(&self, attribute: &str) -> Result<Option<AttrValue>> {
        let mut attributes = self.source.call(&self.path, || self.group.attrs())?;
        Ok(attributes.remove(attribute))
    }
}

impl Item {
    /// An attribute of one text.
    pub(crate) fn text(&self, attribute: &str) -> Result<Option<String>> {
        let mut attributes = self.source.call(&self.path, || self.dataset.attrs())?;
        Ok(attributes.remove(attribute).and_then(|value| value.as_str().map(str::to_owned)))
    }

    /// True if the dataset has an attribute of that name, of whatever type.
    pub(crate) fn has_attribute(&self, attribute: &str) -> Result<bool> {
        let types = self.source.call(&self.path, || self.dataset.attr_datatypes())?;
        Ok(types.contains_key(attribute))
    }

    fn reopen(&self, properties: DatasetAccessProperties) -> Result<Dataset> {
        self.source.call(&self.path, || self.group.dataset_with_options(&self.name, properties))
    }
}
