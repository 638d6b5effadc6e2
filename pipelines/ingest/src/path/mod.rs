//! Which paths a statement may read and write.

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fs::Metadata;
use std::path::{Component, Path, PathBuf};

use crate::error::{IngestError, Result};

/// Finds the file that a statement names, and refuses all that lie outside the allowed folders.
///
/// A relative path is taken from `base`. The result has no symbolic links left, so what was checked
/// is what will be opened.
///
/// # Errors
/// [`IngestError::Path`] for a URL, a path that leaves the allowed folders (by `..` or by a symbolic
/// link), one that does not exist, and anything that is not a plain file.
pub fn resolve_path(requested: &str, base: &Path, allowed: &[PathBuf]) -> Result<PathBuf> {
    let (found, metadata) = existing(requested, base, allowed)?;
    if !metadata.is_file() {
        return Err(refuse(requested, format!("is {}, not a plain file", kind(&metadata))));
    }
    Ok(found)
}

/// Finds a folder whose files may be read, under the rules of [`resolve_path`].
///
/// # Errors
/// [`IngestError::Path`] as for [`resolve_path`], and for what is no folder.
pub fn resolve_folder(requested: &str, base: &Path, allowed: &[PathBuf]) -> Result<PathBuf> {
    let (found, metadata) = existing(requested, base, allowed)?;
    if !metadata.is_dir() {
        return Err(refuse(requested, "is not a folder".to_owned()));
    }
    Ok(found)
}

fn existing(requested: &str, base: &Path, allowed: &[PathBuf]) -> Result<(PathBuf, Metadata)> {
    let wanted = absolute(requested, base)?;
    let found = wanted.canonicalize().map_err(|error| refuse(requested, not_there(&error, base)))?;
    check_allowed(requested, &wanted, &found, allowed)?;
    let metadata = found.metadata().map_err(|error| refuse(requested, error.to_string()))?;
    Ok((found, metadata))
}

/// Finds the place a statement wants to write a file to, under the rules of [`resolve_path`]. The
/// folder must exist; the file may.
///
/// # Errors
/// [`IngestError::Path`] as for [`resolve_path`].
pub fn resolve_new_path(requested: &str, base: &Path, allowed: &[PathBuf]) -> Result<PathBuf> {
    let wanted = absolute(requested, base)?;
    let Some((folder, Some(Component::Normal(name)))) = wanted.parent().zip(Some(wanted.components().next_back()))
    else {
        return Err(refuse(requested, "does not name a file".to_owned()));
    };
    let folder = folder.canonicalize().map_err(|error| refuse(requested, not_there(&error, base)))?;
    let target = folder.join(OsString::from(name));
    check_allowed(requested, &wanted, &target, allowed)?;
    match target.symlink_metadata() {
        Ok(metadata) if !metadata.is_file() => {
            Err(refuse(requested, format!("is {}; only plain files are replaced", kind(&metadata))))
        }
        Ok(_) => Ok(target),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(target),
        Err(error) => Err(refuse(requested, error.to_string())),
    }
}

fn absolute(requested: &str, base: &Path) -> Result<PathBuf> {
    if requested.trim().is_empty() || requested.contains('\0') {
        return Err(refuse(requested, "is blank or holds a NUL character".to_owned()));
    }
    if let Some((scheme, _)) = requested.split_once("://") {
        let problem = format!("`{scheme}://` addresses are not read; give the path of a file in an allowed folder");
        return Err(refuse(requested, problem));
    }
    Ok(base.join(requested))
}

fn check_allowed(requested: &str, wanted: &Path, found: &Path, allowed: &[PathBuf]) -> Result<()> {
    let allowed: Vec<PathBuf> = allowed.iter().filter_map(|folder| folder.canonicalize().ok()).collect();
    if allowed.iter().any(|folder| found.starts_with(folder)) {
        return Ok(());
    }
    let lexical = without_dots(wanted);
    let problem = if allowed.iter().any(|folder| lexical.starts_with(folder)) {
        "is a symbolic link, or passes through one, that leads out of the allowed folders".to_owned()
    } else {
        let folders = allowed.iter().map(|folder| format!("`{}`", folder.display())).collect::<Vec<_>>().join(", ");
        let folders = if folders.is_empty() { "none is".to_owned() } else { folders };
        format!("lies outside the allowed folders ({folders}); copy it there or allow its folder in the configuration")
    };
    Err(refuse(requested, problem))
}

/// Resolves `.` and `..` by name alone.
fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            _ => plain.push(component),
        }
    }
    plain
}

fn not_there(error: &std::io::Error, base: &Path) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => format!("does not exist (relative paths start at `{}`)", base.display()),
        _ => format!("cannot be opened: {error}"),
    }
}

fn kind(metadata: &Metadata) -> &'static str {
    let file_type = metadata.file_type();
    if file_type.is_dir() {
        "a folder"
    } else if file_type.is_symlink() {
        "a symbolic link"
    } else {
        "a device, pipe or socket"
    }
}

fn refuse(path: &str, problem: String) -> IngestError {
    IngestError::Path { path: path.replace('\0', "?"), problem }
}
