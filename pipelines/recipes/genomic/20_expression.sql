-- Both sets in long form: one row a cell and gene.
-- check: SELECT COUNT(*) = 11 * (640 + 7466) FROM genomic.expression
-- check: SELECT COUNT(*) = 0 FROM genomic.expression WHERE value IS NULL
CREATE OR REPLACE TABLE genomic.expression AS
SELECT 'krumsiek11' AS dataset, 1000 * realization + it AS cell, 'gata2' AS gene, gata2 AS value FROM genomic.krumsiek11
UNION ALL SELECT 'krumsiek11' AS dataset, 1000 * realization + it AS cell, 'gata1' AS gene, gata1 AS value FROM genomic.krumsiek11
UNION ALL SELECT 'krumsiek11' AS dataset, 1000 * realization + it AS cell, 'fog1' AS gene, fog1 AS value FROM genomic.krumsiek11
UNION ALL SELECT 'krumsiek11' AS dataset, 1000 * realization + it AS cell, 'eklf' AS gene, eklf AS value FROM genomic.krumsiek11
UNION ALL SELECT 'krumsiek11' AS dataset, 1000 * realization + it AS cell, 'fli1' AS gene, fli1 AS value FROM genomic.krumsiek11
UNION ALL SELECT 'krumsiek11' AS dataset, 1000 * realization + it AS cell, 'scl' AS gene, scl AS value FROM genomic.krumsiek11
UNION ALL SELECT 'krumsiek11' AS dataset, 1000 * realization + it AS cell, 'cebpa' AS gene, cebpa AS value FROM genomic.krumsiek11
UNION ALL SELECT 'krumsiek11' AS dataset, 1000 * realization + it AS cell, 'pu_1' AS gene, pu_1 AS value FROM genomic.krumsiek11
UNION ALL SELECT 'krumsiek11' AS dataset, 1000 * realization + it AS cell, 'cjun' AS gene, cjun AS value FROM genomic.krumsiek11
UNION ALL SELECT 'krumsiek11' AS dataset, 1000 * realization + it AS cell, 'egrnab' AS gene, egrnab AS value FROM genomic.krumsiek11
UNION ALL SELECT 'krumsiek11' AS dataset, 1000 * realization + it AS cell, 'gfi1' AS gene, gfi1 AS value FROM genomic.krumsiek11
UNION ALL SELECT 'sachs' AS dataset, cell AS cell, 'praf' AS gene, praf AS value FROM genomic.sachs
UNION ALL SELECT 'sachs' AS dataset, cell AS cell, 'pmek' AS gene, pmek AS value FROM genomic.sachs
UNION ALL SELECT 'sachs' AS dataset, cell AS cell, 'plcg' AS gene, plcg AS value FROM genomic.sachs
UNION ALL SELECT 'sachs' AS dataset, cell AS cell, 'pip2' AS gene, pip2 AS value FROM genomic.sachs
UNION ALL SELECT 'sachs' AS dataset, cell AS cell, 'pip3' AS gene, pip3 AS value FROM genomic.sachs
UNION ALL SELECT 'sachs' AS dataset, cell AS cell, 'p44_42' AS gene, p44_42 AS value FROM genomic.sachs
UNION ALL SELECT 'sachs' AS dataset, cell AS cell, 'pakts473' AS gene, pakts473 AS value FROM genomic.sachs
UNION ALL SELECT 'sachs' AS dataset, cell AS cell, 'pka' AS gene, pka AS value FROM genomic.sachs
UNION ALL SELECT 'sachs' AS dataset, cell AS cell, 'pkc' AS gene, pkc AS value FROM genomic.sachs
UNION ALL SELECT 'sachs' AS dataset, cell AS cell, 'p38' AS gene, p38 AS value FROM genomic.sachs
UNION ALL SELECT 'sachs' AS dataset, cell AS cell, 'pjnk' AS gene, pjnk AS value FROM genomic.sachs;
