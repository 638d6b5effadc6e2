-- Lifespans by genotype.
-- check: SELECT COUNT(*) = 163 AND COUNT(DISTINCT genotype) = 2 FROM genomic.fly_lifespan
COPY INTO genomic.fly_lifespan FROM '../../../tests/data/genomic/fly_lifespan.csv'
WITH (contract => 'contracts/fly_lifespan.toml', mode => 'overwrite');
