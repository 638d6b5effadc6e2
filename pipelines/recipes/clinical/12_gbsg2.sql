-- Breast cancer with and without hormone therapy.
-- check: SELECT COUNT(*) = 686 FROM clinical.gbsg2
COPY INTO clinical.gbsg2 FROM '../../../tests/data/clinical/gbsg2.csv'
WITH (contract => 'contracts/gbsg2.toml', mode => 'overwrite');
