-- When to look whether the job of a slot is late, so that a look reads only those due. Never edited after release.

ALTER TABLE slot ADD COLUMN look_at BIGINT;
UPDATE slot SET look_at = fire_at + (SELECT CASE WHEN s.end_within_ms IS NULL OR s.start_within_ms < s.end_within_ms
        THEN s.start_within_ms ELSE s.end_within_ms END FROM schedule s WHERE s.id = slot.schedule_id)
    WHERE cause <> 'backfill' AND job_id IN (SELECT id FROM job WHERE state IN ('queued', 'running'));
CREATE INDEX slot_look ON slot (look_at) WHERE look_at IS NOT NULL;
