-- name: instances-by-user
-- family: Instances
-- question: Which instances did each user work with, one line for each instance?
-- parameter: limit 100000
-- reason: A flat table that other tools can join.
-- source: the Java tool of EMR audits
SELECT user_name, event_time, event_name, event_source, region, source_ip, item AS instance_id
FROM {each:request_parameters:instancesSet.items:instanceId}
WHERE {filters}
    AND event_source IN ('ec2.amazonaws.com', 'elasticmapreduce.amazonaws.com')
ORDER BY user_name IS NULL, user_name, event_time IS NULL, event_time, event_name IS NULL, event_name,
    event_id IS NULL, event_id, item
LIMIT {limit}
