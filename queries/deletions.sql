-- name: deletions
-- family: Who did what
-- question: What was deleted, and by whom? (without AWS services)
-- parameter: limit 500
-- reason: Finds damage, and evidence that was removed.
-- source: Tailpipe, 20 detections; CloudTrail Lake
SELECT event_time, user_name, event_source, event_name, resource_arn, source_ip, error_code
FROM events
WHERE {filters}
    AND (event_name LIKE 'Delete%' OR event_name LIKE 'Terminate%' OR event_name LIKE 'Deregister%'
        OR event_name = 'ScheduleKeyDeletion')
    AND (user_type IS NULL OR user_type <> 'AWSService')
ORDER BY event_time IS NULL, event_time DESC, event_id IS NULL, event_id, event_name IS NULL, event_name
LIMIT {limit}
