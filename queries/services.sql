-- name: services
-- family: Overview
-- question: Which services are called most?
-- parameter: limit 50
-- reason: Shows what the account does, and a service that nobody should use.
-- source: the tutorial; Tailpipe; CloudTrail Lake, logs by region
SELECT event_source, SUM(events) AS n, SUM(failed) AS errors, COUNT(DISTINCT principal_arn) AS principals
FROM (
    SELECT event_source, principal_arn, COUNT(*) AS events, COUNT(error_code) AS failed
    FROM events
    WHERE {filters}
    GROUP BY event_source, principal_arn
) parts
GROUP BY event_source
ORDER BY n DESC, event_source IS NULL, event_source
LIMIT {limit}
