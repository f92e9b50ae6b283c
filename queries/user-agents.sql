-- name: user-agents
-- family: Overview
-- question: Which tools are used?
-- parameter: limit 50
-- reason: Many tools of attackers, and old SDKs, send their names.
-- source: easttimor/aws-incident-response; Sigma
SELECT user_agent,
    SUM(events) AS n, COUNT(DISTINCT principal_arn) AS principals,
    MIN(first_time) AS first_seen, MAX(last_time) AS last_seen
FROM (
    SELECT user_agent, principal_arn, COUNT(*) AS events,
        MIN(event_time) AS first_time, MAX(event_time) AS last_time
    FROM events
    WHERE {filters}
    GROUP BY user_agent, principal_arn
) parts
GROUP BY user_agent
ORDER BY n DESC, user_agent IS NULL, user_agent
LIMIT {limit}
