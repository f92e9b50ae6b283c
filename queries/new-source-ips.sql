-- name: new-source-ips
-- family: New since a time
-- question: Which addresses were first seen since a time?
-- needs: since
-- parameter: limit 200
-- reason: A stolen key is used from another address.
-- source: Elastic, new terms rules; Tailpipe
SELECT source_ip AS address, MIN(first_time) AS first_seen, SUM(events) AS n,
    COUNT(DISTINCT principal_arn) AS principals
FROM (
    SELECT source_ip, principal_arn, COUNT(*) AS events, MIN(event_time) AS first_time
    FROM events
    WHERE {filters}
        AND source_ip IS NOT NULL
    GROUP BY source_ip, principal_arn
) parts
GROUP BY source_ip
HAVING MIN(first_time) >= {since}
ORDER BY first_seen, address
LIMIT {limit}
