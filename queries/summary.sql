-- name: summary
-- family: Overview
-- question: How many events are there, from when, and by how many accounts, regions and principals?
-- reason: The first question to any set of logs: is all of it there?
-- source: Tailpipe, activity dashboard; README of the tutorial
SELECT COALESCE(SUM(events), 0) AS n,
    (
        SELECT COUNT(*)
        FROM (SELECT event_id FROM events WHERE {filters} AND event_id IS NOT NULL GROUP BY event_id) ids
    ) AS different_events,
    MIN(first_time) AS first_event, MAX(last_time) AS last_event,
    COUNT(DISTINCT account_id) AS accounts, COUNT(DISTINCT region) AS regions,
    COUNT(DISTINCT principal_arn) AS principals, COALESCE(SUM(failed), 0) AS errors
FROM (
    SELECT account_id, region, principal_arn, COUNT(*) AS events, COUNT(error_code) AS failed,
        MIN(event_time) AS first_time, MAX(event_time) AS last_time
    FROM events
    WHERE {filters}
    GROUP BY account_id, region, principal_arn
) parts
