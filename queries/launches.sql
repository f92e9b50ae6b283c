-- name: launches
-- family: Instances
-- question: Which instances were launched, and by whom?
-- parameter: limit 500
-- reason: Intruders launch large instances to mine coins, often in regions that are not in use.
-- source: CloudTrail Lake, launched instances
SELECT event_time, user_name, region, {j:request_parameters:instanceType} AS instance_type, item AS instance_id,
    source_ip
FROM {each:response_elements:instancesSet.items:instanceId}
WHERE {filters}
    AND event_name = 'RunInstances'
ORDER BY event_time IS NULL, event_time DESC, event_id IS NULL, event_id, event_name IS NULL, event_name, item
LIMIT {limit}
