-- What happened on the road.
-- check: SELECT COUNT(*) = 0 FROM traffic.incidents WHERE end_minute <= start_minute
COPY INTO traffic.incidents FROM '../../../tests/data/traffic/incidents.csv'
WITH (contract => 'contracts/incidents.toml', mode => 'overwrite');
