-- Users, roles, their members and rights. Never edited after release.

ALTER TABLE run ADD COLUMN actor TEXT COLLATE "C" NOT NULL DEFAULT 'admin';
CREATE INDEX run_actor ON run (actor, id);

CREATE TABLE principal (
    name       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    kind       TEXT NOT NULL CHECK (kind IN ('user', 'role')),
    created_at TEXT COLLATE "C" NOT NULL
);
INSERT INTO principal (name, kind, created_at)
SELECT name, 'role', to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
FROM unnest(ARRAY['admin', 'analyst', 'auditor', 'operator', 'steward']) AS name;

CREATE TABLE membership (
    role   TEXT COLLATE "C" NOT NULL REFERENCES principal (name),
    member TEXT COLLATE "C" NOT NULL REFERENCES principal (name),
    PRIMARY KEY (role, member)
);

-- object_schema is empty for an operator, object_name for a schema, column_name for all columns. The
-- grantee may be 'public', which is no principal.
CREATE TABLE access_grant (
    grantee       TEXT COLLATE "C" NOT NULL,
    privilege     TEXT COLLATE "C" NOT NULL
                  CHECK (privilege IN ('select', 'insert', 'update', 'delete', 'create', 'execute')),
    object_kind   TEXT COLLATE "C" NOT NULL CHECK (object_kind IN ('table', 'schema', 'operator')),
    object_schema TEXT COLLATE "C" NOT NULL,
    object_name   TEXT COLLATE "C" NOT NULL,
    column_name   TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (grantee, privilege, object_kind, object_schema, object_name, column_name)
);

CREATE TABLE row_policy (
    schema_name TEXT COLLATE "C" NOT NULL,
    table_name  TEXT COLLATE "C" NOT NULL,
    name        TEXT COLLATE "C" NOT NULL,
    grantee     TEXT COLLATE "C" NOT NULL,
    condition   TEXT NOT NULL,
    restrictive BOOLEAN NOT NULL,
    PRIMARY KEY (schema_name, table_name, name, grantee)
);

CREATE VIEW v_grants AS
SELECT grantee, privilege, object_kind, object_schema, NULLIF(object_name, '') AS object_name,
       NULLIF(column_name, '') AS column_name
FROM access_grant;
