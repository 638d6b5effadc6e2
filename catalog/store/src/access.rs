//! Users, roles, grants and row policies.

use std::collections::{BTreeMap, BTreeSet};

use causeway_model::{
    AccessChange, Grant, PUBLIC, Principal, PrincipalKind, Privilege, Rights, RowPolicy, Securable, TableName,
};

use crate::connection::{Connection, Row};
use crate::error::{Result, already_exists, damaged, not_found};
use crate::rows::word;

/// Makes a change; what it asks for must not be so already.
pub(crate) async fn change(connection: &mut Connection, change: &AccessChange, now: &str) -> Result<()> {
    match change {
        AccessChange::Create(kind, name) => create(connection, *kind, name, now).await,
        AccessChange::Drop(kind, name) => remove(connection, *kind, name).await,
        AccessChange::Join { role, member } => {
            let sql = "INSERT INTO membership (role, member) VALUES ($1, $2) ON CONFLICT DO NOTHING";
            connection.query(sql).bind(role).bind(member).execute().await.map(drop)
        }
        AccessChange::Leave { role, member } => {
            let sql = "DELETE FROM membership WHERE role = $1 AND member = $2";
            let changed = connection.query(sql).bind(role).bind(member).execute().await?;
            found(changed, "member", &format!("{member} of {role}"))
        }
        AccessChange::Grant(grant) => give(connection, grant).await,
        AccessChange::Revoke(grant) => take(connection, grant).await,
        AccessChange::AddPolicy(policy) => add_policy(connection, policy).await,
        AccessChange::DropPolicy { table, name } => {
            let sql = "DELETE FROM row_policy WHERE schema_name = $1 AND table_name = $2 AND name = $3";
            let query = connection.query(sql).bind(&table.schema).bind(&table.table).bind(name);
            let changed = query.execute().await?;
            found(changed, "policy", &format!("{name} on {table}"))
        }
    }
}

fn found(changed: u64, what: &'static str, name: &str) -> Result<()> {
    if changed == 0 { Err(not_found(what, name)) } else { Ok(()) }
}

async fn create(connection: &mut Connection, kind: PrincipalKind, name: &str, now: &str) -> Result<()> {
    let sql = "INSERT INTO principal (name, kind, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    match connection.query(sql).bind(name).bind(kind.name()).bind(now).execute().await? {
        0 => Err(already_exists("user or role", name)),
        _ => Ok(()),
    }
}

/// Removes a user or role with its grants and memberships. A row policy for it stays: without it the
/// table might show rows to others that it hid.
async fn remove(connection: &mut Connection, kind: PrincipalKind, name: &str) -> Result<()> {
    for sql in ["DELETE FROM membership WHERE role = $1 OR member = $1", "DELETE FROM access_grant WHERE grantee = $1"]
    {
        connection.query(sql).bind(name).execute().await?;
    }
    let sql = "DELETE FROM principal WHERE name = $1 AND kind = $2";
    let changed = connection.query(sql).bind(name).bind(kind.name()).execute().await?;
    found(changed, kind.name(), name)
}

/// A grant's object as it is stored: kind, schema, name.
fn stored(on: &Securable) -> (&'static str, &str, &str) {
    match on {
        Securable::Table(name) => ("table", &name.schema, &name.table),
        Securable::Schema(name) => ("schema", name, ""),
        Securable::Operator(name) => ("operator", "", name),
    }
}

async fn give(connection: &mut Connection, grant: &Grant) -> Result<()> {
    let sql = "INSERT INTO access_grant (grantee, privilege, object_kind, object_schema, object_name, column_name) \
               VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
    bind_grant(connection, sql, grant).await.map(drop)
}

async fn take(connection: &mut Connection, grant: &Grant) -> Result<()> {
    let sql = "DELETE FROM access_grant WHERE grantee = $1 AND privilege = $2 AND object_kind = $3 \
               AND object_schema = $4 AND object_name = $5 AND column_name = $6";
    let changed = bind_grant(connection, sql, grant).await?;
    found(changed, "grant", &format!("{} on {} to {}", grant.privilege.name(), grant.on, grant.grantee))
}

async fn bind_grant(connection: &mut Connection, sql: &'static str, grant: &Grant) -> Result<u64> {
    let (kind, schema, name) = stored(&grant.on);
    connection
        .query(sql)
        .bind(&grant.grantee)
        .bind(grant.privilege.name())
        .bind(kind)
        .bind(schema)
        .bind(name)
        .bind(grant.column.as_deref().unwrap_or_default())
        .execute()
        .await
}

async fn add_policy(connection: &mut Connection, policy: &RowPolicy) -> Result<()> {
    let sql = "INSERT INTO row_policy (schema_name, table_name, name, grantee, condition, restrictive) \
               VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
    let query = connection.query(sql).bind(&policy.table.schema).bind(&policy.table.table).bind(&policy.name);
    match query.bind(&policy.grantee).bind(&policy.condition).bind(policy.restrictive).execute().await? {
        0 => Err(already_exists("policy", format!("{} on {}", policy.name, policy.table))),
        _ => Ok(()),
    }
}

