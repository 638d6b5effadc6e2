-- The privilege to make private releases of a table. Never edited after release.

CREATE TABLE access_grant_with_release (
    grantee       TEXT NOT NULL,
    privilege     TEXT NOT NULL
                  CHECK (privilege IN ('select', 'release', 'insert', 'update', 'delete', 'create', 'execute')),
    object_kind   TEXT NOT NULL CHECK (object_kind IN ('table', 'schema', 'operator')),
    object_schema TEXT NOT NULL,
    object_name   TEXT NOT NULL,
    column_name   TEXT NOT NULL,
    PRIMARY KEY (grantee, privilege, object_kind, object_schema, object_name, column_name)
) STRICT, WITHOUT ROWID;
INSERT INTO access_grant_with_release SELECT * FROM access_grant;
DROP TABLE access_grant;
ALTER TABLE access_grant_with_release RENAME TO access_grant;
