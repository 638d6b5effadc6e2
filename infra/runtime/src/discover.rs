//! Finding the configuration: flag, variable, this folder, the folders above it.

use std::path::{Path, PathBuf};

use crate::{ConfigError, Result};

/// The name of the file.
pub const CONFIG_FILE: &str = "causeway.toml";

/// The variable that names the file.
pub const CONFIG_VARIABLE: &str = "CAUSEWAY_CONFIG";

/// Finds the file: the one given, else the first in `start` or a folder above it. A folder stands for
/// the file in it.
///
/// # Errors
/// [`ConfigError::NotFound`], or [`ConfigError::Unreadable`] if a file was given and is not there.
pub fn find_config(given: Option<&Path>, start: &Path) -> Result<PathBuf> {
    let Some(given) = given else {
        return start
            .ancestors()
            .map(|folder| folder.join(CONFIG_FILE))
            .find(|file| file.is_file())
            .ok_or_else(|| ConfigError::NotFound { searched: start.to_owned() });
    };
    let file = if given.is_dir() { given.join(CONFIG_FILE) } else { given.to_owned() };
    match file.metadata() {
        Ok(_) => Ok(start.join(file)),
        Err(error) => Err(ConfigError::Unreadable { path: file, problem: error.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_file_above_is_taken_and_a_given_one_first() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        let missing = find_config(None, &deep);
        std::fs::write(root.path().join(CONFIG_FILE), "").unwrap();
        assert_eq!(find_config(None, &deep).unwrap(), root.path().join(CONFIG_FILE));
        if let Err(error) = missing {
            assert_eq!(error.code(), "CW0801");
        }
        std::fs::write(root.path().join("a").join(CONFIG_FILE), "").unwrap();
        assert_eq!(find_config(None, &deep).unwrap(), root.path().join("a").join(CONFIG_FILE));
        assert_eq!(find_config(Some(root.path()), &deep).unwrap(), root.path().join(CONFIG_FILE));
        let error = find_config(Some(Path::new("/nowhere/causeway.toml")), &deep).unwrap_err();
        assert_eq!(error.code(), "CW0802");
    }
}
