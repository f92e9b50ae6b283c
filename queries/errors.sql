-- name: errors
-- family: Errors
-- question: What fails most?
-- parameter: limit 50
-- reason: Broken jobs and missing permissions are at the top.
-- source: the tutorial; CloudTrail Lake, top errors; Tailpipe
SELECT error_code, event_source, event_name,
    SUM(events) AS n, COUNT(DISTINCT principal_arn) AS principals, MAX(last_time) AS last_seen
FROM (
    SELECT error_code, event_source, event_name, principal_arn, COUNT(*) AS events,
        MAX(event_time) AS last_time
    FROM events
    WHERE {filters}
        AND error_code IS NOT NULL
    GROUP BY error_code, event_source, event_name, principal_arn
) parts
GROUP BY error_code, event_source, event_name
ORDER BY n DESC, error_code IS NULL, error_code, event_source IS NULL, event_source, event_name IS NULL, event_name
LIMIT {limit}
