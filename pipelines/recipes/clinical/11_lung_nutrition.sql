-- Calories and weight loss. 57 of 228 patients miss one of them; they go to the quarantine table.
-- check: SELECT COUNT(*) > 150 FROM clinical.lung_nutrition
-- check: SELECT COUNT(*) = 0 FROM clinical.lung_nutrition AS n
--   LEFT JOIN clinical.lung AS l ON l.patient_id = n.patient_id WHERE l.patient_id IS NULL
COPY INTO clinical.lung_nutrition FROM '../../../tests/data/clinical/lung_nutrition.csv'
WITH (contract => 'contracts/lung_nutrition.toml', mode => 'overwrite');
