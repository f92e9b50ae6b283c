//! Objects, tables, databases, queues, topics, images.

use super::{Failure, Row, call, read};

const S3_ERRORS: &[Failure] = &[
    ("AccessDenied", "Access Denied"),
    (
        "AccessDenied",
        "User: <arn> is not authorized to perform: s3:<event> on resource: \\\"arn:aws:s3:::<bucket>\\\" because no identity-based policy allows the s3:<event> action",
    ),
    ("NoSuchBucket", "The specified bucket does not exist"),
    ("NoSuchKey", "The specified key does not exist."),
    ("SlowDown", "Please reduce your request rate."),
];
const BUCKET_ERRORS: &[Failure] = &[
    ("NoSuchBucketPolicy", "The bucket policy does not exist"),
    ("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"),
    ("NoSuchCORSConfiguration", "The CORS configuration does not exist"),
    (
        "ServerSideEncryptionConfigurationNotFoundError",
        "The server side encryption configuration was not found",
    ),
    ("NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found"),
    (
        "ObjectLockConfigurationNotFoundError",
        "Object Lock configuration does not exist for this bucket",
    ),
    ("AccessDenied", "Access Denied"),
];
const DYNAMO_ERRORS: &[Failure] = &[
    ("ConditionalCheckFailedException", "The conditional request failed"),
    (
        "ProvisionedThroughputExceededException",
        "The level of configured provisioned throughput for the table was exceeded. Consider increasing your provisioning level with the UpdateTable API.",
    ),
    ("ResourceNotFoundException", "Requested resource not found: Table: <table> not found"),
];

const OBJECT: &str = r#"[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::<bucket>/<key>"},{"accountId":"<account>","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::<bucket>"}]"#;
const BUCKET: &str =
    r#"[{"accountId":"<account>","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::<bucket>"}]"#;
const TRANSFER: &str = r#"{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":0,"AuthenticationMethod":"AuthHeader","x-amz-id-2":"<host-id>=","bytesTransferredOut":<bytes>}"#;
const UPLOAD: &str = r#"{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":<bytes>,"SSEApplied":"SSE_KMS","AuthenticationMethod":"AuthHeader","x-amz-id-2":"<host-id>=","bytesTransferredOut":0}"#;
const S3_HOST: &str = "<bucket>.s3.<region>.amazonaws.com";
const TABLE: &str = r#"[{"accountId":"<account>","type":"AWS::DynamoDB::Table","ARN":"arn:aws:dynamodb:<region>:<account>:table/<table>"}]"#;
const DATABASE: &str = r#"{"dBInstanceIdentifier":"<database>"}"#;

const fn s3(row: Row) -> Row {
    row.request_id("<base16>")
        .host(S3_HOST)
        .additional(TRANSFER)
        .resources(BUCKET)
        .failures(S3_ERRORS)
}

const fn bucket(event: &'static str, weight: usize, params: &'static str) -> Row {
    s3(read("s3", event, weight)).params(params).failures(BUCKET_ERRORS)
}

