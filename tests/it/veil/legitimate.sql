-- Statements of the same user that are answered: what is released may be used in any way.

SELECT * FROM dp_count((SELECT patient FROM clinical.patients), epsilon => 0.1, unit => 'patient')

SELECT * FROM dp_count(clinical.patients, epsilon => 0.1, unit => 'patient')

SELECT * FROM dp_count((SELECT patient, sex FROM clinical.patients), epsilon => 0.1, unit => 'patient', by => 'sex', by_values => ARRAY[0, 1])

SELECT estimate FROM dp_count((SELECT patient FROM clinical.patients WHERE age > 60), epsilon => 0.1, unit => 'patient')

SELECT estimate FROM dp_count((SELECT patient FROM clinical.patients WHERE age BETWEEN 18 AND 65 AND NOT died), epsilon => 0.1, unit => 'patient')

SELECT estimate FROM dp_count((SELECT patient FROM clinical.patients WHERE ward IN ('ward 1', 'ward 2')), epsilon => 0.1, unit => 'patient')

SELECT estimate FROM dp_count((SELECT patient FROM clinical.patients WHERE ward LIKE 'ward%'), epsilon => 0.1, unit => 'patient')

SELECT estimate FROM dp_count((SELECT patient FROM clinical.patients WHERE upper(ward) = 'WARD 1'), epsilon => 0.1, unit => 'patient')

SELECT estimate FROM dp_count((SELECT patient FROM clinical.patients WHERE coalesce(ward, 'none') <> 'none'), epsilon => 0.1, unit => 'patient')

SELECT estimate FROM dp_count((SELECT patient FROM clinical.patients WHERE CASE WHEN sex = 0 THEN age > 60 ELSE age > 65 END), epsilon => 0.1, unit => 'patient')

SELECT estimate FROM dp_count((SELECT patient FROM clinical.patients WHERE died IS NOT NULL), epsilon => 0.1, unit => 'patient')

SELECT estimate FROM dp_count((SELECT patient FROM clinical.patients WHERE TRY_CAST(ward AS BIGINT) > 0), epsilon => 0.1, unit => 'patient')

SELECT estimate FROM dp_count((SELECT patient FROM clinical.patients WHERE days / 365.25 > 1.0), epsilon => 0.1, unit => 'patient')

SELECT estimate FROM dp_count((SELECT patient FROM clinical.patients WHERE sqrt(days) > 10.0), epsilon => 0.1, unit => 'patient')

SELECT estimate FROM dp_count((SELECT patient FROM clinical.adults), epsilon => 0.1, unit => 'patient')

SELECT estimate FROM dp_count((SELECT patient FROM as_of('clinical.patients', version => 0)), epsilon => 0.1, unit => 'patient')

WITH old AS (SELECT patient FROM clinical.patients WHERE age > 70) SELECT estimate FROM dp_count((SELECT * FROM old), epsilon => 0.1, unit => 'patient')

SELECT * FROM dp_sum((SELECT patient, days FROM clinical.patients), value => 'days', epsilon => 0.1, low => 0, high => 1000, unit => 'patient')

SELECT * FROM dp_mean((SELECT patient, age FROM clinical.patients), value => 'age', epsilon => 0.1, low => 0, high => 110, unit => 'patient')

SELECT * FROM dp_mean((SELECT patient, CAST(age AS DOUBLE) AS age FROM clinical.patients), value => 'age', epsilon => 0.1, low => 0, high => 110, unit => 'patient')

SELECT * FROM dp_histogram((SELECT patient, age FROM clinical.patients), value => 'age', epsilon => 0.1, low => 0, high => 110, bins => 11, unit => 'patient')

SELECT * FROM dp_quantile((SELECT patient, age FROM clinical.patients), value => 'age', epsilon => 0.1, low => 0, high => 110, unit => 'patient')

SELECT * FROM dp_kaplan_meier((SELECT patient, days AS time, died AS event FROM clinical.patients), epsilon => 0.1, horizon => 1000, unit => 'patient')

SELECT * FROM dp_kaplan_meier((SELECT patient, days AS time, died AS event, sex FROM clinical.patients), epsilon => 0.1, horizon => 1000, unit => 'patient', strata => 'sex', strata_values => ARRAY[0, 1])

SELECT time_high, survival FROM dp_kaplan_meier((SELECT patient, days AS time, died AS event FROM clinical.patients), epsilon => 0.1, horizon => 1000, unit => 'patient') ORDER BY time_high LIMIT 3

SELECT * FROM dp_nelson_aalen((SELECT * FROM dp_kaplan_meier((SELECT patient, days AS time, died AS event FROM clinical.patients), epsilon => 0.1, horizon => 1000, unit => 'patient')))

SELECT * FROM dp_survival_quantile((SELECT * FROM dp_kaplan_meier((SELECT patient, days AS time, died AS event FROM clinical.patients), epsilon => 0.1, horizon => 1000, unit => 'patient')))

SELECT * FROM dp_restricted_mean((SELECT * FROM dp_kaplan_meier((SELECT patient, days AS time, died AS event FROM clinical.patients), epsilon => 0.1, horizon => 1000, unit => 'patient')))

SELECT a.estimate - b.estimate AS difference FROM dp_count((SELECT patient FROM clinical.patients WHERE sex = 0), epsilon => 0.1, unit => 'patient') AS a, dp_count((SELECT patient FROM clinical.patients WHERE sex = 1), epsilon => 0.1, unit => 'patient') AS b

SELECT w.ward, w.beds FROM main.wards AS w CROSS JOIN dp_count((SELECT patient FROM clinical.patients), epsilon => 0.1, unit => 'patient') AS r WHERE w.beds < r.estimate

SELECT (SELECT estimate FROM dp_count((SELECT patient FROM clinical.patients), epsilon => 0.1, unit => 'patient')) AS n

SELECT estimate FROM dp_count((SELECT patient FROM clinical.patients), epsilon => 0.1, unit => 'patient') UNION ALL SELECT beds * 1.0 FROM main.wards

SELECT max(estimate) AS most FROM dp_histogram((SELECT patient, age FROM clinical.patients), value => 'age', epsilon => 0.1, low => 0, high => 110, bins => 11, unit => 'patient')

SELECT DISTINCT round(estimate) FROM dp_histogram((SELECT patient, age FROM clinical.patients), value => 'age', epsilon => 0.1, low => 0, high => 110, bins => 11, unit => 'patient')

CREATE OR REPLACE TABLE mine.released AS SELECT estimate FROM dp_count((SELECT patient FROM clinical.patients), epsilon => 0.1, unit => 'patient')

INSERT INTO mine.released SELECT estimate FROM dp_count((SELECT patient FROM clinical.patients WHERE sex = 1), epsilon => 0.1, unit => 'patient')

SELECT * FROM mine.released

COPY (SELECT estimate FROM dp_count((SELECT patient FROM clinical.patients), epsilon => 0.1, unit => 'patient')) TO 'released.csv'

EXPLAIN SELECT * FROM dp_count((SELECT patient FROM clinical.patients), epsilon => 0.1, unit => 'patient')

SELECT beds FROM main.wards

SELECT count(*) FROM main.wards

SELECT * FROM kaplan_meier((SELECT beds AS time, beds > 10 AS event FROM main.wards))

SELECT epsilon_left FROM system.privacy_budgets WHERE name = 'patients'

SELECT charge, state FROM system.privacy_charges
