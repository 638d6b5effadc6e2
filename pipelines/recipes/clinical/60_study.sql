-- A study with a known mean effect of 2.25: patients are encouraged by chance, a hidden cause moves treatment and
-- outcome, and the encouragement acts on the outcome by itself.
-- check: SELECT COUNT(*) = 5000 FROM clinical.study
CREATE OR REPLACE TABLE clinical.study AS SELECT * FROM simulate_iv(design => 'a', n_rows => 5000, seed => 1);
