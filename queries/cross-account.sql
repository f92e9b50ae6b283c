-- name: cross-account
-- family: Access
-- question: Which principals of other accounts call, and what?
-- parameter: limit 100
-- reason: Finds trust in other accounts that was forgotten, or that an intruder set up.
-- source: CloudTrail Lake, cross-account access
SELECT user_account_id, account_id, principal_arn, event_source, event_name,
    COUNT(*) AS n, MAX(event_time) AS last_seen
FROM events
WHERE {filters}
    AND user_account_id <> account_id
GROUP BY user_account_id, account_id, principal_arn, event_source, event_name
ORDER BY n DESC, user_account_id IS NULL, user_account_id, account_id IS NULL, account_id, principal_arn IS NULL, principal_arn, event_source IS NULL, event_source, event_name IS NULL, event_name
LIMIT {limit}
