-- name: accounts
-- family: Overview
-- question: How many events and errors has each account?
-- parameter: limit 1000
-- reason: An account with few or no events may be one whose logs are missing.
-- source: Tailpipe; CloudTrail Lake, users by account
SELECT account_id,
    SUM(events) AS n, COUNT(DISTINCT principal_arn) AS principals, SUM(failed) AS errors,
    MIN(first_time) AS first_seen, MAX(last_time) AS last_seen
FROM (
    SELECT account_id, principal_arn, COUNT(*) AS events, COUNT(error_code) AS failed,
        MIN(event_time) AS first_time, MAX(event_time) AS last_time
    FROM events
    WHERE {filters}
    GROUP BY account_id, principal_arn
) parts
GROUP BY account_id
ORDER BY n DESC, account_id IS NULL, account_id
LIMIT {limit}
