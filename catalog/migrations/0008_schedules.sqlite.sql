-- Schedules, their triggers, their slots and their backfills. Never edited after release.
-- Instants are milliseconds since 1970 by this database's clock.

CREATE TABLE schedule (
    id              INTEGER PRIMARY KEY,
    name            TEXT NOT NULL,
    revision        INTEGER NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('active', 'paused', 'dropped')),
    work            TEXT NOT NULL,
    owner           TEXT NOT NULL,
    cron            TEXT,
    zone            TEXT,
    gap             TEXT CHECK (gap IN ('run_after', 'skip')),
    fold            TEXT CHECK (fold IN ('first', 'both')),
    missed          TEXT NOT NULL CHECK (missed IN ('none', 'latest', 'all')),
    priority        INTEGER NOT NULL,
    group_name      TEXT,
    group_limit     INTEGER CHECK (group_limit > 0),
    max_attempts    INTEGER NOT NULL CHECK (max_attempts > 0),
    timeout_ms      INTEGER CHECK (timeout_ms > 0),
    memory_limit_bytes INTEGER CHECK (memory_limit_bytes > 0),
    start_within_ms INTEGER CHECK (start_within_ms > 0),
    end_within_ms   INTEGER CHECK (end_within_ms > 0),
    next_fire_at    INTEGER,
    last_fire_at    INTEGER,
    passed_from     INTEGER,
    passed_to       INTEGER,
    added_at        INTEGER NOT NULL,
    CHECK ((cron IS NULL) = (zone IS NULL) AND (cron IS NULL) = (gap IS NULL) AND (cron IS NULL) = (fold IS NULL)),
    CHECK (next_fire_at IS NULL OR cron IS NOT NULL)
) STRICT;

-- A dropped schedule's name is free; the next to fire.
CREATE UNIQUE INDEX schedule_name ON schedule (name) WHERE state <> 'dropped';
CREATE INDEX schedule_next ON schedule (next_fire_at) WHERE state = 'active';

-- mark: the id of the last version seen, the end_order of the last run, or how often files came.
-- files: those that were seen, for a path.
CREATE TABLE schedule_trigger (
    id          INTEGER PRIMARY KEY,
    schedule_id INTEGER NOT NULL REFERENCES schedule (id),
    position    INTEGER NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('table', 'path', 'pipeline')),
    schema_name TEXT,
    target      TEXT NOT NULL,
    mark        INTEGER NOT NULL,
    files       TEXT,
    fired_at    INTEGER,
    CHECK ((kind = 'table') = (schema_name IS NOT NULL))
) STRICT;
CREATE INDEX schedule_trigger_of ON schedule_trigger (schedule_id, position);

CREATE TABLE backfill (
    id          INTEGER PRIMARY KEY,
    schedule_id INTEGER NOT NULL REFERENCES schedule (id),
    range_from  INTEGER NOT NULL,
    range_to    INTEGER NOT NULL,
    rerun       INTEGER NOT NULL,
    at_once     INTEGER NOT NULL CHECK (at_once > 0),
    priority    INTEGER NOT NULL,
    actor       TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('running', 'done', 'cancelled')),
    cursor_at   INTEGER,
    n_fired     INTEGER NOT NULL DEFAULT 0,
    n_passed    INTEGER NOT NULL DEFAULT 0,
    started_at  INTEGER NOT NULL,
    finished_at INTEGER,
    CHECK (range_from < range_to),
    CHECK ((state = 'running') = (finished_at IS NULL))
) STRICT;
CREATE INDEX backfill_running ON backfill (id) WHERE state = 'running';

-- A moment of a schedule has one job at a time.
CREATE TABLE slot (
    schedule_id INTEGER NOT NULL REFERENCES schedule (id),
    fire_at     INTEGER NOT NULL,
    slot_start  INTEGER NOT NULL,
    slot_end    INTEGER NOT NULL,
    cause       TEXT NOT NULL CHECK (cause IN ('rule', 'trigger', 'backfill')),
    backfill_id INTEGER REFERENCES backfill (id),
    job_id      INTEGER NOT NULL REFERENCES job (id),
    fired_at    INTEGER NOT NULL,
    PRIMARY KEY (schedule_id, fire_at),
    CHECK ((cause = 'backfill') = (backfill_id IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX slot_job ON slot (job_id);
CREATE INDEX slot_backfill ON slot (backfill_id) WHERE backfill_id IS NOT NULL;

-- The order in which runs of a pipeline have succeeded: a trigger looks for a larger number.
ALTER TABLE run ADD COLUMN end_order INTEGER;
CREATE INDEX run_end_order ON run (pipeline, end_order);