/// Forgets the rights on a table that is dropped: a new one of its name begins with none.
pub(crate) async fn forget_table(connection: &mut Connection, table: &TableName) -> Result<()> {
    for sql in [
        "DELETE FROM access_grant WHERE object_kind = 'table' AND object_schema = $1 AND object_name = $2",
        "DELETE FROM row_policy WHERE schema_name = $1 AND table_name = $2",
    ] {
        connection.query(sql).bind(&table.schema).bind(&table.table).execute().await?;
    }
    Ok(())
}

pub(crate) async fn principals(connection: &mut Connection) -> Result<Vec<Principal>> {
    let mut member_of = memberships(connection).await?;
    let rows = connection.query("SELECT name, kind, created_at FROM principal ORDER BY name").fetch_all().await?;
    let principal = |row: &Row| {
        let name: String = row.get("name")?;
        Ok(Principal {
            member_of: member_of.remove(&name).unwrap_or_default(),
            kind: word(row.get("kind")?, &PrincipalKind::ALL, PrincipalKind::name)?,
            created_at: row.get("created_at")?,
            name,
        })
    };
    rows.iter().map(principal).collect()
}

/// Returns the roles of each member, by name.
async fn memberships(connection: &mut Connection) -> Result<BTreeMap<String, Vec<String>>> {
    let rows = connection.query("SELECT member, role FROM membership ORDER BY member, role").fetch_all().await?;
    let mut roles: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in &rows {
        roles.entry(row.get("member")?).or_default().push(row.get("role")?);
    }
    Ok(roles)
}

pub(crate) async fn grants(connection: &mut Connection) -> Result<Vec<Grant>> {
    let sql = "SELECT grantee, privilege, object_kind, object_schema, object_name, column_name FROM access_grant \
               ORDER BY grantee, object_kind, object_schema, object_name, privilege, column_name";
    connection.query(sql).fetch_all().await?.iter().map(grant).collect()
}

fn grant(row: &Row) -> Result<Grant> {
    let (kind, schema, name): (String, String, String) =
        (row.get("object_kind")?, row.get("object_schema")?, row.get("object_name")?);
    let on = match kind.as_str() {
        "table" => Securable::Table(TableName { schema, table: name }),
        "schema" => Securable::Schema(schema),
        "operator" => Securable::Operator(name),
        _ => return Err(damaged("a grant is on something unknown")),
    };
    Ok(Grant {
        grantee: row.get("grantee")?,
        privilege: word(row.get("privilege")?, &Privilege::ALL, Privilege::name)?,
        on,
        column: Some(row.get::<String>("column_name")?).filter(|column| !column.is_empty()),
    })
}

pub(crate) async fn policies(connection: &mut Connection, table: Option<&TableName>) -> Result<Vec<RowPolicy>> {
    let sql = "SELECT schema_name, table_name, name, grantee, condition, restrictive FROM row_policy \
               WHERE $1 = '' OR (schema_name = $1 AND table_name = $2) \
               ORDER BY schema_name, table_name, name, grantee";
    let (schema, name) = table.map_or(("", ""), |table| (&table.schema, &table.table));
    let rows = connection.query(sql).bind(schema).bind(name).fetch_all().await?;
    let policy = |row: &Row| {
        Ok(RowPolicy {
            table: TableName { schema: row.get("schema_name")?, table: row.get("table_name")? },
            name: row.get("name")?,
            grantee: row.get("grantee")?,
            condition: row.get("condition")?,
            restrictive: row.get("restrictive")?,
        })
    };
    rows.iter().map(policy).collect()
}

/// Returns all that a user may do; `None` if there is no such user.
pub(crate) async fn rights(connection: &mut Connection, user: &str) -> Result<Option<Rights>> {
    let sql = "WITH RECURSIVE held (name) AS (\
                   SELECT name FROM principal WHERE name = $1 AND kind = 'user' \
                   UNION SELECT m.role FROM membership m JOIN held h ON m.member = h.name), \
               reached (name) AS (SELECT name FROM held UNION SELECT $2 WHERE EXISTS (SELECT 1 FROM held)) \
               SELECT e.name AS role, g.grantee, g.privilege, g.object_kind, g.object_schema, g.object_name, \
                      g.column_name \
               FROM reached e LEFT JOIN access_grant g ON g.grantee = e.name";
    let rows = connection.query(sql).bind(user).bind(PUBLIC).fetch_all().await?;
    if rows.is_empty() {
        return Ok(None);
    }
    let mut rights = Rights { user: user.to_owned(), roles: BTreeSet::new(), grants: BTreeSet::new() };
    for row in &rows {
        rights.roles.insert(row.get("role")?);
        if row.get::<Option<&str>>("grantee")?.is_some() {
            rights.grants.insert(grant(row)?);
        }
    }
    Ok(Some(rights))
}
