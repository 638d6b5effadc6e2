//! What records cover of the catalog, and the digest of each.
//!
//! A covered row is known by a table and a key, and stands for rows of several tables: the row `12` of
//! `step` is that step with its run, inputs, operators, outputs, their columns and their lineage. A row
//! that is put beside them, or taken away, changes the digest as one that is changed does.

use std::collections::{BTreeMap, BTreeSet};

use causeway_audit::{Digest, Event, RowDigest};
use causeway_model::audit::{CoveredKey, CoveredRows};
use causeway_model::{ChargeId, DatasetId, StepId};

use crate::connection::Connection;
use crate::error::Result;

/// Owners whose rows are read at once.
const CHUNK: i64 = 2_000;

/// One table's rows in a digest. Values are taken as the database writes them as text.
struct Part {
    name: &'static str,
    columns: &'static [&'static str],
    /// Owner, then the columns, of the owners `$1` to `$2`, by owner and then in a fixed order.
    sql: &'static str,
}

macro_rules! part {
    ($name:literal: $owner:literal of $from:literal $(where $condition:literal)?, by $order:literal,
     [$($column:literal),+ $(,)?]) => {
        Part {
            name: $name,
            columns: &[$($column),+],
            sql: concat!(
                "SELECT ", $owner, $(", CAST(", $column, " AS TEXT)",)+ " FROM ", $from, " WHERE ", $owner,
                " BETWEEN $1 AND $2", $(" AND ", $condition,)? " ORDER BY ", $owner, ", ", $order
            ),
        }
    };
}

const STEP: &[Part] = &[
    part!("step": "id" of "step" where "state = 'succeeded'", by "id", [
        "run_id", "ordinal", "name", "kind", "sql", "fingerprint", "seed", "state", "attempt", "rows_in", "rows_out",
        "rows_quarantined", "duration_ms", "started_at", "finished_at",
    ]),
    part!("run": "s.id" of "step s JOIN run r ON r.id = s.run_id" where "s.state = 'succeeded'", by "r.id", [
        "r.uuid", "r.kind", "r.pipeline", "r.pipeline_digest", "r.engine_version", "r.actor", "r.started_at",
    ]),
    // A part of its own: records from before runs had parameters cover the same as ever.
    part!("parameters": "s.id" of "step s JOIN run r ON r.id = s.run_id"
        where "s.state = 'succeeded' AND r.parameters <> '{}'", by "r.id", ["r.parameters"]),
    part!("input": "i.step_id" of "step_input i JOIN dataset_version v ON v.id = i.version_id \
                                   JOIN dataset d ON d.id = v.dataset_id JOIN step s ON s.id = i.step_id"
        where "s.state = 'succeeded'", by "i.position", [
        "i.position", "i.version_id", "d.schema_name", "d.table_name", "v.version", "v.digest", "v.n_bytes",
    ]),
    part!("input_column": "i.step_id" of "step_input i JOIN dataset_version v ON v.id = i.version_id \
                                          JOIN dataset d ON d.id = v.dataset_id JOIN step s ON s.id = i.step_id \
                                          JOIN dataset_column c ON c.version_id = v.id"
        where "s.state = 'succeeded' AND d.kind = 'file'", by "i.position, c.ordinal", [
        "i.position", "c.ordinal", "c.id", "c.name", "c.data_type", "c.nullable", "c.unit", "c.meaning", "c.identifying", "d.location",
    ]),
    part!("operator": "step_id" of "step_operator", by "position", ["position", "operator", "version", "options", "report"]),
    part!("version": "step_id" of "dataset_version" where "step_id IS NOT NULL", by "id", [
        "id", "dataset_id", "version", "n_rows", "n_bytes", "n_files", "digest", "previous_id", "committed_at",
    ]),
    part!("column": "v.step_id" of "dataset_column c JOIN dataset_version v ON v.id = c.version_id", by "c.version_id, c.ordinal", [
        "c.id", "c.version_id", "c.ordinal", "c.name", "c.data_type", "c.nullable", "c.unit", "c.meaning", "c.identifying",
    ]),
    part!("column_edge": "v.step_id" of "column_edge e JOIN dataset_column c ON c.id = e.out_column_id \
                                         JOIN dataset_version v ON v.id = c.version_id",
        by "e.out_column_id, e.in_column_id, e.kind, e.masking", [
        "e.out_column_id", "e.in_column_id", "e.kind", "e.masking",
    ]),
    part!("dataset_edge": "v.step_id" of "dataset_edge e JOIN dataset_version v ON v.id = e.out_version_id",
        by "e.out_version_id, e.in_column_id, e.kind, e.masking", [
        "e.out_version_id", "e.in_column_id", "e.kind", "e.masking",
    ]),
];

