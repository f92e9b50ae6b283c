//! The vocabulary: teams, stages, phrases, user agents, AWS services.
//!
//! Everything is spelled as it stands inside a JSON string: escapes included.

/// First part of resource names.
pub(crate) const TEAMS: &[&str] = &[
    "billing",
    "orders",
    "search",
    "identity",
    "platform",
    "media",
    "analytics",
    "ledger",
    "checkout",
    "catalog",
    "shipping",
    "notify",
    "fraud",
    "reports",
    "edge",
    "ingest",
];
/// Last part of resource names.
pub(crate) const STAGES: &[&str] = &["prod", "prod", "prod", "staging", "dev", "test", "sandbox"];

/// Folders of S3 objects; two are not ASCII, one is escaped as some encoders do it.
pub(crate) const FOLDERS: &[&str] = &[
    "raw/events",
    "curated/orders",
    "exports/daily",
    "logs/alb",
    "backups/pg",
    "models/ranking/v7",
    "tmp/spill",
    "thumbnails/480",
    "reports/r\u{e9}sum\u{e9}s",
    "upload/\u{5c65}\u{6b74}\u{66f8}",
    "bilder/Gr\\u00f6\\u00dfe XL",
];
/// Endings of S3 objects.
pub(crate) const ENDINGS: &[&str] =
    &[".parquet", ".json.gz", ".csv", ".jpg", ".snappy.parquet", ".pdf", ".avro", ".tar.zst"];

/// What people write into tags, descriptions and comments.
pub(crate) const PHRASES: &[&str] = &[
    "managed by terraform",
    "nightly batch",
    "Owner: platform team",
    "do not delete",
    "temporary, see OPS-4711",
    "web tier",
    "created for load test",
    "cost-center 4711",
    "rotated by pipeline",
    "B\u{fc}ro M\u{fc}nchen \u{2013} Z\u{e4}hler",
    "\u{672c}\u{756a}\u{74b0}\u{5883} \u{30d0}\u{30c3}\u{30c1}",
    "\u{751f}\u{4ea7}\u{73af}\u{5883}",
    "\u{1f680} release train",
    "caf\\u00e9 cr\\u00e8me, \\ud83d\\ude80 escaped",
    "says \\\"keep\\\" until 2027",
    "first line\\nsecond line\\tindented",
    "C:\\\\jobs\\\\export.bat",
    "a \\u003c b \\u0026\\u0026 c \\u003e d",
    "\u{437}\u{430}\u{43a}\u{430}\u{437}\u{44b} / orders",
    "na\u{ef}ve \u{0153}uvre \u{20ac}100",
];

/// Keys of tags, with the slashes, dots and colons that occur in them.
pub(crate) const TAG_KEYS: &[&str] = &[
    "Name",
    "Environment",
    "team",
    "CostCenter",
    "kubernetes.io/created-for/pvc/name",
    "kubernetes.io/cluster/orders-prod",
    "aws:cloudformation:stack-name",
    "Owner/E-Mail",
    "Projekt-K\u{fc}rzel",
    "karpenter.sh/nodepool",
];

/// EC2 instance types.
pub(crate) const INSTANCE_TYPES: &[&str] = &[
    "t3.micro",
    "t3.medium",
    "m6i.large",
    "m7g.xlarge",
    "c7g.2xlarge",
    "r6i.4xlarge",
    "g5.xlarge",
];

/// Services that call others for the customer.
pub(crate) const PRINCIPALS: &[&str] = &[
    "ec2.amazonaws.com",
    "lambda.amazonaws.com",
    "ecs-tasks.amazonaws.com",
    "config.amazonaws.com",
    "cloudtrail.amazonaws.com",
    "delivery.logs.amazonaws.com",
    "states.amazonaws.com",
    "events.amazonaws.com",
    "ssm.amazonaws.com",
    "firehose.amazonaws.com",
    "eks.amazonaws.com",
    "rds.amazonaws.com",
    "access-analyzer.amazonaws.com",
    "resource-explorer-2.amazonaws.com",
];
/// Services that act through a service-linked role: role, session and host are made from these.
pub(crate) const LINKED: &[&str] = &[
    "autoscaling.amazonaws.com",
    "dynamodb.application-autoscaling.amazonaws.com",
    "ecs.application-autoscaling.amazonaws.com",
    "config.amazonaws.com",
    "elasticloadbalancing.amazonaws.com",
    "trustedadvisor.amazonaws.com",
    "securityhub.amazonaws.com",
    "ecs.amazonaws.com",
    "eks-nodegroup.amazonaws.com",
    "cloudformation.amazonaws.com",
];

