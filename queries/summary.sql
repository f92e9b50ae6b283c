-- name: summary
-- family: Overview
-- question: How many events are there, from when, and by how many accounts, regions and principals?
-- reason: The first question to any set of logs: is all of it there?
-- source: Tailpipe, activity dashboard; README of the tutorial
SELECT COUNT(*) AS n, COUNT(DISTINCT event_id) AS different_events,
    MIN(event_time) AS first_event, MAX(event_time) AS last_event,
    COUNT(DISTINCT account_id) AS accounts, COUNT(DISTINCT region) AS regions,
    COUNT(DISTINCT principal_arn) AS principals, COUNT(error_code) AS errors
FROM events
WHERE {filters}
