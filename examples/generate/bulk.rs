//! Oversized parameters: up to the 100 KB that CloudTrail keeps of a field.

use crate::template::Template;
use crate::value::Scene;

/// An event whose parameters can be as long as wanted.
#[derive(Debug)]
pub(crate) struct Bulk {
    /// Short name of the service.
    pub(crate) service: &'static str,
    /// `eventName`.
    pub(crate) event: &'static str,
    /// Host name the client asked for.
    pub(crate) host: Template,
    head: Template,
    item: Template,
    separator: &'static str,
    foot: Template,
}

impl Bulk {
    /// Appends parameters of about `bytes`.
    pub(crate) fn write_params(&self, bytes: usize, scene: &mut Scene<'_>, out: &mut String) {
        let start = out.len();
        self.head.write(scene, out);
        loop {
            self.item.write(scene, out);
            scene.lap += 1;
            if out.len() - start >= bytes {
                break;
            }
            out.push_str(self.separator);
        }
        self.foot.write(scene, out);
        scene.lap = 0;
    }
}

/// Compiles the table.
pub(crate) fn bulks() -> Vec<Bulk> {
    ROWS.iter()
        .map(|[service, event, head, item, separator, foot]| Bulk {
            service,
            event,
            host: Template::compile("<regional-host>"),
            head: Template::compile(head),
            item: Template::compile(item),
            separator,
            foot: Template::compile(foot),
        })
        .collect()
}

/// Service, event, beginning, repeated part, what joins the parts, end.
#[rustfmt::skip]
const ROWS: &[[&str; 6]] = &[
    ["iam", "CreatePolicyVersion",
     r#"{"policyArn":"arn:aws:iam::<account>:policy/<role>","policyDocument":"{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": ["#,
     r#"\n    {\n      \"Sid\": \"Allow<number>\",\n      \"Effect\": \"Allow\",\n      \"Action\": [\n        \"s3:GetObject\",\n        \"s3:PutObject\"\n      ],\n      \"Resource\": [\"arn:aws:s3:::<bucket>/<key>\", \"arn:aws:s3:::<bucket:3>/*\"],\n      \"Condition\": {\"StringEquals\": {\"aws:PrincipalTag/team\": \"<service>\"}}\n    }"#,
     ",",
     r#"\n  ]\n}","setAsDefault":true}"#],
    ["monitoring", "PutDashboard",
     r#"{"dashboardName":"<service>","dashboardBody":"{\"start\":\"-PT6H\",\"widgets\":["#,
     r#"{\"type\":\"metric\",\"x\":<small>,\"y\":<small>,\"width\":12,\"height\":6,\"properties\":{\"metrics\":[[\"AWS/ApplicationELB\",\"TargetResponseTime\",\"LoadBalancer\",\"app/<balancer>/<balancer.id>\",{\"stat\":\"p99\",\"id\":\"m<number>\"}],[\"AWS/EC2\",\"CPUUtilization\",\"InstanceId\",\"<instance>\"]],\"region\":\"<region>\",\"title\":\"<service> \u00b5s \ud83d\udcc8\"}}"#,
     ",",
     r#"]}"}"#],
    ["ssm", "SendCommand",
     r#"{"documentName":"AWS-RunShellScript","comment":"<text>","targets":[{"key":"tag:<tag-key>","values":["<service>"]}],"parameters":{"commands":["#,
     r#""curl -fsS https://<bucket>.s3.<region>.amazonaws.com/<key> -o /tmp/<hex16> && echo '<digest>  /tmp/<hex16>' | sha256sum -c\n\tif [ $? -ne 0 ]; then echo \"\u00e9chec: <key>\" \u003e\u00262; exit 1; fi""#,
     ",",
     r#"],"executionTimeout":["3600"]},"interactive":false}"#],
    ["cloudformation", "CreateStack",
     r#"{"stackName":"<stack>","tags":[{"key":"<tag-key>","value":"<text>"}],"parameters":["#,
     r#"{"parameterKey":"Subnet<number>","parameterValue":"<subnet>,<subnet:1>"},{"parameterKey":"Képfájl/<small>","parameterValue":"<account>.dkr.ecr.<region>.amazonaws.com/<repository>@sha256:<digest>"}"#,
     ",",
     r#"],"capabilities":["CAPABILITY_IAM"],"clientRequestToken":"<uuid>"}"#],
    ["events", "PutRule",
     r#"{"name":"<rule>","description":"<text>","state":"ENABLED","eventPattern":"{\"source\":[\"aws.s3\"],\"detail\":{\"object\":{\"key\":["#,
     r#"{\"prefix\":\"<key>\"},{\"wildcard\":\"データ/*/<hex16>\"}"#,
     ",",
     r#"]}}}"}"#],
];
