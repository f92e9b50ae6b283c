//! S3 over the wire.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cloudtrail2sql::source::s3::{S3Connector, S3Options, S3Source, Timeouts};
use cloudtrail2sql::source::{Found, Source, SourceError};
use cloudtrail2sql::trail::object::ObjectRef;

use super::{Fixture, contract, list, only};
use crate::s3_server::{ACCESS_KEY, ALWAYS, Fault, ListOrder, Op, REGION, S3Server, SECRET_KEY};
use crate::wait;

contract!(crate::sources::s3::Wire);

pub(super) const BUCKET: &str = "trail";

pub(super) struct Wire(S3Server);

#[async_trait]
impl Fixture for Wire {
    async fn new() -> Self {
        let server = S3Server::start();
        server.make_bucket(BUCKET);
        Self(server)
    }

    async fn put(&self, name: &str, bytes: &[u8]) {
        self.0.put(BUCKET, name, bytes);
    }

    async fn remove(&self, name: &str) {
        self.0.remove(BUCKET, name);
    }

    fn odd_names() -> Vec<String> {
        let mut names = vec!["k".repeat(1_024), "ü".repeat(512), "control\u{1}".into()];
        names.extend(["a//b", "/slash", "folder/", "x/../y", "./z", "r\r\n"].map(str::to_owned));
        names
    }

    async fn open(&self, name: &str) -> Result<Box<dyn Source>, SourceError> {
        Ok(Box::new(open(&self.0, name).await?))
    }

    fn name_of(&self, object: &ObjectRef) -> String {
        object.location.key().unwrap().to_owned()
    }

    fn uri_of(&self, name: &str) -> String {
        format!("{}/{BUCKET}/{name}", self.0.endpoint_url())
    }
}

fn options(server: &S3Server) -> S3Options {
    S3Options {
        region: Some(REGION.into()),
        endpoint_url: Some(server.endpoint_url().parse().unwrap()),
        timeouts: Timeouts { retry_base: Duration::from_millis(1), ..Timeouts::default() },
        ..S3Options::default()
    }
}

/// Options with short timeouts.
fn impatient(server: &S3Server) -> S3Options {
    let wait = Duration::from_millis(250);
    let options = options(server);
    let timeouts =
        Timeouts { first_byte: wait, stall: wait, progress: 2 * wait, ..options.timeouts };
    S3Options { timeouts, ..options }
}

async fn connect(options: S3Options) -> S3Connector {
    S3Connector::with_keys(options, ACCESS_KEY, SECRET_KEY).await.unwrap()
}

pub(super) async fn open(server: &S3Server, key: &str) -> Result<S3Source, SourceError> {
    connect(options(server)).await.open(BUCKET, key).await
}

/// A server with one object, its source, and the object as listed.
async fn one_object(key: &str) -> (S3Server, S3Source, ObjectRef) {
    let server = S3Server::start();
    server.put(BUCKET, key, content());
    let source = open(&server, "").await.unwrap();
    let object = only(&source).await;
    (server, source, object)
}

fn content() -> Vec<u8> {
    (0..40_009_u32).flat_map(u32::to_le_bytes).collect()
}

async fn first_step(source: &S3Source) -> Result<Found, SourceError> {
    source.listing(&Arc::default()).take(false).await
}

async fn list_error(server: &S3Server) -> SourceError {
    first_step(&open(server, "AWSLogs/").await.unwrap()).await.unwrap_err()
}

#[tokio::test]
async fn a_listing_takes_one_request_for_a_thousand_keys() {
    let server = S3Server::start();
    (0..2_541).for_each(|n| server.put(BUCKET, &format!("{n:04}"), ""));
    let source = open(&server, "").await.unwrap();
    assert_eq!(server.calls(Op::ListObjectsV2), 0);
    assert_eq!(list(&source).await.len(), 2_541);
    // One request shows that there are no folders.
    assert_eq!(server.calls(Op::ListObjectsV2), 1 + 3);
    let calls = server.all_calls();
    let mut lists = calls.iter().filter(|call| call.op == Op::ListObjectsV2);
    assert!(lists.all(|call| call.query.contains("max-keys=1000")));
}