/// User agents of programs on servers.
pub(crate) const SDK_AGENTS: &[&str] = &[
    "aws-sdk-go-v2/1.36.3 ua/2.1 os/linux lang/go#1.24.1 md/GOOS#linux md/GOARCH#amd64",
    "Boto3/1.34.131 Python/3.10.6 Linux/5.19.0-46-generic Botocore/1.34.131",
    "aws-sdk-java/2.31.9 ua/2.1 os/Linux#5.10.234 lang/java#21.0.6 md/io#sync",
    "aws-sdk-go/1.55.6 (go1.23.7; linux; amd64) amazon-ssm-agent/3.3.1957.0",
    "aws-sdk-js/3.775.0 ua/2.1 os/linux#5.10.234 lang/js md/nodejs#22.14.0 api/s3#3.775.0 m/E",
    "aws-sdk-rust/1.3.6 os/linux lang/rust/1.86.0",
    "amazon-ecs-agent/1.91.0 (linux/amd64) aws-sdk-go-v2/1.36.3",
];
/// User agents of functions.
pub(crate) const LAMBDA_AGENTS: &[&str] = &[
    "Boto3/1.37.13 md/Botocore#1.37.13 os/linux lang/python#3.12.9 exec-env/AWS_Lambda_python3.12 Botocore/1.37.13",
    "aws-sdk-nodejs/2.1692.0 linux/v20.18.3 exec-env/AWS_Lambda_nodejs20.x promise",
    "aws-sdk-js/3.716.0 ua/2.1 os/linux lang/js exec-env/AWS_Lambda_nodejs22.x",
    "aws-sdk-java/2.30.36 Linux/5.10.234 OpenJDK_64-Bit_Server_VM/21.0.6 Java/21.0.6 exec-env/AWS_Lambda_java21",
];
/// User agents of infrastructure as code.
pub(crate) const DEPLOY_AGENTS: &[&str] = &[
    "APN/1.0 HashiCorp/1.0 Terraform/1.11.2 (+https://www.terraform.io) terraform-provider-aws/5.91.0 aws-sdk-go-v2/1.36.3",
    "aws-cdk-lib/2.186.0 aws-sdk-js/3.758.0 os/linux#6.8.0 lang/js md/nodejs#22.14.0",
    "Pulumi/3.159.0 (https://www.pulumi.com) pulumi-aws/6.73.0 aws-sdk-go-v2/1.36.3",
    "aws-cli/2.25.5 md/awscrt#0.23.8 ua/2.0 os/linux#6.8.0 md/arch#x86_64 lang/python#3.12.9 exec-env/CodeBuild",
];
/// User agents of people.
pub(crate) const PEOPLE_AGENTS: &[&str] = &[
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:136.0) Gecko/20100101 Firefox/136.0",
    "[S3Console/0.4, aws-internal/3 aws-sdk-java/1.12.750 Linux/5.10.234 OpenJDK_64-Bit_Server_VM/25.432-b06 java/1.8.0_432 vendor/Oracle_Corporation cfg/retry-mode/standard]",
    "AWS Internal",
    "AWS Internal",
    "AWS Internal",
];
/// User agents of command lines.
pub(crate) const CLI_AGENTS: &[&str] = &[
    "aws-cli/2.25.5 ua/2.0 os/macos#24.3.0 lang/python#3.12.9 md/command#s3.ls",
    "[aws-cli/2.15.30 Python/3.11.8 Windows/10 exe/AMD64 prompt/off command/s3.cp]",
    "Boto3/1.34.59 Python/3.10.12 Linux/6.5.0 Botocore/1.34.59",
    "aws-tools-powershell/4.1.779 AWSSDK.NET/3.7.500 OS/Windows10 .NET/8.0",
];

/// Given names of users.
pub(crate) const PEOPLE: &[&str] = &[
    "alice", "bjoern", "chen.wei", "dmitri", "erika", "farid", "grace", "hana", "ivo", "jane.doe",
    "keiko", "luis", "mara", "nils", "oksana", "pierre",
];
/// Roles of [`LINKED`], in its order.
pub(crate) const LINKED_ROLES: &[&str] = &[
    "AWSServiceRoleForAutoScaling",
    "AWSServiceRoleForApplicationAutoScaling_DynamoDBTable",
    "AWSServiceRoleForApplicationAutoScaling_ECSService",
    "AWSServiceRoleForConfig",
    "AWSServiceRoleForElasticLoadBalancing",
    "AWSServiceRoleForTrustedAdvisor",
    "AWSServiceRoleForSecurityHub",
    "AWSServiceRoleForECS",
    "AWSServiceRoleForAmazonEKSNodegroup",
    "AWSServiceRoleForCloudFormation",
];
/// Names of the sessions of [`LINKED`], in its order.
pub(crate) const LINKED_SESSIONS: &[&str] = &[
    "AutoScaling",
    "AutoScaling-UpdateTable",
    "AutoScaling-UpdateService",
    "AWSConfig-Describe",
    "ElasticLoadBalancing",
    "TrustedAdvisor",
    "securityhub",
    "ecs-service-scheduler",
    "EKS",
    "AWSCloudFormation",
];
