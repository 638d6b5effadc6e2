-- The outbox of lineage events: a row for each transition of a run or step. Never edited after release.

-- attempt is 0 for a run, and for a step that was not started. error is the step's, failure that of the
-- last try to tell the event. held: it and the later ones of its run wait until somebody has looked.
CREATE TABLE lineage_event (
    id           INTEGER PRIMARY KEY,
    run_id       INTEGER NOT NULL REFERENCES run (id),
    step_id      INTEGER REFERENCES step (id),
    attempt      INTEGER NOT NULL,
    transition   TEXT NOT NULL CHECK (transition IN ('START', 'COMPLETE', 'FAIL', 'ABORT')),
    at           TEXT NOT NULL,
    error_code   TEXT,
    error        TEXT,
    delivered_at TEXT,
    n_failures   INTEGER NOT NULL DEFAULT 0,
    failure_code TEXT,
    failure      TEXT,
    held         INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX lineage_event_run ON lineage_event (run_id, id);
CREATE INDEX lineage_event_waiting ON lineage_event (id, at) WHERE delivered_at IS NULL;
CREATE INDEX lineage_event_held ON lineage_event (run_id) WHERE held;

-- Who tells events now, and until when: one at a time, or the order within a run would be lost.
CREATE TABLE lineage_delivery (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    holder TEXT NOT NULL,
    until  TEXT NOT NULL
) STRICT;
INSERT INTO lineage_delivery (id, holder, until) VALUES (1, '', '');