#[tokio::test]
async fn a_name_is_an_object_or_a_folder_or_a_prefix() {
    let server = S3Server::start();
    for key in ["both", "both/a", "folder/b", "folder-c", "begin-d", "begin-e"] {
        server.put(BUCKET, key, key);
    }
    for (name, keys) in [
        ("both", &["both"][..]),
        ("both/", &["both/a"]),
        ("folder", &["folder/b"]),
        ("begin", &["begin-d", "begin-e"]),
        ("nothing/", &[]),
    ] {
        let source = open(&server, name).await.unwrap();
        let objects = list(&source).await;
        let names = objects.iter().map(|object| object.location.uri()).collect::<Vec<_>>();
        let bucket = format!("{}/{BUCKET}", server.endpoint_url());
        let uris = keys.iter().map(|key| format!("{bucket}/{key}")).collect::<Vec<_>>();
        assert_eq!(names, uris, "{name}");
    }
    let error = open(&server, "nothing").await.unwrap_err();
    assert!(matches!(error, SourceError::NotFound { .. }), "{error:?}");
}

/// Issue 11, B22: they were one object for the ledger.
#[tokio::test]
async fn one_key_on_two_servers_is_two_objects() {
    let (server, _, object) = one_object("AWSLogs/a").await;
    let (other, _, other_object) = one_object("AWSLogs/a").await;
    assert_eq!(object.location.uri(), format!("{}/trail/AWSLogs/a", server.endpoint_url()));
    assert_eq!(other_object.location.uri(), format!("{}/trail/AWSLogs/a", other.endpoint_url()));
    assert_ne!(object.location.id(), other_object.location.id());
}

#[tokio::test]
async fn a_changed_object_is_not_read_even_where_if_match_is_ignored() {
    let (server, source, object) = one_object("a").await;
    source.fetch(&object).await.unwrap();
    let calls = server.all_calls();
    let e_tag = format!("\"{}\"", object.version);
    assert_eq!(calls.last().unwrap().header("if-match"), Some(&*e_tag));

    let mut changed = content();
    changed.reverse();
    server.ignore_if_match();
    server.put(BUCKET, "a", changed);
    let error = source.fetch(&object).await.unwrap_err();
    assert!(matches!(error, SourceError::Changed { .. }), "{error:?}");
}

#[tokio::test]
async fn an_object_that_may_be_listed_but_not_read_is_denied_when_fetched() {
    let server = S3Server::start();
    server.put(BUCKET, "a.gz", "x");
    server.fail_next(Op::HeadObject, Fault::Denied, ALWAYS);
    server.fail_next(Op::GetObject, Fault::Denied, ALWAYS);
    let source = open(&server, "a.gz").await.unwrap();
    let object = only(&source).await;
    assert!(object.is_named);
    let error = source.fetch(&object).await.unwrap_err();
    assert!(matches!(error, SourceError::Denied { .. }), "{error:?}");
}

#[tokio::test]
async fn a_bucket_in_another_region_is_found() {
    let server = S3Server::start();
    server.put(BUCKET, "a", "x");
    server.set_region("eu-central-1");
    let source = open(&server, "").await.unwrap();
    assert_eq!(source.region(), "eu-central-1");
    let object = only(&source).await;
    assert_eq!(source.fetch(&object).await.unwrap().bytes, "x");
    let calls = server.all_calls();
    assert_eq!(calls[0].signed_region(), Some(REGION));
    assert!(calls[1..].iter().all(|call| call.signed_region() == Some("eu-central-1")));
}

#[tokio::test]
async fn a_denied_listing_ends_the_run_and_names_the_permission() {
    let server = S3Server::start();
    server.make_bucket(BUCKET);
    server.fail_next(Op::HeadBucket, Fault::Denied, ALWAYS);
    server.fail_next(Op::ListObjectsV2, Fault::Denied, ALWAYS);
    let error = list_error(&server).await;
    assert!(error.is_fatal());
    assert_eq!(
        error.hint().unwrap(),
        "the role needs `s3:ListBucket` on `arn:aws:s3:::trail` and `s3:GetObject` on \
         `arn:aws:s3:::trail/AWSLogs/*`; a requester-pays bucket needs `--request-payer`"
    );
    let uri = format!("{}/trail/AWSLogs/", server.endpoint_url());
    assert_eq!(error.to_string(), format!("cannot list `{uri}`"));
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(cause, "`AccessDenied` (status 403, request TESTREQUEST): as ordered by the test");
    assert_eq!(server.calls(Op::ListObjectsV2), 1, "a refusal is not retried");
}

