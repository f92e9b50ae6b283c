//! EC2, Auto Scaling, load balancers, Lambda, ECS, EKS.

use super::{Category, Failure, Row, call, read};

const EC2_ERRORS: &[Failure] = &[
    (
        "Client.UnauthorizedOperation",
        "You are not authorized to perform this operation. User: <arn> is not authorized to perform: ec2:<event> on resource: arn:aws:ec2:<region>:<account>:instance/* because no identity-based policy allows the ec2:<event> action. Encoded authorization failure message: <long-token>",
    ),
    ("Client.UnauthorizedOperation", "You are not authorized to perform this operation."),
    ("Client.RequestLimitExceeded", "Request limit exceeded."),
    ("Client.RequestLimitExceeded", "Request limit exceeded."),
    ("Client.DryRunOperation", "Request would have succeeded, but DryRun flag is set."),
    ("Client.InvalidInstanceID.NotFound", "The instance ID '<instance>' does not exist"),
    ("Client.InvalidGroup.NotFound", "The security group '<group>' does not exist"),
    (
        "Server.InsufficientInstanceCapacity",
        "We currently do not have sufficient <instance-type> capacity in the Availability Zone you requested (<zone>). Our system will be working on provisioning additional capacity.",
    ),
];

const fn ec2(event: &'static str, weight: usize, params: &'static str) -> Row {
    read("ec2", event, weight).params(params).failures(EC2_ERRORS)
}

const fn ec2_write(event: &'static str, weight: usize, params: &'static str) -> Row {
    call("ec2", event, weight).params(params).failures(EC2_ERRORS)
}

