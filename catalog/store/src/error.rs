//! What a database's error means to the caller of a catalog.

use sqlx::postgres::PgDatabaseError;

use causeway_model::CatalogError;

use crate::{postgres, sqlite};

/// The result inside this crate.
pub(crate) type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Either kind of failure on the way; [`CatalogError`] when it leaves the crate.
#[derive(Debug)]
pub(crate) enum StoreError {
    Sql(sqlx::Error),
    Catalog(CatalogError),
}

impl StoreError {
    /// Makes the error of a transaction handed to the wrong database: our mistake.
    pub(crate) fn foreign() -> Self {
        sqlx::Error::Protocol("a transaction of another database".into()).into()
    }

    /// Returns true if the server went away, taking back whatever was not committed.
    pub(crate) fn is_connection_loss(&self) -> bool {
        match self {
            Self::Sql(sqlx::Error::Io(_)) => true,
            Self::Sql(sqlx::Error::Database(error)) => {
                error.try_downcast_ref::<PgDatabaseError>().is_some_and(|error| postgres::is_farewell(error.code()))
            }
            _ => false,
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<CatalogError> for StoreError {
    fn from(error: CatalogError) -> Self {
        Self::Catalog(error)
    }
}

impl From<StoreError> for CatalogError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Catalog(error) => error,
            StoreError::Sql(error) => from_sqlx(&error),
        }
    }
}

/// Makes the error of a catalog that cannot be opened: one that is not there may never have been.
pub(crate) fn unopened(error: StoreError) -> CatalogError {
    match error {
        StoreError::Sql(sqlx::Error::Io(error)) => CatalogError::Backend(postgres::unreachable(&error.to_string())),
        error => error.into(),
    }
}

/// Makes the error of a thing that is not there.
pub(crate) fn not_found(what: &'static str, name: impl ToString) -> StoreError {
    CatalogError::NotFound { what, name: name.to_string() }.into()
}

/// Makes the error of a thing that is there already.
pub(crate) fn already_exists(what: &'static str, name: impl ToString) -> StoreError {
    CatalogError::AlreadyExists { what, name: name.to_string() }.into()
}

/// Makes the error of a call that cannot be recorded.
pub(crate) fn invalid(message: impl Into<String>) -> StoreError {
    CatalogError::Invalid(message.into()).into()
}

/// Makes the error of stored content that makes no sense.
pub(crate) fn damaged(message: impl Into<String>) -> StoreError {
    CatalogError::Damaged(message.into()).into()
}

/// Adds where a catalog lies to what went wrong with it.
pub(crate) fn located(error: CatalogError, place: &str) -> CatalogError {
    let at = |message| format!("{place}: {message}");
    match error {
        CatalogError::Backend(message) => CatalogError::Backend(at(message)),
        CatalogError::Damaged(message) => CatalogError::Damaged(at(message)),
        CatalogError::Invalid(message) => CatalogError::Invalid(at(message)),
        CatalogError::Busy(message) => CatalogError::Busy(at(message)),
        CatalogError::Full(message) => CatalogError::Full(at(message)),
        other => other,
    }
}

pub(crate) fn from_sqlx(error: &sqlx::Error) -> CatalogError {
    match error {
        sqlx::Error::PoolTimedOut => CatalogError::Busy("no connection became free in time".into()),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnNotFound(_) | sqlx::Error::Decode(_) => {
            CatalogError::Damaged(error.to_string())
        }
        sqlx::Error::Database(database) => match database.try_downcast_ref::<PgDatabaseError>() {
            Some(error) => postgres::translate(error.code(), error.message()),
            None => {
                let code = database.code().and_then(|code| code.parse::<i32>().ok());
                sqlite::translate(code.unwrap_or_default(), database.message())
            }
        },
        // A server that has answered before will again.
        sqlx::Error::Io(error) => CatalogError::Busy(postgres::unreachable(&error.to_string())),
        sqlx::Error::Tls(error) => CatalogError::Backend(postgres::no_tls(&error.to_string())),
        _ => CatalogError::Backend(error.to_string()),
    }
}
