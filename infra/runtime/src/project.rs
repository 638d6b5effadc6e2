//! A configuration with everything that depends on its place filled in.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::environment::Variables;
use crate::{Config, ConfigError, Machine, Result};

/// A lake's configuration file, read, with its folder.
#[derive(Debug, Clone, PartialEq)]
pub struct Project {
    /// The file.
    pub file: PathBuf,
    /// The folder it lies in; relative paths of the file start here.
    pub folder: PathBuf,
    /// What it says, with the environment laid over it.
    pub config: Config,
}

impl Project {
    /// Reads the file and lays the `CAUSEWAY_*` variables over it.
    ///
    /// # Errors
    /// Any [`ConfigError`].
    pub fn open(file: &Path) -> Result<Self> {
        Self::open_with(file, &|name| std::env::var(name).ok())
    }

    fn open_with(file: &Path, variables: Variables<'_>) -> Result<Self> {
        let unreadable =
            |error: std::io::Error| ConfigError::Unreadable { path: file.to_owned(), problem: error.to_string() };
        let text = std::fs::read_to_string(file).map_err(unreadable)?;
        let file = file.canonicalize().map_err(unreadable)?;
        let folder = file.parent().unwrap_or(Path::new("/")).to_owned();
        Ok(Self { config: Config::layered(&text, &file, variables)?, folder, file })
    }

    /// Returns where the tables lie, as a URL.
    pub fn lake_url(&self) -> String {
        let given = self.config.lake.url.as_deref();
        given.map_or_else(|| format!("file://{}", self.folder.join("lake").display()), |url| self.absolute_url(url))
    }

    /// Returns the folder of the tables, if they lie in one.
    pub fn lake_folder(&self) -> Option<PathBuf> {
        self.lake_url().strip_prefix("file://").map(PathBuf::from)
    }

    /// Returns where the catalog lies, as a URL.
    pub fn catalog_url(&self) -> String {
        let given = self.config.catalog.url.as_deref();
        given.map_or_else(
            || format!("sqlite://{}", self.folder.join("catalog.sqlite").display()),
            |url| self.absolute_url(url),
        )
    }

    /// Returns where the catalog lies, for people: without a password.
    pub fn catalog_shown(&self) -> String {
        let url = self.catalog_url();
        let Some((scheme, rest)) = url.split_once("://") else { return url };
        match rest.rsplit_once('@') {
            Some((user, place)) => format!("{scheme}://{}@{place}", user.split(':').next().unwrap_or_default()),
            None => url,
        }
    }

    /// Returns the catalog's file, if it is one.
    pub fn catalog_file(&self) -> Option<PathBuf> {
        let url = self.catalog_url();
        let path = url.strip_prefix("sqlite://")?;
        Some(PathBuf::from(path.split('?').next().unwrap_or(path)))
    }

    /// Returns the file of the key that signs heads of the audit log.
    pub fn audit_key(&self) -> PathBuf {
        self.folder.join(&self.config.audit.key)
    }

    /// Returns the file of the log's first public key.
    pub fn audit_first_key(&self) -> PathBuf {
        self.audit_key().with_extension("pub")
    }

    /// Returns the file that signed heads go to.
    pub fn audit_heads(&self) -> PathBuf {
        self.folder.join(&self.config.audit.heads)
    }

    /// Returns the folder that sorts and joins spill to.
    pub fn spill_dir(&self) -> PathBuf {
        match &self.config.limits.spill_dir {
            Some(given) => self.folder.join(given),
            None => std::env::temp_dir().join("causeway-spill"),
        }
    }

    /// Returns the folders whose files may be read.
    pub fn read_paths(&self) -> Vec<PathBuf> {
        self.folders(&self.config.paths.read)
    }

    /// Returns the folders that may be written to.
    pub fn write_paths(&self) -> Vec<PathBuf> {
        self.folders(&self.config.paths.write)
    }

    /// Returns where lineage events go, as a URL.
    pub fn openlineage_url(&self) -> Option<String> {
        self.config.openlineage.url.as_deref().map(|url| self.absolute_url(url))
    }

