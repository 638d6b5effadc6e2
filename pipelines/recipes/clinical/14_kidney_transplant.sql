-- Kidney transplants. 23 of 863 patients are under 18 and go to the quarantine table.
-- check: SELECT MIN(age) >= 18 FROM clinical.kidney_transplant
-- check: SELECT COUNT(*) = 840 FROM clinical.kidney_transplant
COPY INTO clinical.kidney_transplant FROM '../../../tests/data/clinical/kidney_transplant.csv'
WITH (contract => 'contracts/kidney_transplant.toml', mode => 'overwrite');
