-- name: by-key
-- family: Who did what
-- question: What was done with one access key?
-- needs: access-key-id
-- parameter: limit 1000
-- reason: The first question after a key was leaked.
-- source: CloudTrail Lake, access key activity; lookup-events, AccessKeyId
SELECT event_time, event_source, event_name, region, error_code, source_ip, user_name, event_id
FROM events
WHERE {filters}
ORDER BY event_time IS NULL, event_time, event_id IS NULL, event_id, event_name IS NULL, event_name
LIMIT {limit}
