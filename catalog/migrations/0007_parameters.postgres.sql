-- The values that a run binds to the `:name`s of its statements, and that a job gives its run, as JSON:
-- {"site":{"bigint":3}}. Never edited after release.

ALTER TABLE run ADD COLUMN parameters TEXT NOT NULL DEFAULT '{}';
ALTER TABLE job ADD COLUMN parameters TEXT NOT NULL DEFAULT '{}';

CREATE OR REPLACE VIEW v_runs AS
SELECT r.uuid AS run, r.kind, r.pipeline, r.pipeline_digest, r.state, r.engine_version,
       r.started_at::timestamptz AS started_at, r.finished_at::timestamptz AS finished_at,
       r.finished_at::timestamptz - r.started_at::timestamptz AS duration, r.parameters::jsonb AS parameters
FROM run r;

CREATE OR REPLACE VIEW v_jobs AS
SELECT j.id AS job, j.kind, j.work, j.run, j.actor, j.state, j.priority, j.group_name, j.attempt, j.n_failures,
       j.max_attempts, j.error_code, j.error, to_timestamp(j.submitted_at / 1000.0) AS submitted_at,
       to_timestamp(j.run_at / 1000.0) AS run_at, to_timestamp(j.lease_until / 1000.0) AS lease_until,
       to_timestamp(j.finished_at / 1000.0) AS finished_at, j.parameters::jsonb AS parameters
FROM job j;
