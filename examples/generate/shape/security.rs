//! STS, KMS, IAM, Secrets Manager, sign-in, findings and their like.

use super::{Category, Failure, Row, call, read};

const KMS_ERRORS: &[Failure] = &[
    (
        "AccessDenied",
        "User: <arn> is not authorized to perform: <action> on resource: arn:aws:kms:<region>:<account>:key/<master-key> because no resource-based policy allows the <action> action",
    ),
    ("DisabledException", "arn:aws:kms:<region>:<account>:key/<master-key> is disabled."),
    ("InvalidCiphertextException", ""),
    ("NotFoundException", "Alias arn:aws:kms:<region>:<account>:alias/<text> is not found."),
];
const STS_ERRORS: &[Failure] = &[
    (
        "AccessDenied",
        "User: <arn> is not authorized to perform: sts:<event> on resource: arn:aws:iam::<other-account>:role/<role>",
    ),
    ("AccessDenied", "Not authorized to perform sts:<event>"),
    (
        "ExpiredTokenException",
        "Token expired: current date/time <now> must be before the expiration date/time <start>",
    ),
];
const IAM_ERRORS: &[Failure] = &[
    (
        "AccessDenied",
        "User: <arn> is not authorized to perform: iam:<event> on resource: role <role> because no permissions boundary allows the iam:<event> action",
    ),
    ("NoSuchEntityException", "The role with name <role> cannot be found."),
    ("NoSuchEntityException", "The user policy with name <text> cannot be found."),
    ("EntityAlreadyExistsException", "Role with name <role> already exists."),
    ("MalformedPolicyDocumentException", "Syntax errors in policy."),
];

const KEY: &str = r#"[{"accountId":"<account>","type":"AWS::KMS::Key","ARN":"arn:aws:kms:<region>:<account>:key/<master-key>"}]"#;
const ROLE: &str = r#"[{"accountId":"<account>","type":"AWS::IAM::Role","ARN":"arn:aws:iam::<account>:role/<role>"}]"#;
const CREDENTIALS: &str = r#"{"credentials":{"accessKeyId":"<session-key>","sessionToken":"IQoJb3JpZ2luX2VjE<token>=","expiration":"<spelled>"},"assumedRoleUser":{"assumedRoleId":"<role-id>:<my-hex>","arn":"arn:aws:sts::<account>:assumed-role/<role>/<my-hex>"}}"#;

const fn kms(row: Row) -> Row {
    row.resources(KEY).failures(KMS_ERRORS)
}

