-- Mean, spread and dropout of each gene. A value at or under the floor of its set counts as dropout:
-- 0.05 in the simulation, whose noise is about 0.01; 1 in the cytometer, whose readings start there.
-- check: SELECT COUNT(*) = 22 FROM genomic.gene_statistics
-- check: SELECT MIN(variance) > 0 AND MAX(dropout_share) < 1 FROM genomic.gene_statistics
CREATE OR REPLACE TABLE genomic.gene_statistics AS
SELECT
    dataset,
    gene,
    COUNT(*) AS n_cells,
    AVG(value) AS mean,
    VAR_SAMP(value) AS variance,
    MIN(value) AS minimum,
    MAX(value) AS maximum,
    AVG(CASE WHEN value <= CASE dataset WHEN 'sachs' THEN 1.0 ELSE 0.05 END THEN 1.0 ELSE 0.0 END) AS dropout_share
FROM genomic.expression
GROUP BY dataset, gene;
