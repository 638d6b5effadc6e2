-- Which signalling proteins depend on each other, whatever others are held fixed.
-- check: SELECT COUNT(*) > 0 FROM genomic.network WHERE mark IS NOT NULL
CREATE OR REPLACE TABLE genomic.network AS
SELECT * FROM grn_dropout(
    (SELECT cell, gene, value FROM genomic.expression WHERE dataset = 'sachs'),
    cell => 'cell', gene => 'gene', value => 'value', transform => 'log1p', alpha => 0.01
);
