-- lifelines gives 122.25 for these rows.
-- check: SELECT COUNT(*) = 2 AND MAX(ABS(chi_square - 122.25)) < 0.01 FROM genomic.log_rank_by_genotype
CREATE OR REPLACE TABLE genomic.log_rank_by_genotype AS
SELECT * FROM log_rank((SELECT days, died, genotype FROM genomic.fly_lifespan),
                       time => 'days', event => 'died', by => 'genotype');
