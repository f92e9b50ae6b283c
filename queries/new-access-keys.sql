-- name: new-access-keys
-- family: Identity and permissions
-- question: Which access keys were created, for whom and by whom?
-- parameter: limit 200
-- reason: Intruders create a second key for a user to keep their access.
-- source: Tailpipe; Sigma, backdoor users keys
SELECT event_time, user_name, {j:response_elements:accessKey.userName} AS for_user,
    {j:response_elements:accessKey.accessKeyId} AS new_key, source_ip, error_code
FROM events
WHERE {filters}
    AND event_name = 'CreateAccessKey'
ORDER BY event_time IS NULL, event_time DESC, event_id IS NULL, event_id, event_name IS NULL, event_name
LIMIT {limit}
