-- Which stations are neighbours.
-- check: SELECT COUNT(*) = 25 FROM traffic.edges
COPY INTO traffic.edges FROM '../../../tests/data/traffic/edges.csv'
WITH (contract => 'contracts/edges.toml', mode => 'overwrite');
