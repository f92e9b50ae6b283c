-- name: public-exposure
-- family: Exposure and defence
-- question: What was opened to the world?
-- parameter: limit 500
-- reason: Covers buckets, snapshots, images, security groups, functions and databases.
-- source: Tailpipe, 10 detections; CloudTrail Lake; Sigma; Elastic
SELECT event_time, user_name, event_source, event_name, {j:request_parameters:bucketName} AS bucket, source_ip, error_code
FROM events
WHERE {filters}
    AND (
        event_name IN ('DeleteBucketPublicAccessBlock', 'DeletePublicAccessBlock', 'DeleteAccountPublicAccessBlock')
        OR (event_name IN ('PutBucketPublicAccessBlock', 'PutPublicAccessBlock', 'PutAccountPublicAccessBlock')
            AND request_parameters LIKE '%false%')
        OR (event_name IN ('PutBucketPolicy', 'SetQueueAttributes', 'SetTopicAttributes', 'PutResourcePolicy',
                'PutRepositoryPolicy', 'SetRepositoryPolicy', 'PutKeyPolicy')
            AND (REPLACE(request_parameters, ' ', '') LIKE '%"Principal":"*"%'
            OR REPLACE(request_parameters, ' ', '') LIKE '%Principal_":_"*_"%'
            OR REPLACE(request_parameters, ' ', '') LIKE '%"AWS":"*"%'
            OR REPLACE(request_parameters, ' ', '') LIKE '%AWS_":_"*_"%'))
        OR (event_name LIKE 'AddPermission%' AND REPLACE(request_parameters, ' ', '') LIKE '%"principal":"*"%')
        OR (event_name IN ('PutBucketAcl', 'PutObjectAcl')
            AND (request_parameters LIKE '%AllUsers%' OR request_parameters LIKE '%AuthenticatedUsers%'
                OR request_parameters LIKE '%public-read%'))
        OR (event_name IN ('ModifySnapshotAttribute', 'ModifyImageAttribute', 'ModifyDBSnapshotAttribute',
                'ModifyDBClusterSnapshotAttribute')
            AND request_parameters LIKE '%"all"%')
        OR (event_name IN ('AuthorizeSecurityGroupIngress', 'ModifySecurityGroupRules', 'CreateNetworkAclEntry')
            AND (request_parameters LIKE '%0.0.0.0/0%' OR request_parameters LIKE '%::/0%'))
        OR (event_name IN ('CreateDBInstance', 'ModifyDBInstance', 'RestoreDBInstanceFromDBSnapshot')
            AND REPLACE(request_parameters, ' ', '') LIKE '%"publiclyAccessible":true%')
    )
ORDER BY event_time IS NULL, event_time DESC, event_id IS NULL, event_id, event_name IS NULL, event_name
LIMIT {limit}
