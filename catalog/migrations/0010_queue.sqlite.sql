-- Claims look for the first in line of each group; lists show a state, or the newest moments, page by page. Never edited after release.

DROP INDEX job_turn;
CREATE INDEX job_turn ON job (group_name, turn, id) WHERE state = 'queued';
CREATE INDEX job_due ON job (run_at) WHERE state = 'queued';
CREATE INDEX job_state ON job (state, id);
CREATE INDEX slot_moment ON slot (fire_at, schedule_id);
