-- name: by-resource
-- family: Who did what
-- question: Who touched a resource? (its name or ARN in the request, the response or other fields)
-- needs: resource-name
-- parameter: limit 1000
-- reason: Finds who made, changed or deleted a bucket, an instance or a role.
-- source: the tutorial; lookup-events, ResourceName
SELECT event_time, event_source, event_name, user_name, source_ip, error_code, event_id
FROM events
WHERE {filters}
ORDER BY event_time IS NULL, event_time, event_id IS NULL, event_id, event_name IS NULL, event_name
LIMIT {limit}
