-- The values that a run binds to the `:name`s of its statements, and that a job gives its run, as JSON:
-- {"site":{"bigint":3}}. Never edited after release.

ALTER TABLE run ADD COLUMN parameters TEXT NOT NULL DEFAULT '{}';
ALTER TABLE job ADD COLUMN parameters TEXT NOT NULL DEFAULT '{}';
