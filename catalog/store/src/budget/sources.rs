//! The datasets whose accounts a charge is on.
//!
//! They are found by versions: those that are read, all that their steps had pinned, and so on to the first files. This is
//! read before transaction A, not in it: what a version was made from is written with it and never changes, so a later
//! look finds the same, and writers need not wait for it. Whether a dataset has a policy is looked up in A.

use causeway_model::{TableName, VersionId};

use crate::connection::{Connection, Sql};
use crate::error::{Result, not_found};

/// One way from the versions that are reached to others, on SQLite: `$from` joins `reached r` to the id `$id` of the next
/// one, under `$condition`. What the next step asks of a version is carried along, so that it is looked up once.
macro_rules! step {
    ($from:literal, $id:literal, $condition:literal) => {
        concat!(
            "SELECT v.id, v.dataset_id, v.step_id, v.previous_id, CASE WHEN d.kind = 'file' THEN v.digest END FROM ",
            $from,
            " CROSS JOIN dataset_version v CROSS JOIN dataset d WHERE v.id = ",
            $id,
            " AND d.id = v.dataset_id AND ",
            $condition
        )
    };
}

/// All versions that those in $1 were made from, and their datasets.
///
/// A step pins all that it reads, and a changed table carries on the rows of its previous version; so those are
/// followed, not the edges of columns, of which a wide table has tens of thousands a version. Edges count for a
/// version whose step pinned nothing. A file is known by its content: read under whatever name, it comes from what
/// was exported to it.
const SOURCES: Sql = Sql {
    sqlite: concat!(
        "WITH RECURSIVE reached (id, dataset_id, step_id, previous_id, digest) AS (",
        step!("json_each($1) j", "j.value", "true"),
        " UNION ",
        step!("reached r CROSS JOIN step_input i", "i.version_id", "i.step_id = r.step_id"),
        " UNION ",
        step!("reached r", "r.previous_id", "r.previous_id IS NOT NULL"),
        " UNION ",
        step!(
            "reached r CROSS JOIN dataset_column c CROSS JOIN column_edge e CROSS JOIN dataset_column s",
            "s.version_id",
            "r.previous_id IS NULL AND NOT EXISTS (SELECT 1 FROM step_input i WHERE i.step_id = r.step_id) \
             AND c.version_id = r.id AND e.out_column_id = c.id AND s.id = e.in_column_id"
        ),
        " UNION ",
        step!(
            "reached r CROSS JOIN dataset_edge e CROSS JOIN dataset_column s",
            "s.version_id",
            "r.previous_id IS NULL AND NOT EXISTS (SELECT 1 FROM step_input i WHERE i.step_id = r.step_id) \
             AND e.out_version_id = r.id AND s.id = e.in_column_id"
        ),
        " UNION ",
        step!(
            "reached r CROSS JOIN dataset_version o",
            "o.id",
            "r.digest IS NOT NULL AND o.digest = r.digest AND o.step_id IS NOT NULL"
        ),
        ") SELECT DISTINCT d.schema_name, d.table_name FROM reached r CROSS JOIN dataset d WHERE d.id = r.dataset_id \
         ORDER BY d.schema_name, d.table_name"
    ),
    postgres: "
WITH RECURSIVE reached (id) AS (
    SELECT unnest($1::text::bigint[])
    UNION
    SELECT n.id FROM reached r JOIN dataset_version v ON v.id = r.id CROSS JOIN LATERAL (
        SELECT i.version_id AS id FROM step_input i WHERE i.step_id = v.step_id
        UNION ALL
        SELECT v.previous_id WHERE v.previous_id IS NOT NULL
        UNION ALL
        SELECT s.version_id FROM dataset_column c JOIN column_edge e ON e.out_column_id = c.id
               JOIN dataset_column s ON s.id = e.in_column_id
         WHERE v.previous_id IS NULL AND c.version_id = v.id
           AND NOT EXISTS (SELECT 1 FROM step_input i WHERE i.step_id = v.step_id)
        UNION ALL
        SELECT s.version_id FROM dataset_edge e JOIN dataset_column s ON s.id = e.in_column_id
         WHERE v.previous_id IS NULL AND e.out_version_id = v.id
           AND NOT EXISTS (SELECT 1 FROM step_input i WHERE i.step_id = v.step_id)
        UNION ALL
        SELECT o.id FROM dataset d JOIN dataset_version o ON o.digest = v.digest
         WHERE d.id = v.dataset_id AND d.kind = 'file' AND o.step_id IS NOT NULL
    ) n
)
SELECT DISTINCT d.schema_name, d.table_name
  FROM reached r JOIN dataset_version v ON v.id = r.id JOIN dataset d ON d.id = v.dataset_id
 ORDER BY d.schema_name, d.table_name",
};

const KNOWN: Sql = Sql {
    sqlite: "SELECT json_group_array(v.id) FROM json_each($1) j CROSS JOIN dataset_version v WHERE v.id = j.value",
    postgres: "SELECT array_agg(v.id)::text FROM unnest($1::text::bigint[]) j (value) \
               JOIN dataset_version v ON v.id = j.value",
};

/// Lists the datasets that some versions belong to or were made from, by name.
pub(crate) async fn sources(connection: &mut Connection, inputs: &[VersionId]) -> Result<Vec<TableName>> {
    let ids: Vec<i64> = inputs.iter().map(|version| version.0).collect();
    let known = connection.query(KNOWN).bind_integers(&ids).fetch_one().await?.integers(0)?;
    if let Some(unknown) = ids.iter().find(|id| !known.contains(id)) {
        return Err(not_found("version", unknown));
    }
    let rows = connection.query(SOURCES).bind_integers(&ids).fetch_all().await?;
    rows.iter().map(|row| Ok(TableName { schema: row.get(0)?, table: row.get(1)? })).collect()
}