/// Versions of tables and views that no step made: there are none, unless somebody put one there.
const DATASET: &[Part] = &[
    part!("dataset": "id" of "dataset", by "id", [
        "schema_name", "table_name", "kind", "location", "view_sql", "policy", "created_at", "dropped_at",
    ]),
    part!("stray": "d.id" of "dataset d JOIN dataset_version v ON v.dataset_id = d.id"
        where "v.step_id IS NULL AND d.kind <> 'file'", by "v.id", ["v.id"]),
];

/// Rights are few, and covered as a whole.
const ACCESS: &[Part] = &[
    part!("principal": "CAST(1 AS BIGINT)" of "principal", by "name", ["name", "kind", "created_at"]),
    part!("membership": "CAST(1 AS BIGINT)" of "membership", by "role, member", ["role", "member"]),
    part!("access_grant": "CAST(1 AS BIGINT)" of "access_grant",
        by "grantee, privilege, object_kind, object_schema, object_name, column_name", [
        "grantee", "privilege", "object_kind", "object_schema", "object_name", "column_name",
    ]),
    part!("row_policy": "CAST(1 AS BIGINT)" of "row_policy", by "schema_name, table_name, name, grantee", [
        "schema_name", "table_name", "name", "grantee", "condition", "restrictive",
    ]),
];

const ACCESS_KEY: &str = "all";

/// A charge without its lease and without the bytes of its result, of which the digest counts.
const CHARGE: &[Part] = &[
    part!("budget_charge": "id" of "budget_charge", by "id", [
        "idem_key", "question", "actor", "roles", "run", "operator", "parameters", "inputs", "mechanism",
        "epsilon_micro", "delta_femto", "unit", "rows_per_unit", "adjacency", "is_sound", "state", "n_takeovers",
        "result_location", "result_digest", "result_bytes", "error_code", "reserved_at", "ended_at", "previous_hash", "hash",
    ]),
    part!("budget_entry": "e.charge_id" of "budget_entry e JOIN budget b ON b.id = e.budget_id",
        by "b.schema_name, b.table_name", ["b.schema_name", "b.table_name"]),
];

/// What is spent is not here: it follows from the charges, and is recomputed from them.
const BUDGET: &[Part] = &[part!("budget": "id" of "budget" where "policy IS NOT NULL", by "id", [
    "schema_name", "table_name", "policy", "revision", "changed_at",
])];

pub(super) async fn cover_step(connection: &mut Connection, event: Event, step: StepId) -> Result<Event> {
    let digests = digests(connection, "step", STEP, step.0, step.0).await?;
    Ok(digests.into_iter().fold(event, |event, (id, digest)| event.covers("step", id.to_string(), digest)))
}

pub(super) async fn cover_datasets(
    connection: &mut Connection,
    mut event: Event,
    datasets: &BTreeSet<DatasetId>,
) -> Result<Event> {
    for dataset in datasets {
        for (id, digest) in digests(connection, "dataset", DATASET, dataset.0, dataset.0).await? {
            event = event.covers("dataset", id.to_string(), digest);
        }
    }
    Ok(event)
}

