//! S3 by moto, a server that others wrote and `tests/run` starts. Our own server could share a
//! wrong idea of S3 with the source.
//!
//! Each test has a bucket of its own. The server keeps everything in memory.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Builder, Credentials, Region};
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration, ObjectCannedAcl,
    VersioningConfiguration,
};
use cloudtrail2sql::source::s3::{S3Connector, S3Options, S3Source, Timeouts};
use cloudtrail2sql::source::{Source, SourceError};
use cloudtrail2sql::trail::layout::Selection;
use cloudtrail2sql::trail::object::{Location, ObjectRef};
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::task::JoinSet;

use super::plan::{ACCOUNTS, REGIONS, days, names, organization};
use super::{Fixture, contract, list, list_selected, only};
use crate::databases::server_url;

contract!(crate::sources::independent::Bucket);

/// Any keys: the server accepts all.
const KEYS: (&str, &str) = ("AKIATEST", "secret");

/// Where the server creates a bucket that names no other region.
const REGION: &str = "us-east-1";

/// How many puts run at once when a test puts thousands.
const PUTS_MAX: usize = 8;

/// The bucket of one test.
struct Bucket {
    name: String,
    client: Client,
}

#[async_trait]
impl Fixture for Bucket {
    async fn new() -> Self {
        Self::in_region(REGION).await
    }

    async fn put(&self, name: &str, bytes: &[u8]) {
        put(&self.client, &self.name, name, bytes).await;
    }

    async fn remove(&self, name: &str) {
        self.client.delete_object().bucket(&self.name).key(name).send().await.unwrap();
    }

    fn odd_names() -> Vec<String> {
        let mut names = vec!["k".repeat(1_024), "ü".repeat(512)];
        names.extend(["a//b", "/slash", "folder/", "x/../y", "./z", "%", "+"].map(str::to_owned));
        names
    }

    async fn open(&self, name: &str) -> Result<Box<dyn Source>, SourceError> {
        Ok(Box::new(self.source(name, options()).await?))
    }

    fn name_of(&self, object: &ObjectRef) -> String {
        let Location::OtherS3 { bucket, key, .. } = &object.location else { panic!("{object:?}") };
        assert_eq!(*bucket, self.name);
        key.clone()
    }

    fn uri_of(&self, name: &str) -> String {
        format!("{}{name}", self.objects_uri())
    }
}

impl Bucket {
    async fn in_region(region: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("t{}-{}-{count}", std::process::id(), now.subsec_nanos());
        let client = client(region);
        let place = (region != REGION).then(|| {
            CreateBucketConfiguration::builder()
                .location_constraint(BucketLocationConstraint::from(region))
                .build()
        });
        let create = client.create_bucket().bucket(&name);
        create.set_create_bucket_configuration(place).send().await.unwrap();
        Self { name, client }
    }

    async fn source(&self, key: &str, options: S3Options) -> Result<S3Source, SourceError> {
        connect(options).await.open(&self.name, key).await
    }

    async fn put_all(&self, keys: impl IntoIterator<Item = String>, bytes: &[u8]) {
        let mut puts = JoinSet::new();
        for key in keys {
            if puts.len() == PUTS_MAX {
                puts.join_next().await.unwrap().unwrap();
            }
            let (client, bucket, bytes) = (self.client.clone(), self.name.clone(), bytes.to_vec());
            puts.spawn(async move { put(&client, &bucket, &key, &bytes).await });
        }
        puts.join_all().await;
    }

    /// Returns the address of this bucket.
    fn uri(&self) -> String {
        format!("s3://{}/", self.name)
    }

    /// Returns what keys begin with in the URIs of this bucket's objects.
    fn objects_uri(&self) -> String {
        format!("{}/{}/", endpoint_url().trim_end_matches('/'), self.name)
    }
}

async fn put(client: &Client, bucket: &str, key: &str, bytes: &[u8]) {
    let body = bytes.to_vec().into();
    client.put_object().bucket(bucket).key(key).body(body).send().await.unwrap();
}

#[track_caller]
fn endpoint_url() -> String {
    server_url("S3", "TEST_S3_URL")
}

fn client(region: &str) -> Client {
    let config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(Credentials::new(KEYS.0, KEYS.1, None, None, "test"))
        .region(Region::new(region.to_owned()))
        .endpoint_url(endpoint_url())
        .force_path_style(true)
        .http_client(aws_smithy_http_client::Builder::new().build_http());
    Client::from_conf(config.build())
}

fn options() -> S3Options {
    S3Options {
        region: Some(REGION.into()),
        endpoint_url: Some(endpoint_url().parse().unwrap()),
        timeouts: Timeouts { retry_base: Duration::from_millis(1), ..Timeouts::default() },
        ..S3Options::default()
    }
}

