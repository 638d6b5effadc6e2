//! The URL of a server, and the limits of its connections.

use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;
use url::{ParseError, Url};

use causeway_model::{CatalogError, Result};

/// What a URL may say after `?`.
const PARAMETERS: [&str; 13] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];

/// How long a process may be silent within a transaction: one that was stopped there must not keep the
/// others waiting. If it was only slow, it does the transaction again.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(10);

/// Limits of a pool of connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresOptions {
    /// Connections at most. Default: 8.
    pub pool_size: u32,
    /// How long a call waits for a free connection. Default: 30 s.
    pub acquire_timeout: Duration,
    /// How long one statement may run. Default: 60 s.
    pub statement_timeout: Duration,
    /// How long a write waits for another one to finish. Default: 30 s.
    pub lock_timeout: Duration,
    /// How long a call waits for a server that went away to come back. Default: 30 s.
    pub reconnect_timeout: Duration,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            pool_size: 8,
            acquire_timeout: Duration::from_secs(30),
            statement_timeout: Duration::from_secs(60),
            lock_timeout: Duration::from_secs(30),
            reconnect_timeout: Duration::from_secs(30),
        }
    }
}

/// Reads a URL. It may hold a password, so no error repeats it.
pub(super) fn parse(url: &str, options: &PostgresOptions) -> Result<PgConnectOptions> {
    let malformed = |why: &str| {
        CatalogError::Invalid(format!(
            "the catalog's URL is malformed ({why}); write postgres://user:password@host:5432/database, \
             special characters in the password as %40 for @, %2F for /, …"
        ))
    };
    let parsed = match Url::parse(url) {
        // As psql takes it, with the host in a parameter.
        Err(ParseError::EmptyHost) => Url::parse(&url.replacen("@/", "@localhost/", 1)),
        parsed => parsed,
    };
    let parsed = parsed.map_err(|error| malformed(&error.to_string()))?;
    if let Some((unknown, _)) = parsed.query_pairs().find(|(name, _)| !is_parameter(name)) {
        return Err(malformed(&format!("unknown parameter `{unknown}`; known: {}", PARAMETERS.join(", "))));
    }
    let server = PgConnectOptions::from_url(&parsed).map_err(|_| malformed("a parameter has no valid value"))?;
    Ok(limited(server, options))
}

/// Names the server and the database without the password.
pub(super) fn place(server: &PgConnectOptions) -> String {
    let host = match server.get_socket() {
        Some(folder) => folder.display().to_string(),
        None => server.get_host().to_owned(),
    };
    let user = server.get_username();
    format!("postgres://{user}@{host}:{}/{}", server.get_port(), server.get_database().unwrap_or(user))
}

fn is_parameter(name: &str) -> bool {
    PARAMETERS.contains(&name) || (name.starts_with("options[") && name.ends_with(']'))
}

/// Sets what every connection has. The planner knows nothing of a catalog that has grown since its
/// last `ANALYZE`; all our statements look up a few rows by an index, so the other ways of joining
/// are turned off, and compiling statements is, which takes longer than they run.
fn limited(server: PgConnectOptions, options: &PostgresOptions) -> PgConnectOptions {
    let ms = |limit: Duration| limit.as_millis().to_string();
    let server = match server.get_application_name() {
        Some(_) => server,
        None => server.application_name("causeway"),
    };
    server.disable_statement_logging().options([
        ("statement_timeout", ms(options.statement_timeout)),
        ("lock_timeout", ms(options.lock_timeout)),
        ("idle_in_transaction_session_timeout", ms(IDLE_IN_TRANSACTION)),
        ("enable_hashjoin", "off".to_owned()),
        ("enable_mergejoin", "off".to_owned()),
        ("jit", "off".to_owned()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str) -> String {
        parse(url, &PostgresOptions::default()).map(drop).unwrap_err().to_string()
    }

    #[test]
    fn the_place_has_no_password() {
        let server = parse("postgres://ann:s3cret@db.example:5433/lake", &PostgresOptions::default()).unwrap();
        assert_eq!(place(&server), "postgres://ann@db.example:5433/lake");
    }

    #[test]
    fn a_socket_folder_is_a_host() {
        let server = parse("postgres://ann@/lake?host=/run/pg&port=7", &PostgresOptions::default()).unwrap();
        assert_eq!(place(&server), "postgres://ann@/run/pg:7/lake");
    }

    #[test]
    fn no_message_repeats_the_password() {
        for url in [
            "postgres://ann:s3cret@db:port/lake",
            "postgres://ann:s3cret@db/lake?sslmode=s3cret",
            "postgres://ann@db/lake?pasword=s3cret",
            "postgres://ann:s3cret@:5432:/lake",
        ] {
            let message = refused(url);
            assert!(message.contains("malformed") && !message.contains("s3cret"), "{message}");
        }
    }

    #[test]
    fn an_unknown_parameter_is_named_with_the_known_ones() {
        let message = refused("postgres://ann@db/lake?ssl=on");
        assert!(message.contains("`ssl`") && message.contains("sslmode"), "{message}");
    }
}
