-- name: admin-grants
-- family: Identity and permissions
-- question: Who was granted the rights of an administrator?
-- parameter: limit 200
-- reason: With the rights of an administrator, an intruder may do everything else.
-- source: Tailpipe, 4 detections; CloudTrail Lake; Panther
SELECT event_time, user_name, event_name,
    COALESCE({j:request_parameters:userName}, {j:request_parameters:roleName},
        {j:request_parameters:groupName}) AS target,
    COALESCE({j:request_parameters:policyArn}, {j:request_parameters:policyName},
        {j:request_parameters:groupName}) AS granted, error_code
FROM events
WHERE {filters}
    AND (
        (event_name IN ('AttachUserPolicy', 'AttachRolePolicy', 'AttachGroupPolicy')
            AND {j:request_parameters:policyArn} LIKE '%/%Admin%')
        OR (event_name = 'AddUserToGroup' AND LOWER({j:request_parameters:groupName}) LIKE '%admin%')
        OR (event_name IN ('PutUserPolicy', 'PutRolePolicy', 'PutGroupPolicy', 'CreatePolicy', 'CreatePolicyVersion')
            AND (REPLACE(request_parameters, ' ', '') LIKE '%"Action":"*"%'
            OR REPLACE(request_parameters, ' ', '') LIKE '%Action_":_"*_"%'))
    )
ORDER BY event_time IS NULL, event_time DESC, event_id IS NULL, event_id, event_name IS NULL, event_name
LIMIT {limit}
