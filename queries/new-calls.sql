-- name: new-calls
-- family: New since a time
-- question: Which principals changed something in a way they never did before?
-- needs: since
-- parameter: limit 200
-- reason: Most principals change the same things again and again. Other changes are worth a look.
-- source: Elastic, new terms rules
SELECT principal_arn, event_source, event_name, MIN(event_time) AS first_seen, COUNT(*) AS n
FROM events
WHERE {filters}
    AND read_only = FALSE
    AND principal_arn IS NOT NULL
GROUP BY principal_arn, event_source, event_name
HAVING MIN(event_time) >= {since}
ORDER BY first_seen, principal_arn, event_source IS NULL, event_source, event_name IS NULL, event_name
LIMIT {limit}
