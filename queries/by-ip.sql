-- name: by-ip
-- family: Who did what
-- question: What came from one address?
-- needs: source-ip
-- parameter: limit 1000
-- reason: Finds other principals that the same intruder uses.
-- source: CloudTrail Lake, activity by address; easttimor/aws-incident-response
SELECT event_time, event_source, event_name, user_name, principal_arn, region, error_code, event_id
FROM events
WHERE {filters}
ORDER BY event_time IS NULL, event_time, event_id IS NULL, event_id, event_name IS NULL, event_name
LIMIT {limit}
