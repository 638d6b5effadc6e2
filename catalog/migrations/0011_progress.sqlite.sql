-- How far a backfill is, and when a schedule last did well, without reading what has ended. Never edited after release.

ALTER TABLE job ADD COLUMN backfill_id INTEGER REFERENCES backfill (id);
UPDATE job SET backfill_id = (SELECT l.backfill_id FROM slot l WHERE l.job_id = job.id);
CREATE INDEX job_backfill ON job (backfill_id, state) WHERE backfill_id IS NOT NULL;

-- Backfills do not count: they are about the past.
ALTER TABLE schedule ADD COLUMN last_success_at INTEGER;
UPDATE schedule SET last_success_at = (SELECT MAX(j.finished_at) FROM slot l JOIN job j ON j.id = l.job_id
    WHERE l.schedule_id = schedule.id AND l.cause <> 'backfill' AND j.state = 'succeeded');
