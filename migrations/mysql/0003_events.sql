-- The view to ask questions of: the columns of `logs`, what `identities` knows of the caller, and the most
-- useful of the other fields. It has the same columns and answers on every database. No expression in it
-- fails for a value that a record may have.
SET NAMES utf8mb4;
CREATE SQL SECURITY INVOKER VIEW events AS
SELECT
    l.eventID AS event_id,
    l.eventAt AS event_time,
    l.eventSource AS event_source,
    l.eventName AS event_name,
    l.eventType AS event_type,
    JSON_VALUE(l.otherFields, '$.eventCategory' /*!80021 RETURNING CHAR(2048) */) AS event_category,
    CASE JSON_UNQUOTE(JSON_EXTRACT(l.otherFields, '$.readOnly')) WHEN 'true' THEN true WHEN 'false' THEN false END AS read_only,
    CASE JSON_UNQUOTE(JSON_EXTRACT(l.otherFields, '$.managementEvent')) WHEN 'true' THEN true WHEN 'false' THEN false END AS management_event,
    l.recipientAccountId AS account_id,
    l.awsRegion AS region,
    i.user_type,
    i.user_name,
    i.user_arn,
    i.user_id,
    i.user_account_id,
    i.access_key_id,
    i.role_name,
    i.role_arn,
    i.session_name,
    COALESCE(i.role_arn, i.user_arn) AS principal_arn,
    i.mfa,
    i.source_identity,
    i.invoked_by,
    l.sourceIPAddress AS source_ip,
    l.userAgent AS user_agent,
    l.errorCode AS error_code,
    l.errorMessage AS error_message,
    COALESCE(
        JSON_VALUE(l.otherFields, '$.resources[0].ARN' /*!80021 RETURNING CHAR(2048) */),
        JSON_VALUE(l.otherFields, '$.resources[0].arn' /*!80021 RETURNING CHAR(2048) */),
        JSON_VALUE(l.otherFields, '$.resources[0].ARNPrefix' /*!80021 RETURNING CHAR(2048) */)
    ) AS resource_arn,
    NULLIF(JSON_UNQUOTE(JSON_EXTRACT(l.otherFields, '$.resources')), 'null') AS resources,
    l.requestParameters AS request_parameters,
    l.responseElements AS response_elements,
    NULLIF(JSON_UNQUOTE(JSON_EXTRACT(l.otherFields, '$.additionalEventData')), 'null') AS additional_event_data,
    JSON_VALUE(l.otherFields, '$.tlsDetails.tlsVersion' /*!80021 RETURNING CHAR(2048) */) AS tls_version,
    COALESCE(JSON_UNQUOTE(JSON_EXTRACT(l.otherFields, '$.sessionCredentialFromConsole')) = 'true', false) AS from_console,
    JSON_VALUE(l.otherFields, '$.vpcEndpointId' /*!80021 RETURNING CHAR(2048) */) AS vpc_endpoint_id,
    JSON_VALUE(l.otherFields, '$.vpcEndpointAccountId' /*!80021 RETURNING CHAR(2048) */) AS vpc_endpoint_account_id,
    JSON_VALUE(l.otherFields, '$.sharedEventID' /*!80021 RETURNING CHAR(2048) */) AS shared_event_id,
    l.requestID AS request_id,
    l.userIdentity AS user_identity,
    l.otherFields AS other_fields,
    l.objectId AS object_id
FROM logs l LEFT JOIN identities i ON i.id = l.identityId;
