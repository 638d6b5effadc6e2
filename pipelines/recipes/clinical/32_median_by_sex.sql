-- check: SELECT MAX(time) = 426 AND MIN(time) = 270 FROM clinical.median_by_sex
CREATE OR REPLACE TABLE clinical.median_by_sex AS
SELECT * FROM survival_quantile((SELECT time, event, sex FROM clinical.patients), by => 'sex', quantile => 0.5);
