-- The queue of jobs and the attempts at them. Never edited after release.
-- Instants are milliseconds since 1970 by this database's clock: leases are compared and added to.

CREATE TABLE job (
    id                  INTEGER PRIMARY KEY,
    kind                TEXT NOT NULL CHECK (kind IN ('statement', 'pipeline')),
    work                TEXT NOT NULL,
    base_dir            TEXT NOT NULL,
    run                 TEXT NOT NULL UNIQUE,
    actor               TEXT NOT NULL,
    dedupe_key          TEXT,
    priority            INTEGER NOT NULL,
    group_name          TEXT,
    group_limit         INTEGER CHECK (group_limit > 0),
    max_attempts        INTEGER NOT NULL CHECK (max_attempts > 0),
    timeout_ms          INTEGER CHECK (timeout_ms > 0),
    state               TEXT NOT NULL CHECK (state IN ('queued', 'running', 'succeeded', 'dead', 'cancelled')),
    turn                INTEGER NOT NULL,
    run_at              INTEGER NOT NULL,
    attempt             INTEGER NOT NULL DEFAULT 0,
    n_failures          INTEGER NOT NULL DEFAULT 0,
    lease_token         TEXT,
    lease_until         INTEGER,
    cancel_requested_at INTEGER,
    error_code          TEXT,
    error               TEXT,
    submitted_at        INTEGER NOT NULL,
    finished_at         INTEGER,
    UNIQUE (actor, dedupe_key),
    CHECK ((state = 'running') = (lease_until IS NOT NULL))
) STRICT;

-- The next in line; the leases that are over; the room in a group.
CREATE INDEX job_turn ON job (turn, id) WHERE state = 'queued';
CREATE INDEX job_lease ON job (lease_until) WHERE state = 'running';
CREATE INDEX job_group ON job (group_name) WHERE state = 'running';

CREATE TABLE attempt (
    job_id       INTEGER NOT NULL REFERENCES job (id),
    attempt      INTEGER NOT NULL,
    worker       TEXT NOT NULL,
    started_at   INTEGER NOT NULL,
    heartbeat_at INTEGER NOT NULL,
    finished_at  INTEGER,
    outcome      TEXT CHECK (outcome IN ('succeeded', 'failed', 'lost', 'cancelled', 'released')),
    class        TEXT CHECK (class IN ('transient', 'permanent', 'timeout', 'panic', 'lost')),
    error_code   TEXT,
    error        TEXT,
    PRIMARY KEY (job_id, attempt),
    CHECK ((outcome IS NULL) = (finished_at IS NULL))
) STRICT, WITHOUT ROWID;
