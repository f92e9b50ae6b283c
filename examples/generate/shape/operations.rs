//! Metrics, logs, Systems Manager, stacks, Config, CloudTrail, billing and the rest.

use super::{Category, Row, call, read};

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    call("logs", "CreateLogStream", 240).api_version("20140328").params(r#"{"logGroupName":"/aws/lambda/<log-group>","logStreamName":"<day>/[$LATEST]<hex32>"}"#),
    read("logs", "DescribeLogStreams", 60).api_version("20140328").params(r#"{"logGroupName":"/ecs/<log-group>","logStreamNamePrefix":"ecs/<service>/","orderBy":"LogStreamName"}"#),
    read("logs", "DescribeLogGroups", 70).api_version("20140328").params(r#"{"logGroupNamePrefix":"/aws/lambda/<log-group>","limit":50}"#),
    call("logs", "CreateLogGroup", 20).api_version("20140328").params(r#"{"logGroupName":"/aws/lambda/<log-group>"}"#),
    read("logs", "FilterLogEvents", 20).data().params(r#"{"logGroupName":"/ecs/<log-group>","startTime":<millis>,"filterPattern":"?ERROR ?\"out of memory\" ?\u00c9chec","interleaved":true}"#),
    call("logs", "StartQuery", 6).params(r#"{"logGroupNames":["/ecs/<log-group>"],"startTime":<millis>,"endTime":<millis>,"queryString":"fields @timestamp, @message\n| filter @message like /(?i)timeout|d\u00e9lai/\n| stats count(*) by bin(5m)\n| limit <count>"}"#)
        .response(r#"{"queryId":"<uuid>"}"#),

    read("monitoring", "DescribeAlarms", 130).params(r#"{"alarmNames":[<<1-3 "<alarm>">>],"maxRecords":100}"#),
    read("monitoring", "ListMetrics", 40).params(r#"{"namespace":"AWS/EC2","metricName":"CPUUtilization"}"#),
    read("monitoring", "GetMetricData", 40).data().params(r#"{"metricDataQueries":[<<1-4 {"id":"m<small>","metricStat":{"metric":{"namespace":"AWS/ApplicationELB","metricName":"TargetResponseTime","dimensions":[{"name":"LoadBalancer","value":"app/<balancer>/<balancer.id>"}]},"period":60,"stat":"p99"},"returnData":true}>>],"startTime":"<spelled>","endTime":"<spelled>"}"#),
    call("monitoring", "PutMetricAlarm", 10).params(r#"{"alarmName":"<alarm>","alarmDescription":"<text>","actionsEnabled":true,"alarmActions":["arn:aws:sns:<region>:<account>:<topic>"],"metricName":"CPUUtilization","namespace":"AWS/EC2","statistic":"Average","dimensions":[{"name":"AutoScalingGroupName","value":"<scaling-group>"}],"period":300,"evaluationPeriods":3,"threshold":80.5,"comparisonOperator":"GreaterThanThreshold"}"#),

    call("ssm", "UpdateInstanceInformation", 100).by(&["instance"]).params(r#"{"instanceId":"<my-instance>","agentVersion":"3.3.1957.0","agentStatus":"Active","platformType":"Linux","platformName":"Amazon Linux","platformVersion":"2023","iPAddress":"<my-private-ip>","computerName":"ip-10-0-14-7.<region>.compute.internal","agentName":"amazon-ssm-agent","availabilityZone":"<zone>","sSMConnectionChannel":"ssmmessages"}"#),
    read("ssm", "GetParameter", 150).params(r#"{"name":"/<parameter>","withDecryption":true}"#)
        .resources(r#"[{"accountId":"<account>","ARN":"arn:aws:ssm:<region>:<account>:parameter/<parameter>"}]"#),
    read("ssm", "GetParametersByPath", 90).params(r#"{"path":"/<parameter>/","recursive":true,"withDecryption":true,"maxResults":10}"#),
    read("ssm", "DescribeInstanceInformation", 40).params(r#"{"filters":[{"key":"InstanceIds","values":[<<1-4 "<instance>">>]}]}"#),
    call("ssm", "PutParameter", 12).params(r#"{"name":"/<parameter>","description":"<text>","value":"HIDDEN_DUE_TO_SECURITY_REASONS","type":"SecureString","overwrite":true,"tier":"Standard"}"#)
        .response(r#"{"version":<count>,"tier":"Standard"}"#),
    call("ssm", "SendCommand", 8).params(r#"{"instanceIds":[<<1-12 "<instance>">>],"documentName":"AWS-RunShellScript","comment":"<text>","parameters":"HIDDEN_DUE_TO_SECURITY_REASONS","timeoutSeconds":600,"interactive":false}"#)
        .response(r#"{"command":{"commandId":"<uuid>","documentName":"AWS-RunShellScript","documentVersion":"$DEFAULT","comment":"<text>","expiresAfter":"<spelled>","parameters":"HIDDEN_DUE_TO_SECURITY_REASONS","instanceIds":[<<1-10 "<instance>">>],"targets":[],"requestedDateTime":"<spelled>","status":"Pending","statusDetails":"Pending","maxConcurrency":"50","maxErrors":"0","targetCount":1,"completedCount":0,"errorCount":0,"deliveryTimedOutCount":0,"serviceRole":"","notificationConfig":{"notificationArn":"","notificationEvents":[],"notificationType":""},"cloudWatchOutputConfig":{"cloudWatchLogGroupName":"","cloudWatchOutputEnabled":false},"timeoutSeconds":600}}"#),
    call("ssmmessages", "OpenControlChannel", 30).by(&["instance"]).params(r#"{"instanceId":"<my-instance>","messageSchemaVersion":"1.0","requestId":"<uuid>"}"#)
        .response(r#"{"tokenValue":"Value hidden due to security reasons.","streamUrl":"wss://ssmmessages.<region>.amazonaws.com/v1/control-channel/<my-instance>?role=subscribe"}"#),

    read("cloudformation", "DescribeStacks", 130).params(r#"{"stackName":"arn:aws:cloudformation:<region>:<account>:stack/<stack>/<stack.id>"}"#),
    read("cloudformation", "DescribeStackEvents", 50).params(r#"{"stackName":"<stack>"}"#),
    read("cloudformation", "DescribeStackResources", 30).params(r#"{"stackName":"<stack>"}"#),
    read("cloudformation", "ListStacks", 20).params(r#"{"stackStatusFilter":["CREATE_COMPLETE","UPDATE_COMPLETE","UPDATE_ROLLBACK_COMPLETE"]}"#),
    call("cloudformation", "CreateChangeSet", 6).params(r#"{"stackName":"<stack>","templateURL":"https://<bucket>.s3.<region>.amazonaws.com/<key>","parameters":[<<2-12 {"parameterKey":"P<small>","parameterValue":"HIDDEN_DUE_TO_SECURITY_REASONS"}>>],"capabilities":["CAPABILITY_NAMED_IAM"],"tags":[<<1-4 {"key":"<tag-key>","value":"<text>"}>>],"changeSetName":"cdk-deploy-change-set","clientToken":"<uuid>"}"#)
        .response(r#"{"id":"arn:aws:cloudformation:<region>:<account>:changeSet/cdk-deploy-change-set/<uuid>","stackId":"arn:aws:cloudformation:<region>:<account>:stack/<stack>/<stack.id>"}"#),

    call("config", "PutEvaluations", 24).by(&["function", "linked"]).params(r#"{"evaluations":[<<1-6 {"complianceResourceType":"AWS::EC2::Instance","complianceResourceId":"<instance>","complianceType":"NON_COMPLIANT","annotation":"<text>","orderingTimestamp":"<spelled>"}>>],"resultToken":"<cookie>","testMode":false}"#)
        .response(r#"{"failedEvaluations":[]}"#),
    read("config", "DescribeConfigRules", 30).params(r#"{"configRuleNames":["<rule>"]}"#),
    read("config", "GetComplianceDetailsByConfigRule", 30).params(r#"{"configRuleName":"<rule>","complianceTypes":["NON_COMPLIANT"],"limit":100}"#),
    read("config", "BatchGetResourceConfig", 14).params(r#"{"resourceKeys":[<<1-8 {"resourceType":"AWS::EC2::Volume","resourceId":"<volume>"}>>]}"#),

    read("cloudtrail", "LookupEvents", 24).params(r#"{"lookupAttributes":[{"attributeKey":"EventName","attributeValue":"ConsoleLogin"}],"startTime":"<spelled>","maxResults":50}"#),
    read("cloudtrail", "DescribeTrails", 70).params(r#"{"trailNameList":[],"includeShadowTrails":true}"#),
    read("cloudtrail", "GetTrailStatus", 70).params(r#"{"name":"arn:aws:cloudtrail:<region>:<account>:trail/management-events"}"#),
    read("health", "DescribeEventAggregates", 26).by(&["console", "user-with-mfa"]).params(r#"{"aggregateField":"eventTypeCategory","filter":{"eventStatusCodes":["open","upcoming"],"startTimes":[{"from":"<spelled>"}]}}"#),
    read("ce", "GetCostAndUsage", 10).params(r#"{"TimePeriod":{"Start":"2026-01-01","End":"<day>"},"Granularity":"DAILY","Metrics":["UnblendedCost"],"GroupBy":[{"Type":"DIMENSION","Key":"SERVICE"}]}"#),
    read("tagging", "GetResources", 30).params(r#"{"resourcesPerPage":100,"tagFilters":[{"key":"<tag-key>","values":["<text>"]}],"resourceTypeFilters":["ec2:instance","rds:db"]}"#),
    read("notifications", "ListNotificationHubs", 10).by(&["console"]),
    read("servicequotas", "GetServiceQuota", 8).params(r#"{"serviceCode":"ec2","quotaCode":"L-1216C47A"}"#),
    read("route53", "ListResourceRecordSets", 20).api_version("2013-04-01").host("route53.amazonaws.com").params(r#"{"hostedZoneId":"Z<base16>","maxItems":"300"}"#),
    call("route53", "ChangeResourceRecordSets", 8).api_version("2013-04-01").host("route53.amazonaws.com")
        .params(r#"{"hostedZoneId":"Z<base16>","changeBatch":{"comment":"<text>","changes":[<<1-5 {"action":"UPSERT","resourceRecordSet":{"name":"<service>.example.com","type":"CNAME","tTL":60,"resourceRecords":[{"value":"<balancer>.<region>.elb.amazonaws.com"}]}}>>]}}"#)
        .response(r#"{"changeInfo":{"id":"/change/C<base16>","status":"PENDING","submittedAt":"<spelled>"}}"#),
    call("events", "PutTargets", 6).params(r#"{"rule":"<rule>","targets":[<<1-4 {"id":"T<small>","arn":"arn:aws:lambda:<region>:<account>:function:<function>","input":"{\"path\":\"\\/r\u00e9sum\u00e9\",\"name\":\"<text>\"}"}>>]}"#)
        .response(r#"{"failedEntryCount":0,"failedEntries":[]}"#),
    call("states", "StartExecution", 24).params(r#"{"stateMachineArn":"arn:aws:states:<region>:<account>:stateMachine:<service>","name":"<uuid>","input":"HIDDEN_DUE_TO_SECURITY_REASONS"}"#)
        .response(r#"{"executionArn":"arn:aws:states:<region>:<account>:execution:<service>:<uuid>","startDate":"<spelled>"}"#),
    call("bedrock", "InvokeModel", 20).params(r#"{"modelId":"anthropic.claude-3-haiku-20240307-v1:0"}"#)
        .additional(r#"{"inputTokens":<small>,"outputTokens":<small>}"#),
    read("glue", "GetTable", 60).params(r#"{"databaseName":"analytics","name":"<table>"}"#),
    read("glue", "GetPartitions", 30).params(r#"{"databaseName":"analytics","tableName":"<table>","expression":"dt \u003e\u003d '<day>' AND team \u003d '<text>'","segment":{"segmentNumber":0,"totalSegments":5}}"#),
    call("athena", "StartQueryExecution", 10).params(r#"{"queryString":"HIDDEN_DUE_TO_SECURITY_REASONS","clientRequestToken":"<uuid>","queryExecutionContext":{"database":"analytics"},"workGroup":"primary"}"#)
        .response(r#"{"queryExecutionId":"<uuid>"}"#),
    call("acm", "RenewCertificate", 2).category(Category::Service).by(&["service-event"]).request_id("").failures(&[])
        .resources(r#"[{"accountId":"<account>","ARN":"arn:aws:acm:<region>:<account>:certificate/<master-key>"}]"#),
    call("autoscaling", "TerminateInstanceInAutoScalingGroup", 3).category(Category::Service).by(&["service-event"]).failures(&[])
        .details(r#"{"instanceId":"<instance>","autoScalingGroupName":"<scaling-group>","cause":"At <now> an instance was taken out of service in response to a user health-check."}"#),
];
