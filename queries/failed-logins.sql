-- name: failed-logins
-- family: Access
-- question: Which sign-ins failed, by user and address?
-- parameter: limit 100
-- reason: Many failures of one user or address are guessed passwords.
-- source: CIS AWS Foundations Benchmark; Tailpipe; Sigma
SELECT user_name, source_ip,
    COUNT(*) AS n, MIN(event_time) AS first_seen, MAX(event_time) AS last_seen
FROM events
WHERE {filters}
    AND event_name = 'ConsoleLogin'
    AND {j:response_elements:ConsoleLogin} = 'Failure'
GROUP BY user_name, source_ip
ORDER BY n DESC, user_name IS NULL, user_name, source_ip IS NULL, source_ip
LIMIT {limit}
