-- Statements of a user who may make private releases of clinical.patients and clinical.adults and no more. Each is refused
-- before a row is read; the line above it says what the refusal must say.

-- column `patient` of `clinical.patients`
SELECT * FROM clinical.patients

-- column `age` of `clinical.patients`
SELECT age FROM clinical.patients

-- column `ward`
SELECT ward AS harmless FROM clinical.patients

-- how many rows
SELECT count(*) FROM clinical.patients

-- column `age`
SELECT max(age) FROM clinical.patients

-- column `age`
SELECT avg(CAST(age AS DOUBLE)) AS mean FROM clinical.patients GROUP BY sex

-- how many rows
SELECT 1 FROM clinical.patients

-- how many rows
SELECT 1 FROM clinical.patients LIMIT 1

-- how many rows
SELECT 1 FROM clinical.patients LIMIT 1 OFFSET 400

-- column `patient`
SELECT 1 FROM clinical.patients WHERE patient = 17

-- column `patient`
SELECT 'there' AS is WHERE EXISTS (SELECT 1 FROM clinical.patients WHERE patient = 17)

-- column `age`
SELECT (SELECT max(age) FROM clinical.patients) AS oldest

-- column `age`
WITH hidden AS (SELECT age FROM clinical.patients) SELECT * FROM hidden

-- column `age`
WITH RECURSIVE r AS (SELECT age FROM clinical.patients UNION ALL SELECT age + 1 FROM r WHERE age < 3) SELECT * FROM r

-- column `ward`
SELECT ward FROM main.wards UNION ALL SELECT ward FROM clinical.patients

-- column `ward`
SELECT ward FROM main.wards INTERSECT SELECT ward FROM clinical.patients

-- column `ward`
SELECT ward FROM main.wards EXCEPT SELECT ward FROM clinical.patients

-- column `ward`
SELECT w.beds FROM main.wards AS w JOIN clinical.patients AS p ON w.ward = p.ward

-- column `ward`
SELECT w.beds FROM main.wards AS w LEFT JOIN clinical.patients AS p ON w.ward = p.ward

-- how many rows
SELECT w.beds FROM main.wards AS w CROSS JOIN clinical.patients

-- column `ward`
SELECT beds FROM main.wards WHERE ward IN (SELECT ward FROM clinical.patients)

-- column
SELECT beds FROM main.wards WHERE ward NOT IN (SELECT ward FROM clinical.patients WHERE age > 80)

-- column `ward`
SELECT ward, beds, (SELECT count(*) FROM clinical.patients AS p WHERE p.ward = w.ward) AS n FROM main.wards AS w

-- column `sex`
SELECT DISTINCT sex FROM clinical.patients

-- column `age`
SELECT row_number() OVER (ORDER BY age) AS n FROM clinical.patients

-- column `age`
SELECT 1 FROM clinical.patients ORDER BY age

-- column `age`
SELECT age FROM clinical.adults

-- column `age`
SELECT count(*) FROM clinical.adults

-- column `age`
SELECT * FROM (SELECT age FROM clinical.patients) AS inner_query WHERE age > 60

-- column
SELECT * FROM kaplan_meier((SELECT days AS time, died AS event FROM clinical.patients))

-- column
SELECT * FROM kaplan_meier((SELECT days AS time, died AS event, sex FROM clinical.patients), by => 'sex')

-- column
SELECT time FROM kaplan_meier((SELECT days AS time, died AS event FROM clinical.patients WHERE patient = 17)) LIMIT 1

-- column `age`
SELECT age FROM as_of('clinical.patients', version => 0)

-- what was added
SELECT age FROM added('clinical.patients', since => 0, until => 0)

-- EXPLAIN
EXPLAIN ANALYZE SELECT * FROM dp_count((SELECT patient FROM clinical.patients), epsilon => 0.1)

-- column `age`
EXPLAIN SELECT age FROM clinical.patients

-- column
CREATE TABLE mine.copy AS SELECT * FROM clinical.patients

-- column
CREATE VIEW mine.look AS SELECT * FROM clinical.patients

-- column `age`
INSERT INTO mine.ages SELECT age FROM clinical.patients

-- column `age`
UPDATE mine.ages SET age = (SELECT max(age) FROM clinical.patients)

-- column `age`
DELETE FROM mine.ages WHERE age IN (SELECT age FROM clinical.patients)

-- column `age`
MERGE INTO mine.ages AS a USING clinical.patients AS p ON a.age = p.age WHEN MATCHED THEN DELETE

-- protected and is copied
COPY (SELECT * FROM clinical.patients) TO 'out.csv'

-- protected and is copied
COPY clinical.patients TO 'out.csv'

-- may not
DELETE FROM clinical.patients WHERE age > 60

-- may not
UPDATE clinical.patients SET age = 1

-- may not
INSERT INTO clinical.patients SELECT 1, 1, 1, 1.0, true, 'ward 1'

-- may not
DROP TABLE clinical.patients

-- may not
CREATE OR REPLACE TABLE clinical.patients AS SELECT 1 AS patient

-- budgets is for
CALL set_privacy_budget('clinical.patients', epsilon => 1000.0)

-- through a join
SELECT * FROM dp_count((SELECT p.patient FROM clinical.patients AS p JOIN main.wards AS w ON p.ward = w.ward), epsilon => 0.1)

