-- name: tampering
-- family: Exposure and defence
-- question: Which trails, detectors, recorders and alarms were stopped or changed?
-- parameter: limit 500
-- reason: Intruders stop the logging before they do anything else.
-- source: easttimor/aws-incident-response; Sigma; Elastic; Tailpipe
SELECT event_time, user_name, event_source, event_name, source_ip, error_code
FROM events
WHERE {filters}
    AND (
        (event_source = 'cloudtrail.amazonaws.com' AND event_name IN (
            'StopLogging', 'DeleteTrail', 'UpdateTrail', 'PutEventSelectors', 'PutInsightSelectors',
            'DeleteEventDataStore', 'StopEventDataStoreIngestion',
            'UpdateEventDataStore'))
        OR (event_source = 'guardduty.amazonaws.com' AND event_name IN (
            'DeleteDetector', 'UpdateDetector', 'DeleteMembers', 'DisassociateMembers',
            'StopMonitoringMembers', 'DisassociateFromMasterAccount',
            'DisassociateFromAdministratorAccount', 'CreateIPSet', 'UpdateIPSet',
            'CreateFilter'))
        OR (event_source = 'config.amazonaws.com' AND event_name IN (
            'StopConfigurationRecorder', 'DeleteConfigurationRecorder', 'DeleteDeliveryChannel',
            'PutDeliveryChannel', 'DeleteConfigRule', 'DeleteRemediationConfiguration'))
        OR (event_source = 'securityhub.amazonaws.com' AND event_name IN (
            'DisableSecurityHub', 'BatchDisableStandards', 'DisassociateFromMasterAccount',
            'DeleteMembers'))
        OR (event_source = 'logs.amazonaws.com' AND event_name IN (
            'DeleteLogGroup', 'DeleteLogStream', 'DeleteMetricFilter'))
        OR (event_source = 'monitoring.amazonaws.com' AND event_name IN (
            'DeleteAlarms', 'DisableAlarmActions'))
        OR event_name IN (
            'DeleteFlowLogs', 'DisableMacie', 'DeleteAnalyzer', 'LeaveOrganization',
            'RemoveAccountFromOrganization', 'DeleteBucketLifecycle',
            'ScheduleKeyDeletion', 'DisableKey')
    )
ORDER BY event_time IS NULL, event_time DESC, event_id IS NULL, event_id, event_name IS NULL, event_name
LIMIT {limit}
