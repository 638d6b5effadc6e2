-- Incidents as durations until clearance. Observation of a day ends with minute 1199: an incident that
-- goes on is censored there.
-- check: SELECT COUNT(DISTINCT severity_class) = 3 FROM traffic.clearances
CREATE OR REPLACE TABLE traffic.clearances AS
SELECT
    incident_id,
    corridor,
    CASE WHEN severity < 0.5 THEN 'light' WHEN severity < 0.7 THEN 'medium' ELSE 'severe' END AS severity_class,
    LEAST(end_minute, 1200) - start_minute AS minutes,
    end_minute < 1200 AS cleared
FROM traffic.incidents;