const DONE: &str = r#"{"requestId":"<request>","_return":true}"#;

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    ec2("DescribeInstances", 250, r#"{"instancesSet":{},"filterSet":{"items":[{"name":"instance-state-name","valueSet":{"items":[{"value":"running"},{"value":"pending"}]}}]}}"#),
    ec2("DescribeInstances", 120, r#"{"instancesSet":{"items":[<<1-8 {"instanceId":"<instance>"}>>]},"filterSet":{}}"#),
    ec2("DescribeInstanceStatus", 120, r#"{"instancesSet":{"items":[<<1-3 {"instanceId":"<instance>"}>>]},"filterSet":{},"includeAllInstances":true}"#),
    ec2("DescribeNetworkInterfaces", 150, r#"{"networkInterfaceIdSet":{"items":[<<1-4 {"networkInterfaceId":"<interface>"}>>]},"filterSet":{}}"#),
    ec2("DescribeSecurityGroups", 110, r#"{"maxResults":1000,"securityGroupSet":{},"securityGroupIdSet":{"items":[<<1-5 {"groupId":"<group>"}>>]},"filterSet":{}}"#),
    ec2("DescribeRouteTables", 60, r#"{"routeTableIdSet":{"items":[{"routeTableId":"<route-table>"}]},"filterSet":{}}"#),
    ec2("DescribeVolumes", 110, r#"{"maxResults":500,"volumeSet":{},"filterSet":{"items":[{"name":"attachment.instance-id","valueSet":{"items":[<<1-4 {"value":"<instance>"}>>]}}]}}"#),
    ec2("DescribeSubnets", 80, r#"{"subnetSet":{},"filterSet":{"items":[{"name":"vpc-id","valueSet":{"items":[{"value":"<vpc>"}]}}]}}"#),
    ec2("DescribeVpcs", 60, r#"{"vpcSet":{"items":[{"vpcId":"<vpc>"}]},"filterSet":{}}"#),
    ec2("DescribeSnapshots", 50, r#"{"maxResults":1000,"snapshotSet":{},"ownersSet":{"items":[{"owner":"self"}]},"sharedUsersSet":{},"filterSet":{}}"#),
    ec2("DescribeImages", 40, r#"{"executableBySet":{},"imagesSet":{"items":[{"imageId":"<image>"}]},"ownersSet":{},"filterSet":{}}"#),
    ec2("DescribeTags", 70, r#"{"maxResults":1000,"filterSet":{"items":[{"name":"resource-id","valueSet":{"items":[{"value":"<instance>"}]}}]}}"#),
    ec2("DescribeAvailabilityZones", 90, r#"{"availabilityZoneSet":{},"availabilityZoneIdSet":{}}"#),
    ec2("DescribeAccountAttributes", 50, r#"{"accountAttributeNameSet":{"items":[{"attributeName":"supported-platforms"}]},"filterSet":{}}"#),
    ec2("DescribeVpcEndpoints", 20, r#"{"DescribeVpcEndpointsRequest":{"VpcEndpointId":{"tag":1,"content":"<endpoint>"}}}"#),
    ec2("DescribeRegions", 110, r#"{"regionSet":{},"allRegions":false}"#),
    ec2("GetPasswordData", 3, r#"{"instanceId":"<instance>"}"#),
    ec2_write("RunInstances", 9, r#"{"instancesSet":{"items":[{"imageId":"<image>","minCount":1,"maxCount":4,"keyName":"<user>"}]},"userData":"HIDDEN_DUE_TO_SECURITY_REASONS","instanceType":"<instance-type>","blockDeviceMapping":{"items":[{"deviceName":"/dev/xvda","ebs":{"volumeSize":<count>,"deleteOnTermination":true,"volumeType":"gp3","encrypted":true}}]},"monitoring":{"enabled":false},"disableApiTermination":false,"disableApiStop":false,"clientToken":"<uuid>","networkInterfaceSet":{"items":[{"deviceIndex":0,"subnetId":"<subnet>","groupSet":{"items":[{"groupId":"<group>"},{"groupId":"<group:1>"}]}}]},"iamInstanceProfile":{"name":"<role>"},"ebsOptimized":true,"tagSpecificationSet":{"items":[{"resourceType":"instance","tags":[<<2-6 {"key":"<tag-key>","value":"<text>"}>>]}]},"metadataOptions":{"httpTokens":"required"}}"#)
        .response(r#"{"requestId":"<request>","reservationId":"r-0<hex16>","ownerId":"<account>","groupSet":{},"instancesSet":{"items":[<<1-4 {"instanceId":"<instance>","imageId":"<image>","currentInstanceBootMode":"uefi","instanceState":{"code":0,"name":"pending"},"privateDnsName":"<private-dns>","amiLaunchIndex":0,"productCodes":{},"instanceType":"<instance-type>","launchTime":<millis>,"placement":{"availabilityZone":"<zone>","tenancy":"default"},"monitoring":{"state":"disabled"},"subnetId":"<subnet>","vpcId":"<vpc>","privateIpAddress":"<private-ip>","stateReason":{"code":"pending","message":"pending"},"architecture":"x86_64","rootDeviceType":"ebs","rootDeviceName":"/dev/xvda","blockDeviceMapping":{},"virtualizationType":"hvm","hypervisor":"xen","tagSet":{"items":[{"key":"<tag-key>","value":"<text>"},{"key":"Name","value":"<text:1>"}]},"groupSet":{"items":[{"groupId":"<group>"}]},"sourceDestCheck":true,"networkInterfaceSet":{"items":[{"networkInterfaceId":"<interface>","status":"in-use","attachment":{"attachmentId":"eni-attach-0<hex16>","deviceIndex":0,"status":"attaching","attachTime":<millis>}}]},"ebsOptimized":true,"enaSupport":true}>>]}}"#),
    ec2_write("TerminateInstances", 12, r#"{"instancesSet":{"items":[<<1-5 {"instanceId":"<instance>"}>>]}}"#)
        .response(r#"{"requestId":"<request>","instancesSet":{"items":[<<1-5 {"instanceId":"<instance>","currentState":{"code":32,"name":"shutting-down"},"previousState":{"code":16,"name":"running"}}>>]}}"#),
    ec2_write("CreateTags", 34, r#"{"resourcesSet":{"items":[<<1-4 {"resourceId":"<volume>"}>>]},"tagSet":{"items":[<<1-7 {"key":"<tag-key>","value":"<text>"}>>]}}"#).response(DONE),
    ec2_write("CreateSnapshot", 16, r#"{"volumeId":"<volume>","description":"<text>","tagSpecificationSet":{"items":[{"resourceType":"snapshot","tags":[{"key":"<tag-key>","value":"<text>"}]}]}}"#)
        .response(r#"{"requestId":"<request>","snapshotId":"<snapshot>","volumeId":"<volume>","status":"pending","startTime":<millis>,"ownerId":"<account>","volumeSize":"<count>","description":"<text>","encrypted":true}"#),
    ec2_write("DeleteSnapshot", 14, r#"{"snapshotId":"<snapshot>","force":false}"#).response(DONE),
    ec2_write("CreateNetworkInterface", 26, r#"{"subnetId":"<subnet>","description":"AWS Lambda VPC ENI-<function>-<uuid>","groupSet":{"items":[{"groupId":"<group>"}]},"clientToken":"<uuid>"}"#)
        .response(r#"{"requestId":"<request>","networkInterface":{"networkInterfaceId":"<interface>","subnetId":"<subnet>","vpcId":"<vpc>","availabilityZone":"<zone>","description":"AWS Lambda VPC ENI-<function>-<uuid>","ownerId":"<account>","requesterId":"<role-id>:AWSLambda","requesterManaged":true,"status":"pending","macAddress":"0a:ff:c2:11:8e:07","privateIpAddress":"<private-ip>","privateDnsName":"<private-dns>","sourceDestCheck":true,"groupSet":{"items":[{"groupId":"<group>","groupName":"<service>"}]},"privateIpAddressesSet":{"item":[{"privateIpAddress":"<private-ip>","privateDnsName":"<private-dns>","primary":true}]}}}"#),
    ec2_write("DeleteNetworkInterface", 34, r#"{"networkInterfaceId":"<interface>"}"#).response(DONE),
    ec2_write("AuthorizeSecurityGroupIngress", 4, r#"{"groupId":"<group>","ipPermissions":{"items":[<<1-6 {"ipProtocol":"tcp","fromPort":443,"toPort":443,"groups":{},"ipRanges":{"items":[{"cidrIp":"<public-ip>/32","description":"<text>"}]},"ipv6Ranges":{},"prefixListIds":{}}>>]}}"#)
        .response(r#"{"requestId":"<request>","_return":true,"securityGroupRuleSet":{"items":[{"groupOwnerId":"<account>","groupId":"<group>","securityGroupRuleId":"sgr-0<hex16>","isEgress":false,"ipProtocol":"tcp","fromPort":443,"toPort":443}]}}"#),
    call("ec2", "SharedSnapshotVolumeCreated", 6).category(Category::Service).by(&["service-event"]).request_id("")
        .details(r#"{"snapshotId":"<snapshot>"}"#).failures(&[]),
    call("ec2", "BidEvictedEvent", 4).category(Category::Service).by(&["service-event"]).request_id("<request>")
        .details(r#"{"instanceIdSet":[<<1-5 "<instance>">>]}"#).failures(&[]),

    read("autoscaling", "DescribeAutoScalingGroups", 90).params(r#"{"autoScalingGroupNames":[<<1-3 "<scaling-group>">>],"maxRecords":100}"#),
    read("autoscaling", "DescribeAutoScalingInstances", 40).params(r#"{"instanceIds":[<<1-6 "<instance>">>]}"#),
    call("autoscaling", "CompleteLifecycleAction", 10).params(r#"{"lifecycleHookName":"drain","autoScalingGroupName":"<scaling-group>","lifecycleActionToken":"<uuid>","lifecycleActionResult":"CONTINUE"}"#),
    call("autoscaling", "UpdateAutoScalingGroup", 5).params(r#"{"autoScalingGroupName":"<scaling-group>","minSize":2,"maxSize":<count>,"desiredCapacity":<count>,"launchTemplate":{"launchTemplateId":"<launch-template>","version":"$Latest"}}"#),
    read("elasticloadbalancing", "DescribeTargetHealth", 130).params(r#"{"targetGroupArn":"arn:aws:elasticloadbalancing:<region>:<account>:targetgroup/<balancer>/<balancer.id>"}"#),
    read("elasticloadbalancing", "DescribeLoadBalancers", 60).params(r#"{"pageSize":400}"#),
    call("elasticloadbalancing", "RegisterTargets", 30).params(r#"{"targetGroupArn":"arn:aws:elasticloadbalancing:<region>:<account>:targetgroup/<balancer>/<balancer.id>","targets":[<<1-3 {"id":"<private-ip>","port":8080,"availabilityZone":"<zone>"}>>]}"#),

    call("lambda", "Invoke", 170).data().api_version("2015-03-31").params(r#"{"functionName":"arn:aws:lambda:<region>:<account>:function:<function>","invocationType":"RequestResponse","sourceArn":"arn:aws:events:<region>:<account>:rule/<rule>"}"#)
        .additional(r#"{"functionVersion":"arn:aws:lambda:<region>:<account>:function:<function>:<count>"}"#)
        .resources(r#"[{"accountId":"<account>","type":"AWS::Lambda::Function","ARN":"arn:aws:lambda:<region>:<account>:function:<function>"}]"#),
    read("lambda", "ListFunctions20150331", 30).api_version("2015-03-31").params(r#"{"maxItems":50}"#),
    read("lambda", "GetFunction20150331v2", 50).api_version("2015-03-31").params(r#"{"functionName":"<function>"}"#),
    read("lambda", "ListTags20170331", 40).params(r#"{"resource":"arn%3Aaws%3Alambda%3A<region>%3A<account>%3Afunction%3A<function>"}"#),
    call("lambda", "UpdateFunctionCode20150331v2", 6).api_version("2015-03-31").params(r#"{"functionName":"<function>","s3Bucket":"<bucket>","s3Key":"<key>","publish":true,"dryRun":false}"#)
        .response(r#"{"functionName":"<function>","functionArn":"arn:aws:lambda:<region>:<account>:function:<function>","runtime":"python3.12","role":"arn:aws:iam::<account>:role/<role>","handler":"app.handler","codeSize":<bytes>,"description":"<text>","timeout":30,"memorySize":512,"lastModified":"<now>","codeSha256":"<cookie>=","version":"<count>","environment":{},"tracingConfig":{"mode":"PassThrough"},"revisionId":"<uuid>","state":"Active","lastUpdateStatus":"InProgress","packageType":"Zip","architectures":["arm64"],"ephemeralStorage":{"size":512},"loggingConfig":{"logFormat":"Text","logGroup":"/aws/lambda/<function>"}}"#),

    read("ecs", "DescribeTasks", 50).params(r#"{"cluster":"<cluster>","tasks":[<<1-6 "arn:aws:ecs:<region>:<account>:task/<cluster>/<task>">>]}"#),
    read("ecs", "DescribeServices", 60).params(r#"{"cluster":"arn:aws:ecs:<region>:<account>:cluster/<cluster>","services":["<service>"]}"#),
    call("ecs", "SubmitTaskStateChange", 24).by(&["instance"]).params(r#"{"cluster":"<cluster>","task":"arn:aws:ecs:<region>:<account>:task/<cluster>/<task>","status":"RUNNING","containers":[<<1-3 {"containerName":"<service>","runtimeId":"<hex32>","status":"RUNNING","networkBindings":[],"imageDigest":"sha256:<digest>"}>>]}"#)
        .response(r#"{"acknowledgment":"ACK"}"#),
    call("ecs", "RegisterTaskDefinition", 6).params(r#"{"family":"<service>","taskRoleArn":"arn:aws:iam::<account>:role/<role>","networkMode":"awsvpc","containerDefinitions":[<<1-4 {"name":"<service>","image":"<account>.dkr.ecr.<region>.amazonaws.com/<repository>:<hex16>","cpu":256,"memory":512,"essential":true,"portMappings":[{"containerPort":8080,"protocol":"tcp"}],"environment":[],"secrets":[{"name":"DB_PASSWORD","valueFrom":"arn:aws:ssm:<region>:<account>:parameter/<parameter>"}],"logConfiguration":{"logDriver":"awslogs","options":{"awslogs-group":"/ecs/<log-group>","awslogs-region":"<region>","awslogs-stream-prefix":"ecs"}}}>>],"requiresCompatibilities":["FARGATE"],"cpu":"512","memory":"1024"}"#)
        .response(r#"{"taskDefinition":{"taskDefinitionArn":"arn:aws:ecs:<region>:<account>:task-definition/<service>:<count>","family":"<service>","revision":<count>,"status":"ACTIVE","registeredAt":"<spelled>","registeredBy":"<arn>"}}"#),

    read("eks", "DescribeCluster", 60).params(r#"{"name":"<cluster>"}"#),
    read("eks", "ListNodegroups", 20).params(r#"{"name":"<cluster>"}"#),
    read("eks", "ListInsights", 8).by(&["linked"]).params(r#"{"name":"<cluster>"}"#),
    read("eks-auth", "AssumeRoleForPodIdentity", 40).by(&["instance"]).params(r#"{"clusterName":"<cluster>","token":"HIDDEN_DUE_TO_SECURITY_REASONS"}"#)
        .response(r#"{"subject":{"namespace":"apps","serviceAccount":"<service>"},"podIdentityAssociation":{"associationArn":"arn:aws:eks:<region>:<account>:podidentityassociation/<cluster>/a-<my-hex>","associationId":"a-<my-hex>"},"assumedRoleUser":{"arn":"arn:aws:sts::<account>:assumed-role/<role>/eks-<my-hex>","assumeRoleId":"<role-id>:eks-<my-hex>"}}"#),
];
