-- check: SELECT COUNT(*) = 3 AND MIN(p_value) BETWEEN 0 AND 1 FROM traffic.log_rank_by_severity
CREATE OR REPLACE TABLE traffic.log_rank_by_severity AS
SELECT *
FROM log_rank((SELECT minutes, cleared, severity_class FROM traffic.clearances),
              time => 'minutes', event => 'cleared', by => 'severity_class');
