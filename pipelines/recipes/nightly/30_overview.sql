-- One row a domain: how much was loaded, how well, and how many events were seen.
-- check: SELECT COUNT(*) = 3 FROM nightly.overview
CREATE OR REPLACE TABLE nightly.overview AS
WITH quality AS (
    SELECT domain, COUNT(*) AS n_sources, SUM(n_rows) AS n_rows, SUM(n_refused) AS n_refused
    FROM nightly.quality
    GROUP BY domain
),
durations AS (
    SELECT domain, COUNT(DISTINCT study) AS n_studies, SUM(n_rows) AS n_followed, SUM(n_events) AS n_events
    FROM nightly.durations
    GROUP BY domain
)
SELECT q.domain, q.n_sources, q.n_rows, q.n_refused, d.n_studies, d.n_followed, d.n_events
FROM quality AS q
JOIN durations AS d ON d.domain = q.domain;
