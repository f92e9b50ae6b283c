-- name: root
-- family: Access
-- question: What did the root user do?
-- parameter: limit 200
-- reason: The root user should not be used.
-- source: CIS AWS Foundations Benchmark; Sigma; Tailpipe
SELECT event_time, account_id, event_source, event_name, source_ip, user_agent, error_code
FROM events
WHERE {filters}
    AND user_type = 'Root'
    AND invoked_by IS NULL
    AND (event_type IS NULL OR event_type <> 'AwsServiceEvent')
ORDER BY event_time IS NULL, event_time DESC, event_id IS NULL, event_id, event_name IS NULL, event_name
LIMIT {limit}
