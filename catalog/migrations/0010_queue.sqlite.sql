-- Claims look for the first in line of each group; lists show a state page by page. Never edited after release.

DROP INDEX job_turn;
CREATE INDEX job_turn ON job (group_name, turn, id) WHERE state = 'queued';
CREATE INDEX job_due ON job (run_at) WHERE state = 'queued';
CREATE INDEX job_state ON job (state, id);
