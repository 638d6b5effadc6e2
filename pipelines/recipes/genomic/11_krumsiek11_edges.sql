-- Who regulates whom in the simulation.
-- check: SELECT COUNT(*) = 26 FROM genomic.krumsiek11_edges
-- check: SELECT COUNT(*) = 0 FROM genomic.krumsiek11_edges WHERE regulator = target
COPY INTO genomic.krumsiek11_edges FROM '../../../tests/data/genomic/krumsiek11_edges.csv'
WITH (contract => 'contracts/krumsiek11_edges.toml', mode => 'overwrite');
