-- name: source-ips
-- family: Overview
-- question: From which addresses do calls come? (without AWS services)
-- parameter: limit 50
-- reason: An address that only one principal uses, or many principals share, is worth a look.
-- source: Tailpipe, top addresses; easttimor/aws-incident-response
SELECT source_ip,
    SUM(events) AS n, COUNT(DISTINCT principal_arn) AS principals, SUM(failed) AS errors,
    MIN(first_time) AS first_seen, MAX(last_time) AS last_seen
FROM (
    SELECT source_ip, principal_arn, COUNT(*) AS events, COUNT(error_code) AS failed,
        MIN(event_time) AS first_time, MAX(event_time) AS last_time
    FROM events
    WHERE {filters}
        AND source_ip NOT LIKE '%.amazonaws.com'
        AND source_ip NOT LIKE 'AWS Internal%'
    GROUP BY source_ip, principal_arn
) parts
GROUP BY source_ip
ORDER BY n DESC, source_ip IS NULL, source_ip
LIMIT {limit}
