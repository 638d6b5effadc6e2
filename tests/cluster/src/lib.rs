//! A private PostgreSQL server for tests: in a temporary folder, on a Unix socket, gone with the test.
//!
//! ```text
//! let database = Cluster::shared().database();      // fresh and empty
//! let catalog = causeway_store::open(database.url()).await?;
//! ```
//!
//! [`Cluster::shared`] starts one server for all tests of a process, or uses the one that
//! `CAUSEWAY_TEST_POSTGRES` names (a URL whose user may create databases). Without either the test
//! fails. [`Cluster::start`] always starts one, for tests that stop it. The server is stopped by a
//! process that waits for the end of a pipe, so it goes however the test ends, SIGKILL included.

#![expect(clippy::panic, reason = "it serves tests, and what it cannot do is a failed test")]

mod database;
mod programs;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

pub use database::Database;
use programs::{Programs, must};

/// The name of the variable that holds the URL of a server to use.
pub const VARIABLE: &str = "CAUSEWAY_TEST_POSTGRES";

/// The user who may do everything. No password is asked of anyone but [`GUARDED`].
const USER: &str = "causeway";

/// A user of whom the server asks a password, once a test has made it.
pub const GUARDED: &str = "guarded";

/// Nothing here must outlive the machine, so nothing waits for the disk.
const SETTINGS: &str = "listen_addresses = ''\nmax_connections = 400\nfsync = off\n\
                        full_page_writes = off\nautovacuum_naptime = 5min\n";

const AUTHENTICATION: &str = "local all guarded scram-sha-256\nlocal all all trust\n";

/// How a server is told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shutdown {
    /// Transactions are rolled back, then the server ends in order.
    Fast,
    /// As a crash: nothing is cleaned up.
    Immediate,
}

/// A running server.
#[derive(Debug)]
pub struct Cluster {
    /// How to reach it: everything of its URLs before and after the database's name.
    before: String,
    after: String,
    programs: Programs,
    /// None for somebody else's server.
    own: Option<Own>,
}

/// The folder of a server of ours, and the process that stops it at the end.
#[derive(Debug)]
struct Own {
    folder: PathBuf,
    keeper: Child,
}

impl Cluster {
    /// Returns the server that the tests of this process share.
    ///
    /// # Panics
    /// If there is neither a server nor the programs to start one.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| match std::env::var(VARIABLE) {
            Ok(url) if !url.is_empty() => Self::at(&url),
            _ => Self::start(),
        })
    }

    /// Starts a server of its own.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start() -> Self {
        let programs = Programs::find();
        let folder = make_folder(&programs);
        let data = folder.join("data");
        must(
            programs
                .command("initdb", &folder)
                .args(["-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "-N", "-D"])
                .arg(&data),
        );
        let socket = format!("{SETTINGS}unix_socket_directories = '{}'\n", folder.display());
        append(&data.join("postgresql.conf"), &socket);
        replace(&data.join("pg_hba.conf"), AUTHENTICATION);
        let keeper = keep(&programs, &folder);
        let cluster = Self {
            before: format!("postgres://{USER}@localhost/"),
            after: format!("?host={}", folder.display()),
            programs,
            own: Some(Own { folder, keeper }),
        };
        cluster.resume();
        cluster
    }

    /// Uses a server that runs already.
    fn at(url: &str) -> Self {
        let (address, query) = url.split_once('?').map_or((url, None), |(address, query)| (address, Some(query)));
        let authority = address.find("://").map_or(0, |at| at + 3);
        let end = address[authority..].find('/').map_or(address.len(), |at| authority + at);
        Self {
            before: format!("{}/", &address[..end]),
            after: query.map_or_else(String::new, |query| format!("?{query}")),
            programs: Programs::of_client(),
            own: None,
        }
    }

    /// Makes an empty database.
    ///
    /// # Panics
    /// If the server refuses.
    pub fn database(&self) -> Database<'_> {
        Database::new(self)
    }

    /// Returns the URL of a database on this server.
    pub fn url(&self, database: &str) -> String {
        format!("{}{database}{}", self.before, self.after)
    }

    /// Returns the URL of a database for another user.
    pub fn url_as(&self, user: &str, password: &str, database: &str) -> String {
        self.url(database).replacen(&format!("{USER}@"), &format!("{user}:{password}@"), 1)
    }

    /// Runs SQL in a database and returns the rows, values parted by `|`.
    ///
    /// # Panics
    /// If a statement fails.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        let folder = self.own.as_ref().map_or_else(std::env::temp_dir, |own| own.folder.clone());
        let mut command = self.programs.command("psql", &folder);
        must(
            command
                .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d"])
                .arg(self.url(database))
                .args(["-c", sql]),
        )
    }

    /// Stops the server and starts it again.
    ///
    /// # Panics
    /// If it is not of our own or does not obey.
    pub fn restart(&self, how: Shutdown) {
        self.pause(how);
        self.resume();
    }

    /// Stops the server.
    ///
    /// # Panics
    /// As [`Cluster::restart`].
    pub fn pause(&self, how: Shutdown) {
        let mode = match how {
            Shutdown::Fast => "fast",
            Shutdown::Immediate => "immediate",
        };
        must(self.control().args(["-m", mode, "stop"]));
    }

    /// Starts the server.
    ///
    /// # Panics
    /// As [`Cluster::restart`].
    pub fn resume(&self) {
        must(self.control().args(["-l", "log", "start"]));
    }

    fn control(&self) -> Command {
        let Some(own) = &self.own else { panic!("{VARIABLE} names a server that tests must not stop") };
        let mut command = self.programs.command("pg_ctl", &own.folder);
        command.args(["-D", "data", "-s", "-w", "-t", "60"]);
        command
    }
}

