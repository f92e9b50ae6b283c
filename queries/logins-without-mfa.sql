-- name: logins-without-mfa
-- family: Access
-- question: Who signed in without MFA?
-- parameter: limit 200
-- reason: For these sign-ins a password alone was enough.
-- source: CIS AWS Foundations Benchmark; CloudTrail Lake; Panther
SELECT event_time, user_type, user_name, account_id, source_ip, user_agent
FROM events
WHERE {filters}
    AND event_name = 'ConsoleLogin'
    AND {j:response_elements:ConsoleLogin} = 'Success'
    AND {j:additional_event_data:MFAUsed} = 'No'
ORDER BY event_time IS NULL, event_time DESC, event_id IS NULL, event_id, event_name IS NULL, event_name
LIMIT {limit}