#[tokio::test]
async fn a_denied_object_costs_only_itself_and_names_the_permission() {
    let (server, source, object) = one_object("AWSLogs/a").await;
    server.fail_on(Op::GetObject, "AWSLogs/a", Fault::Denied);
    let error = source.fetch(&object).await.unwrap_err();
    assert!(!error.is_fatal());
    assert_eq!(
        error.hint().unwrap(),
        "the role needs `s3:GetObject` on `arn:aws:s3:::trail/*`, and `kms:Decrypt` on the KMS \
         key if one encrypts it"
    );
    assert_eq!(error.to_string(), format!("cannot read `{}`", object.location));
}

#[tokio::test]
async fn the_faults_of_one_object_are_distinguished() {
    type Is = fn(&SourceError) -> bool;
    let (server, source, object) = one_object("a").await;
    let cases: [(Fault, Is); 4] = [
        (Fault::Gone, |error| matches!(error, SourceError::Missing { .. })),
        (Fault::Archived, |error| matches!(error, SourceError::Archived { .. })),
        (Fault::KmsDisabled, |error| matches!(error, SourceError::Denied { .. })),
        (Fault::Internal, |error| matches!(error, SourceError::Fetch { .. })),
    ];
    for (fault, is_expected) in cases {
        server.fail_next(Op::GetObject, fault, ALWAYS);
        let error = source.fetch(&object).await.unwrap_err();
        assert!(is_expected(&error), "{fault:?}: {error:?}");
        assert!(!error.is_fatal(), "{fault:?}");
        server.heal();
    }
}

#[tokio::test]
async fn a_missing_bucket_ends_the_run() {
    let server = S3Server::start();
    for key in ["", "AWSLogs/", "key"] {
        let error = open(&server, key).await.unwrap_err();
        assert!(
            matches!(&error, SourceError::NoBucket { bucket, .. } if bucket == BUCKET),
            "{error:?}"
        );
        assert!(error.is_fatal());
    }
}

#[tokio::test]
async fn expired_or_unknown_credentials_end_the_run() {
    let (server, source, object) = one_object("a").await;
    server.fail_next(Op::GetObject, Fault::Expired, ALWAYS);
    server.fail_next(Op::ListObjectsV2, Fault::Expired, ALWAYS);
    for error in [list_error(&server).await, source.fetch(&object).await.unwrap_err()] {
        assert!(matches!(error, SourceError::Expired { .. }), "{error:?}");
        assert!(error.is_fatal());
        assert!(error.hint().unwrap().contains("sign in again"));
    }
    server.heal();
    server.fail_next(Op::GetObject, Fault::UnknownKeys, ALWAYS);
    let error = source.fetch(&object).await.unwrap_err();
    assert!(matches!(error, SourceError::Refused { .. }), "{error:?}");
    assert!(error.is_fatal());
}

#[tokio::test]
async fn wrong_keys_end_the_run() {
    let server = S3Server::start();
    server.make_bucket(BUCKET);
    let connector = S3Connector::with_keys(options(&server), ACCESS_KEY, "wrong").await.unwrap();
    let source = connector.open(BUCKET, "").await.unwrap();
    let error = first_step(&source).await.unwrap_err();
    assert!(matches!(error, SourceError::Refused { .. }), "{error:?}");
    assert!(!format!("{error:?}{connector:?}{source:?}").contains("wrong"));
}

