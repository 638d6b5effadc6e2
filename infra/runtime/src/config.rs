//! The configuration: one struct per section, defaults in `Default`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::environment::{Variables, apply_environment};
use crate::keys::check_keys;
use crate::{ConfigError, Result};

/// The whole of `causeway.toml`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the tables lie.
    pub lake: LakeSection,
    /// Where the record of datasets, runs and lineage lies.
    pub catalog: CatalogSection,
    /// What one process may use.
    pub limits: LimitsSection,
    /// The signed heads of the audit log.
    pub audit: AuditSection,
    /// Which files statements may touch.
    pub paths: PathsSection,
    /// What goes to standard error.
    pub log: LogSection,
    /// Where other tools are told of runs and lineage.
    pub openlineage: OpenLineageSection,
    /// Who is told when a pipeline fails, recovers or is late.
    pub alerts: AlertsSection,
}

/// Declares a section whose doc comments are kept for the docs page.
macro_rules! section {
    ($(#[$about:meta])* $name:ident { $($(#[doc = $line:literal])+ $key:ident: $kind:ty),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $($(#[doc = $line])+ pub $key: $kind,)+
        }

        impl $name {
            /// The doc comment of each key.
            pub(crate) const MEANINGS: Meanings = &[$((stringify!($key), &[$($line),+])),+];
        }
    };
}

/// Keys with the lines of their doc comments.
pub(crate) type Meanings = &'static [(&'static str, &'static [&'static str])];

section! {
    /// `[lake]`
    #[derive(Default)]
    LakeSection {
        /// Where the tables lie, as `file:///path`, `memory:///` or `s3://bucket/prefix`. Default: the
        /// folder `lake` beside the file.
        url: Option<String>,
        /// Options of the object store, for example `aws_region`.
        options: BTreeMap<String, String>,
    }
}

section! {
    /// `[catalog]`
    #[derive(Default)]
    CatalogSection {
        /// The catalog's database, as `sqlite:///path`. Default: `catalog.sqlite` beside the file.
        url: Option<String>,
    }
}

section! {
    /// `[limits]`
    LimitsSection {
        /// Memory that all statements of the process share; beyond it sorts and joins spill to disk.
        /// 0 takes 60 % of the machine's memory.
        memory_limit_bytes: u64,
        /// A statement that runs longer is cancelled. 0 sets no limit.
        timeout_seconds: u64,
        /// Threads for queries and operators. 0 takes one per core.
        threads: usize,
        /// The longest statement accepted.
        max_statement_bytes: usize,
        /// The deepest nesting of a statement accepted.
        max_depth: usize,
        /// Where sorts and joins spill to. Default: the folder `causeway-spill` in the system's
        /// temporary folder.
        spill_dir: Option<PathBuf>,
    }
}

impl Default for LimitsSection {
    fn default() -> Self {
        Self {
            memory_limit_bytes: 0,
            timeout_seconds: 0,
            threads: 0,
            max_statement_bytes: 1 << 20,
            max_depth: 64,
            spill_dir: None,
        }
    }
}

section! {
    /// `[audit]`
    AuditSection {
        /// The key that signs the heads of the audit log, relative to the file. Only its owner may read
        /// it. Beside it lies the log's first public key, `.pub`, which auditors need a copy of.
        key: PathBuf,
        /// Where signed heads go, relative to the file. A copy on another machine is what keeps the end
        /// of the log from being cut off unnoticed.
        heads: PathBuf,
        /// A head is signed at the end of a command that recorded something, if the last one is older
        /// than this. 0 signs one each time.
        head_interval_seconds: u64,
    }
}

impl Default for AuditSection {
    fn default() -> Self {
        Self { key: "audit.key".into(), heads: "audit.heads".into(), head_interval_seconds: 0 }
    }
}

section! {
    /// `[paths]`
    #[derive(Default)]
    PathsSection {
        /// Folders whose files `COPY … FROM` and `read_csv` may read, relative to the file. Default:
        /// the lake's own folder.
        read: Vec<PathBuf>,
        /// Folders that `COPY … TO` may write to, relative to the file. Default: the lake's own folder.
        write: Vec<PathBuf>,
    }
}

section! {
    /// `[log]`
    LogSection {
        /// `text` for people, `json` for programs: one object per line.
        format: LogFormat,
        /// `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `warn,causeway_jobs=debug`.
        level: String,
    }
}

impl Default for LogSection {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "warn".to_owned() }
    }
}

