-- The learned network beside the consensus. Hidden causes and feedback keep the two apart.
-- check: SELECT n_edges_truth = 18 FROM genomic.network_score
CREATE OR REPLACE TABLE genomic.network_score AS
SELECT * FROM compare_graphs(
    (SELECT source, target, mark FROM genomic.network WHERE mark IS NOT NULL),
    truth => (SELECT regulator AS source, target, '->' AS mark FROM genomic.reference_edges WHERE dataset = 'sachs')
);
