-- The effect by a method that lets the instrument act on the outcome. Its interval holds the truth.
-- check: SELECT conf_low < 2.25 AND 2.25 < conf_high FROM clinical.study_effect WHERE term = 'ate'
CREATE OR REPLACE TABLE clinical.study_effect AS
SELECT * FROM iv_ate(
    clinical.study,
    outcome => 'outcome', treatment => 'treatment', instrument => 'instrument', covariates => ARRAY['x1', 'x2', 'x3']
);
