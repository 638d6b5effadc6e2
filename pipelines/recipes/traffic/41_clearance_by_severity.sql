-- The share of incidents that is not cleared yet, by severity.
-- check: SELECT MIN(survival) >= 0 AND COUNT(DISTINCT severity_class) = 3 FROM traffic.clearance_by_severity
CREATE OR REPLACE TABLE traffic.clearance_by_severity AS
SELECT *
FROM kaplan_meier((SELECT minutes, cleared, severity_class FROM traffic.clearances),
                  time => 'minutes', event => 'cleared', by => 'severity_class');
