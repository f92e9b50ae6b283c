-- name: hours
-- family: Overview
-- question: How many events and errors has each account and region in each hour?
-- parameter: limit 1000000
-- reason: Timelines, weekdays and missing hours come from it; `cloudtrail2sql report` reads it.
-- source: Tailpipe, daily trends
SELECT period, account_id, region,
    COUNT(*) AS n, COUNT(error) AS errors, MIN(moment) AS first_seen, MAX(moment) AS last_seen
FROM (
    SELECT SUBSTR(CAST(event_time AS CHAR(19)), 1, 13) AS period, event_time AS moment,
        account_id, region, error_code AS error
    FROM events
    WHERE {filters}
) hours
GROUP BY period, account_id, region
ORDER BY period IS NULL, period, account_id IS NULL, account_id, region IS NULL, region
LIMIT {limit}