section! {
    /// `[openlineage]`
    OpenLineageSection {
        /// Where lineage events go: `file:///path` appends them to a file, `https://host/path` posts them
        /// to an endpoint such as Marquez' `/api/v1/lineage`. Default: nowhere; they wait in the catalog.
        url: Option<String>,
        /// A file that holds the endpoint's token and nothing else, relative to the file.
        token_file: Option<PathBuf>,
        /// The environment variable that holds the endpoint's token; it comes before `token_file`.
        token_variable: String,
        /// The namespace of jobs and of the catalog's own names, by which other tools tell this lake from
        /// another one.
        namespace: String,
        /// Whether events carry the text of statements, which may hold a value that a person typed.
        send_sql: bool,
        /// How long one request may take, and at most the pause before the next.
        timeout_ms: u64,
        /// How often an event is posted before delivery stops for now.
        max_attempts: u32,
        /// How long `causeway run` and `causeway sql` deliver at their end; what is left waits. 0 leaves
        /// delivery to `causeway openlineage deliver`.
        deadline_ms: u64,
    }
}

impl Default for OpenLineageSection {
    fn default() -> Self {
        Self {
            url: None,
            token_file: None,
            token_variable: "CAUSEWAY_OPENLINEAGE_TOKEN".to_owned(),
            namespace: "causeway".to_owned(),
            send_sql: true,
            timeout_ms: 5_000,
            max_attempts: 3,
            deadline_ms: 5_000,
        }
    }
}

section! {
    /// `[alerts]`
    #[derive(Default)]
    AlertsSection {
        /// The receivers that are told of pipelines whose `pipeline.toml` names none.
        default: Vec<String>,
        /// The receivers by name, each with one of `webhook` (an URL that takes JSON by POST),
        /// `webhook_variable` (the environment variable that holds such an URL) and `command` (a program and
        /// its arguments, run without a shell by the worker, that reads JSON).
        receivers: BTreeMap<String, ReceiverSection>,
    }
}

/// `[alerts.receivers.NAME]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReceiverSection {
    /// The URL to post to.
    pub webhook: Option<String>,
    /// The environment variable that holds the URL.
    pub webhook_variable: Option<String>,
    /// The program and its arguments.
    pub command: Option<Vec<String>>,
}

impl ReceiverSection {
    /// Returns how many ways to the receiver are given.
    fn n_ways(&self) -> usize {
        usize::from(self.webhook.is_some())
            + usize::from(self.webhook_variable.is_some())
            + usize::from(self.command.is_some())
    }
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One line for people.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

impl Config {
    /// Reads a configuration from its text; `path` stands in messages only.
    ///
    /// # Errors
    /// [`ConfigError::Syntax`] and [`ConfigError::UnknownKey`] with file and line.
    pub fn from_toml(text: &str, path: &Path) -> Result<Self> {
        Self::layered(text, path, &|_| None)
    }

    /// Reads a configuration from its text and lays the environment over it.
    pub(crate) fn layered(text: &str, path: &Path, variables: Variables<'_>) -> Result<Self> {
        check_keys(text, path)?;
        let mut config: Self = toml::from_str(text).map_err(|error| ConfigError::syntax(path, text, &error))?;
        apply_environment(&mut config, variables)?;
        config.check()?;
        Ok(config)
    }

