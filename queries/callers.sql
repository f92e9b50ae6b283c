-- name: callers
-- family: Overview
-- question: Which principals call from which addresses with which tools?
-- parameter: limit 1000
-- reason: A known principal that uses another tool, or calls from another address, is worth a look.
-- source: easttimor/aws-incident-response
SELECT user_type, principal_arn, source_ip, user_agent,
    COUNT(*) AS n, COUNT(error_code) AS errors, MIN(event_time) AS first_seen, MAX(event_time) AS last_seen
FROM events
WHERE {filters}
GROUP BY user_type, principal_arn, source_ip, user_agent
ORDER BY n DESC, user_type IS NULL, user_type, principal_arn IS NULL, principal_arn,
    source_ip IS NULL, source_ip, user_agent IS NULL, user_agent
LIMIT {limit}
