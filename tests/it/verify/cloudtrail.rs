//! CloudTrail's own API, with the public keys of a scenario.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::key_server::{KeyServer, ListedKey};

/// What the AWS CLI asks about an organization's trail.
const TRAILS: &str = r#"{"trailList":[{"Name":"main","S3BucketName":"trail","HomeRegion":"us-east-1",
    "TrailARN":"arn:aws:cloudtrail:us-east-1:111122223333:trail/main","IsOrganizationTrail":true}]}"#;
const ORGANIZATION: &str = r#"{"Organization":{"Id":"o-example123"}}"#;

/// Starts a server that has the keys of these files, by region.
pub fn cloudtrail(key_files: &BTreeMap<&'static str, String>) -> KeyServer {
    let server = KeyServer::start();
    server.answer_to("DescribeTrails", TRAILS);
    server.answer_to("DescribeOrganization", ORGANIZATION);
    for (region, file) in key_files {
        let file: Value = serde_json::from_str(file).unwrap();
        for key in file["PublicKeyList"].as_array().unwrap() {
            server.add(region, listed(key));
        }
    }
    server
}

fn listed(key: &Value) -> ListedKey {
    let text = |name: &str| key[name].as_str().unwrap();
    let time = |name: &str| text(name).parse::<jiff::Timestamp>().unwrap().as_second();
    ListedKey {
        der: STANDARD.decode(text("Value")).unwrap(),
        fingerprint: text("Fingerprint").to_owned(),
        validity: ["ValidityStartTime", "ValidityEndTime"].map(time),
    }
}
