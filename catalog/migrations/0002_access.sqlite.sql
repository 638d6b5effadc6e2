-- Users, roles, their members and rights. Never edited after release.

ALTER TABLE run ADD COLUMN actor TEXT NOT NULL DEFAULT 'admin';
CREATE INDEX run_actor ON run (actor, id);

CREATE TABLE principal (
    name       TEXT NOT NULL PRIMARY KEY,
    kind       TEXT NOT NULL CHECK (kind IN ('user', 'role')),
    created_at TEXT NOT NULL
) STRICT;
INSERT INTO principal (name, kind, created_at)
SELECT value, 'role', strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
FROM json_each('["admin", "analyst", "auditor", "operator", "steward"]');

CREATE TABLE membership (
    role   TEXT NOT NULL REFERENCES principal (name),
    member TEXT NOT NULL REFERENCES principal (name),
    PRIMARY KEY (role, member)
) STRICT, WITHOUT ROWID;

-- object_schema is empty for an operator, object_name for a schema, column_name for all columns. The
-- grantee may be 'public', which is no principal.
CREATE TABLE access_grant (
    grantee       TEXT NOT NULL,
    privilege     TEXT NOT NULL CHECK (privilege IN ('select', 'insert', 'update', 'delete', 'create', 'execute')),
    object_kind   TEXT NOT NULL CHECK (object_kind IN ('table', 'schema', 'operator')),
    object_schema TEXT NOT NULL,
    object_name   TEXT NOT NULL,
    column_name   TEXT NOT NULL,
    PRIMARY KEY (grantee, privilege, object_kind, object_schema, object_name, column_name)
) STRICT, WITHOUT ROWID;

CREATE TABLE row_policy (
    schema_name TEXT NOT NULL,
    table_name  TEXT NOT NULL,
    name        TEXT NOT NULL,
    grantee     TEXT NOT NULL,
    condition   TEXT NOT NULL,
    restrictive INTEGER NOT NULL,
    PRIMARY KEY (schema_name, table_name, name, grantee)
) STRICT, WITHOUT ROWID;
