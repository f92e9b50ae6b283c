-- name: denied
-- family: Errors
-- question: Who was denied what?
-- parameter: limit 100
-- reason: An intruder tries what a stolen key may do, and is often denied.
-- source: easttimor/aws-incident-response; CloudTrail Lake, denied activity
SELECT principal_arn, user_name, event_source, event_name,
    COUNT(*) AS n, MAX(event_time) AS last_seen
FROM events
WHERE {filters}
    AND error_code IN ('AccessDenied', 'AccessDeniedException', 'UnauthorizedOperation', 'Client.UnauthorizedOperation',
        'VpceAccessDenied', 'Client.InstanceOperationNotPermitted', 'AuthorizationError',
        'AuthorizationErrorException', 'Forbidden', 'ForbiddenException', 'UnauthorizedAccess',
        'UnauthorizedException')
GROUP BY principal_arn, user_name, event_source, event_name
ORDER BY n DESC, principal_arn IS NULL, principal_arn, user_name IS NULL, user_name, event_source IS NULL, event_source, event_name IS NULL, event_name
LIMIT {limit}
