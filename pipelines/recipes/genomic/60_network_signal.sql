-- Are joined genes more correlated than others? Correlation sees neither direction nor cause, so
-- this is a sanity check of data and network, not an inferred network.
-- check: SELECT COUNT(*) = 2 FROM genomic.network_signal
-- check warn: SELECT MIN(joined_mean - other_mean) > 0 FROM genomic.network_signal
CREATE OR REPLACE TABLE genomic.network_signal AS
SELECT
    dataset,
    SUM(CASE WHEN in_reference THEN 1 ELSE 0 END) AS n_joined,
    SUM(CASE WHEN in_reference THEN 0 ELSE 1 END) AS n_other,
    AVG(CASE WHEN in_reference THEN ABS(correlation) END) AS joined_mean,
    AVG(CASE WHEN in_reference THEN NULL ELSE ABS(correlation) END) AS other_mean
FROM genomic.gene_pairs
GROUP BY dataset;
