-- The lung patients with codes written out; one row each.
-- check: SELECT COUNT(*) = 228 AND SUM(CASE WHEN event THEN 1 ELSE 0 END) = 165 FROM clinical.patients
-- check: SELECT COUNT(*) = 0 FROM clinical.patients WHERE sex IS NULL
CREATE OR REPLACE TABLE clinical.patients AS
SELECT
    patient_id,
    institution,
    age,
    CASE sex WHEN 1 THEN 'male' WHEN 2 THEN 'female' END AS sex,
    ph_ecog,
    ph_karno,
    pat_karno,
    time,
    status = 1 AS event
FROM clinical.lung;
