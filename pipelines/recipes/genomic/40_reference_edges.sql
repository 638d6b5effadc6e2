-- Both networks, with the names of `genomic.expression`.
-- check: SELECT COUNT(*) = 44 FROM genomic.reference_edges
-- check: SELECT COUNT(*) = 0 FROM genomic.reference_edges AS e
--   LEFT JOIN genomic.gene_statistics AS g ON g.dataset = e.dataset AND g.gene = e.regulator
--   WHERE g.gene IS NULL
CREATE OR REPLACE TABLE genomic.reference_edges AS
SELECT
    'krumsiek11' AS dataset,
    LOWER(REPLACE(regulator, '.', '_')) AS regulator,
    LOWER(REPLACE(target, '.', '_')) AS target
FROM genomic.krumsiek11_edges
UNION ALL
SELECT
    'sachs' AS dataset,
    LOWER(REPLACE(regulator, '/', '_')) AS regulator,
    LOWER(REPLACE(target, '/', '_')) AS target
FROM genomic.sachs_edges;
