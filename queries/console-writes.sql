-- name: console-writes
-- family: Who did what
-- question: What was changed by hand in the console?
-- parameter: limit 500
-- reason: Such changes are not in the code that describes the account.
-- source: CloudTrail Lake, write events from the console; Elastic
SELECT event_time, user_name, event_source, event_name, region, source_ip, error_code
FROM events
WHERE {filters}
    AND from_console = TRUE
    AND read_only = FALSE
ORDER BY event_time IS NULL, event_time DESC, event_id IS NULL, event_id, event_name IS NULL, event_name
LIMIT {limit}