-- through a join
SELECT * FROM dp_count((SELECT p.patient FROM clinical.patients AS p CROSS JOIN main.wards), epsilon => 0.1)

-- through an aggregate
SELECT * FROM dp_count((SELECT max(age) AS age FROM clinical.patients), epsilon => 0.1)

-- through an aggregate
SELECT * FROM dp_sum((SELECT ward, count(*) * 1.0 AS n FROM clinical.patients GROUP BY ward), value => 'n', epsilon => 0.1, low => 0, high => 1)

-- through DISTINCT
SELECT * FROM dp_count((SELECT DISTINCT ward FROM clinical.patients), epsilon => 0.1)

-- through LIMIT
SELECT * FROM dp_count((SELECT patient FROM clinical.patients LIMIT 1), epsilon => 0.1)

-- through LIMIT
SELECT * FROM dp_count((SELECT patient FROM clinical.patients ORDER BY age DESC LIMIT 1), epsilon => 0.1)

-- protected and is copied
COPY (SELECT estimate FROM dp_count((SELECT patient FROM clinical.patients), epsilon => 0.1)) TO 'out.csv'

-- through UNION
SELECT * FROM dp_count((SELECT patient FROM clinical.patients UNION ALL SELECT patient FROM clinical.patients), epsilon => 0.1)

-- through a window function
SELECT * FROM dp_count((SELECT row_number() OVER (ORDER BY age) AS n FROM clinical.patients), epsilon => 0.1)

-- through UNNEST
SELECT * FROM dp_count((SELECT unnest(make_array(patient, patient)) AS n FROM clinical.patients), epsilon => 0.1)

-- operator that is no privacy mechanism
SELECT * FROM dp_count((SELECT time FROM kaplan_meier((SELECT days AS time, died AS event FROM clinical.patients))), epsilon => 0.1)

-- a subquery
SELECT * FROM dp_count((SELECT patient FROM clinical.patients WHERE age > (SELECT avg(age) FROM clinical.patients)), epsilon => 0.1)

-- a subquery
SELECT * FROM dp_count((SELECT patient FROM clinical.patients WHERE patient IN (SELECT patient FROM clinical.patients WHERE age > 60)), epsilon => 0.1)

-- a subquery
SELECT * FROM dp_count((SELECT patient FROM clinical.patients AS p WHERE EXISTS (SELECT 1 FROM main.wards AS w WHERE w.ward = p.ward)), epsilon => 0.1)

-- of other than doubles
SELECT * FROM dp_count((SELECT patient FROM clinical.patients WHERE 1 / (age - 61) > 0), epsilon => 0.1)

-- of other than doubles
SELECT * FROM dp_count((SELECT patient FROM clinical.patients WHERE 10 % age = 1), epsilon => 0.1)

-- of other than doubles
SELECT * FROM dp_count((SELECT patient FROM clinical.patients WHERE age * 9223372036854775807 > 0), epsilon => 0.1)

-- CAST
SELECT * FROM dp_count((SELECT patient FROM clinical.patients WHERE CAST(ward AS BIGINT) > 0), epsilon => 0.1)

-- CAST
SELECT * FROM dp_count((SELECT CAST(days AS TINYINT) AS d FROM clinical.patients), epsilon => 0.1)

-- the function `random`
SELECT * FROM dp_count((SELECT patient FROM clinical.patients WHERE random() < 0.5), epsilon => 0.1)

-- the function
SELECT * FROM dp_count((SELECT patient FROM clinical.patients WHERE to_timestamp(ward) > now()), epsilon => 0.1)

-- the function `chr`
SELECT * FROM dp_count((SELECT chr(age) AS c FROM clinical.patients), epsilon => 0.1)

-- the function `repeat`
SELECT * FROM dp_count((SELECT repeat(ward, 1000000) AS long FROM clinical.patients), epsilon => 0.1)

-- LIKE with a pattern out of the table
SELECT * FROM dp_count((SELECT patient FROM clinical.patients WHERE 'ward 1' LIKE ward), epsilon => 0.1)

-- column `age`
SELECT r.estimate, p.age FROM dp_count((SELECT patient FROM clinical.patients), epsilon => 0.1) AS r, clinical.patients AS p

-- column `age`
SELECT estimate FROM dp_count((SELECT patient FROM clinical.patients), epsilon => 0.1) UNION ALL SELECT age * 1.0 FROM clinical.patients

-- column `age`
SELECT estimate FROM dp_count((SELECT patient FROM clinical.patients), epsilon => 0.1) WHERE estimate > (SELECT max(age) FROM clinical.patients)

-- privacy budget of `clinical.patients`
SELECT * FROM dp_count((SELECT patient FROM clinical.patients), epsilon => 1000)

-- no proof of privacy
SELECT * FROM dp_kaplan_meier((SELECT days AS time, died AS event FROM clinical.patients), epsilon => 0.0001, horizon => 1000, mechanism => 'published')

-- counts units by column `patient`
SELECT * FROM dp_count((SELECT age AS patient FROM clinical.patients), epsilon => 0.1, unit => 'patient')

-- of other than doubles
SELECT * FROM dp_count((SELECT patient + 0 AS patient FROM clinical.patients), epsilon => 0.1, unit => 'patient')

-- no privacy budget
SELECT * FROM dp_count((SELECT stay FROM clinical.stays), epsilon => 0.1)

-- there is no table
SELECT * FROM dp_count((SELECT patient FROM clinical.secret), epsilon => 0.1)
