-- name: new-user-agents
-- family: New since a time
-- question: Which tools were first seen since a time?
-- needs: since
-- parameter: limit 200
-- reason: A stolen key is used with another tool.
-- source: Elastic, new terms rules
SELECT user_agent AS agent, MIN(first_time) AS first_seen, SUM(events) AS n,
    COUNT(DISTINCT principal_arn) AS principals
FROM (
    SELECT user_agent, principal_arn, COUNT(*) AS events, MIN(event_time) AS first_time
    FROM events
    WHERE {filters}
        AND user_agent IS NOT NULL
    GROUP BY user_agent, principal_arn
) parts
GROUP BY user_agent
HAVING MIN(first_time) >= {since}
ORDER BY first_seen, agent
LIMIT {limit}
