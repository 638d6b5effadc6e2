//! Other times: a Postgres database whose clock a test sets, and processes whose own clock is wrong.
//!
//! Schedulers go by the database's clock alone. On Postgres that is `clock_timestamp()`, and a function
//! of that name that is found first takes its place. On SQLite it is the clock of the process, which
//! libfaketime moves; for a scheduler on Postgres the same library moves a clock that must not count.

use std::path::PathBuf;
use std::process::Command;

use causeway_cluster::Database;

/// Takes the place of the server's clock in new sessions of a database. It runs on, shifted.
const CLOCK: &str = "CREATE SCHEMA simulated; \
    CREATE TABLE simulated.clock (shift interval NOT NULL); \
    INSERT INTO simulated.clock VALUES (interval '0'); \
    CREATE FUNCTION simulated.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS \
    'SELECT pg_catalog.clock_timestamp() + shift FROM simulated.clock'";

/// The clock of a database.
pub(crate) struct Timeline<'a>(&'a Database<'static>);

impl<'a> Timeline<'a> {
    /// Takes over the clock of an empty database; it shows the right time until it is moved.
    pub(crate) fn of(database: &'a Database<'static>) -> Self {
        database.psql(CLOCK);
        let name = database.name();
        database.psql(&format!("ALTER DATABASE {name} SET search_path = public, simulated, pg_catalog"));
        Self(database)
    }

    /// Sets the clock to an instant, from which it runs on.
    pub(crate) fn set(&self, instant: &str) {
        self.0.psql(&format!(
            "UPDATE simulated.clock SET shift = timestamptz '{instant}' - pg_catalog.clock_timestamp()"
        ));
    }

    /// Moves the clock on by an interval.
    pub(crate) fn advance(&self, interval: &str) {
        self.0.psql(&format!("UPDATE simulated.clock SET shift = shift + interval '{interval}'"));
    }
}

/// Lets a process run on another clock: `@2026-10-25 00:45:00` is an instant (UTC) from which it runs on,
/// `+90s` a difference. Waiting takes as long as ever.
pub(crate) fn at<'c>(command: &'c mut Command, time: &str) -> &'c mut Command {
    command.env("LD_PRELOAD", library()).env("FAKETIME", time).env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("TZ", "UTC")
}

/// Finds libfaketime, which `infra/packaging/setup.sh build` installs.
fn library() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").unwrap().filter_map(Result::ok);
    let candidates = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    let found = candidates.into_iter().find(|path| path.is_file());
    found.expect("libfaketime is missing; `infra/packaging/setup.sh build` installs it")
}
