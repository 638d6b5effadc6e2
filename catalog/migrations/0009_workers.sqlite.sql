-- Who works, what is told of an attempt, and what people are alerted to. Never edited after release.
-- Instants are milliseconds since 1970 by this database's clock.

CREATE TABLE worker (
    id           INTEGER PRIMARY KEY,
    name         TEXT NOT NULL,
    host         TEXT NOT NULL,
    pid          INTEGER NOT NULL,
    slots        INTEGER NOT NULL CHECK (slots > 0),
    group_names  TEXT,
    lease_ms     INTEGER NOT NULL CHECK (lease_ms > 0),
    state        TEXT NOT NULL CHECK (state IN ('running', 'draining', 'stopped')),
    started_at   INTEGER NOT NULL,
    heartbeat_at INTEGER NOT NULL
) STRICT;

CREATE TABLE attempt_log (
    id      INTEGER PRIMARY KEY,
    job_id  INTEGER NOT NULL REFERENCES job (id),
    attempt INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    level   TEXT NOT NULL CHECK (level IN ('info', 'warning', 'error')),
    step    TEXT,
    message TEXT NOT NULL
) STRICT;

CREATE INDEX attempt_log_of ON attempt_log (job_id, id);

-- How a pipeline, named by its folder, fared last.
CREATE TABLE pipeline_health (
    folder     TEXT PRIMARY KEY,
    state      TEXT NOT NULL CHECK (state IN ('failed', 'well')),
    changed_at INTEGER NOT NULL
) STRICT;

-- A key names one event, whoever sees it first.
CREATE TABLE alert (
    id           INTEGER PRIMARY KEY,
    key          TEXT NOT NULL UNIQUE,
    transition   TEXT NOT NULL CHECK (transition IN ('failed', 'recovered', 'late')),
    pipeline     TEXT NOT NULL,
    folder       TEXT NOT NULL,
    job_id       INTEGER REFERENCES job (id),
    run          TEXT,
    error_code   TEXT,
    at           INTEGER NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'given_up')),
    delivered_to TEXT NOT NULL,
    n_failures   INTEGER NOT NULL DEFAULT 0,
    next_at      INTEGER NOT NULL
) STRICT;

CREATE INDEX alert_waiting ON alert (next_at) WHERE state = 'waiting';

-- What is counted at every scrape is counted from these.
CREATE INDEX attempt_lost ON attempt (outcome) WHERE outcome = 'lost';
CREATE INDEX job_given_up ON job (state) WHERE state IN ('dead', 'cancelled');

ALTER TABLE job ADD COLUMN memory_limit_bytes INTEGER CHECK (memory_limit_bytes > 0);
