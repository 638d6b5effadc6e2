//! The statements that lineage is read with, in both dialects.
//!
//! A node is a column's id, or a version's id negated, which stands for the version as a whole. Nodes
//! go in as one list and come out as one: tens of thousands of rows, one by one, would take longer
//! than finding them. Origin, kind and masking of an edge make one number, [`super::Origin`].

use crate::connection::Sql;

/// All nodes upstream of $1, those of $1 among them. `UNION` visits each once.
pub(super) const CLOSURE_UP: Sql = Sql {
    sqlite: "
WITH RECURSIVE reached (node) AS (
    SELECT value FROM json_each($1)
    UNION
    SELECT e.in_column_id FROM reached r CROSS JOIN column_edge e
     WHERE r.node > 0 AND e.out_column_id = r.node AND e.in_column_id IS NOT NULL
    UNION
    SELECT -c.version_id FROM reached r CROSS JOIN dataset_column c WHERE r.node > 0 AND c.id = r.node
    UNION
    SELECT e.in_column_id FROM reached r CROSS JOIN dataset_edge e
     WHERE r.node < 0 AND e.out_version_id = -r.node AND e.in_column_id IS NOT NULL
) SELECT json_group_array(node) FROM reached",
    postgres: "
WITH RECURSIVE reached (node) AS (
    SELECT unnest($1::text::bigint[])
    UNION
    SELECT n.node FROM reached r CROSS JOIN LATERAL (
        SELECT e.in_column_id AS node FROM column_edge e
         WHERE r.node > 0 AND e.out_column_id = r.node AND e.in_column_id IS NOT NULL
        UNION ALL
        SELECT -c.version_id FROM dataset_column c WHERE r.node > 0 AND c.id = r.node
        UNION ALL
        SELECT e.in_column_id FROM dataset_edge e
         WHERE r.node < 0 AND e.out_version_id = -r.node AND e.in_column_id IS NOT NULL
    ) n
) SELECT array_agg(node)::text FROM reached",
};

/// As [`CLOSURE_UP`], the other way.
pub(super) const CLOSURE_DOWN: Sql = Sql {
    sqlite: "
WITH RECURSIVE reached (node) AS (
    SELECT value FROM json_each($1)
    UNION
    SELECT e.out_column_id FROM reached r CROSS JOIN column_edge e WHERE r.node > 0 AND e.in_column_id = r.node
    UNION
    SELECT -e.out_version_id FROM reached r CROSS JOIN dataset_edge e WHERE r.node > 0 AND e.in_column_id = r.node
    UNION
    SELECT c.id FROM reached r CROSS JOIN dataset_column c WHERE r.node < 0 AND c.version_id = -r.node
) SELECT json_group_array(node) FROM reached",
    postgres: "
WITH RECURSIVE reached (node) AS (
    SELECT unnest($1::text::bigint[])
    UNION
    SELECT n.node FROM reached r CROSS JOIN LATERAL (
        SELECT e.out_column_id AS node FROM column_edge e WHERE r.node > 0 AND e.in_column_id = r.node
        UNION ALL
        SELECT -e.out_version_id FROM dataset_edge e WHERE r.node > 0 AND e.in_column_id = r.node
        UNION ALL
        SELECT c.id FROM dataset_column c WHERE r.node < 0 AND c.version_id = -r.node
    ) n
) SELECT array_agg(node)::text FROM reached",
};

/// The edges that lead upstream from the nodes $1, as their output nodes and their origins; and id,
/// version and name of the columns among $1, since the edges of a version are those of each of its columns.
pub(super) const EDGES_UP: Sql = Sql {
    sqlite: "
SELECT e.outputs, e.origins, c.ids, c.versions, c.names FROM (
  SELECT json_group_array(output) AS outputs, json_group_array(origin) AS origins FROM (
    SELECT e.out_column_id AS output, COALESCE(e.in_column_id, 0) * 32 + e.kind * 2 + e.masking AS origin
      FROM json_each($1) j CROSS JOIN column_edge e WHERE j.value > 0 AND e.out_column_id = j.value
    UNION ALL
    SELECT -e.out_version_id, COALESCE(e.in_column_id, 0) * 32 + e.kind * 2 + e.masking
      FROM json_each($1) j CROSS JOIN dataset_edge e WHERE j.value < 0 AND e.out_version_id = -j.value
  )
) e, (
  SELECT json_group_array(c.id) AS ids, json_group_array(c.version_id) AS versions, json_group_array(c.name) AS names
    FROM json_each($1) j CROSS JOIN dataset_column c WHERE j.value > 0 AND c.id = j.value
) c",
    postgres: "
WITH j (value) AS MATERIALIZED (SELECT unnest($1::text::bigint[]))
SELECT e.outputs, e.origins, c.ids, c.versions, c.names FROM (
  SELECT array_agg(output)::text AS outputs, array_agg(origin)::text AS origins FROM (
    SELECT e.out_column_id AS output, COALESCE(e.in_column_id, 0) * 32 + e.kind * 2 + e.masking::int AS origin
      FROM j JOIN column_edge e ON e.out_column_id = j.value
    UNION ALL
    SELECT -e.out_version_id, COALESCE(e.in_column_id, 0) * 32 + e.kind * 2 + e.masking::int
      FROM j JOIN dataset_edge e ON e.out_version_id = -j.value
  ) e
) e, (
  SELECT array_agg(c.id)::text AS ids, array_agg(c.version_id)::text AS versions, json_agg(c.name)::text AS names
    FROM j JOIN dataset_column c ON c.id = j.value
) c",
};

