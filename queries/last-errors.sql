-- name: last-errors
-- family: Errors
-- question: What failed last?
-- parameter: limit 200
-- reason: Shows what happened just before somebody reported a problem.
-- source: the tutorial, last 200 errors
SELECT event_time, event_source, event_name, region, error_code, error_message, user_name
FROM events
WHERE {filters}
    AND error_code IS NOT NULL
ORDER BY event_time IS NULL, event_time DESC, event_id IS NULL, event_id, event_name IS NULL, event_name
LIMIT {limit}