async fn connect(options: S3Options) -> S3Connector {
    S3Connector::with_keys(options, KEYS.0, KEYS.1).await.unwrap()
}

#[tokio::test]
async fn ranges_and_pages_together_are_every_key_once() {
    let bucket = Bucket::new().await;
    // Three pages, of names that an encoded listing must not put in another order.
    let put: BTreeSet<String> = (0..2_541_u32)
        .map(|n| match n % 4 {
            0 => format!("flat/{n:05}"),
            1 => format!("flat/a b+c%2B/{n}"),
            2 => format!("flat/{}é\"{n}\"", char::from(b'a' + u8::try_from(n % 26).unwrap())),
            _ => format!("flat/~{n}"),
        })
        .collect();
    bucket.put_all(put.clone(), b"").await;
    let source = bucket.source("flat/", options()).await.unwrap();
    for wants_more in [false, true] {
        let found = list_selected(&source, Selection::default(), wants_more).await;
        assert_eq!(names(&found.objects, &bucket.objects_uri()), put, "{wants_more}");
    }
}

#[tokio::test]
async fn only_the_latest_versions_are_listed_and_read() {
    let bucket = Bucket::new().await;
    let versioning =
        VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    let put_versioning = bucket.client.put_bucket_versioning().bucket(&bucket.name);
    put_versioning.versioning_configuration(versioning).send().await.unwrap();
    for (key, bytes) in [("a", "old"), ("a", "newer"), ("hidden", "x"), ("back", "x")] {
        bucket.put(key, bytes.as_bytes()).await;
    }
    bucket.remove("hidden").await;
    bucket.remove("back").await;
    bucket.put("back", b"again").await;

    let source = bucket.open("").await.unwrap();
    let read = super::read(&bucket, &*source).await;
    let latest = [("a", "newer"), ("back", "again")];
    assert_eq!(read, latest.map(|(key, bytes)| (key.to_owned(), bytes.into())).into());
    let error = bucket.open("hidden").await.unwrap_err();
    assert!(matches!(error, SourceError::NotFound { .. }), "{error:?}");

    let object = only(&*bucket.open("a").await.unwrap()).await;
    bucket.remove("a").await;
    let error = source.fetch(&object).await.unwrap_err();
    assert!(matches!(error, SourceError::Missing { .. }), "{error:?}");
}

#[tokio::test]
async fn metadata_comes_with_the_bytes() {
    let bucket = Bucket::new().await;
    // What CloudTrail puts beside a digest file ("Validating CloudTrail log file integrity").
    let put =
        bucket.client.put_object().bucket(&bucket.name).key("digest").body(b"{}".to_vec().into());
    let put = put.metadata("signature", "3a5b").metadata("Signature-Algorithm", "SHA256withRSA");
    put.send().await.unwrap();
    let source = bucket.open("").await.unwrap();
    let fetched = source.fetch(&only(&*source).await).await.unwrap();
    let expected = [("signature", "3a5b"), ("signature-algorithm", "SHA256withRSA")];
    assert_eq!(
        fetched.metadata,
        expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    );
    assert_eq!(fetched.bytes, "{}");
}

#[tokio::test]
async fn an_offer_to_pay_does_no_harm() {
    let bucket = Bucket::new().await;
    bucket.put("logs/a", b"x").await;
    for key in ["", "logs", "logs/a"] {
        let options = S3Options { request_payer: true, ..options() };
        let source = bucket.source(key, options).await.unwrap();
        let object = only(&source).await;
        assert_eq!(source.fetch(&object).await.unwrap().bytes, "x");
    }
}

#[tokio::test]
async fn without_keys_public_objects_are_read_and_others_denied() {
    let bucket = Bucket::new().await;
    let put = bucket.client.put_object().bucket(&bucket.name).key("public");
    put.acl(ObjectCannedAcl::PublicRead).body(b"x".to_vec().into()).send().await.unwrap();
    bucket.put("private", b"y").await;

    let options = S3Options { no_sign_request: true, ..options() };
    let source = S3Connector::new(options).await.unwrap().open(&bucket.name, "").await.unwrap();
    let objects = list(&source).await;
    assert_eq!(objects.len(), 2);
    for object in objects {
        let fetched = source.fetch(&object).await;
        if bucket.name_of(&object) == "public" {
            assert_eq!(fetched.unwrap().bytes, "x");
        } else {
            let error = fetched.unwrap_err();
            assert!(matches!(error, SourceError::Denied { .. }), "{error:?}");
            assert!(!error.is_fatal());
        }
    }
}

