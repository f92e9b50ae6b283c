-- name: calls
-- family: Overview
-- question: Which operations are called most?
-- parameter: limit 50
-- reason: With --event-source, the operations of one service, such as the top calls of KMS.
-- source: the tutorial; Tailpipe
SELECT event_source, event_name,
    COUNT(*) AS n, COUNT(error_code) AS errors, COUNT(DISTINCT principal_arn) AS principals
FROM events
WHERE {filters}
GROUP BY event_source, event_name
ORDER BY n DESC, event_source IS NULL, event_source, event_name IS NULL, event_name
LIMIT {limit}
