-- name: accounts
-- family: Overview
-- question: How many events and errors has each account?
-- parameter: limit 1000
-- reason: Shows an account whose logs are missing.
-- source: Tailpipe; CloudTrail Lake, users by account
SELECT account_id,
    COUNT(*) AS n, COUNT(DISTINCT principal_arn) AS principals, COUNT(error_code) AS errors,
    MIN(event_time) AS first_seen, MAX(event_time) AS last_seen
FROM events
WHERE {filters}
GROUP BY account_id
ORDER BY n DESC, account_id IS NULL, account_id
LIMIT {limit}