    /// Refuses values that no machine can use.
    ///
    /// # Errors
    /// [`ConfigError::Value`] with the range.
    pub fn check(&self) -> Result<()> {
        let (limits, lineage) = (&self.limits, &self.openlineage);
        let ranges = [
            ("limits.threads", limits.threads <= 1024, "from 0 (one per core) to 1024"),
            (
                "limits.memory_limit_bytes",
                limits.memory_limit_bytes == 0 || limits.memory_limit_bytes >= 32 << 20,
                "0 (60 % of the machine's memory) or at least 33554432 (32 MiB)",
            ),
            ("limits.max_statement_bytes", limits.max_statement_bytes > 0, "at least 1"),
            ("limits.max_depth", (1..=256).contains(&limits.max_depth), "from 1 to 256"),
            (
                "openlineage.url",
                lineage.url.as_deref().is_none_or(is_event_url),
                "file:///path, https://host/path or http://host/path, without user and password",
            ),
            ("openlineage.namespace", !lineage.namespace.is_empty(), "a name, such as that of the site"),
            (
                "alerts.receivers",
                self.alerts.receivers.values().all(|receiver| receiver.n_ways() == 1),
                "tables with exactly one of webhook, webhook_variable and command",
            ),
            (
                "alerts.default",
                self.alerts.default.iter().all(|name| self.alerts.receivers.contains_key(name)),
                "names of alerts.receivers",
            ),
            ("openlineage.timeout_ms", (1..=600_000).contains(&lineage.timeout_ms), "from 1 to 600000"),
            ("openlineage.max_attempts", (1..=100).contains(&lineage.max_attempts), "from 1 to 100"),
        ];
        match ranges.iter().find(|(_, fits, _)| !fits) {
            Some((key, _, allowed)) => {
                Err(ConfigError::Value { key: (*key).to_owned(), allowed: (*allowed).to_owned() })
            }
            None => Ok(()),
        }
    }
}

/// Returns true for an URL that events may go to. Its text is shown in messages, so it holds no secret.
fn is_event_url(url: &str) -> bool {
    let authority = |rest: &str| rest.split(['/', '?', '#']).next().unwrap_or_default().to_owned();
    match url.split_once("://") {
        Some(("file", path)) => !path.is_empty(),
        Some(("http" | "https", rest)) => !authority(rest).is_empty() && !authority(rest).contains('@'),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config> {
        Config::from_toml(text, Path::new("lake/causeway.toml"))
    }

    #[test]
    fn an_empty_file_gives_the_defaults() {
        assert_eq!(read("").unwrap(), Config::default());
    }

    #[test]
    fn every_section_is_read() {
        let config = read(
            "[lake]\nurl = 'memory:///'\n[lake.options]\naws_region = 'eu-central-1'\n[catalog]\nurl = 'sqlite:///c'\n\
             [limits]\nthreads = 2\ntimeout_seconds = 5\n[paths]\nread = ['.', '/data']\n[log]\nformat = 'json'\n",
        )
        .unwrap();
        assert_eq!(config.lake.options["aws_region"], "eu-central-1");
        assert_eq!((config.limits.threads, config.limits.timeout_seconds), (2, 5));
        assert_eq!(config.paths.read, [PathBuf::from("."), PathBuf::from("/data")]);
        assert_eq!(config.log.format, LogFormat::Json);
    }

    #[test]
    fn lineage_events_go_to_a_file_or_an_endpoint() {
        let url = |url: &str| read(&format!("[openlineage]\nurl = '{url}'\n")).map(|config| config.openlineage.url);
        for good in ["file:///var/log/lineage.ndjson", "file://events.ndjson", "https://marquez:5000/api/v1/lineage"] {
            assert_eq!(url(good).unwrap().as_deref(), Some(good));
        }
        for bad in ["kafka://host/topic", "events.ndjson", "https://ann:s3cret@host/", "https://", "file://"] {
            let error = url(bad).unwrap_err();
            assert_eq!(error.code(), "CW0805", "{bad}");
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
        assert!(read("[openlineage]\ntoken = 's3cret'\n").is_err(), "a token does not stand in the file");
    }

    #[test]
    fn a_receiver_has_one_way_and_the_default_ones_are_there() {
        let config =
            read("[alerts]\ndefault = ['a']\n[alerts.receivers.a]\ncommand = ['page', 'me']\n[alerts.receivers.b]\nwebhook = 'https://h/x'\n")
                .unwrap();
        assert_eq!(config.alerts.receivers["a"].command.as_deref().unwrap(), ["page", "me"]);
        for wrong in [
            "[alerts]\ndefault = ['a']\n",
            "[alerts.receivers.a]\n",
            "[alerts.receivers.a]\nwebhook = 'https://h/x'\ncommand = ['page']\n",
        ] {
            assert_eq!(read(wrong).unwrap_err().code(), "CW0805", "{wrong}");
        }
        assert!(read("[alerts.receivers.a]\nshell = 'page me'\n").is_err());
    }

    #[test]
    fn a_wrong_type_names_file_line_and_key() {
        let message = read("[limits]\n\nthreads = 'many'\n").unwrap_err().to_string();
        assert!(message.starts_with("lake/causeway.toml:3:"), "{message}");
        assert!(message.contains("threads = 'many'"), "{message}");
    }

    #[test]
    fn a_number_out_of_range_is_refused_with_the_range() {
        let error = read("[limits]\nmemory_limit_bytes = 1000\n").unwrap_err();
        assert_eq!(error.code(), "CW0805");
        assert!(error.to_string().contains("at least 33554432"), "{error}");
    }
}