#[tokio::test]
async fn a_request_that_is_refused_twice_is_retried() {
    let (server, source, object) = one_object("a").await;
    let throttled = [Fault::SlowDown, Fault::TooMany, Fault::KmsThrottling];
    for fault in throttled.into_iter().chain([Fault::Internal, Fault::Drop]) {
        server.fail_next(Op::GetObject, fault, 2);
        assert_eq!(source.fetch(&object).await.unwrap().bytes, content(), "{fault:?}");
    }
    for fault in [Fault::SlowDown, Fault::TooMany, Fault::Internal, Fault::Drop] {
        server.fail_next(Op::ListObjectsV2, fault, 2);
        assert_eq!(list(&source).await.len(), 1, "{fault:?}");
    }
    assert_eq!(server.calls(Op::GetObject), 5 * 3);
}

/// Issue 11: the SDK takes a listing that ends early for a shorter one.
#[tokio::test]
async fn a_listing_cut_at_any_byte_is_asked_for_again() {
    let server = S3Server::start();
    let keys = ["AWSLogs/a.gz", "AWSLogs/b.gz", "AWSLogs/c.gz", "other/d.gz"];
    for key in keys {
        server.put(BUCKET, key, "x");
    }
    let source = open(&server, "AWSLogs/").await.unwrap();
    let below = async || source.listing(&Arc::default()).take(false).await.map(|it| it.objects);
    let complete = below().await.unwrap();
    assert_eq!(complete.len(), 3);
    let mut retried = 0;
    for bytes in 0.. {
        let before = server.calls(Op::ListObjectsV2);
        server.fail_next(Op::ListObjectsV2, Fault::End(bytes), 1);
        assert_eq!(below().await.unwrap(), complete, "cut after {bytes} bytes");
        match server.calls(Op::ListObjectsV2) - before {
            2 => retried += 1,
            // All of the listing was sent.
            calls => {
                assert_eq!(calls, 1);
                break;
            }
        }
    }
    assert!(retried > 500, "a listing of three objects has {retried} bytes");

    server.fail_next(Op::ListObjectsV2, Fault::End(500), ALWAYS);
    let error = below().await.unwrap_err();
    assert!(matches!(error, SourceError::List { .. }), "{error:?}");
    assert!(error.is_fatal());
    assert_eq!(server.calls(Op::ListObjectsV2), 1 + 2 * retried + 1 + 12);
}

#[tokio::test]
async fn many_fetches_in_one_storm_are_all_retried() {
    let server = S3Server::start();
    (0..61).for_each(|n| server.put(BUCKET, &format!("{n}"), n.to_string()));
    let source = std::sync::Arc::new(open(&server, "").await.unwrap());
    let objects = list(&*source).await;
    // More retries than the SDK's shared budget allows.
    server.fail_next(Op::GetObject, Fault::SlowDown, 241);
    let mut fetches = tokio::task::JoinSet::new();
    for object in objects {
        let source = source.clone();
        fetches.spawn(async move { source.fetch(&object).await });
    }
    let results = fetches.join_all().await;
    let failed = results.iter().filter(|result| result.is_err()).count();
    // 241 faults on 61 objects are 4 each; that one object gets 12 of them is next to impossible.
    assert_eq!(failed, 0);
}

#[tokio::test]
async fn fetches_run_at_once() {
    let server = S3Server::start();
    (0..41).for_each(|n| server.put(BUCKET, &n.to_string(), "x"));
    let source = std::sync::Arc::new(open(&server, "").await.unwrap());
    let objects = list(&*source).await;
    let hold = server.hold(|call| call.op == Op::GetObject);
    let mut fetches = tokio::task::JoinSet::new();
    for object in objects {
        let source = source.clone();
        fetches.spawn(async move { source.fetch(&object).await.unwrap().bytes });
    }
    // No fetch is answered before all of them have been sent.
    wait::until_async("all fetches are sent", async || hold.calls().len() == 41).await;
    drop(hold);
    assert_eq!(fetches.join_all().await.len(), 41);
}

#[tokio::test]
async fn only_the_first_bytes_are_requested_for_a_head() {
    let (server, source, object) = one_object("a").await;
    server.fail_next(Op::GetObject, Fault::Cut(7), 1);
    let head = source.fetch_head(&object, 1_000).await.unwrap();
    assert_eq!(head, content()[..1_000]);
    let calls = server.all_calls();
    let gets = calls.iter().filter(|call| call.op == Op::GetObject).collect::<Vec<_>>();
    assert_eq!(gets.len(), 2, "a head that is cut short is read again");
    for call in gets {
        assert_eq!(call.header("range"), Some("bytes=0-999"));
        assert_eq!(call.header("if-match"), Some(&*format!("\"{}\"", object.version)));
    }
}

