-- Simulated expression, one row a step of a run.
-- check: SELECT COUNT(*) = 640 AND COUNT(DISTINCT realization) = 4 FROM genomic.krumsiek11
COPY INTO genomic.krumsiek11 FROM '../../../tests/data/genomic/krumsiek11_expression.csv'
WITH (contract => 'contracts/krumsiek11.toml', mode => 'overwrite');
