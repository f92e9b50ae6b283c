//! Records of the other families: Insights, network activity, aggregated events.

use crate::random::mix;
use crate::template::Template;
use crate::value::Scene;

/// Seconds between the start of an insight and its end.
const INSIGHT_SECS: i64 = 420;

/// Templates of the three families.
#[derive(Debug)]
pub(crate) struct Special {
    insight_head: Template,
    insight_about: Vec<Template>,
    insight_start: Template,
    insight_end: Template,
    network: Vec<Template>,
    aggregated: Template,
}

impl Special {
    /// Compiles the templates.
    pub(crate) fn new() -> Self {
        Self {
            insight_head: Template::compile(INSIGHT_HEAD),
            insight_about: INSIGHT_ABOUT.iter().map(|text| Template::compile(text)).collect(),
            insight_start: Template::compile(INSIGHT_START),
            insight_end: Template::compile(INSIGHT_END),
            network: NETWORK.iter().map(|text| Template::compile(text)).collect(),
            aggregated: Template::compile(AGGREGATED),
        }
    }

    /// Appends record `number` of an Insights file: even ones start what the next one ends.
    ///
    /// `file` is the same for all records of the file; a last even record is an
    /// insight whose end was never delivered, or is in another file.
    pub(crate) fn write_insight(
        &self,
        number: u64,
        file: u64,
        scene: &mut Scene<'_>,
        out: &mut String,
    ) {
        scene.pick = mix(file, number / 2);
        scene.once = scene.pick;
        let ends = !number.is_multiple_of(2);
        if !ends {
            scene.time_secs -= INSIGHT_SECS;
        }
        self.insight_head.write(scene, out);
        out.push_str(if ends { "\"End\"," } else { "\"Start\"," });
        self.insight_about[crate::random::scale(scene.pick, INSIGHT_ABOUT.len())].write(scene, out);
        if ends { &self.insight_end } else { &self.insight_start }.write(scene, out);
    }

    /// Appends a network activity event.
    pub(crate) fn write_network(&self, scene: &mut Scene<'_>, out: &mut String) {
        let template = &self.network[scene.random.below(self.network.len())];
        template.write(scene, out);
    }

    /// Appends an aggregated event.
    pub(crate) fn write_aggregated(&self, scene: &mut Scene<'_>, out: &mut String) {
        self.aggregated.write(scene, out);
    }
}

const INSIGHT_HEAD: &str = r#"{"eventVersion":"1.09","eventTime":"<now>","awsRegion":"<region>","eventID":"<uuid>","eventType":"AwsCloudTrailInsight","recipientAccountId":"<account>","sharedEventID":"<request>","insightDetails":{"state":"#;

const INSIGHT_ABOUT: &[&str] = &[
    r#""eventSource":"ec2.amazonaws.com","eventName":"RunInstances","insightType":"ApiCallRateInsight","#,
    r#""eventSource":"kms.amazonaws.com","eventName":"Decrypt","insightType":"ApiErrorRateInsight","errorCode":"AccessDenied","#,
    r#""eventSource":"s3.amazonaws.com","eventName":"DeleteObject","insightType":"ApiCallRateInsight","#,
];

const INSIGHT_START: &str = r#""insightContext":{"statistics":{"baseline":{"average":0.00<number>},"insight":{"average":<count>.6},"insightDuration":1,"baselineDuration":<number>}}},"eventCategory":"Insight"}"#;

const INSIGHT_END: &str = r#""insightContext":{"statistics":{"baseline":{"average":0.00<number>},"insight":{"average":<count>.6},"insightDuration":7,"baselineDuration":<number>},"attributions":[{"attribute":"userIdentityArn","insight":[<<1-4 {"value":"arn:aws:sts::<account>:assumed-role/<role>/<instance>","average":<count>.25}>>],"baseline":[{"value":"arn:aws:sts::<account>:assumed-role/<role:7>/<instance:7>","average":0.02}]},{"attribute":"userAgent","insight":[{"value":"aws-sdk-go-v2/1.36.3","average":<count>.6}],"baseline":[]},{"attribute":"errorCode","insight":[{"value":"null","average":<count>.6}],"baseline":[{"value":"null","average":0.02}]}]}},"eventCategory":"Insight"}"#;

