-- name: endpoint-denied
-- family: Errors
-- question: What was denied at VPC endpoints?
-- parameter: limit 100
-- reason: Either the policy of an endpoint is wrong, or somebody copies data to another account.
-- source: CloudTrail Lake, network activity events
SELECT vpc_endpoint_id, vpc_endpoint_account_id, event_source, event_name, user_name,
    COUNT(*) AS n, MAX(event_time) AS last_seen
FROM events
WHERE {filters}
    AND error_code = 'VpceAccessDenied'
GROUP BY vpc_endpoint_id, vpc_endpoint_account_id, event_source, event_name, user_name
ORDER BY n DESC, vpc_endpoint_id IS NULL, vpc_endpoint_id, vpc_endpoint_account_id IS NULL, vpc_endpoint_account_id, event_source IS NULL, event_source, event_name IS NULL, event_name, user_name IS NULL, user_name
LIMIT {limit}
