-- name: security-groups
-- family: Exposure and defence
-- question: Which security groups were changed?
-- parameter: limit 500
-- reason: Shows which ports were opened, for how long, and by whom.
-- source: CloudTrail Lake, security group changes; CIS AWS Foundations Benchmark
SELECT event_time, user_name, event_name, region,
    COALESCE({j:request_parameters:groupId},
        {j:request_parameters:ModifySecurityGroupRulesRequest.GroupId}) AS group_id, source_ip, error_code
FROM events
WHERE {filters}
    AND event_source = 'ec2.amazonaws.com'
    AND event_name IN ('AuthorizeSecurityGroupIngress', 'AuthorizeSecurityGroupEgress',
        'RevokeSecurityGroupIngress', 'RevokeSecurityGroupEgress', 'ModifySecurityGroupRules',
        'CreateSecurityGroup', 'DeleteSecurityGroup')
ORDER BY event_time IS NULL, event_time DESC, event_id IS NULL, event_id, event_name IS NULL, event_name
LIMIT {limit}