const NETWORK: &[&str] = &[
    r#"{"eventVersion":"1.09","userIdentity":{"type":"AWSAccount","principalId":"<role-id>:<instance>","accountId":"<other-account>"},"eventTime":"<now>","eventSource":"kms.amazonaws.com","eventName":"Decrypt","awsRegion":"<region>","sourceIPAddress":"<private-ip>","errorCode":"VpceAccessDenied","errorMessage":"The request was denied due to a VPC endpoint policy","requestID":"<request>","eventID":"<uuid>","eventType":"AwsVpceEvents","recipientAccountId":"<account>","sharedEventID":"<uuid>","vpcEndpointId":"<endpoint>","vpcEndpointAccountId":"<account>","eventCategory":"NetworkActivity"}"#,
    r#"{"eventVersion":"1.09","userIdentity":{"type":"AssumedRole","principalId":"<role-id>:<instance>","arn":"arn:aws:sts::<account>:assumed-role/<role>/<instance>","accountId":"<account>","accessKeyId":"<session-key>","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"<role-id>","arn":"arn:aws:iam::<account>:role/<role>","accountId":"<account>","userName":"<role>"},"attributes":{"creationDate":"<start>","mfaAuthenticated":"false"},"ec2RoleDelivery":"2.0"}},"eventTime":"<now>","eventSource":"cloudtrail.amazonaws.com","eventName":"LookupEvents","awsRegion":"<region>","sourceIPAddress":"<private-ip>","requestID":"<request>","eventID":"<uuid>","readOnly":true,"eventType":"AwsVpceEvents","recipientAccountId":"<account>","sharedEventID":"<uuid>","vpcEndpointId":"<endpoint>","vpcEndpointAccountId":"<account>","eventCategory":"NetworkActivity","tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"cloudtrail.<region>.amazonaws.com"}}"#,
    r#"{"eventVersion":"1.11","userIdentity":{"type":"AWSAccount","principalId":"<role-id>:<instance>","accountId":"<account>"},"eventTime":"<now>","eventSource":"s3.amazonaws.com","eventName":"PutObject","awsRegion":"<region>","sourceIPAddress":"<private-ip>","errorCode":"VpceAccessDenied","errorMessage":"The request was denied due to a VPC endpoint policy","requestID":"<base16>","eventID":"<uuid>","readOnly":false,"resources":[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::<bucket>/<key>"}],"eventType":"AwsVpceEvents","recipientAccountId":"<account>","sharedEventID":"<uuid>","vpcEndpointId":"<endpoint>","vpcEndpointAccountId":"<account>","eventCategory":"NetworkActivity"}"#,
];

const AGGREGATED: &str = r#"{"eventVersion":"1.0","accountId":"<account>","eventId":"<uuid>","eventCategory":"Aggregated","eventType":"AwsAggregatedEvent","awsRegion":"<region>","eventSource":"s3.amazonaws.com","timeWindow":{"windowStart":"<start>","windowEnd":"<now>","windowSize":"PT5M"},"summary":{"primaryDimension":{"dimension":"eventName","statistics":[{"name":"GetObject","value":<number>},{"name":"PutObject","value":<small>}],"aggregationType":"Count"},"details":[{"dimension":"resourceARN","statistics":[<<1-9 {"name":"arn:aws:s3:::<bucket>","value":<small>}>>],"aggregationType":"Count"},{"dimension":"userIdentity.arn","statistics":[<<1-5 {"name":"arn:aws:iam::<account>:role/<role>","value":<small>}>>],"aggregationType":"Count"}]}}"#;
