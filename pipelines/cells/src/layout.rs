//! Which layout a file has.

use std::path::{Path, PathBuf};

use crate::error::{CellsError, Result};
use crate::h5::{H5File, Node};
use crate::limits::Limits;
use crate::market::MarketFiles;

/// How a matrix is laid out in its file or files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// AnnData, in HDF5.
    H5ad,
    /// 10x Genomics, Cell Ranger 3 and later, in HDF5.
    TenX,
    /// Matrix Market, with tables of cells and genes beside it.
    Mtx,
}

impl Layout {
    /// Tells the layout of a file or folder by its name; for `.h5` and for folders also by what is in it.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        Self::detect(path).ok()
    }

    /// Tells the layout, or why there is none.
    pub(crate) fn detect(path: &Path) -> Result<Self> {
        let file = file_name(path);
        let refuse = |problem: &str| Err(CellsError::Layout { file: file.clone(), problem: problem.to_owned() });
        let metadata = std::fs::metadata(path).map_err(|source| CellsError::Io { file: file.clone(), source })?;
        let name = file.to_ascii_lowercase();
        if metadata.is_dir() || name.ends_with(".mtx") || name.ends_with(".mtx.gz") {
            return MarketFiles::find(path).map(|_| Self::Mtx);
        }
        if name.ends_with(".h5ad") {
            return Ok(Self::H5ad);
        }
        if !(name.ends_with(".h5") || name.ends_with(".hdf5")) {
            return refuse(
                "its name does not end in .h5ad, .h5, .mtx or .mtx.gz, and it is no folder with a matrix.mtx in it",
            );
        }
        let root = H5File::open(path, &file, &Limits::default())?.root();
        if matches!(root.node("matrix")?, Node::Group(_)) {
            return Ok(Self::TenX);
        }
        if !matches!(root.node("obs")?, Node::Absent) && !matches!(root.node("var")?, Node::Absent) {
            return Ok(Self::H5ad);
        }
        refuse(
            "it has neither a group `matrix`, as 10x files have since Cell Ranger 3, nor `obs` and `var` as AnnData \
             has; read an older file with `scanpy.read_10x_h5` and write it as .h5ad",
        )
    }
}

/// Lists the files that [`open`](crate::open) reads for a path: itself, or the three files of a Matrix Market folder.
///
/// A caller that may only read certain folders checks each of them: any may be a link to somewhere else.
///
/// # Errors
///
/// [`CellsError::Layout`], [`CellsError::Missing`] or [`CellsError::Io`] if the path is no matrix.
pub fn files(path: &Path) -> Result<Vec<PathBuf>> {
    if Layout::detect(path)? != Layout::Mtx {
        return Ok(vec![path.to_path_buf()]);
    }
    let MarketFiles { matrix, barcodes, features } = MarketFiles::find(path)?;
    Ok(vec![matrix, barcodes, features])
}

/// The last part of a path, which names a file in messages.
pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}
