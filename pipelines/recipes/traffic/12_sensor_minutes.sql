-- 120 960 minutes of 24 stations.
-- check: SELECT COUNT(*) = 24 * 6 * 840 FROM traffic.sensor_minutes
COPY INTO traffic.sensor_minutes FROM '../../../tests/data/traffic/sensor_minutes.csv.gz'
WITH (contract => 'contracts/sensor_minutes.toml', mode => 'overwrite');
