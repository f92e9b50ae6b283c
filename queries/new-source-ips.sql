-- name: new-source-ips
-- family: New since a time
-- question: Which addresses were first seen since a time?
-- needs: since
-- parameter: limit 200
-- reason: A stolen key is used from another address.
-- source: Elastic, new terms rules; Tailpipe
SELECT source_ip AS address, MIN(event_time) AS first_seen, COUNT(*) AS n,
    COUNT(DISTINCT principal_arn) AS principals
FROM events
WHERE {filters}
    AND source_ip IS NOT NULL
GROUP BY source_ip
HAVING MIN(event_time) >= {since}
ORDER BY first_seen, address
LIMIT {limit}
