-- name: throttled
-- family: Errors
-- question: Who runs into rate limits?
-- parameter: limit 50
-- reason: One busy caller can throttle a whole account.
-- source: CloudTrail Lake, top IAM actions by principal
SELECT event_source, event_name, principal_arn,
    COUNT(*) AS n, MAX(event_time) AS last_seen
FROM events
WHERE {filters}
    AND (error_code LIKE '%Throttl%' OR error_code LIKE '%RequestLimitExceeded%'
        OR error_code LIKE '%TooManyRequests%' OR error_code = 'SlowDown')
GROUP BY event_source, event_name, principal_arn
ORDER BY n DESC, event_source IS NULL, event_source, event_name IS NULL, event_name, principal_arn IS NULL, principal_arn
LIMIT {limit}
