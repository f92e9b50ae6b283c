//! Who calls: the kinds of `userIdentity`, with the address and agent that go with each.

use crate::random::hash;
use crate::template::Template;

/// A kind of caller, as written in the table.
struct Row {
    name: &'static str,
    /// How often it comes; 0 if only events that ask for it by name have it.
    weight: usize,
    arn: &'static str,
    identity: &'static str,
    address: &'static str,
    agent: &'static str,
    tail: Tail,
}

/// How the end of a caller's records looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tail {
    /// `tlsDetails`: the call came over the network.
    Tls,
    /// `sessionCredentialFromConsole` and, mostly, `tlsDetails`.
    Console,
    /// Nothing: AWS called itself.
    Bare,
}

/// A kind of caller, ready to be written.
#[derive(Debug)]
pub(crate) struct Caller {
    /// Name in the table.
    pub(crate) name: &'static str,
    /// Tells its people and roles from those of other kinds.
    pub(crate) salt: u64,
    /// How often it comes.
    pub(crate) weight: usize,
    /// Its ARN, for messages.
    pub(crate) arn: Template,
    /// `userIdentity`.
    pub(crate) identity: Template,
    /// `sourceIPAddress`.
    pub(crate) address: Template,
    /// `userAgent`; empty if records of this caller have none.
    pub(crate) agent: Template,
    /// How its records end.
    pub(crate) tail: Tail,
}

/// Compiles the table.
pub(crate) fn callers() -> Vec<Caller> {
    ROWS.iter()
        .map(|row| Caller {
            name: row.name,
            salt: hash(row.name),
            weight: row.weight,
            arn: Template::compile(row.arn),
            identity: Template::compile(row.identity),
            address: Template::compile(row.address),
            agent: Template::compile(row.agent),
            tail: row.tail,
        })
        .collect()
}

const INSTANCE: &str = "arn:aws:sts::<account>:assumed-role/<my-role>/<my-instance>";
const LAMBDA: &str = "arn:aws:sts::<account>:assumed-role/<my-role>/<my-function>";
const POD: &str = "arn:aws:sts::<account>:assumed-role/<my-role>/eks-<my-hex>";
const DEPLOY: &str = "arn:aws:sts::<account>:assumed-role/<my-role>/GitHubActions-<my-number>";
const SSO: &str = "arn:aws:sts::<account>:assumed-role/AWSReservedSSO_AdministratorAccess_<my-hex>/<my-name>@example.com";
const SCANNER: &str =
    "arn:aws:sts::<account>:assumed-role/SecurityAuditIntegration/scan-<my-number>";
const LINKED: &str = "arn:aws:sts::<account>:assumed-role/<my-linked.role>/<my-linked.session>";
const USER: &str = "arn:aws:iam::<account>:user/<my-name>";
const FEDERATED: &str = "arn:aws:sts::<account>:federated-user/<my-name>";

const fn row(name: &'static str, weight: usize, arn: &'static str) -> Row {
    Row { name, weight, arn, identity: "", address: "", agent: "", tail: Tail::Tls }
}

impl Row {
    const fn identity(mut self, identity: &'static str) -> Self {
        self.identity = identity;
        self
    }

    const fn from(mut self, address: &'static str, agent: &'static str) -> Self {
        self.address = address;
        self.agent = agent;
        self
    }

    const fn tail(mut self, tail: Tail) -> Self {
        self.tail = tail;
        self
    }
}

