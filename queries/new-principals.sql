-- name: new-principals
-- family: New since a time
-- question: Which principals were first seen since a time?
-- needs: since
-- parameter: limit 200
-- reason: Finds roles and users that an intruder created.
-- source: Elastic, new terms rules; Tailpipe
SELECT principal_arn AS principal, MIN(first_time) AS first_seen, SUM(events) AS n,
    COUNT(DISTINCT source_ip) AS addresses
FROM (
    SELECT principal_arn, source_ip, COUNT(*) AS events, MIN(event_time) AS first_time
    FROM events
    WHERE {filters}
        AND principal_arn IS NOT NULL
    GROUP BY principal_arn, source_ip
) parts
GROUP BY principal_arn
HAVING MIN(first_time) >= {since}
ORDER BY first_seen, principal
LIMIT {limit}
