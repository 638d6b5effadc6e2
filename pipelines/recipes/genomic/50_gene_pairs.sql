-- The Pearson correlation of every pair of genes, and whether the reference network joins them.
-- check: SELECT COUNT(*) = 110 FROM genomic.gene_pairs
-- check: SELECT MIN(correlation) >= -1.000001 AND MAX(correlation) <= 1.000001 FROM genomic.gene_pairs
CREATE OR REPLACE TABLE genomic.gene_pairs AS
WITH pairs AS (
    SELECT a.dataset, a.gene AS gene_a, b.gene AS gene_b, COUNT(*) AS n_cells, CORR(a.value, b.value) AS correlation
    FROM genomic.expression AS a
    JOIN genomic.expression AS b ON b.dataset = a.dataset AND b.cell = a.cell AND b.gene > a.gene
    GROUP BY a.dataset, a.gene, b.gene
),
edges AS (
    SELECT DISTINCT dataset, LEAST(regulator, target) AS gene_a, GREATEST(regulator, target) AS gene_b
    FROM genomic.reference_edges
)
SELECT p.dataset, p.gene_a, p.gene_b, p.n_cells, p.correlation, e.gene_a IS NOT NULL AS in_reference
FROM pairs AS p
LEFT JOIN edges AS e ON e.dataset = p.dataset AND e.gene_a = p.gene_a AND e.gene_b = p.gene_b;
