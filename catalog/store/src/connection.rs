//! A transaction on either database, or a connection for one statement, and the statements that run in it.
//!
//! SQL that both understand is written once. Where they differ, [`Sql`] holds both texts side by side.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use sqlx::error::BoxDynError;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{
    Arguments as _, AssertSqlSafe, ColumnIndex, Database, Decode, Encode, Postgres, Row as _, SqlSafeStr as _, SqlStr,
    Sqlite, Transaction, Type,
};

use crate::error::{Result, StoreError, damaged};
use crate::postgres::PostgresTransaction;
use crate::sqlite::SqliteTransaction;

/// Values of one `INSERT`: SQLite takes 32 766, Postgres 65 535.
const MAX_VALUES: usize = 20_000;

/// A transaction, which is rolled back unless committed, or a connection for one statement.
pub(crate) enum Connection {
    Sqlite(SqliteTransaction),
    Postgres(PostgresTransaction),
}

/// How a connection is held.
pub(crate) enum Link<DB: Database> {
    Transaction(Transaction<'static, DB>),
    /// Outside a transaction: one statement reads one state by itself, and is spared the way to the
    /// database and back for `BEGIN`.
    Single(PoolConnection<DB>),
}

impl<DB: Database> Link<DB> {
    pub(crate) fn connection(&mut self) -> &mut DB::Connection {
        match self {
            Self::Transaction(transaction) => transaction,
            Self::Single(connection) => connection,
        }
    }

    pub(crate) async fn commit(self) -> Result<()> {
        match self {
            Self::Transaction(transaction) => Ok(transaction.commit().await?),
            Self::Single(_) => Err(StoreError::foreign()),
        }
    }
}

/// A statement in both dialects.
#[derive(Clone, Copy)]
pub(crate) struct Sql {
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
}

impl From<&'static str> for Sql {
    fn from(both: &'static str) -> Self {
        Self { sqlite: both, postgres: both }
    }
}

/// What can be bound to a statement of either database.
pub(crate) trait Value<'q>: Encode<'q, Sqlite> + Type<Sqlite> + Encode<'q, Postgres> + Type<Postgres> {}

impl<'q, T: Encode<'q, Sqlite> + Type<Sqlite> + Encode<'q, Postgres> + Type<Postgres>> Value<'q> for T {}

/// What can be read from a row of either database.
pub(crate) trait Field<'r>: Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres> {}

impl<'r, T: Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres>> Field<'r> for T {}

impl Connection {
    /// Starts a statement whose parameters are `$1`, `$2`, ….
    pub(crate) fn query(&mut self, sql: impl Into<Sql>) -> Query<'_> {
        let sql = sql.into();
        let text = match self {
            Self::Sqlite(_) => sql.sqlite,
            Self::Postgres(_) => sql.postgres,
        };
        Query::new(self, text.into_sql_str(), true)
    }

    /// Returns the time where the database has no clock but the machine's: SQLite would ask the same one, by a statement.
    pub(crate) fn own_time(&self) -> Option<DateTime<Utc>> {
        matches!(self, Self::Sqlite(_)).then(Utc::now)
    }

    /// Runs statements without parameters or rows, one after the other.
    pub(crate) async fn script(&mut self, sql: impl Into<Sql>) -> Result<()> {
        let sql = sql.into();
        match self {
            Self::Sqlite(tx) => sqlx::raw_sql(sql.sqlite).execute(tx.connection()?).await.map(drop)?,
            Self::Postgres(tx) => sqlx::raw_sql(sql.postgres).execute(tx.inner.connection()).await.map(drop)?,
        }
        Ok(())
    }

    /// Lets the statements of this transaction take as long as they need.
    pub(crate) async fn lift_time_limit(&mut self) -> Result<()> {
        if let Self::Postgres(tx) = self {
            sqlx::raw_sql("SET LOCAL statement_timeout = 0").execute(tx.inner.connection()).await?;
        }
        Ok(())
    }

    /// Inserts rows, many by one statement. `into` ends before `VALUES`; `bind` binds one row's `width` values.
    pub(crate) async fn insert<R>(
        &mut self,
        into: &'static str,
        width: usize,
        rows: &[R],
        bind: impl for<'c> Fn(Query<'c>, &R) -> Query<'c>,
    ) -> Result<()> {
        // SQLite takes `$1` for a name, and looks every name up among all before it.
        let numbered = matches!(self, Self::Postgres(_));
        for chunk in rows.chunks(MAX_VALUES / width) {
            let sql = AssertSqlSafe(format!("{into} VALUES {}", placeholders(numbered, width, chunk.len())));
            // The statement for one row is always the same.
            let mut query = Query::new(self, sql.into_sql_str(), chunk.len() == 1);
            for row in chunk {
                query = bind(query, row);
            }
            query.execute().await?;
        }
        Ok(())
    }
}

/// Returns `($1, $2), ($3, $4)` for two rows of two values, or `(?, ?), (?, ?)`.
fn placeholders(numbered: bool, width: usize, n_rows: usize) -> String {
    let mut text = String::new();
    for number in 0..width * n_rows {
        text.push_str(match (number, number % width) {
            (0, _) => "(",
            (_, 0) => "), (",
            _ => ", ",
        });
        let _ = if numbered { write!(text, "${}", number + 1) } else { write!(text, "?") };
    }
    text + ")"
}

enum Values {
    Sqlite(SqliteArguments),
    Postgres(PgArguments),
}

/// A statement about to run.
#[must_use]
pub(crate) struct Query<'c> {
    connection: &'c mut Connection,
    text: SqlStr,
    values: Result<Values, BoxDynError>,
    /// True to keep the prepared statement for the next time.
    keep: bool,
}

