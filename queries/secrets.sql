-- name: secrets
-- family: Exposure and defence
-- question: Who read secrets and parameters?
-- parameter: limit 100
-- reason: Secrets are passwords of databases and keys of other services.
-- source: Elastic, 5 rules; Stratus Red Team; Panther
SELECT user_name, principal_arn, event_name, COUNT(*) AS n, COUNT(DISTINCT secret) AS secrets,
    MAX(event_time) AS last_seen
FROM (
    SELECT user_name, principal_arn, event_name, event_time,
        COALESCE({j:request_parameters:secretId}, {j:request_parameters:name}) AS secret
    FROM events
    WHERE {filters}
        AND event_name IN ('GetSecretValue', 'BatchGetSecretValue', 'GetParameter', 'GetParameters',
            'GetParametersByPath', 'GetPasswordData')
) readings
GROUP BY user_name, principal_arn, event_name
ORDER BY n DESC, user_name IS NULL, user_name, principal_arn IS NULL, principal_arn, event_name
LIMIT {limit}
