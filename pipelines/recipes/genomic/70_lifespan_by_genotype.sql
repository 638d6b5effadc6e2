-- check: SELECT COUNT(DISTINCT genotype) = 2 FROM genomic.lifespan_by_genotype
CREATE OR REPLACE TABLE genomic.lifespan_by_genotype AS
SELECT * FROM kaplan_meier((SELECT days, died, genotype FROM genomic.fly_lifespan),
                           time => 'days', event => 'died', by => 'genotype');
