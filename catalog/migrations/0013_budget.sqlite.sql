-- Privacy budgets and the charges on them. Never edited after release.
-- Instants are milliseconds since 1970 by this database's clock. Amounts are integers: millionths of epsilon, delta in
-- units of 1e-15.

-- The account of a dataset, by its name: a table that is dropped and made again keeps it. policy is JSON; null if nothing
-- limits what is spent.
CREATE TABLE budget (
    id          INTEGER PRIMARY KEY,
    schema_name TEXT NOT NULL,
    table_name  TEXT NOT NULL,
    policy      TEXT,
    revision    INTEGER NOT NULL DEFAULT 0,
    changed_at  INTEGER,
    UNIQUE (schema_name, table_name),
    CHECK ((policy IS NULL) = (changed_at IS NULL))
) STRICT;

-- What is spent of an account: by everybody (scope ''), and by the members of each role that the policy caps.
CREATE TABLE budget_balance (
    budget_id     INTEGER NOT NULL REFERENCES budget (id),
    scope         TEXT NOT NULL,
    epsilon_micro INTEGER NOT NULL CHECK (epsilon_micro >= 0),
    delta_femto   INTEGER NOT NULL CHECK (delta_femto >= 0),
    PRIMARY KEY (budget_id, scope)
) STRICT, WITHOUT ROWID;

-- Numbers have no gap. All but state, lease, result and end is written once, and goes into hash.
-- result holds the bytes, or result_location says where they lie.
CREATE TABLE budget_charge (
    id              INTEGER PRIMARY KEY,
    idem_key        TEXT NOT NULL UNIQUE,
    question        TEXT NOT NULL,
    actor           TEXT NOT NULL,
    roles           TEXT NOT NULL,
    run             TEXT,
    operator        TEXT NOT NULL,
    parameters      TEXT NOT NULL,
    inputs          TEXT NOT NULL,
    mechanism       TEXT NOT NULL,
    epsilon_micro   INTEGER NOT NULL CHECK (epsilon_micro >= 0),
    delta_femto     INTEGER NOT NULL CHECK (delta_femto >= 0),
    unit            TEXT,
    rows_per_unit   INTEGER NOT NULL CHECK (rows_per_unit > 0),
    adjacency       TEXT NOT NULL CHECK (adjacency IN ('add_remove', 'substitute')),
    is_sound        INTEGER NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('reserved', 'released', 'burned')),
    n_takeovers     INTEGER NOT NULL DEFAULT 0,
    lease_token     TEXT NOT NULL,
    lease_until     INTEGER NOT NULL,
    result          BLOB,
    result_location TEXT,
    result_digest   TEXT,
    result_bytes    INTEGER,
    error_code      TEXT,
    reserved_at     INTEGER NOT NULL,
    ended_at        INTEGER,
    previous_hash   TEXT NOT NULL,
    hash            TEXT NOT NULL,
    CHECK ((state = 'reserved') = (ended_at IS NULL)),
    CHECK ((state = 'released') = (result_digest IS NOT NULL)),
    CHECK ((state = 'released') = (result_bytes IS NOT NULL)),
    CHECK ((state = 'released') = ((result IS NULL) <> (result_location IS NULL))),
    CHECK ((state = 'burned') = (error_code IS NOT NULL))
) STRICT;
CREATE INDEX budget_charge_question ON budget_charge (question, ended_at) WHERE state = 'released';
CREATE INDEX budget_charge_open ON budget_charge (id) WHERE state = 'reserved';
CREATE INDEX budget_charge_actor ON budget_charge (actor, id);

-- The accounts that a charge is on.
CREATE TABLE budget_entry (
    budget_id INTEGER NOT NULL REFERENCES budget (id),
    charge_id INTEGER NOT NULL REFERENCES budget_charge (id),
    PRIMARY KEY (budget_id, charge_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX budget_entry_charge ON budget_entry (charge_id, budget_id);

-- A file is known again by its content.
CREATE INDEX dataset_version_digest ON dataset_version (digest) WHERE digest IS NOT NULL;
