-- name: timeline
-- family: Overview
-- question: How many events and errors are there over time?
-- parameter: limit 10000
-- parameter: by hour
-- reason: A peak or a gap shows where to look. --by chooses hours, minutes or days.
-- source: the tutorial; Tailpipe, daily trends
SELECT period, COUNT(*) AS n, COUNT(error) AS errors
FROM (
    SELECT SUBSTR(CAST(event_time AS CHAR(19)), 1, {by}) AS period, error_code AS error
    FROM events
    WHERE {filters}
        AND event_time IS NOT NULL
) periods
GROUP BY period
ORDER BY period
LIMIT {limit}
