-- What each incident did to its station: speed in the 15 minutes before it and while it lasted.
-- check: SELECT COUNT(*) = (SELECT COUNT(*) FROM traffic.incidents) FROM traffic.incident_effects
-- check warn: SELECT AVG(speed_during_mph) < AVG(speed_before_mph) FROM traffic.incident_effects
CREATE OR REPLACE TABLE traffic.incident_effects AS
SELECT
    i.incident_id,
    i.corridor,
    i.station,
    i.day,
    i.severity,
    i.end_minute - i.start_minute AS duration_minutes,
    AVG(CASE WHEN m.minute < i.start_minute THEN m.speed_mph END) AS speed_before_mph,
    AVG(CASE WHEN m.minute >= i.start_minute THEN m.speed_mph END) AS speed_during_mph,
    MAX(CASE WHEN m.minute >= i.start_minute THEN m.occupancy END) AS highest_occupancy,
    SUM(m.label) AS n_blocked_minutes
FROM traffic.incidents AS i
LEFT JOIN traffic.sensor_minutes AS m
    ON m.station = i.station AND m.day = i.day AND m.minute BETWEEN i.start_minute - 15 AND i.end_minute
GROUP BY i.incident_id, i.corridor, i.station, i.day, i.severity, i.start_minute, i.end_minute;
