//! Listing CloudTrail's public keys. Endpoints and credentials come from the environment, so that each
//! test runs itself again as a process.

use std::env;
use std::error::Error;
use std::fs;
use std::time::Duration;

use cloudtrail2sql::source::public_keys::{KeyService, KeyServiceError};
use cloudtrail2sql::source::s3::{S3Options, Timeouts};
use cloudtrail2sql::trail::integrity::public_keys::KeyRing;
use cloudtrail2sql::trail::time::EventTime;
use jiff::Timestamp;

use super::environment::{is_child, run_test};
use crate::key_server::{ALWAYS, KeyFault, KeyServer, ListedKey};

const SECRET: &str = "do-not-print-this";
const FROM_S: i64 = 1_768_435_200;
const TO_S: i64 = FROM_S + 40 * 86_400;

/// Returns the DER of an RSA public key of 2,048 bits, at least by its form.
fn der(n: u8) -> Vec<u8> {
    let mut der = vec![0x30, 0x82, 0x01, 0x0a, 0x02, 0x82, 0x01, 0x01, 0x00, 0x80 | n];
    der.extend([n | 1; 255]);
    der.extend([0x02, 0x03, 0x01, 0x00, 0x01]);
    der
}

fn key(n: u8) -> ListedKey {
    let start = FROM_S + i64::from(n) * 86_400;
    let (fingerprint, validity) = (format!("{n:032x}"), [start, start + 30 * 86_400]);
    ListedKey { der: der(n), fingerprint, validity }
}

/// A server with five keys of one region and one of another.
fn server() -> KeyServer {
    let server = KeyServer::start();
    (0..5).for_each(|n| server.add("eu-west-1", key(n)));
    server.add("us-east-1", key(9));
    server
}

/// Options that have no effect on CloudTrail, but for the waits.
fn options() -> S3Options {
    S3Options {
        endpoint_url: Some("http://127.0.0.1:1".parse().unwrap()),
        no_sign_request: true,
        timeouts: Timeouts { retry_base: Duration::from_millis(1), ..Timeouts::default() },
        ..S3Options::default()
    }
}

async fn list(service: &KeyService, region: &str) -> Result<KeyRing, KeyServiceError> {
    let [from, to] = [FROM_S, TO_S].map(|second| Timestamp::from_second(second).unwrap());
    service.public_keys(region, from, to).await
}

/// Runs a test of this file with credentials and these variables. Returns what it prints.
fn run(name: &str, variables: &[(&str, &str)]) -> String {
    let keys = [("AWS_ACCESS_KEY_ID", "AKIDTEST"), ("AWS_SECRET_ACCESS_KEY", SECRET)];
    let variables: Vec<_> = keys.into_iter().chain(variables.iter().copied()).collect();
    let printed = run_test(&format!("sources::public_keys::{name}"), &variables);
    assert!(!printed.contains(SECRET), "{printed}");
    printed
}

#[expect(clippy::print_stdout, reason = "the parent reads it")]
fn print_error(error: &KeyServiceError) {
    println!("{error}\n{}\n{}", error.source().unwrap(), error.hint());
}

fn fingerprints(ring: &KeyRing) -> Vec<String> {
    ring.keys().map(|key| key.fingerprint.clone()).collect()
}

async fn list_all() {
    let service = KeyService::new(options()).await.unwrap();
    assert!(!format!("{service:?}").contains(SECRET));
    let ring = list(&service, "eu-west-1").await.unwrap();
    let expected: Vec<String> = (0..5).map(|n| key(n).fingerprint).collect();
    assert_eq!(fingerprints(&ring), expected);
    for n in 0..5 {
        let (listed, key) = (ring.get(&key(n).fingerprint).unwrap(), key(n));
        assert_eq!(listed.pkcs1_der(), key.der);
        let validity = key.validity.map(EventTime::from_unix_s);
        assert_eq!([listed.valid_from, listed.valid_until], validity);
    }
    let ring = list(&service, "us-east-1").await.unwrap();
    assert_eq!(fingerprints(&ring), [key(9).fingerprint]);
    assert!(list(&service, "sa-east-1").await.unwrap().is_empty());
}

#[tokio::test]
async fn all_pages_of_a_region_are_listed_at_the_endpoint_of_the_environment() {
    const NAME: &str = "all_pages_of_a_region_are_listed_at_the_endpoint_of_the_environment";
    if is_child() {
        return list_all().await;
    }
    for variable in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_CLOUDTRAIL"] {
        let server = server();
        let nowhere = "http://127.0.0.1:1";
        let url = server.endpoint_url();
        // The endpoint of the service overrides the one of all services; that of S3 is another.
        let mut variables = vec![("AWS_ENDPOINT_URL_S3", nowhere), ("AWS_ENDPOINT_URL", nowhere)];
        variables.retain(|(name, _)| *name != variable);
        variables.push((variable, &url));
        run(NAME, &variables);
        let calls = server.calls();
        let regions: Vec<&str> = calls.iter().map(|call| &*call.region).collect();
        let expected = ["eu-west-1", "eu-west-1", "eu-west-1", "us-east-1", "sa-east-1"];
        assert_eq!(regions, expected);
        for (call, token) in calls.iter().zip([None, Some("2"), Some("4"), None, None]) {
            assert_eq!(call.body["NextToken"].as_str(), token);
            let times = ["StartTime", "EndTime"].map(|name| call.body[name].as_i64().unwrap());
            assert_eq!(times, [FROM_S, TO_S]);
        }
    }
}

