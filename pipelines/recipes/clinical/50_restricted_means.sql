-- How long one goes without the event on average, up to a horizon: all studies in one shape.
-- Horizons lie within the follow-up of every group.
-- check: SELECT COUNT(*) = 10 FROM clinical.restricted_means
-- check: SELECT COUNT(*) = 0 FROM clinical.restricted_means WHERE restricted_mean > horizon OR restricted_mean < 0
CREATE OR REPLACE TABLE clinical.restricted_means AS
SELECT
    'lung' AS study,
    'sex' AS grouped_by,
    CAST(sex AS VARCHAR) AS group_name,
    n_rows,
    n_events,
    'days' AS unit,
    horizon,
    restricted_mean,
    restricted_mean_low,
    restricted_mean_high
FROM restricted_mean((SELECT time, event, sex FROM clinical.patients), by => 'sex', horizon => 730)
UNION ALL
SELECT
    'gbsg2' AS study,
    'hormone_therapy' AS grouped_by,
    CAST(hormone_therapy AS VARCHAR) AS group_name,
    n_rows,
    n_events,
    'days' AS unit,
    horizon,
    restricted_mean,
    restricted_mean_low,
    restricted_mean_high
FROM restricted_mean((SELECT time, status AS event, hormone_therapy FROM clinical.gbsg2), by => 'hormone_therapy', horizon => 1825)
UNION ALL
SELECT
    'larynx' AS study,
    'stage' AS grouped_by,
    CAST(stage AS VARCHAR) AS group_name,
    n_rows,
    n_events,
    'years' AS unit,
    horizon,
    restricted_mean,
    restricted_mean_low,
    restricted_mean_high
FROM restricted_mean((SELECT time, death AS event, stage FROM clinical.larynx), by => 'stage', horizon => 4)
UNION ALL
SELECT
    'kidney_transplant' AS study,
    'sex' AS grouped_by,
    CAST(sex AS VARCHAR) AS group_name,
    n_rows,
    n_events,
    'days' AS unit,
    horizon,
    restricted_mean,
    restricted_mean_low,
    restricted_mean_high
FROM restricted_mean((SELECT time, death AS event, CASE WHEN black_male + white_male = 1 THEN 'male' ELSE 'female' END AS sex
      FROM clinical.kidney_transplant), by => 'sex', horizon => 1825);