#[tokio::test]
async fn a_missing_bucket_or_key_is_reported() {
    let bucket = Bucket::new().await;
    let error = bucket.open("no/such key").await.unwrap_err();
    assert!(matches!(error, SourceError::NotFound { .. }), "{error:?}");
    let missing = format!("{}-not", bucket.name);
    let connector = connect(options()).await;
    for key in ["", "key"] {
        let error = connector.open(&missing, key).await.unwrap_err();
        assert!(
            matches!(&error, SourceError::NoBucket { bucket, .. } if *bucket == missing),
            "{error:?}"
        );
        assert!(error.is_fatal());
    }
}

#[tokio::test]
async fn a_bucket_of_another_region_is_found_there() {
    let bucket = Bucket::in_region("eu-west-3").await;
    bucket.put("a", b"x").await;
    let source = bucket.source("", options()).await.unwrap();
    assert_eq!(source.region(), "eu-west-3");
    let object = only(&source).await;
    assert_eq!(source.fetch(&object).await.unwrap().bytes, "x");
}

#[tokio::test]
async fn a_trail_is_planned_by_its_folders() {
    let bucket = Bucket::new().await;
    bucket.put_all(organization(), b"{}").await;
    let source = bucket.source("", options()).await.unwrap();

    let found = list_selected(&source, Selection::default(), false).await;
    let left_out = found.without_logs.names.into_iter().collect::<Vec<_>>();
    assert_eq!(left_out, [("CloudTrail-Digest".to_owned(), 3), ("Config".to_owned(), 3)]);
    let mut expected: BTreeSet<String> = organization().into_iter().collect();
    expected.retain(|key| !key.contains("Digest") && !key.contains("/Config/"));
    let mut keys = names(&found.objects, &bucket.objects_uri());
    // The folder's own object is below what is left out.
    for keys in [&mut keys, &mut expected] {
        keys.retain(|key| !key.ends_with('/'));
    }
    assert_eq!(keys, expected);

    let selection = Selection {
        accounts: [ACCOUNTS[1].to_owned()].into(),
        regions: [REGIONS[0].to_owned()].into(),
        ..days(Some((1, 31)), Some((2, 1)))
    };
    let found = list_selected(&source, selection, false).await;
    // Two families, two days, three files.
    assert_eq!(found.objects.len(), 2 * 2 * 3);
    assert!(found.filtered_out > 0);
}

#[tokio::test]
async fn the_program_imports_an_organization_once() {
    const RECORDS: usize = 3;
    let bucket = Bucket::new().await;
    let logs: Vec<String> = organization()
        .into_iter()
        .filter(|key| key.contains("/CloudTrail/") || key.contains("/CloudTrail-Digest/"))
        .collect();
    let objects = logs.iter().filter(|key| key.contains("/CloudTrail/")).count();
    bucket.put_all(logs, &log_gz(RECORDS)).await;

    let folder = tempfile::tempdir().unwrap();
    for loaded in [objects, 0] {
        let output = import(&bucket, folder.path()).await;
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{text}\n{errors}");
        let sum: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(sum["listed"]["objects"], objects, "{text}");
        assert_eq!(sum["loaded"]["objects"], loaded, "{text}");
        assert_eq!(sum["already_loaded"]["objects"], objects - loaded, "{text}");
        assert_eq!(sum["rows"], loaded * RECORDS, "{text}");
    }
}

/// Runs `import` on the whole bucket, into a database in `folder`.
async fn import(bucket: &Bucket, folder: &Path) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_cloudtrail2sql"));
    program
        .args(["import", &bucket.uri(), "--endpoint-url", &endpoint_url(), "--output", "json"])
        .args(["--database", &format!("sqlite://{}", folder.join("logs.db").display())])
        .current_dir(folder)
        .env("AWS_ACCESS_KEY_ID", KEYS.0)
        .env("AWS_SECRET_ACCESS_KEY", KEYS.1)
        .env("AWS_REGION", REGION)
        .env_remove("AWS_PROFILE")
        .env_remove("AWS_SESSION_TOKEN");
    tokio::task::spawn_blocking(move || program.output().unwrap()).await.unwrap()
}

/// Returns a compressed log of that many records.
fn log_gz(records: usize) -> Vec<u8> {
    let record = |n| {
        format!(
            r#"{{"eventVersion":"1.08","eventID":"{n}","eventTime":"2026-01-30T00:00:00Z",
                "eventSource":"s3.amazonaws.com","eventName":"GetObject"}}"#
        )
    };
    let records = (0..records).map(record).collect::<Vec<_>>().join(",");
    let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
    write!(gz, r#"{{"Records":[{records}]}}"#).unwrap();
    gz.finish().unwrap()
}