pub(super) async fn cover_access(connection: &mut Connection, event: Event) -> Result<Event> {
    let digests = digests(connection, "access", ACCESS, 1, 1).await?;
    Ok(digests.into_values().fold(event, |event, digest| event.covers("access", ACCESS_KEY, digest)))
}

pub(super) async fn cover_charge(connection: &mut Connection, event: Event, charge: ChargeId) -> Result<Event> {
    let digests = digests(connection, "charge", CHARGE, charge.0, charge.0).await?;
    Ok(digests.into_iter().fold(event, |event, (id, digest)| event.covers("charge", id.to_string(), digest)))
}

pub(super) async fn cover_budgets(connection: &mut Connection, event: Event, first: i64, last: i64) -> Result<Event> {
    let digests = budgets(connection, first, last).await?;
    Ok(digests.into_iter().fold(event, |event, ((table, key), digest)| event.covers(table, key, digest)))
}

/// Digests the policies of accounts as they are now.
pub(super) async fn budgets(
    connection: &mut Connection,
    first: i64,
    last: i64,
) -> Result<BTreeMap<CoveredKey, Digest>> {
    let digests = digests(connection, "budget", BUDGET, first, last).await?;
    Ok(digests.into_iter().map(|(id, digest)| (("budget".to_owned(), id.to_string()), digest)).collect())
}

/// Digests datasets, and the rights if asked, as they are now.
pub(super) async fn found(
    connection: &mut Connection,
    datasets: &BTreeSet<DatasetId>,
    rights: bool,
) -> Result<BTreeMap<CoveredKey, Digest>> {
    let mut found = BTreeMap::new();
    for dataset in datasets {
        for (id, digest) in digests(connection, "dataset", DATASET, dataset.0, dataset.0).await? {
            found.insert(("dataset".to_owned(), id.to_string()), digest);
        }
    }
    if rights {
        for digest in digests(connection, "access", ACCESS, 1, 1).await?.into_values() {
            found.insert(("access".to_owned(), ACCESS_KEY.to_owned()), digest);
        }
    }
    Ok(found)
}

/// Ids.
pub(super) struct Newest {
    pub(super) step: i64,
    pub(super) dataset: i64,
    pub(super) charge: i64,
    pub(super) budget: i64,
}

/// Returns the highest ids.
pub(super) async fn newest(connection: &mut Connection) -> Result<Newest> {
    let sql = "SELECT (SELECT COALESCE(MAX(id), 0) FROM step), (SELECT COALESCE(MAX(id), 0) FROM dataset), \
               (SELECT COALESCE(MAX(id), 0) FROM budget_charge), (SELECT COALESCE(MAX(id), 0) FROM budget)";
    let row = connection.query(sql).fetch_one().await?;
    Ok(Newest { step: row.get(0)?, dataset: row.get(1)?, charge: row.get(2)?, budget: row.get(3)? })
}

/// Digests all there is. What came after the given ids must be covered.
pub(super) async fn all(connection: &mut Connection, since: &Newest) -> Result<CoveredRows> {
    let newest = newest(connection).await?;
    let mut rows = CoveredRows::default();
    let mut add = |table: &str, key: String, digest, required| {
        let key: CoveredKey = (table.to_owned(), key);
        if required {
            rows.required.insert(key.clone());
        }
        rows.digests.insert(key, digest);
    };
    for (first, last) in chunks(newest.step) {
        for (id, digest) in digests(connection, "step", STEP, first, last).await? {
            add("step", id.to_string(), digest, id > since.step);
        }
    }
    let files = files(connection).await?;
    for (id, digest) in digests(connection, "dataset", DATASET, 1, newest.dataset).await? {
        add("dataset", id.to_string(), digest, id > since.dataset && !files.contains(&id));
    }
    for (first, last) in chunks(newest.charge) {
        for (id, digest) in digests(connection, "charge", CHARGE, first, last).await? {
            add("charge", id.to_string(), digest, id > since.charge);
        }
    }
    for ((table, key), digest) in budgets(connection, 1, newest.budget).await? {
        add(&table, key, digest, since.budget == 0);
    }
    for digest in digests(connection, "access", ACCESS, 1, 1).await?.into_values() {
        add("access", ACCESS_KEY.to_owned(), digest, true);
    }
    Ok(rows)
}