#[tokio::test]
async fn metadata_comes_with_the_bytes() {
    let server = S3Server::start();
    server.put_with_metadata(BUCKET, "a", "x", [("signature", "3a5b"), ("Mixed-Case", "As Is")]);
    let source = open(&server, "").await.unwrap();
    let object = only(&source).await;
    let fetched = source.fetch(&object).await.unwrap();
    let expected = [("mixed-case", "As Is"), ("signature", "3a5b")];
    assert_eq!(fetched.bytes, "x");
    assert_eq!(
        fetched.metadata,
        expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    );
}

#[tokio::test]
async fn a_body_cut_short_is_read_again() {
    let (server, source, object) = one_object("a").await;
    for fault in [Fault::Cut(0), Fault::Cut(1_000)] {
        let calls_before = server.calls(Op::GetObject);
        server.fail_next(Op::GetObject, fault, 1);
        assert_eq!(source.fetch(&object).await.unwrap().bytes, content(), "{fault:?}");
        assert_eq!(server.calls(Op::GetObject), calls_before + 2, "{fault:?}");
    }
}

#[tokio::test]
async fn a_request_without_an_answer_is_retried() {
    let (server, _, object) = one_object("a").await;
    let connector = connect(impatient(&server)).await;
    let source = connector.open(BUCKET, "").await.unwrap();
    for fault in [Fault::Hang, Fault::Stall(1_000)] {
        let calls_before = server.calls(Op::GetObject);
        server.fail_next(Op::GetObject, fault, 1);
        assert_eq!(source.fetch(&object).await.unwrap().bytes, content(), "{fault:?}");
        assert!(server.calls(Op::GetObject) >= calls_before + 2, "{fault:?}");
    }
    server.fail_next(Op::ListObjectsV2, Fault::Hang, 1);
    assert_eq!(list(&source).await.len(), 1);
}

#[tokio::test]
async fn a_body_that_drips_is_asked_for_again_and_costs_only_its_object() {
    let (server, _, object) = one_object("a").await;
    let source = connect(impatient(&server)).await.open(BUCKET, "").await.unwrap();
    let drip = Fault::Drip(Duration::from_millis(50));
    server.fail_next(Op::GetObject, drip, 1);
    assert_eq!(source.fetch(&object).await.unwrap().bytes, content());
    assert_eq!(server.calls(Op::GetObject), 2);
    server.fail_next(Op::GetObject, drip, ALWAYS);
    let error = source.fetch(&object).await.unwrap_err();
    let SourceError::Broken { attempts: 12, cause, .. } = &error else { panic!("{error:?}") };
    assert!(cause.to_string().contains("the body is too slow"), "{cause}");
    assert!(!error.is_fatal());
}

#[tokio::test]
async fn a_changed_byte_of_plain_text_is_noticed() {
    let (server, source, object) = one_object("a").await;
    // Before anything shows that the server's `ETag`s are MD5s, after a few good answers, and always.
    server.fail_next(Op::GetObject, Fault::Flip, 1);
    assert_eq!(source.fetch(&object).await.unwrap().bytes, content());
    server.fail_next(Op::GetObject, Fault::Flip, 3);
    assert_eq!(source.fetch(&object).await.unwrap().bytes, content());
    assert_eq!(server.calls(Op::GetObject), 2 + 4);
    server.fail_next(Op::GetObject, Fault::Flip, ALWAYS);
    let error = source.fetch(&object).await.unwrap_err();
    assert!(matches!(error, SourceError::Broken { attempts: 12, .. }), "{error:?}");
}

