-- name: console-logins
-- family: Access
-- question: Who signed in to the console, with what result?
-- parameter: limit 200
-- reason: Look for sign-ins at night, from other countries, or without MFA.
-- source: CIS AWS Foundations Benchmark; Sigma; Elastic; Tailpipe
SELECT event_time, user_type, user_name, source_ip,
    {j:response_elements:ConsoleLogin} AS result,
    {j:additional_event_data:MFAUsed} AS mfa_used, error_message
FROM events
WHERE {filters}
    AND event_name = 'ConsoleLogin'
ORDER BY event_time IS NULL, event_time DESC, event_id IS NULL, event_id, event_name IS NULL, event_name
LIMIT {limit}