    /// Returns the file that lineage events go to, if they go to one.
    pub fn openlineage_file(&self) -> Option<PathBuf> {
        self.openlineage_url()?.strip_prefix("file://").map(PathBuf::from)
    }

    /// Returns the file of the lineage endpoint's token.
    pub fn openlineage_token_file(&self) -> Option<PathBuf> {
        self.config.openlineage.token_file.as_ref().map(|path| self.folder.join(path))
    }

    /// Returns the number of threads.
    pub fn threads(&self) -> usize {
        match self.config.limits.threads {
            0 => Machine::detect().n_cores,
            given => given,
        }
    }

    /// Returns the memory that statements share.
    pub fn memory_limit_bytes(&self) -> u64 {
        match self.config.limits.memory_limit_bytes {
            0 => Machine::detect().memory_bytes / 10 * 6,
            given => given,
        }
    }

    /// Returns the longest time a statement may take.
    pub fn timeout(&self) -> Option<Duration> {
        match self.config.limits.timeout_seconds {
            0 => None,
            seconds => Some(Duration::from_secs(seconds)),
        }
    }

    /// Makes `file://lake` and `sqlite://catalog.sqlite` start at the file's folder.
    fn absolute_url(&self, url: &str) -> String {
        for scheme in ["file://", "sqlite://"] {
            if let Some(path) = url.strip_prefix(scheme)
                && !path.starts_with('/')
                && !path.starts_with(':')
            {
                return format!("{scheme}{}", self.folder.join(path).display());
            }
        }
        url.to_owned()
    }

    fn folders(&self, given: &[PathBuf]) -> Vec<PathBuf> {
        if given.is_empty() {
            return vec![self.folder.clone()];
        }
        given.iter().map(|path| self.folder.join(path).components().collect()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(text: &str) -> Project {
        let config = Config::from_toml(text, Path::new("causeway.toml")).unwrap();
        Project { file: PathBuf::from("/srv/lake/causeway.toml"), folder: PathBuf::from("/srv/lake"), config }
    }

    #[test]
    fn everything_lies_beside_the_file_unless_told() {
        let project = project("");
        assert_eq!(project.lake_url(), "file:///srv/lake/lake");
        assert_eq!(project.catalog_url(), "sqlite:///srv/lake/catalog.sqlite");
        assert_eq!(project.read_paths(), [PathBuf::from("/srv/lake")]);
        assert_eq!(project.timeout(), None);
        assert!(project.threads() >= 1);
    }

    #[test]
    fn relative_places_start_at_the_file() {
        let project = project(
            "[lake]\nurl = 'file://tables'\n[catalog]\nurl = 'sqlite://c.db?mode=rwc'\n[paths]\nread = ['.', 'in', '/data']\n\
             [openlineage]\nurl = 'file://events.ndjson'\ntoken_file = 'token'\n",
        );
        assert_eq!(project.lake_url(), "file:///srv/lake/tables");
        assert_eq!(project.catalog_file(), Some(PathBuf::from("/srv/lake/c.db")));
        assert_eq!(project.openlineage_url().as_deref(), Some("file:///srv/lake/events.ndjson"));
        assert_eq!(project.openlineage_token_file(), Some(PathBuf::from("/srv/lake/token")));
        assert_eq!(
            project.read_paths(),
            [PathBuf::from("/srv/lake"), PathBuf::from("/srv/lake/in"), PathBuf::from("/data")]
        );
    }

    #[test]
    fn a_file_is_read_with_the_environment_over_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("causeway.toml");
        std::fs::write(&file, "[limits]\nthreads = 1\n").unwrap();
        let lookup = |name: &str| (name == "CAUSEWAY_LIMITS_TIMEOUT_SECONDS").then(|| "7".to_owned());
        let project = Project::open_with(&file, &lookup).unwrap();
        assert_eq!((project.threads(), project.timeout()), (1, Some(Duration::from_secs(7))));
        assert_eq!(project.folder, folder.path().canonicalize().unwrap());
    }
}