#[rustfmt::skip]
const ROWS: &[Row] = &[
    row("instance", 115, INSTANCE)
        .identity(r#"{"type":"AssumedRole","principalId":"<my-role-id>:<my-instance>","arn":"<arn>","accountId":"<account>","accessKeyId":"<my-session-key>","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"<my-role-id>","arn":"arn:aws:iam::<account>:role/<my-role>","accountId":"<account>","userName":"<my-role>"},"attributes":{"creationDate":"<start>","mfaAuthenticated":"false"},"ec2RoleDelivery":"2.0"}}"#)
        .from("<my-private-ip>", "<my-sdk>"),
    row("function", 105, LAMBDA)
        .identity(r#"{"type":"AssumedRole","principalId":"<my-role-id>:<my-function>","arn":"<arn>","accountId":"<account>","accessKeyId":"<my-session-key>","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"<my-role-id>","arn":"arn:aws:iam::<account>:role/service-role/<my-role>","accountId":"<account>","userName":"<my-role>"},"attributes":{"creationDate":"<start>","mfaAuthenticated":"false"}}}"#)
        .from("<my-public-ip>", "<my-lambda>"),
    row("pod", 55, POD)
        .identity(r#"{"type":"AssumedRole","principalId":"<my-role-id>:eks-<my-hex>","arn":"<arn>","accountId":"<account>","accessKeyId":"<my-session-key>","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"<my-role-id>","arn":"arn:aws:iam::<account>:role/eks/<my-role>","accountId":"<account>","userName":"<my-role>"},"webIdFederationData":{"federatedProvider":"arn:aws:iam::<account>:oidc-provider/oidc.eks.<region>.amazonaws.com/id/<my-hex32>","attributes":{}},"attributes":{"creationDate":"<start>","mfaAuthenticated":"false"}}}"#)
        .from("<my-private-ip>", "<my-sdk>"),
    row("deployment", 40, DEPLOY)
        .identity(r#"{"type":"AssumedRole","principalId":"<my-role-id>:GitHubActions-<my-number>","arn":"<arn>","accountId":"<account>","accessKeyId":"<my-session-key>","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"<my-role-id>","arn":"arn:aws:iam::<account>:role/<my-role>","accountId":"<account>","userName":"<my-role>"},"webIdFederationData":{"federatedProvider":"arn:aws:iam::<account>:oidc-provider/token.actions.githubusercontent.com","attributes":{}},"attributes":{"creationDate":"<start>","mfaAuthenticated":"false"}}}"#)
        .from("<my-public-ip>", "<my-deploy>"),
    row("console", 36, SSO)
        .identity(r#"{"type":"AssumedRole","principalId":"<my-role-id>:<my-name>@example.com","arn":"<arn>","accountId":"<account>","accessKeyId":"<my-session-key>","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"<my-role-id>","arn":"arn:aws:iam::<account>:role/aws-reserved/sso.amazonaws.com/<region>/AWSReservedSSO_AdministratorAccess_<my-hex>","accountId":"<account>","userName":"AWSReservedSSO_AdministratorAccess_<my-hex>"},"attributes":{"creationDate":"<start>","mfaAuthenticated":"false"}}}"#)
        .from("<my-public-ip>", "<my-browser>").tail(Tail::Console),
    row("command-line", 22, SSO)
        .identity(r#"{"type":"AssumedRole","principalId":"<my-role-id>:<my-name>@example.com","arn":"<arn>","accountId":"<account>","accessKeyId":"<my-session-key>","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"<my-role-id>","arn":"arn:aws:iam::<account>:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_AdministratorAccess_<my-hex>","accountId":"<account>","userName":"AWSReservedSSO_AdministratorAccess_<my-hex>"},"attributes":{"creationDate":"<start>","mfaAuthenticated":"false"},"sourceIdentity":"<my-name>@example.com"}}"#)
        .from("<my-ip6>", "<my-cli>"),
    row("scanner", 50, SCANNER)
        .identity(r#"{"type":"AssumedRole","principalId":"<my-role-id>:scan-<my-number>","arn":"<arn>","accountId":"<account>","accessKeyId":"<my-session-key>","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"<my-role-id>","arn":"arn:aws:iam::<account>:role/SecurityAuditIntegration","accountId":"<account>","userName":"SecurityAuditIntegration"},"webIdFederationData":{},"attributes":{"creationDate":"<start>","mfaAuthenticated":"false"}}}"#)
        .from("<my-public-ip>", "Botocore/1.35.99 lang/python#3.12.8 posture-scanner/4.2 (contact: security@example.com)"),
    row("linked", 90, LINKED)
        .identity(r#"{"type":"AssumedRole","principalId":"<my-role-id>:<my-linked.session>","arn":"<arn>","accountId":"<account>","accessKeyId":"<my-session-key>","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"<my-role-id>","arn":"arn:aws:iam::<account>:role/aws-service-role/<my-linked>/<my-linked.role>","accountId":"<account>","userName":"<my-linked.role>"},"attributes":{"creationDate":"<start>","mfaAuthenticated":"false"}},"invokedBy":"<my-linked>"}"#)
        .from("<my-linked>", "<my-linked>").tail(Tail::Bare),
    row("aws-service", 250, "<principal>")
        .identity(r#"{"type":"AWSService","invokedBy":"<principal>"}"#)
        .from("<principal>", "<principal>").tail(Tail::Bare),
    row("user", 300, USER)
        .identity(r#"{"type":"IAMUser","principalId":"<my-user-id>","arn":"<arn>","accountId":"<account>","accessKeyId":"<my-key>","userName":"<my-name>"}"#)
        .from("<my-public-ip>", "<my-cli>"),
    row("user-with-mfa", 20, USER)
        .identity(r#"{"type":"IAMUser","principalId":"<my-user-id>","arn":"<arn>","accountId":"<account>","accessKeyId":"<my-session-key>","userName":"<my-name>","sessionContext":{"sessionIssuer":{},"webIdFederationData":{},"attributes":{"creationDate":"<start>","mfaAuthenticated":"true"}}}"#)
        .from("<my-public-ip>", "<my-browser>").tail(Tail::Console),
    row("other-account", 14, "arn:aws:sts::<other-account>:assumed-role/<my-role>/<my-uuid>")
        .identity(r#"{"type":"AWSAccount","principalId":"<my-role-id>:<my-uuid>","accountId":"<other-account>"}"#)
        .from("<my-public-ip>", "<my-sdk>"),
    row("root", 3, "arn:aws:iam::<account>:root")
        .identity(r#"{"type":"Root","principalId":"<account>","arn":"<arn>","accountId":"<account>","accessKeyId":"<my-session-key>","sessionContext":{"attributes":{"creationDate":"<start>","mfaAuthenticated":"true"}}}"#)
        .from("<my-public-ip>", "<my-browser>").tail(Tail::Console),
    row("federated", 2, FEDERATED)
        .identity(r#"{"type":"FederatedUser","principalId":"<account>:<my-name>","arn":"<arn>","accountId":"<account>","accessKeyId":"<my-session-key>","sessionContext":{"sessionIssuer":{"type":"IAMUser","principalId":"<my-user-id>","arn":"arn:aws:iam::<account>:user/broker","accountId":"<account>","userName":"broker"},"webIdFederationData":{},"attributes":{"creationDate":"<start>","mfaAuthenticated":"false"}}}"#)
        .from("<my-ip6>", "<my-cli>"),
    row("identity-center", 4, "<my-uuid>")
        .identity(r#"{"type":"IdentityCenterUser","accountId":"<account>","onBehalfOf":{"userId":"<my-uuid>","identityStoreArn":"arn:aws:identitystore::<account>:identitystore/d-9067642ac7"},"credentialId":"<my-hex32>"}"#)
        .from("<my-public-ip>", "<my-browser>"),
    row("role", 1, "arn:aws:iam::<account>:role/<my-role>")
        .identity(r#"{"type":"Role","principalId":"<my-role-id>:<my-function>","arn":"<arn>","accountId":"<account>","accessKeyId":"<my-session-key>","userName":"<my-role>"}"#)
        .from("AWS Internal", "AWS Internal").tail(Tail::Bare),
    row("directory", 1, "<my-name>")
        .identity(r#"{"type":"Directory","userName":"<my-name>@corp.example.com","accountId":"<account>"}"#)
        .from("<my-private-ip>", "<my-browser>"),
    row("unknown", 1, "*")
        .identity(r#"{"type":"Unknown","principalId":"","accountId":"<account>","userName":""}"#)
        .from("AWS Internal", "").tail(Tail::Bare),

    // Only for events that ask for them.
    row("service-event", 0, "<source>")
        .identity(r#"{"accountId":"<account>","invokedBy":"<source>"}"#)
        .from("<source>", "<source>").tail(Tail::Bare),
    row("principal", 0, "<principal>")
        .identity(r#"{"type":"AWSService","invokedBy":"<principal>"}"#)
        .from("<principal>", "<principal>").tail(Tail::Bare),
    row("sign-in", 0, USER)
        .identity(r#"{"type":"IAMUser","principalId":"<my-user-id>","arn":"<arn>","accountId":"<account>","userName":"<my-name>"}"#)
        .from("<my-public-ip>", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/133.0.0.0 Safari/537.36"),
    row("sign-in-unknown", 0, USER)
        .identity(r#"{"type":"IAMUser","accountId":"<account>","accessKeyId":"","userName":"HIDDEN_DUE_TO_SECURITY_REASONS"}"#)
        .from("<public-ip>", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"),
    row("web-identity", 0, "system:serviceaccount:<service>:<service>")
        .identity(r#"{"type":"WebIdentityUser","principalId":"arn:aws:iam::<account>:oidc-provider/oidc.eks.<region>.amazonaws.com/id/<my-hex32>:sts.amazonaws.com:system:serviceaccount:<service>:<service>","userName":"system:serviceaccount:<service>:<service>","identityProvider":"arn:aws:iam::<account>:oidc-provider/oidc.eks.<region>.amazonaws.com/id/<my-hex32>"}"#)
        .from("<my-private-ip>", "<my-sdk>"),
    row("saml", 0, "<my-name>@example.com")
        .identity(r#"{"type":"SAMLUser","principalId":"SaM+Lk3y/<my-hex>=:<my-name>@example.com","userName":"<my-name>@example.com","identityProvider":"SaM+Lk3y/<my-hex>="}"#)
        .from("<my-public-ip>", "aws-sdk-go/1.55.6 (go1.23.7; darwin; arm64) saml2aws/2.36.19"),
    row("anonymous", 0, "anonymous")
        .identity(r#"{"type":"AWSAccount","principalId":"","accountId":"ANONYMOUS_PRINCIPAL"}"#)
        .from("<public-ip>", "[curl/8.12.1]"),
];
