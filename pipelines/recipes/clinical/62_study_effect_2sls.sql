-- The same by two-stage least squares, which takes the instrument to be valid: three times too much.
-- check: SELECT conf_low > 2.25 FROM clinical.study_effect_2sls WHERE term = 'treatment'
CREATE OR REPLACE TABLE clinical.study_effect_2sls AS
SELECT * FROM iv_regression(
    clinical.study,
    outcome => 'outcome', treatment => 'treatment', instruments => 'instrument', covariates => ARRAY['x1', 'x2', 'x3']
);
