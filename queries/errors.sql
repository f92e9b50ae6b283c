-- name: errors
-- family: Errors
-- question: What fails most?
-- parameter: limit 50
-- reason: Broken jobs and missing permissions stand at the top.
-- source: the tutorial; CloudTrail Lake, top errors; Tailpipe
SELECT error_code, event_source, event_name,
    COUNT(*) AS n, COUNT(DISTINCT principal_arn) AS principals, MAX(event_time) AS last_seen
FROM events
WHERE {filters}
    AND error_code IS NOT NULL
GROUP BY error_code, event_source, event_name
ORDER BY n DESC, error_code IS NULL, error_code, event_source IS NULL, event_source, event_name IS NULL, event_name
LIMIT {limit}
