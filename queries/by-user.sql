-- name: by-user
-- family: Who did what
-- question: What did one user do?
-- needs: username
-- parameter: limit 1000
-- reason: The history of a person or role session, in order.
-- source: easttimor/aws-incident-response; lookup-events, Username
SELECT event_time, event_source, event_name, region, error_code, source_ip, user_agent, event_id
FROM events
WHERE {filters}
ORDER BY event_time IS NULL, event_time, event_id IS NULL, event_id, event_name IS NULL, event_name
LIMIT {limit}
