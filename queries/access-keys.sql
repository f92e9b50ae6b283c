-- name: access-keys
-- family: Access
-- question: Which long-term access keys are in use, by whom and from where?
-- parameter: limit 100
-- reason: Long-term keys of users are what leaks most. Keys that are not in use can be deleted.
-- source: easttimor/aws-incident-response
SELECT access_key_id, user_name, principal_arn,
    SUM(events) AS n, COUNT(DISTINCT source_ip) AS addresses,
    COUNT(DISTINCT user_agent) AS agents, MIN(first_time) AS first_seen, MAX(last_time) AS last_seen
FROM (
    SELECT access_key_id, user_name, principal_arn, source_ip, user_agent, COUNT(*) AS events,
        MIN(event_time) AS first_time, MAX(event_time) AS last_time
    FROM events
    WHERE {filters}
        AND access_key_id LIKE 'AKIA%'
    GROUP BY access_key_id, user_name, principal_arn, source_ip, user_agent
) parts
GROUP BY access_key_id, user_name, principal_arn
ORDER BY n DESC, access_key_id IS NULL, access_key_id, user_name IS NULL, user_name, principal_arn IS NULL, principal_arn
LIMIT {limit}
