-- The privilege to make private releases of a table. Never edited after release.

ALTER TABLE access_grant DROP CONSTRAINT access_grant_privilege_check;
ALTER TABLE access_grant ADD CONSTRAINT access_grant_privilege_check
    CHECK (privilege IN ('select', 'release', 'insert', 'update', 'delete', 'create', 'execute'));
