-- name: calls
-- family: Overview
-- question: Which operations are called most?
-- parameter: limit 50
-- reason: With --event-source, the operations of one service, such as the top calls of KMS.
-- source: the tutorial; Tailpipe
SELECT event_source, event_name,
    SUM(events) AS n, SUM(failed) AS errors, COUNT(DISTINCT principal_arn) AS principals
FROM (
    SELECT event_source, event_name, principal_arn, COUNT(*) AS events, COUNT(error_code) AS failed
    FROM events
    WHERE {filters}
    GROUP BY event_source, event_name, principal_arn
) parts
GROUP BY event_source, event_name
ORDER BY n DESC, event_source IS NULL, event_source, event_name IS NULL, event_name
LIMIT {limit}