#[tokio::test]
async fn an_etag_that_only_looks_like_an_md5_is_not_one() {
    let server = S3Server::start();
    server.put(BUCKET, "a", content());
    server.hide_md5();
    let source = open(&server, "").await.unwrap();
    let object = only(&source).await;
    assert_eq!(source.fetch(&object).await.unwrap().bytes, content());
    assert_eq!(server.calls(Op::GetObject), 2, "the same bytes twice");
}

#[tokio::test]
async fn a_listing_without_order_or_end_is_an_error() {
    for (order, objects) in
        [(ListOrder::Descending, 3), (ListOrder::Circle, 3), (ListOrder::Circle, 0)]
    {
        let server = S3Server::start();
        server.make_bucket(BUCKET);
        for n in 0..objects {
            server.put(BUCKET, &format!("AWSLogs/{n}"), "x");
        }
        server.list_in(order);
        let source = open(&server, "AWSLogs/").await.unwrap();
        let mut steps = vec![source.listing(&Arc::default())];
        let error = loop {
            let step = steps.pop().unwrap_or_else(|| panic!("{order:?}: the listing ends"));
            match step.take(false).await {
                Ok(found) => steps.extend(found.steps),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, SourceError::List { .. }), "{order:?}: {error:?}");
        assert!(error.is_fatal(), "{order:?}");
    }
}

#[tokio::test]
async fn a_body_always_cut_short_costs_only_its_object() {
    let (server, source, object) = one_object("a").await;
    server.fail_next(Op::GetObject, Fault::Cut(77), ALWAYS);
    let error = source.fetch(&object).await.unwrap_err();
    assert!(matches!(error, SourceError::Broken { attempts: 12, .. }), "{error:?}");
    assert!(!error.is_fatal());
    assert_eq!(server.calls(Op::GetObject), 12);
}

#[tokio::test]
async fn an_object_without_an_answer_costs_only_itself() {
    let (server, source, object) = one_object("a").await;
    server.fail_next(Op::GetObject, Fault::Drop, ALWAYS);
    let error = source.fetch(&object).await.unwrap_err();
    assert!(matches!(error, SourceError::Fetch { .. }), "{error:?}");
    assert_eq!(server.calls(Op::GetObject), 12);
}

#[tokio::test]
async fn a_server_that_is_gone_ends_the_run() {
    let (server, source, object) = one_object("a").await;
    let place = server.endpoint_url();
    let options = options(&server);
    drop(server);
    let opened = connect(options).await.open(BUCKET, "").await.unwrap_err();
    for error in [source.fetch(&object).await.unwrap_err(), opened] {
        assert!(matches!(error, SourceError::Unreachable { .. }), "{error:?}");
        assert!(error.is_fatal());
        assert_eq!(error.to_string(), format!("cannot reach S3 at `{place}`"));
    }
}

#[tokio::test]
async fn no_sign_request_leaves_requests_unsigned() {
    let server = S3Server::start_public();
    server.put(BUCKET, "a", "x");
    let options = S3Options { no_sign_request: true, ..options(&server) };
    let connector = S3Connector::new(options).await.unwrap();
    let source = connector.open(BUCKET, "a").await.unwrap();
    let object = only(&source).await;
    assert_eq!(source.fetch(&object).await.unwrap().bytes, "x");
    assert!(server.all_calls().iter().all(|call| call.header("authorization").is_none()));

    server.fail_next(Op::GetObject, Fault::Denied, 1);
    let hint = source.fetch(&object).await.unwrap_err().hint().unwrap();
    assert!(hint.contains("--no-sign-request"), "{hint}");
}

#[tokio::test]
async fn request_payer_offers_to_pay() {
    for request_payer in [false, true] {
        let server = S3Server::start();
        server.put(BUCKET, "a", "x");
        let options = S3Options { request_payer, ..options(&server) };
        for key in ["", "a"] {
            let source = connect(options.clone()).await.open(BUCKET, key).await.unwrap();
            let object = only(&source).await;
            assert_eq!(source.fetch(&object).await.unwrap().bytes, Bytes::from("x"));
        }
        let payer = request_payer.then_some("requester");
        for call in server.all_calls().iter().filter(|call| call.op != Op::HeadBucket) {
            assert_eq!(call.header("x-amz-request-payer"), payer, "{call:?}");
        }
    }
}
