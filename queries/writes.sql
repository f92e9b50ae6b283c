-- name: writes
-- family: Who did what
-- question: What was changed, and by whom? (without AWS services)
-- parameter: limit 100
-- reason: Most events only read. These do not.
-- source: CloudTrail Lake, mutable actions; the default filter of the Event history
SELECT principal_arn, event_source, event_name,
    COUNT(*) AS n, COUNT(error_code) AS errors, MAX(event_time) AS last_seen
FROM events
WHERE {filters}
    AND read_only = FALSE
    AND (user_type IS NULL OR user_type <> 'AWSService')
GROUP BY principal_arn, event_source, event_name
ORDER BY n DESC, principal_arn IS NULL, principal_arn, event_source IS NULL, event_source, event_name IS NULL, event_name
LIMIT {limit}
