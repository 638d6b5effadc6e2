-- check: SELECT COUNT(DISTINCT hormone_therapy) = 2 FROM clinical.survival_by_hormone_therapy
CREATE OR REPLACE TABLE clinical.survival_by_hormone_therapy AS
SELECT *
FROM kaplan_meier((SELECT time, status AS event, hormone_therapy FROM clinical.gbsg2), by => 'hormone_therapy');
