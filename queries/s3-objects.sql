-- name: s3-objects
-- family: Exposure and defence
-- question: Which S3 objects are used most, and how?
-- parameter: limit 50
-- reason: Shows what data was read or written; needs data events.
-- source: CloudTrail Lake, top S3 objects; Tailpipe
SELECT bucket, object_key, event_name, COUNT(*) AS n, COUNT(DISTINCT principal_arn) AS principals
FROM (
    SELECT {j:request_parameters:bucketName} AS bucket, {j:request_parameters:key} AS object_key, event_name,
        principal_arn
    FROM events
    WHERE {filters}
        AND event_source = 's3.amazonaws.com'
) calls
WHERE object_key IS NOT NULL
GROUP BY bucket, object_key, event_name
ORDER BY n DESC, bucket IS NULL, bucket, object_key, event_name IS NULL, event_name
LIMIT {limit}
