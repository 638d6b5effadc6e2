-- Cancer of the larynx by stage; time in years.
-- check: SELECT COUNT(*) = 90 AND COUNT(DISTINCT stage) = 4 FROM clinical.larynx
COPY INTO clinical.larynx FROM '../../../tests/data/clinical/larynx.csv'
WITH (contract => 'contracts/larynx.toml', mode => 'overwrite');
