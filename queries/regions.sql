-- name: regions
-- family: Overview
-- question: Which regions are in use, by account?
-- parameter: limit 1000
-- reason: A region that is in use for the first time is a common sign of an intruder.
-- source: CloudTrail Lake, logs by region; Tailpipe
SELECT account_id, region,
    COUNT(*) AS n, COUNT(DISTINCT event_source) AS services,
    MIN(event_time) AS first_seen, MAX(event_time) AS last_seen
FROM events
WHERE {filters}
GROUP BY account_id, region
ORDER BY n DESC, account_id IS NULL, account_id, region IS NULL, region
LIMIT {limit}
