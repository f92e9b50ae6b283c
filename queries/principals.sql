-- name: principals
-- family: Overview
-- question: Who acts most? (without AWS services)
-- parameter: limit 50
-- reason: Shows the usual callers, and unusual ones among them.
-- source: Tailpipe, top actors
SELECT user_type, principal_arn,
    SUM(events) AS n, SUM(failed) AS errors, COUNT(DISTINCT source_ip) AS addresses,
    MIN(first_time) AS first_seen, MAX(last_time) AS last_seen
FROM (
    SELECT user_type, principal_arn, source_ip, COUNT(*) AS events, COUNT(error_code) AS failed,
        MIN(event_time) AS first_time, MAX(event_time) AS last_time
    FROM events
    WHERE {filters}
        AND (user_type IS NULL OR user_type <> 'AWSService')
        AND (principal_arn IS NULL OR principal_arn NOT LIKE '%:role/aws-service-role/%')
    GROUP BY user_type, principal_arn, source_ip
) parts
GROUP BY user_type, principal_arn
ORDER BY n DESC, user_type IS NULL, user_type, principal_arn IS NULL, principal_arn
LIMIT {limit}
