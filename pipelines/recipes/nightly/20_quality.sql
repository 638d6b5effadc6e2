-- What was loaded, what is incomplete, and what the last load that refused any row has refused.
-- check: SELECT COUNT(*) = 10 FROM nightly.quality
-- check: SELECT MIN(n_rows) > 0 FROM nightly.quality
-- check warn: SELECT MAX(refused_share) < 0.05 FROM nightly.quality
CREATE OR REPLACE TABLE nightly.quality AS
WITH loaded AS (
    SELECT 'clinical' AS domain, 'lung' AS source, COUNT(*) AS n_rows, SUM(CASE WHEN ph_ecog IS NULL OR meal_cal IS NULL OR wt_loss IS NULL THEN 1 ELSE 0 END) AS n_incomplete FROM clinical.lung
    UNION ALL
    SELECT 'clinical' AS domain, 'lung_nutrition' AS source, COUNT(*) AS n_rows, 0 AS n_incomplete FROM clinical.lung_nutrition
    UNION ALL
    SELECT 'clinical' AS domain, 'gbsg2' AS source, COUNT(*) AS n_rows, 0 AS n_incomplete FROM clinical.gbsg2
    UNION ALL
    SELECT 'clinical' AS domain, 'larynx' AS source, COUNT(*) AS n_rows, 0 AS n_incomplete FROM clinical.larynx
    UNION ALL
    SELECT 'clinical' AS domain, 'kidney_transplant' AS source, COUNT(*) AS n_rows, 0 AS n_incomplete FROM clinical.kidney_transplant
    UNION ALL
    SELECT 'genomic' AS domain, 'krumsiek11' AS source, COUNT(*) AS n_rows, 0 AS n_incomplete FROM genomic.krumsiek11
    UNION ALL
    SELECT 'genomic' AS domain, 'sachs' AS source, COUNT(*) AS n_rows, 0 AS n_incomplete FROM genomic.sachs
    UNION ALL
    SELECT 'genomic' AS domain, 'fly_lifespan' AS source, COUNT(*) AS n_rows, 0 AS n_incomplete FROM genomic.fly_lifespan
    UNION ALL
    SELECT 'traffic' AS domain, 'sensor_minutes' AS source, COUNT(*) AS n_rows, 0 AS n_incomplete FROM traffic.sensor_minutes
    UNION ALL
    SELECT 'traffic' AS domain, 'incidents' AS source, COUNT(*) AS n_rows, 0 AS n_incomplete FROM traffic.incidents
),
refused AS (
    SELECT 'clinical' AS domain, 'lung_nutrition' AS source, COUNT(DISTINCT row_number) AS n_refused
    FROM clinical.lung_nutrition_quarantine
    WHERE load = (SELECT MAX(load) FROM clinical.lung_nutrition_quarantine)
    UNION ALL
    SELECT 'clinical' AS domain, 'kidney_transplant' AS source, COUNT(DISTINCT row_number) AS n_refused
    FROM clinical.kidney_transplant_quarantine
    WHERE load = (SELECT MAX(load) FROM clinical.kidney_transplant_quarantine)
)
SELECT
    l.domain,
    l.source,
    l.n_rows,
    l.n_incomplete,
    COALESCE(r.n_refused, 0) AS n_refused,
    CAST(COALESCE(r.n_refused, 0) AS DOUBLE) / (l.n_rows + COALESCE(r.n_refused, 0)) AS refused_share
FROM loaded AS l
LEFT JOIN refused AS r ON r.domain = l.domain AND r.source = l.source;
