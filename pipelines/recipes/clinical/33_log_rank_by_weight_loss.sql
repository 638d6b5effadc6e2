-- Does a loss of more than 10 pounds go with worse survival? Patients with nutrition on record only.
-- check: SELECT COUNT(*) = 2 AND MIN(p_value) BETWEEN 0 AND 1 FROM clinical.log_rank_by_weight_loss
CREATE OR REPLACE TABLE clinical.log_rank_by_weight_loss AS
SELECT *
FROM log_rank(
    (SELECT p.time, p.event, n.wt_loss > 10 AS heavy_loss
     FROM clinical.patients AS p
     JOIN clinical.lung_nutrition AS n ON n.patient_id = p.patient_id),
    by => 'heavy_loss');