const fn dynamo(row: Row) -> Row {
    row.data()
        .request_id("<base52>")
        .resources(TABLE)
        .api_version("2012-08-10")
        .failures(DYNAMO_ERRORS)
}

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    s3(read("s3", "GetObject", 600)).data().resources(OBJECT)
        .params(r#"{"bucketName":"<bucket>","Host":"<bucket>.s3.<region>.amazonaws.com","key":"<key>"}"#),
    s3(call("s3", "PutObject", 200)).data().resources(OBJECT).additional(UPLOAD)
        .params(r#"{"bucketName":"<bucket>","Host":"<bucket>.s3.<region>.amazonaws.com","key":"<key>","x-amz-server-side-encryption":"aws:kms"}"#)
        .response(r#"{"x-amz-server-side-encryption":"aws:kms","x-amz-server-side-encryption-aws-kms-key-id":"arn:aws:kms:<region>:<account>:key/<master-key>","x-amz-server-side-encryption-bucket-key-enabled":"true"}"#),
    s3(read("s3", "HeadObject", 140)).data().resources(OBJECT)
        .params(r#"{"bucketName":"<bucket>","Host":"<bucket>.s3.<region>.amazonaws.com","key":"<key>"}"#),
    s3(read("s3", "ListObjects", 80)).data()
        .params(r#"{"list-type":"2","bucketName":"<bucket>","encoding-type":"url","prefix":"<key>","delimiter":"/","Host":"<bucket>.s3.<region>.amazonaws.com"}"#),
    s3(call("s3", "DeleteObjects", 30)).data()
        .params(r#"{"bucketName":"<bucket>","Host":"<bucket>.s3.<region>.amazonaws.com","delete":"","x-id":"DeleteObjects"}"#)
        .resources(r#"[{"type":"AWS::S3::Object","ARNPrefix":"arn:aws:s3:::<bucket>/"},{"accountId":"<account>","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::<bucket>"}]"#),
    s3(read("s3", "GetObject", 20)).data().by(&["anonymous"])
        .additional(r#"{"CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":0,"x-amz-id-2":"<host-id>=","bytesTransferredOut":243}"#)
        .params(r#"{"bucketName":"<bucket>","Host":"<bucket>.s3.amazonaws.com","key":"<key>"}"#),
    s3(read("s3", "ListBuckets", 60)).host("s3.amazonaws.com").resources("")
        .params(r#"{"Host":"s3.amazonaws.com"}"#).failures(S3_ERRORS),
    bucket("GetBucketAcl", 140, r#"{"bucketName":"<bucket>","Host":"<bucket>.s3.<region>.amazonaws.com","acl":""}"#),
    bucket("GetBucketLocation", 60, r#"{"bucketName":"<bucket>","Host":"s3.<region>.amazonaws.com","location":""}"#),
    bucket("GetBucketPolicyStatus", 30, r#"{"bucketName":"<bucket>","Host":"<bucket>.s3.amazonaws.com","policyStatus":""}"#),
    bucket("GetBucketEncryption", 40, r#"{"bucketName":"<bucket>","Host":"<bucket>.s3.amazonaws.com","encryption":""}"#),
    bucket("GetBucketPublicAccessBlock", 40, r#"{"bucketName":"<bucket>","publicAccessBlock":"","Host":"<bucket>.s3.amazonaws.com"}"#),
    bucket("GetBucketLifecycle", 20, r#"{"lifecycle":"","bucketName":"<bucket>","Host":"<bucket>.s3.amazonaws.com"}"#),
    bucket("GetBucketCors", 15, r#"{"cors":"","bucketName":"<bucket>","Host":"<bucket>.s3.amazonaws.com"}"#),
    s3(call("s3", "PutBucketLifecycle", 4))
        .params(r#"{"lifecycle":"","bucketName":"<bucket>","Host":"<bucket>.s3.amazonaws.com","LifecycleConfiguration":{"xmlns":"http://s3.amazonaws.com/doc/2006-03-01/","Rule":[<<1-4 {"ID":"<text>","Status":"Enabled","Filter":{"Prefix":"<key>"},"Expiration":{"Days":<count>}}>>]}}"#),
    s3(call("s3", "CreateBucket", 2))
        .params(r#"{"CreateBucketConfiguration":{"LocationConstraint":"<region>","xmlns":"http://s3.amazonaws.com/doc/2006-03-01/"},"bucketName":"<bucket>","Host":"s3.<region>.amazonaws.com"}"#),

    dynamo(read("dynamodb", "GetItem", 160))
        .params(r#"{"tableName":"<table>","key":{"pk":"HIDDEN_DUE_TO_SECURITY_REASONS"},"consistentRead":false}"#),
    dynamo(call("dynamodb", "UpdateItem", 90))
        .params(r##"{"tableName":"<table>","key":{"pk":"HIDDEN_DUE_TO_SECURITY_REASONS"},"returnValues":"NONE","expressionAttributeNames":{"#v":"version/<text>"}}"##),
    dynamo(read("dynamodb", "Query", 80))
        .params(r##"{"tableName":"<table>","indexName":"by-time","keyConditionExpression":"#p = :p","scanIndexForward":false,"limit":<count>}"##),
    read("dynamodb", "DescribeTable", 120).request_id("<base52>").resources(TABLE).api_version("2012-08-10")
        .params(r#"{"tableName":"<table>"}"#).failures(DYNAMO_ERRORS),
    call("dynamodb", "UpdateTable", 12).request_id("<base52>").by(&["linked"]).resources(TABLE)
        .params(r#"{"tableName":"<table>","provisionedThroughput":{"readCapacityUnits":<count>,"writeCapacityUnits":<count>}}"#)
        .response(r#"{"tableDescription":{"attributeDefinitions":[{"attributeName":"pk","attributeType":"S"}],"tableName":"<table>","keySchema":[{"attributeName":"pk","keyType":"HASH"}],"tableStatus":"UPDATING","creationDateTime":"<spelled>","provisionedThroughput":{"lastIncreaseDateTime":"<spelled>","numberOfDecreasesToday":3,"readCapacityUnits":<count>,"writeCapacityUnits":<count>},"tableSizeBytes":<bytes>,"itemCount":<number>,"tableArn":"arn:aws:dynamodb:<region>:<account>:table/<table>","tableId":"<master-key>"}}"#),

    read("rds", "DescribeDBInstances", 110).params(DATABASE),
    read("rds", "DescribeDBClusters", 120),
    read("rds", "DescribeDBSnapshots", 30).params(r#"{"dBInstanceIdentifier":"<database>","snapshotType":"automated","maxRecords":100}"#),
    read("rds", "ListTagsForResource", 40).params(r#"{"resourceName":"arn:aws:rds:<region>:<account>:db:<database>"}"#),
    call("rds", "CreateDBSnapshot", 4).params(r#"{"dBSnapshotIdentifier":"<database>-<number>","dBInstanceIdentifier":"<database>"}"#)
        .response(r#"{"dBSnapshotIdentifier":"<database>-<number>","dBInstanceIdentifier":"<database>","engine":"postgres","allocatedStorage":<count>,"status":"creating","port":0,"availabilityZone":"<zone>","vpcId":"<vpc>","instanceCreateTime":"<spelled>","masterUsername":"app","engineVersion":"16.6","licenseModel":"postgresql-license","snapshotType":"manual","storageType":"gp3","encrypted":true,"kmsKeyId":"arn:aws:kms:<region>:<account>:key/<master-key>","dBSnapshotArn":"arn:aws:rds:<region>:<account>:snapshot:<database>","iAMDatabaseAuthenticationEnabled":false,"dbiResourceId":"db-<hex32>"}"#),

    read("sqs", "GetQueueAttributes", 70).params(r#"{"queueUrl":"https://sqs.<region>.amazonaws.com/<account>/<queue>","attributeNames":["All"]}"#),
    call("sqs", "SendMessage", 60).data().params(r#"{"queueUrl":"https://sqs.<region>.amazonaws.com/<account>/<queue>","messageBody":"HIDDEN_DUE_TO_SECURITY_REASONS","messageAttributes":"HIDDEN_DUE_TO_SECURITY_REASONS"}"#)
        .response(r#"{"mD5OfMessageBody":"<hex32>","messageId":"<uuid>"}"#)
        .resources(r#"[{"accountId":"<account>","type":"AWS::SQS::Queue","ARN":"arn:aws:sqs:<region>:<account>:<queue>"}]"#),
    read("sns", "ListSubscriptionsByTopic", 20).params(r#"{"topicArn":"arn:aws:sns:<region>:<account>:<topic>"}"#),
    call("sns", "Publish", 30).data().params(r#"{"topicArn":"arn:aws:sns:<region>:<account>:<topic>","message":"HIDDEN_DUE_TO_SECURITY_REASONS","subject":"<text>"}"#)
        .response(r#"{"messageId":"<uuid>"}"#),

    read("ecr", "GetAuthorizationToken", 140),
    read("ecr", "BatchGetImage", 60).params(r#"{"registryId":"<account>","repositoryName":"<repository>","imageIds":[{"imageDigest":"sha256:<digest>"}],"acceptedMediaTypes":["application/vnd.docker.distribution.manifest.v2+json","application/vnd.oci.image.index.v1+json"]}"#)
        .resources(r#"[{"accountId":"<account>","ARN":"arn:aws:ecr:<region>:<account>:repository/<repository>"}]"#),
    read("ecr", "GetDownloadUrlForLayer", 90).params(r#"{"registryId":"<account>","repositoryName":"<repository>","layerDigest":"sha256:<digest>"}"#)
        .resources(r#"[{"accountId":"<account>","ARN":"arn:aws:ecr:<region>:<account>:repository/<repository>"}]"#),
    call("ecr", "PutImage", 8).params(r#"{"registryId":"<account>","repositoryName":"<repository>","imageManifest":"{\n   \"schemaVersion\": 2,\n   \"mediaType\": \"application/vnd.docker.distribution.manifest.v2+json\",\n   \"config\": {\n      \"size\": <number>,\n      \"digest\": \"sha256:<digest>\"\n   },\n   \"layers\": [<<3-14 \n      {\n         \"size\": <number>,\n         \"digest\": \"sha256:<digest>\"\n      }>>\n   ]\n}","imageTag":"<hex16>"}"#)
        .response(r#"{"image":{"registryId":"<account>","repositoryName":"<repository>","imageId":{"imageDigest":"sha256:<digest>","imageTag":"<hex16>"}}}"#),
];
