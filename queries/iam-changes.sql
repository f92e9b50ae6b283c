-- name: iam-changes
-- family: Identity and permissions
-- question: What was changed in IAM?
-- parameter: limit 500
-- reason: Users, roles, policies and keys decide who may do everything else.
-- source: easttimor/aws-incident-response; CIS AWS Foundations Benchmark
SELECT event_time, user_name, event_name,
    {j:request_parameters:userName} AS target_user, {j:request_parameters:roleName} AS target_role,
    {j:request_parameters:policyArn} AS policy_arn, source_ip, error_code
FROM events
WHERE {filters}
    AND event_source = 'iam.amazonaws.com'
    AND event_name NOT LIKE 'Get%' AND event_name NOT LIKE 'List%'
    AND event_name NOT LIKE 'Generate%' AND event_name NOT LIKE 'Simulate%'
ORDER BY event_time IS NULL, event_time DESC, event_id IS NULL, event_id, event_name IS NULL, event_name
LIMIT {limit}
