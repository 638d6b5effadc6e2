-- Four stages of cancer of the larynx.
-- check: SELECT COUNT(*) = 4 AND MAX(degrees_of_freedom) = 3 FROM clinical.log_rank_by_stage
CREATE OR REPLACE TABLE clinical.log_rank_by_stage AS
SELECT * FROM log_rank((SELECT time, death AS event, stage FROM clinical.larynx), by => 'stage');
