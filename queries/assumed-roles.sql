-- name: assumed-roles
-- family: Access
-- question: Who assumed which role?
-- parameter: limit 100
-- reason: Shows how a caller got from one role to the next.
-- source: CloudTrail Lake, assumed roles; Tailpipe
SELECT user_type, who, assumed_role_arn, COUNT(*) AS n, COUNT(error) AS errors, MAX(at_time) AS last_seen
FROM (
    SELECT user_type, COALESCE(principal_arn, user_name) AS who,
        {j:request_parameters:roleArn} AS assumed_role_arn, error_code AS error, event_time AS at_time
    FROM events
    WHERE {filters}
        AND event_source = 'sts.amazonaws.com'
        AND event_name LIKE 'AssumeRole%'
) calls
GROUP BY user_type, who, assumed_role_arn
ORDER BY n DESC, user_type IS NULL, user_type, who IS NULL, who, assumed_role_arn IS NULL, assumed_role_arn
LIMIT {limit}
