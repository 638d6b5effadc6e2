-- The published statistic of this data set is 10.3267 on 1 degree of freedom.
-- check: SELECT COUNT(*) = 2 AND MAX(ABS(chi_square - 10.3267)) < 0.0001 FROM clinical.log_rank_by_sex
CREATE OR REPLACE TABLE clinical.log_rank_by_sex AS
SELECT * FROM log_rank((SELECT time, event, sex FROM clinical.patients), by => 'sex');
