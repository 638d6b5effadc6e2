-- Measured signalling proteins, one row a cell.
-- check: SELECT COUNT(*) = 7466 FROM genomic.sachs
COPY INTO genomic.sachs FROM '../../../tests/data/genomic/sachs.csv'
WITH (contract => 'contracts/sachs.toml', mode => 'overwrite');
