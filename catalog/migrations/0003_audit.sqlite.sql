-- The audit log: its records, the tree over them, and where the tree stands. Never edited after release.

CREATE TABLE audit_record (
    sequence  INTEGER PRIMARY KEY,
    content   BLOB NOT NULL,
    leaf_hash BLOB NOT NULL
) STRICT;

-- Complete subtrees above the leaves: level 1 is over two leaves, position counts from 0.
CREATE TABLE audit_node (
    level    INTEGER NOT NULL,
    position INTEGER NOT NULL,
    hash     BLOB NOT NULL,
    PRIMARY KEY (level, position)
) STRICT, WITHOUT ROWID;

-- One row once the log has started.
CREATE TABLE audit_state (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    log       TEXT NOT NULL,
    first_key TEXT NOT NULL,
    frontier  BLOB NOT NULL
) STRICT;