impl Drop for Cluster {
    /// Lets the keeper stop the server, and waits for it.
    fn drop(&mut self) {
        if let Some(own) = &mut self.own {
            drop(own.keeper.stdin.take());
            let _ = own.keeper.wait();
        }
    }
}

/// Makes a folder that belongs to the user who runs the server. A socket's path must be short.
fn make_folder(programs: &Programs) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let temporary = std::env::temp_dir();
    let parent = if temporary.as_os_str().len() > 60 { Path::new("/tmp") } else { &temporary };
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = parent.join(format!("causeway-postgres-{}-{number}", std::process::id()));
        match fs::create_dir(&folder) {
            Ok(()) => {
                programs.give(&folder);
                return folder;
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => panic!("{}: {error}", folder.display()),
        }
    }
}

/// Starts the process that stops the server and removes its folder when this process is gone: then
/// its input ends. It has a process group of its own, so that Ctrl-C does not reach it.
fn keep(programs: &Programs, folder: &Path) -> Child {
    use std::os::unix::process::CommandExt as _;
    let script = "cat >/dev/null; \"$0\" -D \"$1/data\" -s -m immediate stop; rm -rf \"$1\"";
    let mut command = programs.shell(folder);
    command.arg("-c").arg(script).arg(programs.path("pg_ctl")).arg(folder);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    command.spawn().unwrap_or_else(|error| panic!("sh: {error}"))
}

fn append(file: &Path, text: &str) {
    let old = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    replace(file, &(old + text));
}

fn replace(file: &Path, text: &str) {
    fs::write(file, text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_url_is_cut_around_the_database() {
        for (given, expected) in [
            ("postgres://u:p@h:1/postgres?sslmode=require", "postgres://u:p@h:1/x?sslmode=require"),
            ("postgres://u@h", "postgres://u@h/x"),
            ("postgres:///postgres?host=/tmp", "postgres:///x?host=/tmp"),
        ] {
            assert_eq!(Cluster::at(given).url("x"), expected);
        }
    }

    #[test]
    fn a_server_goes_with_its_value() {
        let cluster = Cluster::start();
        let folder = cluster.own.as_ref().unwrap().folder.clone();
        let database = cluster.database();
        assert_eq!(cluster.psql(database.name(), "SELECT 1, 'a'"), "1|a\n");
        cluster.restart(Shutdown::Immediate);
        assert_eq!(cluster.psql(database.name(), "SELECT 2"), "2\n");
        drop(database);
        drop(cluster);
        assert!(!folder.try_exists().unwrap());
    }
}