/// As [`EDGES_UP`], the other way; and the columns of the versions among $1, since what a version
/// leads to, each of its columns leads to.
pub(super) const EDGES_DOWN: Sql = Sql {
    sqlite: "
SELECT e.outputs, e.origins, c.ids, c.versions, c.names,
       (SELECT json_group_array(c.id) FROM json_each($1) j CROSS JOIN dataset_column c
         WHERE j.value < 0 AND c.version_id = -j.value) FROM (
  SELECT json_group_array(output) AS outputs, json_group_array(origin) AS origins FROM (
    SELECT e.out_column_id AS output, e.in_column_id * 32 + e.kind * 2 + e.masking AS origin
      FROM json_each($1) j CROSS JOIN column_edge e WHERE j.value > 0 AND e.in_column_id = j.value
    UNION ALL
    SELECT -e.out_version_id, e.in_column_id * 32 + e.kind * 2 + e.masking
      FROM json_each($1) j CROSS JOIN dataset_edge e WHERE j.value > 0 AND e.in_column_id = j.value
  )
) e, (
  SELECT json_group_array(c.id) AS ids, json_group_array(c.version_id) AS versions, json_group_array(c.name) AS names
    FROM json_each($1) j CROSS JOIN dataset_column c WHERE j.value > 0 AND c.id = j.value
) c",
    postgres: "
WITH j (value) AS MATERIALIZED (SELECT unnest($1::text::bigint[]))
SELECT e.outputs, e.origins, c.ids, c.versions, c.names,
       (SELECT array_agg(c.id)::text FROM j JOIN dataset_column c ON c.version_id = -j.value) FROM (
  SELECT array_agg(output)::text AS outputs, array_agg(origin)::text AS origins FROM (
    SELECT e.out_column_id AS output, e.in_column_id * 32 + e.kind * 2 + e.masking::int AS origin
      FROM j JOIN column_edge e ON e.in_column_id = j.value
    UNION ALL
    SELECT -e.out_version_id, e.in_column_id * 32 + e.kind * 2 + e.masking::int
      FROM j JOIN dataset_edge e ON e.in_column_id = j.value
  ) e
) e, (
  SELECT array_agg(c.id)::text AS ids, array_agg(c.version_id)::text AS versions, json_agg(c.name)::text AS names
    FROM j JOIN dataset_column c ON c.id = j.value
) c",
};

/// The columns of the versions among the nodes $1.
pub(super) const COLUMNS_OF: Sql = Sql {
    sqlite: "SELECT json_group_array(c.id) FROM json_each($1) j CROSS JOIN dataset_column c \
             WHERE c.version_id = -j.value",
    postgres: "SELECT array_agg(c.id)::text FROM unnest($1::text::bigint[]) j (value) \
               JOIN dataset_column c ON c.version_id = -j.value",
};

/// Id, version and name of the columns $1.
pub(super) const COLUMNS: Sql = Sql {
    sqlite: "SELECT json_group_array(c.id), json_group_array(c.version_id), json_group_array(c.name) \
             FROM json_each($1) j CROSS JOIN dataset_column c WHERE c.id = j.value",
    postgres: "SELECT array_agg(c.id)::text, array_agg(c.version_id)::text, json_agg(c.name)::text \
               FROM unnest($1::text::bigint[]) j (value) JOIN dataset_column c ON c.id = j.value",
};

macro_rules! select_versions {
    ($list:literal) => {
        concat!(
            "SELECT v.id, v.version, d.schema_name, d.table_name, r.uuid, s.name FROM ",
            $list,
            " CROSS JOIN dataset_version v JOIN dataset d ON d.id = v.dataset_id LEFT JOIN step s ON s.id = v.step_id \
             LEFT JOIN run r ON r.id = s.run_id WHERE v.id = j.value \
             ORDER BY d.schema_name, d.table_name, v.version, v.id"
        )
    };
}

/// The versions $1 by name.
pub(super) const VERSIONS: Sql = Sql {
    sqlite: select_versions!("json_each($1) j"),
    postgres: select_versions!("unnest($1::text::bigint[]) j (value)"),
};