/// Cuts the ids from 1 to `newest` into pieces, each by its first and last one.
fn chunks(newest: i64) -> impl Iterator<Item = (i64, i64)> {
    let step = CHUNK.unsigned_abs().try_into().unwrap_or(usize::MAX);
    (1..=newest).step_by(step).map(|first| (first, first + CHUNK - 1))
}

/// Files that are read are noted outside of any step.
async fn files(connection: &mut Connection) -> Result<BTreeSet<i64>> {
    let ids = connection.query("SELECT id FROM dataset WHERE kind = 'file'").fetch_scalars().await?;
    Ok(ids.into_iter().collect())
}

/// Digests the parts of the owners from `first` to `last`.
async fn digests(
    connection: &mut Connection,
    table: &str,
    parts: &[Part],
    first: i64,
    last: i64,
) -> Result<BTreeMap<i64, Digest>> {
    let mut owners: BTreeMap<i64, RowDigest> = BTreeMap::new();
    let bare = if table == "step" && first == last { bare_parts(connection, first).await? } else { Vec::new() };
    for part in parts.iter().filter(|part| !bare.contains(&part.name)) {
        for (owner, rows) in part_digests(connection, part, first, last).await? {
            let digest = owners.remove(&owner).unwrap_or_else(|| RowDigest::new(table));
            owners.insert(owner, digest.bytes(part.name, Some(Digest::of(&rows).as_bytes())));
        }
    }
    Ok(owners.into_iter().map(|(owner, digest)| (owner, digest.finish())).collect())
}

/// Returns the parts that a step has no rows of. Most steps of the kind that only changes the catalog have no other
/// rows than their own, and each part costs a statement.
async fn bare_parts(connection: &mut Connection, step: i64) -> Result<Vec<&'static str>> {
    let sql = "SELECT (SELECT COUNT(*) FROM step_input WHERE step_id = $1), \
               (SELECT COUNT(*) FROM step_operator WHERE step_id = $1), \
               (SELECT COUNT(*) FROM dataset_version WHERE step_id = $1), \
               (SELECT COUNT(*) FROM step s JOIN run r ON r.id = s.run_id WHERE s.id = $1 AND r.parameters <> '{}')";
    let row = connection.query(sql).bind(step).fetch_one().await?;
    let parts: [&[&'static str]; 4] = [
        &["input", "input_column"],
        &["operator"],
        &["version", "column", "column_edge", "dataset_edge"],
        &["parameters"],
    ];
    let mut bare = Vec::new();
    for (place, names) in parts.into_iter().enumerate() {
        if row.get::<i64>(place)? == 0 {
            bare.extend(names);
        }
    }
    Ok(bare)
}

/// Returns the digests of an owner's rows, one after the other.
async fn part_digests(
    connection: &mut Connection,
    part: &Part,
    first: i64,
    last: i64,
) -> Result<BTreeMap<i64, Vec<u8>>> {
    let mut owners: BTreeMap<i64, Vec<u8>> = BTreeMap::new();
    for row in connection.query(part.sql).bind(first).bind(last).fetch_all().await? {
        let mut digest = RowDigest::new(part.name);
        for (at, column) in part.columns.iter().enumerate() {
            digest = digest.text(column, row.get::<Option<&str>>(at + 1)?);
        }
        owners.entry(row.get(0)?).or_default().extend(digest.finish().as_bytes());
    }
    Ok(owners)
}
