-- Which step of that name last succeeded in a pipeline: asked before every step, however many runs there are.
-- Never edited after release.

CREATE TABLE last_success (
    pipeline TEXT COLLATE "C" NOT NULL,
    step     TEXT COLLATE "C" NOT NULL,
    step_id  BIGINT NOT NULL REFERENCES step (id),
    PRIMARY KEY (pipeline, step)
);
INSERT INTO last_success (pipeline, step, step_id)
SELECT pipeline, name, id
FROM (SELECT r.pipeline, s.name, s.id,
             row_number() OVER (PARTITION BY r.pipeline, s.name ORDER BY s.finished_at DESC, s.id DESC) AS place
      FROM step s JOIN run r ON r.id = s.run_id
      WHERE s.state = 'succeeded' AND r.pipeline IS NOT NULL) AS successes
WHERE place = 1;
