-- name: new-user-agents
-- family: New since a time
-- question: Which tools were first seen since a time?
-- needs: since
-- parameter: limit 200
-- reason: A stolen key is used with another tool.
-- source: Elastic, new terms rules
SELECT user_agent AS agent, MIN(event_time) AS first_seen, COUNT(*) AS n,
    COUNT(DISTINCT principal_arn) AS principals
FROM events
WHERE {filters}
    AND user_agent IS NOT NULL
GROUP BY user_agent
HAVING MIN(event_time) >= {since}
ORDER BY first_seen, agent
LIMIT {limit}