const fn deletion(event: &'static str) -> Row {
    call("secretsmanager", event, 14)
        .category(Category::Service)
        .by(&["service-event"])
        .additional(r#"{"ARN":"arn:aws:secretsmanager:<region>:<account>:secret:<secret>-<secret.end>","Name":"<secret>"}"#)
        .request_id("SecretDeleteMessage:arn:aws:secretsmanager:<region>:<account>:secret:<secret>-<secret.end>:<start>:Forced")
        .failures(&[])
}

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    call("sts", "AssumeRole", 210).by(&["principal"]).resources(ROLE).response(CREDENTIALS)
        .params(r#"{"roleArn":"arn:aws:iam::<account>:role/<role>","roleSessionName":"<my-hex>"}"#)
        .failures(STS_ERRORS),
    read("sts", "AssumeRole", 90).resources(ROLE).response(CREDENTIALS).failures(STS_ERRORS)
        .params(r#"{"roleArn":"arn:aws:iam::<account>:role/<role>","roleSessionName":"<my-hex>","externalId":"<master-key>","durationSeconds":3600}"#),
    read("sts", "AssumeRoleWithWebIdentity", 70).by(&["web-identity"]).resources(ROLE).failures(STS_ERRORS)
        .params(r#"{"roleArn":"arn:aws:iam::<account>:role/<role>","roleSessionName":"botocore-session-<number>","durationSeconds":3600}"#)
        .response(r#"{"credentials":{"accessKeyId":"<session-key>","sessionToken":"IQoJb3JpZ2luX2VjE<token>=","expiration":"<spelled>"},"subjectFromWebIdentityToken":"system:serviceaccount:apps:<service>","assumedRoleUser":{"assumedRoleId":"<role-id>:<my-hex>","arn":"arn:aws:sts::<account>:assumed-role/<role>/<my-hex>"},"provider":"arn:aws:iam::<account>:oidc-provider/oidc.eks.<region>.amazonaws.com/id/<my-hex32>","audience":"sts.amazonaws.com"}"#),
    read("sts", "AssumeRoleWithSAML", 5).by(&["saml"]).resources(ROLE).response(CREDENTIALS).failures(STS_ERRORS)
        .params(r#"{"sAMLAssertionID":"_<uuid>","roleSessionName":"<my-name>@example.com","roleArn":"arn:aws:iam::<account>:role/<role>","principalArn":"arn:aws:iam::<account>:saml-provider/corp","durationSeconds":3600}"#),
    read("sts", "GetCallerIdentity", 320).failures(STS_ERRORS),

    kms(read("kms", "Decrypt", 520))
        .params(r#"{"encryptionContext":{"aws:s3:arn":"arn:aws:s3:::<bucket>"},"encryptionAlgorithm":"SYMMETRIC_DEFAULT"}"#),
    kms(read("kms", "Decrypt", 300))
        .params(r#"{"encryptionContext":{"SecretARN":"arn:aws:secretsmanager:<region>:<account>:secret:<secret>-<secret.end>","SecretVersionId":"<secret.version>"},"encryptionAlgorithm":"SYMMETRIC_DEFAULT"}"#),
    kms(read("kms", "GenerateDataKey", 330))
        .params(r#"{"keyId":"arn:aws:kms:<region>:<account>:key/<master-key>","encryptionContext":{"aws:s3:arn":"arn:aws:s3:::<bucket>"},"keySpec":"AES_256"}"#),
    kms(read("kms", "Encrypt", 40))
        .params(r#"{"keyId":"arn:aws:kms:<region>:<account>:key/<master-key>","encryptionContext":{"PARAMETER_ARN":"arn:aws:ssm:<region>:<account>:parameter/<parameter>"},"encryptionAlgorithm":"SYMMETRIC_DEFAULT"}"#),
    kms(read("kms", "DescribeKey", 130)).params(r#"{"keyId":"<master-key>"}"#),
    kms(call("kms", "CreateGrant", 24))
        .params(r#"{"keyId":"<master-key>","granteePrincipal":"arn:aws:iam::<account>:role/<role>","operations":["Decrypt","GenerateDataKeyWithoutPlaintext"],"constraints":{"encryptionContextSubset":{"aws:ebs:id":"<volume>"}}}"#)
        .response(r#"{"grantId":"<digest>","keyId":"arn:aws:kms:<region>:<account>:key/<master-key>"}"#),

    read("secretsmanager", "GetSecretValue", 170).params(r#"{"secretId":"arn:aws:secretsmanager:<region>:<account>:secret:<secret>-<secret.end>"}"#)
        .resources(r#"[{"accountId":"<account>","ARN":"arn:aws:secretsmanager:<region>:<account>:secret:<secret>-<secret.end>"}]"#),
    read("secretsmanager", "DescribeSecret", 60).params(r#"{"secretId":"<secret>"}"#),
    call("secretsmanager", "PutSecretValue", 6).params(r#"{"clientRequestToken":"<uuid>","secretId":"<secret>"}"#)
        .response(r#"{"arn":"arn:aws:secretsmanager:<region>:<account>:secret:<secret>-<secret.end>"}"#),
    deletion("StartSecretVersionDelete"),
    deletion("EndSecretVersionDelete"),

    read("iam", "GetRole", 130).params(r#"{"roleName":"<role>"}"#).failures(IAM_ERRORS),
    read("iam", "ListRolePolicies", 60).params(r#"{"roleName":"<role>"}"#).failures(IAM_ERRORS),
    read("iam", "ListAttachedRolePolicies", 60).params(r#"{"roleName":"<role>"}"#).failures(IAM_ERRORS),
    read("iam", "GetUser", 80).params(r#"{"userName":"<user>"}"#).failures(IAM_ERRORS),
    read("iam", "GetPolicyVersion", 40).params(r#"{"policyArn":"arn:aws:iam::<account>:policy/<role>","versionId":"v3"}"#).failures(IAM_ERRORS),
    read("iam", "ListInstanceProfilesForRole", 20).params(r#"{"roleName":"<role>"}"#).failures(IAM_ERRORS),
    call("iam", "CreateRole", 6).failures(IAM_ERRORS)
        .params(r#"{"roleName":"<role>","description":"<text>","assumeRolePolicyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"<principal>\"},\"Action\":\"sts:AssumeRole\"}]}","tags":[<<1-4 {"key":"<tag-key>","value":"<text>"}>>]}"#)
        .response(r#"{"role":{"path":"/","roleName":"<role>","roleId":"<role-id>","arn":"arn:aws:iam::<account>:role/<role>","createDate":"<spelled>","assumeRolePolicyDocument":"%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%7B%22Service%22%3A%22<principal>%22%7D%2C%22Action%22%3A%22sts%3AAssumeRole%22%7D%5D%7D","description":"<text>","maxSessionDuration":3600}}"#),
    call("iam", "AttachRolePolicy", 6).params(r#"{"roleName":"<role>","policyArn":"arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"}"#).failures(IAM_ERRORS),
    call("iam", "CreateAccessKey", 2).params(r#"{"userName":"<user>"}"#).failures(IAM_ERRORS)
        .response(r#"{"accessKey":{"userName":"<user>","accessKeyId":"<session-key>","status":"Active","createDate":"<spelled>"}}"#),
    call("iam", "PutRolePolicy", 5).failures(IAM_ERRORS)
        .params(r#"{"roleName":"<role>","policyName":"inline-<hex16>","policyDocument":"{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [<<1-9 \n    {\n      \"Sid\": \"S<number>\",\n      \"Effect\": \"Allow\",\n      \"Action\": [\"s3:GetObject\", \"s3:ListBucket\"],\n      \"Resource\": \"arn:aws:s3:::<bucket>/*\"\n    }>>\n  ]\n}"}"#),

    call("signin", "ConsoleLogin", 8).category(Category::SignIn).by(&["sign-in"]).request_id("").failures(&[])
        .host("<region>.signin.aws.amazon.com").response(r#"{"ConsoleLogin":"Success"}"#)
        .additional(r#"{"LoginTo":"https://console.aws.amazon.com/console/home?hashArgs=%23&isauthcode=true&nc2=h_ct&state=hashArgsFromTB_<region>_<hex16>","MobileVersion":"No","MFAIdentifier":"arn:aws:iam::<account>:mfa/<my-name>","MFAUsed":"Yes"}"#),
    call("signin", "ConsoleLogin", 3).category(Category::SignIn).by(&["sign-in-unknown"]).request_id("")
        .host("signin.aws.amazon.com").response(r#"{"ConsoleLogin":"Failure"}"#)
        .additional(r#"{"LoginTo":"https://console.aws.amazon.com/console/home","MobileVersion":"No","MFAUsed":"No"}"#)
        .failures(&[]),
    call("signin", "CheckMfa", 3).category(Category::SignIn).by(&["sign-in"]).request_id("").failures(&[])
        .host("<region>.signin.aws.amazon.com").response(r#"{"CheckMfa":"Success"}"#).additional(r#"{"MfaType":"Virtual MFA"}"#),

    read("guardduty", "ListFindings", 14).params(r#"{"detectorId":"<master-key>","findingCriteria":{"criterion":{"service.archived":{"eq":["false"]},"updatedAt":{"greaterThanOrEqual":<millis>}}},"maxResults":50}"#),
    call("securityhub", "BatchImportFindings", 16).by(&["scanner", "linked"])
        .params(r#"{"findings":[<<1-6 {"schemaVersion":"2018-10-08","id":"arn:aws:securityhub:<region>:<account>:subscription/cis/<uuid>","title":"<text>","severity":{"label":"MEDIUM"},"resources":[{"type":"AwsEc2Instance","id":"<instance>"}]}>>]}"#)
        .response(r#"{"failedCount":0,"successCount":6,"failedFindings":[]}"#),
    call("access-analyzer", "ValidatePolicy", 4).params(r#"{"policyType":"IDENTITY_POLICY","policyDocument":"HIDDEN_DUE_TO_SECURITY_REASONS"}"#),
    read("organizations", "DescribeAccount", 12).host("organizations.us-east-1.amazonaws.com").params(r#"{"accountId":"<account>"}"#),
    call("kms", "RotateKey", 2).category(Category::Service).by(&["service-event"]).failures(&[]).resources(KEY)
        .request_id("<request>").details(r#"{"keyId":"<master-key>"}"#),
];
