-- name: new-principals
-- family: New since a time
-- question: Which principals were first seen since a time?
-- needs: since
-- parameter: limit 200
-- reason: Roles and users that an intruder made.
-- source: Elastic, new terms rules; Tailpipe
SELECT principal_arn AS principal, MIN(event_time) AS first_seen, COUNT(*) AS n, COUNT(DISTINCT source_ip) AS addresses
FROM events
WHERE {filters}
    AND principal_arn IS NOT NULL
GROUP BY principal_arn
HAVING MIN(event_time) >= {since}
ORDER BY first_seen, principal
LIMIT {limit}
