//! The schema's changes, forward only, each in both dialects.

use causeway_model::CatalogError;

use crate::catalog::Backend;
use crate::connection::{Connection, Sql};
use crate::error::{Result, invalid};
use crate::write;

/// A numbered change of the schema.
pub(crate) struct Migration {
    name: &'static str,
    sql: Sql,
}

/// Change `n` stands at index `n - 1`. Never edited after release.
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration {
        name: "core",
        sql: Sql {
            sqlite: include_str!("../../migrations/0001_core.sqlite.sql"),
            postgres: include_str!("../../migrations/0001_core.postgres.sql"),
        },
    },
    Migration {
        name: "access",
        sql: Sql {
            sqlite: include_str!("../../migrations/0002_access.sqlite.sql"),
            postgres: include_str!("../../migrations/0002_access.postgres.sql"),
        },
    },
    Migration {
        name: "audit",
        sql: Sql {
            sqlite: include_str!("../../migrations/0003_audit.sqlite.sql"),
            postgres: include_str!("../../migrations/0003_audit.postgres.sql"),
        },
    },
    Migration {
        name: "openlineage",
        sql: Sql {
            sqlite: include_str!("../../migrations/0004_openlineage.sqlite.sql"),
            postgres: include_str!("../../migrations/0004_openlineage.postgres.sql"),
        },
    },
    Migration {
        name: "last_success",
        sql: Sql {
            sqlite: include_str!("../../migrations/0005_last_success.sqlite.sql"),
            postgres: include_str!("../../migrations/0005_last_success.postgres.sql"),
        },
    },
    Migration {
        name: "jobs",
        sql: Sql {
            sqlite: include_str!("../../migrations/0006_jobs.sqlite.sql"),
            postgres: include_str!("../../migrations/0006_jobs.postgres.sql"),
        },
    },
    Migration {
        name: "parameters",
        sql: Sql {
            sqlite: include_str!("../../migrations/0007_parameters.sqlite.sql"),
            postgres: include_str!("../../migrations/0007_parameters.postgres.sql"),
        },
    },
    Migration {
        name: "schedules",
        sql: Sql {
            sqlite: include_str!("../../migrations/0008_schedules.sqlite.sql"),
            postgres: include_str!("../../migrations/0008_schedules.postgres.sql"),
        },
    },
    Migration {
        name: "workers",
        sql: Sql {
            sqlite: include_str!("../../migrations/0009_workers.sqlite.sql"),
            postgres: include_str!("../../migrations/0009_workers.postgres.sql"),
        },
    },
    Migration {
        name: "queue",
        sql: Sql {
            sqlite: include_str!("../../migrations/0010_queue.sqlite.sql"),
            postgres: include_str!("../../migrations/0010_queue.postgres.sql"),
        },
    },
    Migration {
        name: "progress",
        sql: Sql {
            sqlite: include_str!("../../migrations/0011_progress.sqlite.sql"),
            postgres: include_str!("../../migrations/0011_progress.postgres.sql"),
        },
    },
    Migration {
        name: "late",
        sql: Sql {
            sqlite: include_str!("../../migrations/0012_late.sqlite.sql"),
            postgres: include_str!("../../migrations/0012_late.postgres.sql"),
        },
    },
    Migration {
        name: "budget",
        sql: Sql {
            sqlite: include_str!("../../migrations/0013_budget.sqlite.sql"),
            postgres: include_str!("../../migrations/0013_budget.postgres.sql"),
        },
    },
];

const RECORD: Sql = Sql {
    sqlite: "CREATE TABLE schema_migration (version INTEGER PRIMARY KEY, name TEXT NOT NULL, \
             applied_at TEXT NOT NULL) STRICT",
    postgres: "CREATE TABLE schema_migration (version BIGINT PRIMARY KEY, name TEXT NOT NULL, \
               applied_at TEXT NOT NULL)",
};

const TABLES: Sql = Sql {
    sqlite: "SELECT COUNT(*), COUNT(*) FILTER (WHERE name = 'schema_migration') FROM sqlite_master WHERE type = 'table'",
    postgres: "SELECT COUNT(*), COUNT(*) FILTER (WHERE tablename = 'schema_migration') FROM pg_tables \
               WHERE schemaname = current_schema()",
};

/// The newest schema version this binary knows.
pub(crate) fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// Brings the catalog to [`known`]. Several processes may try at once: one does it, the others wait.
pub(crate) async fn migrate(backend: &impl Backend) -> Result<()> {
    if pending(current(&mut backend.read().await?).await?)?.is_empty() {
        return Ok(());
    }
    let mut connection = backend.write().await?;
    apply(&mut connection).await?;
    backend.commit(connection).await
}

/// Returns the schema version found: 0 if there is nothing yet.
pub(crate) async fn current(connection: &mut Connection) -> Result<i64> {
    let counts = connection.query(TABLES).fetch_one().await?;
    match (counts.get::<i64>(0)?, counts.get::<i64>(1)?) {
        (0, _) => Ok(0),
        (_, 0) => Err(invalid("the database holds other tables, but no causeway catalog; name another one")),
        _ => connection.query("SELECT COALESCE(MAX(version), 0) FROM schema_migration").fetch_scalar().await,
    }
}

async fn apply(connection: &mut Connection) -> Result<()> {
    connection.lift_time_limit().await?;
    let current = current(connection).await?;
    if current == 0 {
        connection.script(RECORD).await?;
    }
    for (version, migration) in (current + 1..).zip(pending(current)?) {
        connection.script(migration.sql).await?;
        record(connection, version, migration.name).await?;
        tracing::info!(version, name = migration.name, "catalog schema changed");
    }
    Ok(())
}

fn pending(found: i64) -> Result<&'static [Migration]> {
    let applied = usize::try_from(found).unwrap_or(usize::MAX);
    MIGRATIONS.get(applied..).ok_or_else(|| CatalogError::Newer { found, known: known() }.into())
}

async fn record(connection: &mut Connection, version: i64, name: &str) -> Result<()> {
    let now = write::now(connection).await?;
    connection
        .query("INSERT INTO schema_migration (version, name, applied_at) VALUES ($1, $2, $3)")
        .bind(version)
        .bind(name)
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::known;

    fn numbers(ending: &str) -> Vec<i64> {
        let folder = std::path::PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../migrations");
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut numbers: Vec<i64> =
            files.filter(|name| name.ends_with(ending)).map(|name| name[..4].parse().unwrap()).collect();
        numbers.sort_unstable();
        numbers
    }

    #[test]
    fn every_change_has_a_file_in_each_dialect_and_is_known() {
        let all: Vec<i64> = (1..=known()).collect();
        assert_eq!(numbers(".sqlite.sql"), all);
        assert_eq!(numbers(".postgres.sql"), all);
    }
}
