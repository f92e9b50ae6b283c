-- name: duplicates
-- family: Completeness
-- question: Which events are there more than once?
-- parameter: limit 100
-- reason: Two trails into one bucket deliver each event twice.
-- source: CloudTrail user guide, eventID
SELECT event_id, COUNT(*) AS n, MIN(event_name) AS call_name, MIN(event_time) AS first_seen
FROM events
WHERE {filters}
    AND event_id IS NOT NULL
GROUP BY event_id
HAVING COUNT(*) > 1
ORDER BY n DESC, event_id
LIMIT {limit}
