-- Time until death, death of a fly, clearance of an incident: one shape for all domains, each in its
-- own unit. Numbers of different units are side by side, not compared.
-- check: SELECT COUNT(DISTINCT domain) = 3 FROM nightly.durations
-- check: SELECT COUNT(*) = 0 FROM nightly.durations WHERE restricted_mean > horizon
CREATE OR REPLACE TABLE nightly.durations AS
SELECT 'clinical' AS domain, * FROM clinical.restricted_means
UNION ALL
SELECT
    'genomic' AS domain,
    'fly_lifespan' AS study,
    'genotype' AS grouped_by,
    genotype AS group_name,
    n_rows,
    n_events,
    'days' AS unit,
    horizon,
    restricted_mean,
    restricted_mean_low,
    restricted_mean_high
FROM restricted_mean((SELECT days, died, genotype FROM genomic.fly_lifespan),
                     time => 'days', event => 'died', by => 'genotype', horizon => 60)
UNION ALL
SELECT
    'traffic' AS domain,
    'incidents' AS study,
    'severity_class' AS grouped_by,
    severity_class AS group_name,
    n_rows,
    n_events,
    'minutes' AS unit,
    horizon,
    restricted_mean,
    restricted_mean_low,
    restricted_mean_high
FROM restricted_mean((SELECT minutes, cleared, severity_class FROM traffic.clearances),
                     time => 'minutes', event => 'cleared', by => 'severity_class', horizon => 30);
