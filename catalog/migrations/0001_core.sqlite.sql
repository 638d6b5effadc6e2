-- Datasets, their versions and columns; runs and steps; column lineage.
-- Times are RFC 3339 in UTC with milliseconds, by the database's clock. Never edited after release.

CREATE TABLE namespace (
    name       TEXT NOT NULL PRIMARY KEY,
    created_at TEXT NOT NULL
) STRICT;

-- A name that is dropped and created again is a new row.
CREATE TABLE dataset (
    id          INTEGER PRIMARY KEY,
    schema_name TEXT NOT NULL,
    table_name  TEXT NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('table', 'view', 'file')),
    location    TEXT NOT NULL,
    view_sql    TEXT,
    policy      TEXT NOT NULL,
    created_at  TEXT NOT NULL,
    dropped_at  TEXT
) STRICT;
CREATE UNIQUE INDEX dataset_live_name ON dataset (schema_name, table_name) WHERE dropped_at IS NULL;

CREATE TABLE run (
    id              INTEGER PRIMARY KEY,
    uuid            TEXT NOT NULL UNIQUE,
    kind            TEXT NOT NULL CHECK (kind IN ('pipeline', 'statement')),
    pipeline        TEXT,
    pipeline_digest TEXT,
    state           TEXT NOT NULL CHECK (state IN ('running', 'succeeded', 'failed')),
    engine_version  TEXT NOT NULL,
    started_at      TEXT NOT NULL,
    finished_at     TEXT
) STRICT;
CREATE INDEX run_pipeline ON run (pipeline, id);

-- attempt counts how often the step was started; 0 for one that was only skipped.
CREATE TABLE step (
    id               INTEGER PRIMARY KEY,
    run_id           INTEGER NOT NULL REFERENCES run (id),
    ordinal          INTEGER NOT NULL,
    name             TEXT NOT NULL,
    kind             TEXT NOT NULL,
    sql              TEXT NOT NULL,
    fingerprint      TEXT NOT NULL,
    seed             INTEGER NOT NULL,
    state            TEXT NOT NULL CHECK (state IN ('running', 'succeeded', 'failed', 'blocked', 'up_to_date')),
    attempt          INTEGER NOT NULL,
    rows_in          INTEGER,
    rows_out         INTEGER,
    rows_quarantined INTEGER,
    duration_ms      INTEGER,
    error_code       TEXT,
    error            TEXT,
    started_at       TEXT NOT NULL,
    finished_at      TEXT,
    UNIQUE (run_id, name)
) STRICT;
CREATE INDEX step_name ON step (name, state);

-- previous_id: for a changed table the version before; null for new or wholly replaced content.
CREATE TABLE dataset_version (
    id           INTEGER PRIMARY KEY,
    dataset_id   INTEGER NOT NULL REFERENCES dataset (id),
    version      INTEGER NOT NULL,
    n_rows       INTEGER,
    n_bytes      INTEGER,
    n_files      INTEGER,
    digest       TEXT,
    step_id      INTEGER REFERENCES step (id),
    previous_id  INTEGER REFERENCES dataset_version (id),
    committed_at TEXT NOT NULL,
    UNIQUE (dataset_id, version)
) STRICT;
CREATE INDEX dataset_version_step ON dataset_version (step_id);

-- A row is a column version: the node of column lineage.
CREATE TABLE dataset_column (
    id          INTEGER PRIMARY KEY,
    version_id  INTEGER NOT NULL REFERENCES dataset_version (id),
    ordinal     INTEGER NOT NULL,
    name        TEXT NOT NULL,
    data_type   TEXT NOT NULL,
    nullable    INTEGER NOT NULL,
    unit        TEXT,
    meaning     TEXT,
    identifying INTEGER NOT NULL,
    UNIQUE (version_id, ordinal),
    UNIQUE (version_id, name)
) STRICT;

CREATE TABLE step_input (
    step_id    INTEGER NOT NULL REFERENCES step (id),
    position   INTEGER NOT NULL,
    version_id INTEGER NOT NULL REFERENCES dataset_version (id),
    PRIMARY KEY (step_id, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX step_input_version ON step_input (version_id);

CREATE TABLE step_operator (
    step_id  INTEGER NOT NULL REFERENCES step (id),
    position INTEGER NOT NULL,
    operator TEXT NOT NULL,
    version  INTEGER NOT NULL,
    options  TEXT NOT NULL,
    report   TEXT NOT NULL,
    PRIMARY KEY (step_id, position)
) STRICT, WITHOUT ROWID;

-- Edges between column versions. The step is that of the output's version. A null origin is an
-- unknown one. kind is the position in EdgeKind::ALL.
CREATE TABLE column_edge (
    out_column_id INTEGER NOT NULL REFERENCES dataset_column (id),
    in_column_id  INTEGER REFERENCES dataset_column (id),
    kind          INTEGER NOT NULL,
    masking       INTEGER NOT NULL
) STRICT;
CREATE INDEX column_edge_out ON column_edge (out_column_id, in_column_id, kind, masking);
CREATE INDEX column_edge_in ON column_edge (in_column_id, out_column_id, kind, masking);

-- Edges that concern every column of an output: filters, joins, groupings.
CREATE TABLE dataset_edge (
    out_version_id INTEGER NOT NULL REFERENCES dataset_version (id),
    in_column_id   INTEGER REFERENCES dataset_column (id),
    kind           INTEGER NOT NULL,
    masking        INTEGER NOT NULL
) STRICT;
CREATE INDEX dataset_edge_out ON dataset_edge (out_version_id, in_column_id, kind, masking);
CREATE INDEX dataset_edge_in ON dataset_edge (in_column_id, out_version_id, kind, masking);

-- Files whose rows a table holds.
CREATE TABLE ingested_file (
    dataset_id      INTEGER NOT NULL REFERENCES dataset (id),
    digest          TEXT NOT NULL,
    contract_digest TEXT NOT NULL,
    file_version_id INTEGER NOT NULL REFERENCES dataset_version (id),
    step_id         INTEGER NOT NULL REFERENCES step (id),
    PRIMARY KEY (dataset_id, digest, contract_digest)
) STRICT, WITHOUT ROWID;
