-- name: regions
-- family: Overview
-- question: Which regions are in use, by account?
-- parameter: limit 1000
-- reason: A region that is in use for the first time is a common sign of an intruder.
-- source: CloudTrail Lake, logs by region; Tailpipe
SELECT account_id, region,
    SUM(events) AS n, COUNT(DISTINCT event_source) AS services,
    MIN(first_time) AS first_seen, MAX(last_time) AS last_seen
FROM (
    SELECT account_id, region, event_source, COUNT(*) AS events,
        MIN(event_time) AS first_time, MAX(event_time) AS last_time
    FROM events
    WHERE {filters}
    GROUP BY account_id, region, event_source
) parts
GROUP BY account_id, region
ORDER BY n DESC, account_id IS NULL, account_id, region IS NULL, region
LIMIT {limit}
