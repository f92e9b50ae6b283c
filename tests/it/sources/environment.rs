//! What an S3 source reads from the environment. Each test runs itself again as a process, because
//! a test must not change the variables of the others.

use std::env;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use cloudtrail2sql::source::s3::{S3Connector, S3Options, Timeouts};
use cloudtrail2sql::source::{Source, SourceError};

use super::only;
use crate::s3_server::{ACCESS_KEY, S3Server, SECRET_KEY};

const IN_CHILD: &str = "CLOUDTRAIL2SQL_TEST_CHILD";

pub(super) fn is_child() -> bool {
    env::var_os(IN_CHILD).is_some()
}

/// Runs the test `name` of this file with these variables, and none of AWS or proxies.
fn run_with(name: &str, variables: &[(&str, &str)]) {
    run_test(&format!("sources::environment::{name}"), variables);
}

/// Runs a test with these variables, and none of AWS or proxies. Returns what it prints.
pub(super) fn run_test(path: &str, variables: &[(&str, &str)]) -> String {
    let mut child = Command::new(env::current_exe().unwrap());
    child.args([path, "--exact", "--nocapture"]);
    for (variable, _) in env::vars_os() {
        let upper = variable.to_string_lossy().to_uppercase();
        if upper.starts_with("AWS_") || upper.ends_with("_PROXY") {
            child.env_remove(variable);
        }
    }
    let nowhere = [
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_CONFIG_FILE", "/nowhere"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/nowhere"),
    ];
    let output = child.env(IN_CHILD, "1").envs(nowhere).envs(variables.to_vec()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}\n{errors}");
    text.into_owned()
}

fn options() -> S3Options {
    let timeouts = Timeouts { retry_base: Duration::from_millis(1), ..Timeouts::default() };
    S3Options { timeouts, ..S3Options::default() }
}

async fn read_one(options: S3Options) {
    let connector = S3Connector::new(options).await.unwrap();
    let source = connector.open("trail", "a").await.unwrap();
    assert_eq!(source.region(), "eu-west-3");
    let object = only(&source).await;
    assert_eq!(source.fetch(&object).await.unwrap().bytes, "x");
}

fn server() -> S3Server {
    let server = S3Server::start();
    server.set_region("eu-west-3");
    server.put("trail", "a", "x");
    server
}

#[tokio::test]
async fn keys_region_and_endpoint_come_from_the_environment() {
    if is_child() {
        return read_one(options()).await;
    }
    for endpoint in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"] {
        let server = server();
        run_with(
            "keys_region_and_endpoint_come_from_the_environment",
            &[
                ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
                ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
                ("AWS_REGION", "eu-west-3"),
                // A host name, not an address: the bucket must not become part of it.
                (endpoint, &server.endpoint_url().replace("127.0.0.1", "localhost")),
            ],
        );
        let calls = server.all_calls();
        assert!(calls.len() > 2 && calls[0].signed_region() == Some("eu-west-3"), "{calls:?}");
    }
}

#[tokio::test]
async fn keys_region_and_endpoint_come_from_the_profile() {
    if is_child() {
        return read_one(S3Options { profile: Some("audit".into()), ..options() }).await;
    }
    let server = server();
    let folder = tempfile::tempdir().unwrap();
    let (config, keys) = (folder.path().join("config"), folder.path().join("credentials"));
    let endpoint_url = server.endpoint_url();
    let text = format!("[profile audit]\nregion = eu-west-3\nendpoint_url = {endpoint_url}\n");
    std::fs::write(&config, text).unwrap();
    let text = format!(
        "[default]\naws_access_key_id = x\naws_secret_access_key = y\n\
         [audit]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"
    );
    std::fs::write(&keys, text).unwrap();
    run_with(
        "keys_region_and_endpoint_come_from_the_profile",
        &[
            ("AWS_CONFIG_FILE", config.to_str().unwrap()),
            ("AWS_SHARED_CREDENTIALS_FILE", keys.to_str().unwrap()),
            // An explicit profile overrides the keys of the environment.
            ("AWS_ACCESS_KEY_ID", "x"),
            ("AWS_SECRET_ACCESS_KEY", "y"),
        ],
    );
    assert_eq!(server.all_calls()[0].signed_region(), Some("eu-west-3"));
}

/// Issue 11, B23: the bucket became part of the host name.
#[tokio::test]
async fn the_endpoint_comes_from_the_services_of_a_profile() {
    if is_child() {
        return read_one(S3Options { profile: Some("audit".into()), ..options() }).await;
    }
    let server = server();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    // A host name, not an address: the bucket must not become part of it.
    let endpoint_url = server.endpoint_url().replace("127.0.0.1", "localhost");
    let text = format!(
        "[profile audit]\nregion = eu-west-3\nservices = local\nendpoint_url = http://nowhere:1\n\
         aws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n\
         [services local]\ns3 =\n  endpoint_url = {endpoint_url}\n"
    );
    std::fs::write(&config, text).unwrap();
    run_with(
        "the_endpoint_comes_from_the_services_of_a_profile",
        &[("AWS_CONFIG_FILE", config.to_str().unwrap())],
    );
    assert!(server.all_calls().len() > 2, "{:?}", server.all_calls());
}

#[tokio::test]
async fn missing_credentials_are_reported_before_the_first_request() {
    if is_child() {
        for (profile, hint) in [(None, "aws configure"), (Some("audit"), "--profile audit")] {
            let options = S3Options { profile: profile.map(str::to_owned), ..options() };
            let error = S3Connector::new(options).await.unwrap_err();
            assert!(matches!(error, SourceError::Credentials { .. }), "{error:?}");
            assert!(error.is_fatal());
            assert!(error.hint().unwrap().contains(hint), "{error:?}");
        }
        return;
    }
    run_with("missing_credentials_are_reported_before_the_first_request", &[]);
}

#[tokio::test]
async fn https_goes_through_the_proxy() {
    if is_child() {
        let options = S3Options { no_sign_request: true, ..options() };
        let connector = S3Connector::new(options).await.unwrap();
        let error = connector.open("trail", "a").await.unwrap_err();
        assert!(matches!(error, SourceError::Unreachable { .. }), "{error:?}");
        return;
    }
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = proxy.local_addr().unwrap().to_string();
    let asked = std::thread::spawn(move || {
        let mut line = String::new();
        BufReader::new(proxy.accept().unwrap().0).read_line(&mut line).unwrap();
        line // From here on the proxy takes no connections.
    });
    run_with("https_goes_through_the_proxy", &[("HTTPS_PROXY", &address)]);
    let _ = TcpStream::connect(&address); // Ends the wait of a proxy that was not asked.
    let line = asked.join().unwrap();
    assert_eq!(line, "CONNECT trail.s3.us-east-1.amazonaws.com:443 HTTP/1.1\r\n");
}
