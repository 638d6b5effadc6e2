-- check: SELECT MIN(survival) >= 0 AND MAX(survival) = 1 FROM clinical.survival_by_sex
-- check: SELECT COUNT(DISTINCT sex) = 2 FROM clinical.survival_by_sex
CREATE OR REPLACE TABLE clinical.survival_by_sex AS
SELECT * FROM kaplan_meier((SELECT time, event, sex FROM clinical.patients), by => 'sex');