impl<'c> Query<'c> {
    fn new(connection: &'c mut Connection, text: SqlStr, keep: bool) -> Self {
        let values = match connection {
            Connection::Sqlite(_) => Values::Sqlite(SqliteArguments::default()),
            Connection::Postgres(_) => Values::Postgres(PgArguments::default()),
        };
        Self { connection, text, values: Ok(values), keep }
    }

    /// Binds the next parameter.
    pub(crate) fn bind<'q, T: Value<'q>>(mut self, value: T) -> Self {
        let bound = match &mut self.values {
            Ok(Values::Sqlite(values)) => values.add(value),
            Ok(Values::Postgres(values)) => values.add(value),
            Err(_) => Ok(()),
        };
        if let Err(error) = bound {
            self.values = Err(error);
        }
        self
    }

    /// Binds numbers as the text of a list: JSON for SQLite, an array for Postgres.
    pub(crate) fn bind_integers(self, numbers: &[i64]) -> Self {
        let (open, close) = match &self.values {
            Ok(Values::Sqlite(_)) => ('[', ']'),
            _ => ('{', '}'),
        };
        let mut text = String::with_capacity(8 * numbers.len() + 2);
        text.push(open);
        for (at, number) in numbers.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            let _ = write!(text, "{comma}{number}");
        }
        text.push(close);
        self.bind(text)
    }

    /// Returns how many rows changed.
    pub(crate) async fn execute(self) -> Result<u64> {
        let values = self.values.map_err(sqlx::Error::Encode)?;
        Ok(match (self.connection, values) {
            (Connection::Sqlite(tx), Values::Sqlite(values)) => {
                let query = sqlx::query_with::<Sqlite, _>(self.text, values).persistent(self.keep);
                query.execute(tx.connection()?).await?.rows_affected()
            }
            (Connection::Postgres(tx), Values::Postgres(values)) => {
                let query = sqlx::query_with::<Postgres, _>(self.text, values).persistent(self.keep);
                query.execute(tx.inner.connection()).await?.rows_affected()
            }
            _ => return Err(StoreError::foreign()),
        })
    }

    pub(crate) async fn fetch_all(self) -> Result<Vec<Row>> {
        let values = self.values.map_err(sqlx::Error::Encode)?;
        Ok(match (self.connection, values) {
            (Connection::Sqlite(tx), Values::Sqlite(values)) => {
                let query = sqlx::query_with::<Sqlite, _>(self.text, values).persistent(self.keep);
                query.fetch_all(tx.connection()?).await?.into_iter().map(Row::Sqlite).collect()
            }
            (Connection::Postgres(tx), Values::Postgres(values)) => {
                let query = sqlx::query_with::<Postgres, _>(self.text, values).persistent(self.keep);
                query.fetch_all(tx.inner.connection()).await?.into_iter().map(Row::Postgres).collect()
            }
            _ => return Err(StoreError::foreign()),
        })
    }

    /// Returns the first row, if there is any.
    pub(crate) async fn fetch_optional(self) -> Result<Option<Row>> {
        Ok(self.fetch_all().await?.into_iter().next())
    }

    pub(crate) async fn fetch_one(self) -> Result<Row> {
        Ok(self.fetch_optional().await?.ok_or(sqlx::Error::RowNotFound)?)
    }

    /// Returns the first column of the only row.
    pub(crate) async fn fetch_scalar<T: for<'r> Field<'r>>(self) -> Result<T> {
        self.fetch_one().await?.get(0)
    }

    /// Returns the first column of the first row, if there is any.
    pub(crate) async fn fetch_optional_scalar<T: for<'r> Field<'r>>(self) -> Result<Option<T>> {
        self.fetch_optional().await?.map(|row| row.get(0)).transpose()
    }

    /// Returns the first column of every row.
    pub(crate) async fn fetch_scalars<T: for<'r> Field<'r>>(self) -> Result<Vec<T>> {
        self.fetch_all().await?.iter().map(|row| row.get(0)).collect()
    }
}

/// A row that was read.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    /// Reads a column by name or position.
    pub(crate) fn get<'r, T: Field<'r>>(
        &'r self,
        column: impl ColumnIndex<SqliteRow> + ColumnIndex<PgRow>,
    ) -> Result<T> {
        Ok(match self {
            Self::Sqlite(row) => row.try_get(column)?,
            Self::Postgres(row) => row.try_get(column)?,
        })
    }

    /// Reads the text of a list of numbers, `[1,2]` or `{1,2}`; null is an empty one.
    pub(crate) fn integers(&self, column: usize) -> Result<Vec<i64>> {
        integers(self.get::<Option<&str>>(column)?.unwrap_or_default())
    }
}

fn integers(list: &str) -> Result<Vec<i64>> {
    let numbers = list.trim_matches(['[', ']', '{', '}']);
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    let parsed = numbers.split(',').map(str::parse).collect::<Result<_, _>>();
    parsed.map_err(|_| damaged("a list of numbers holds something else"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_count_on_over_rows() {
        assert_eq!(placeholders(true, 2, 3), "($1, $2), ($3, $4), ($5, $6)");
        assert_eq!(placeholders(false, 1, 2), "(?), (?)");
    }

    #[test]
    fn lists_of_either_database_are_read() {
        assert_eq!(integers("[1,-2,3]").unwrap(), [1, -2, 3]);
        assert_eq!(integers("{1,-2,3}").unwrap(), [1, -2, 3]);
        for empty in ["", "[]", "{}"] {
            assert!(integers(empty).unwrap().is_empty());
        }
        assert!(integers("{1,NULL}").is_err());
    }
}
