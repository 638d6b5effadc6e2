-- Where the sensors are.
-- check: SELECT COUNT(*) = 24 FROM traffic.stations
COPY INTO traffic.stations FROM '../../../tests/data/traffic/stations.csv'
WITH (contract => 'contracts/stations.toml', mode => 'overwrite');
