-- name: passwords
-- family: Identity and permissions
-- question: Which console passwords and MFA devices were set, changed or removed?
-- parameter: limit 200
-- reason: With a password, a user that had none can sign in to the console.
-- source: Sigma, login profiles; Tailpipe
SELECT event_time, user_name, event_name, {j:request_parameters:userName} AS for_user, source_ip, error_code
FROM events
WHERE {filters}
    AND event_name IN ('CreateLoginProfile', 'UpdateLoginProfile', 'ChangePassword', 'PasswordRecoveryRequested',
        'PasswordRecoveryCompleted', 'PasswordUpdated', 'DeactivateMFADevice', 'DeleteVirtualMFADevice')
ORDER BY event_time IS NULL, event_time DESC, event_id IS NULL, event_id, event_name IS NULL, event_name
LIMIT {limit}
