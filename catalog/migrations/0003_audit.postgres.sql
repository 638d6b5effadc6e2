-- The audit log: its records, the tree over them, and where the tree stands. Never edited after release.

CREATE TABLE audit_record (
    sequence  BIGINT NOT NULL PRIMARY KEY,
    content   BYTEA NOT NULL,
    leaf_hash BYTEA NOT NULL
);

-- Complete subtrees above the leaves: level 1 is over two leaves, position counts from 0.
CREATE TABLE audit_node (
    level    BIGINT NOT NULL,
    position BIGINT NOT NULL,
    hash     BYTEA NOT NULL,
    PRIMARY KEY (level, position)
);

-- One row once the log has started.
CREATE TABLE audit_state (
    id        BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    log       TEXT NOT NULL,
    first_key TEXT NOT NULL,
    frontier  BYTEA NOT NULL
);

CREATE VIEW v_audit AS
SELECT sequence, (record ->> 'time')::timestamptz AS time, record ->> 'actor' AS actor, record ->> 'action' AS action,
       record -> 'outcome' ->> 'state' AS outcome, record -> 'outcome' ->> 'code' AS code,
       record -> 'context' ->> 'run' AS run, record -> 'objects' AS objects, record -> 'facts' AS facts,
       encode(leaf_hash, 'hex') AS leaf_hash
FROM (SELECT sequence, leaf_hash, convert_from(content, 'UTF8')::jsonb AS record FROM audit_record) AS records;
