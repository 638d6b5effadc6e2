-- Hours of each station. A minute is congested under 60 % of the station's free-flow speed.
-- check: SELECT COUNT(*) = 24 * 6 * 14 AND MIN(n_minutes) = 60 FROM traffic.hourly
-- check: SELECT (SELECT SUM(vehicles) FROM traffic.hourly) = (SELECT SUM(flow_veh_min) FROM traffic.sensor_minutes)
CREATE OR REPLACE TABLE traffic.hourly AS
SELECT
    m.station,
    s.corridor,
    m.day,
    m.minute / 60 AS hour,
    COUNT(*) AS n_minutes,
    SUM(m.flow_veh_min) AS vehicles,
    AVG(m.speed_mph) AS mean_speed_mph,
    AVG(m.occupancy) AS mean_occupancy,
    SUM(CASE WHEN m.speed_mph < 0.6 * s.free_flow_mph THEN 1 ELSE 0 END) AS n_congested_minutes
FROM traffic.sensor_minutes AS m
JOIN traffic.stations AS s ON s.station = m.station
GROUP BY m.station, s.corridor, m.day, m.minute / 60;
