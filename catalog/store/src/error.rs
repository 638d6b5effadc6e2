//! What a database's error means to the caller of a catalog.

use causeway_model::CatalogError;

/// The result inside this crate.
pub(crate) type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Either kind of failure on the way; [`CatalogError`] when it leaves the crate.
#[derive(Debug)]
pub(crate) enum StoreError {
    Sql(sqlx::Error),
    Catalog(CatalogError),
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

fn from_sqlx(error: &sqlx::Error) -> CatalogError {
    match error {
        sqlx::Error::PoolTimedOut => CatalogError::Busy("no connection became free in time".into()),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnNotFound(_) | sqlx::Error::Decode(_) => {
            CatalogError::Damaged(error.to_string())
        }
        sqlx::Error::Database(database) => {
            let code = database.code().and_then(|code| code.parse::<i32>().ok());
            from_sqlite(code.unwrap_or_default(), database.message())
        }
        _ => CatalogError::Backend(error.to_string()),
    }
}

/// Sorts SQLite's extended result codes (<https://www.sqlite.org/rescode.html>).
fn from_sqlite(code: i32, message: &str) -> CatalogError {
    match code & 0xff {
        // BUSY, LOCKED
        5 | 6 => CatalogError::Busy("another process is writing to it; try again".into()),
        // READONLY
        8 => CatalogError::Backend(
            "it cannot be written: the file or its folder is read-only; give this user write permission".into(),
        ),
        // IOERR
        10 => CatalogError::Backend(format!("reading or writing its file failed ({message}); check the disk")),
        // CORRUPT, NOTADB
        11 | 26 => CatalogError::Damaged(format!("{message}; restore the file from a backup")),
        // FULL
        13 => {
            CatalogError::Backend("the disk is full; nothing of this call was recorded; free space, try again".into())
        }
        // CANTOPEN
        14 => CatalogError::Backend(
            "its file cannot be opened or made; check that the folder exists and this user may write to it".into(),
        ),
        _ => CatalogError::Backend(format!("{message} (SQLite {code})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_and_locked_are_worth_another_try() {
        for code in [5, 6, 261, 517] {
            assert!(from_sqlite(code, "database is locked").retryable(), "{code}");
        }
    }

    #[test]
    fn a_full_disk_says_so() {
        let error = from_sqlite(13, "database or disk is full");
        assert!(error.to_string().contains("disk is full"), "{error}");
        assert!(!error.retryable());
    }

    #[test]
    fn a_read_only_file_says_so() {
        assert!(from_sqlite(1032, "attempt to write a readonly database").to_string().contains("read-only"));
    }

    #[test]
    fn corruption_is_damage() {
        for code in [11, 267, 26] {
            assert!(matches!(from_sqlite(code, "malformed"), CatalogError::Damaged(_)), "{code}");
        }
    }
}
