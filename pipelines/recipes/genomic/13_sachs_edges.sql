-- The consensus network.
-- check: SELECT COUNT(*) = 18 FROM genomic.sachs_edges
COPY INTO genomic.sachs_edges FROM '../../../tests/data/genomic/sachs_edges.csv'
WITH (contract => 'contracts/sachs_edges.toml', mode => 'overwrite');