#[tokio::test]
async fn the_endpoint_and_the_keys_come_from_the_services_of_a_profile() {
    const NAME: &str = "the_endpoint_and_the_keys_come_from_the_services_of_a_profile";
    if is_child() {
        let options = S3Options { profile: Some("audit".into()), ..options() };
        let service = KeyService::new(options).await.unwrap();
        assert_eq!(list(&service, "eu-west-1").await.unwrap().len(), 5);
        return;
    }
    let server = server();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    let text = format!(
        "[profile audit]\nservices = local\nendpoint_url = http://127.0.0.1:1\n\
         aws_access_key_id = AKIDAUDIT\naws_secret_access_key = {SECRET}\n\
         [services local]\ns3 =\n  endpoint_url = http://127.0.0.1:1\n\
         cloudtrail =\n  endpoint_url = {}\n",
        server.endpoint_url()
    );
    fs::write(&config, text).unwrap();
    run(NAME, &[("AWS_CONFIG_FILE", config.to_str().unwrap())]);
    assert_eq!(server.calls().len(), 3);
}

#[tokio::test]
async fn faults_are_retried_within_a_bound_or_explained() {
    const NAME: &str = "faults_are_retried_within_a_bound_or_explained";
    if is_child() {
        let service = KeyService::new(options()).await.unwrap();
        match list(&service, "eu-west-1").await {
            Ok(ring) => assert_eq!(ring.len(), 5),
            Err(error) => print_error(&error),
        }
        return;
    }
    let refuse = KeyFault::Refuse;
    let denied = "cannot list CloudTrail's public keys of region `eu-west-1`\n\
                  `AccessDeniedException` (status 400, request TESTREQUEST): as ordered\n\
                  the role needs `cloudtrail:ListPublicKeys` on `*`; or save the answer of `aws \
                  cloudtrail list-public-keys` where that is allowed, and set `--public-keys FILE`\n";
    let refused = "CloudTrail refused the AWS credentials in region `eu-west-1`\n";
    let failed = "cannot list all of CloudTrail's public keys of region `eu-west-1`\n";
    for (fault, times, calls, expected) in [
        (refuse(400, "ThrottlingException"), 1, 3 + 1, ""),
        (refuse(500, "InternalFailure"), 7, 3 + 7, ""),
        (KeyFault::Drop, 1, 3 + 1, ""),
        (KeyFault::Garbage, 1, 3 + 1, ""),
        (refuse(400, "ThrottlingException"), ALWAYS, 8, failed),
        (KeyFault::Garbage, ALWAYS, 8, failed),
        (refuse(400, "AccessDeniedException"), ALWAYS, 1, denied),
        (refuse(400, "ExpiredTokenException"), ALWAYS, 1, "the AWS credentials have expired\n"),
        (refuse(400, "UnrecognizedClientException"), ALWAYS, 1, refused),
        (refuse(400, "InvalidTimeRangeException"), ALWAYS, 1, failed),
        (KeyFault::Endless, ALWAYS, 100, failed),
        (KeyFault::Drop, ALWAYS, 8, "cannot reach CloudTrail at `http://127.0.0.1:"),
    ] {
        let server = server();
        server.fail_next(fault, times);
        let printed = run(NAME, &[("AWS_ENDPOINT_URL_CLOUDTRAIL", &server.endpoint_url())]);
        assert!(printed.contains(expected), "{fault:?}: {printed}");
        assert_eq!(printed.contains("--public-keys FILE"), !expected.is_empty(), "{printed}");
        assert_eq!(server.calls().len(), calls, "{fault:?}");
    }
}

#[tokio::test]
async fn a_key_that_cannot_be_read_is_an_error() {
    const NAME: &str = "a_key_that_cannot_be_read_is_an_error";
    if is_child() {
        let service = KeyService::new(options()).await.unwrap();
        let error = list(&service, "eu-west-1").await.unwrap_err();
        assert!(matches!(error, KeyServiceError::BadKey { .. }), "{error:?}");
        return print_error(&error);
    }
    let server = server();
    server.add("eu-west-1", ListedKey { der: b"not DER".to_vec(), ..key(6) });
    let printed = run(NAME, &[("AWS_ENDPOINT_URL_CLOUDTRAIL", &server.endpoint_url())]);
    assert!(printed.contains("`Value` is not the DER of an RSA public key"), "{printed}");
}

#[tokio::test]
async fn a_server_that_is_gone_is_unreachable() {
    if is_child() {
        let service = KeyService::new(options()).await.unwrap();
        let error = list(&service, "eu-west-1").await.unwrap_err();
        assert!(matches!(error, KeyServiceError::Unreachable { .. }), "{error:?}");
        return print_error(&error);
    }
    let printed = run(
        "a_server_that_is_gone_is_unreachable",
        &[("AWS_ENDPOINT_URL_CLOUDTRAIL", "http://user:hunter2@127.0.0.1:1")],
    );
    assert!(printed.contains("cannot reach CloudTrail at `http://127.0.0.1:1`\n"), "{printed}");
    assert!(printed.contains("--public-keys FILE") && !printed.contains("hunter2"), "{printed}");
}

#[tokio::test]
async fn missing_credentials_are_reported_before_the_first_request() {
    const NAME: &str =
        "sources::public_keys::missing_credentials_are_reported_before_the_first_request";
    if is_child() {
        for (profile, hint) in [(None, "aws configure"), (Some("audit"), "--profile audit")] {
            let options = S3Options { profile: profile.map(str::to_owned), ..options() };
            let error = KeyService::new(options).await.unwrap_err();
            assert!(matches!(error, KeyServiceError::Credentials { .. }), "{error:?}");
            assert!(error.hint().contains(hint) && error.hint().contains("--public-keys FILE"));
        }
        assert!(env::var_os("AWS_ACCESS_KEY_ID").is_none());
        return;
    }
    let server = server();
    run_test(NAME, &[("AWS_ENDPOINT_URL_CLOUDTRAIL", &server.endpoint_url())]);
    assert!(server.calls().is_empty());
}
