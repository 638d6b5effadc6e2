-- Patients with advanced lung cancer. No row may be refused: survival is estimated from all of them.
-- check: SELECT COUNT(*) = 228 FROM clinical.lung
-- check: SELECT COUNT(*) = COUNT(DISTINCT patient_id) FROM clinical.lung
-- check warn: SELECT AVG(CASE WHEN ph_ecog IS NULL THEN 1.0 ELSE 0.0 END) < 0.01 FROM clinical.lung
COPY INTO clinical.lung FROM '../../../tests/data/clinical/lung.csv'
WITH (contract => 'contracts/lung.toml', mode => 'overwrite');
