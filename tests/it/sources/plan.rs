//! Which parts of a trail's tree are listed, on S3 and in its local copy.

use std::collections::BTreeSet;

use cloudtrail2sql::source::Found;
use cloudtrail2sql::source::folder::FolderSource;
use cloudtrail2sql::trail::layout::Selection;
use cloudtrail2sql::trail::object::ObjectRef;
use jiff::civil::date;

use super::{list_selected, s3};
use crate::s3_server::{Op, S3Server};

const BUCKET: &str = "trail";
pub(super) const ACCOUNTS: [&str; 3] = ["111122223333", "444455556666", "777788889999"];
pub(super) const REGIONS: [&str; 2] = ["eu-central-1", "us-east-1"];

/// Keys of an organization's trail: three accounts, two regions, four days of two months, three
/// files each, with digests, another service's files, and folders that have nothing to do with it.
pub(super) fn organization() -> Vec<String> {
    let mut keys = Vec::new();
    for account in ACCOUNTS {
        for region in REGIONS {
            for day in ["2026/01/30", "2026/01/31", "2026/02/01", "2026/02/02"] {
                for family in ["CloudTrail", "CloudTrail-Insight", "CloudTrail-Digest", "Config"] {
                    for n in 0..3 {
                        keys.push(format!(
                            "logs/AWSLogs/o-abc/{account}/{family}/{region}/{day}/{n}.json.gz"
                        ));
                    }
                }
            }
        }
    }
    keys.push("logs/AWSLogs/o-abc/".to_owned());
    keys.push("exports/2026/all.json".to_owned());
    keys
}

/// The same tree in a bucket and in a folder.
struct Trees {
    server: S3Server,
    folder: tempfile::TempDir,
}

impl Trees {
    fn new() -> Self {
        let (server, folder) = (S3Server::start(), tempfile::tempdir().unwrap());
        for key in organization() {
            server.put(BUCKET, &key, "{}");
            let path = folder.path().join(&key);
            if key.ends_with('/') {
                std::fs::create_dir_all(path).unwrap();
            } else {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, "{}").unwrap();
            }
        }
        Self { server, folder }
    }

    /// Lists the selected objects below a prefix of both. Returns the keys, and what S3's listing
    /// found.
    async fn list(&self, prefix: &str, selection: &Selection) -> (BTreeSet<String>, Found) {
        let remote = s3::open(&self.server, prefix).await.unwrap();
        let remote = list_selected(&remote, selection.clone(), false).await;
        let folder = self.folder.path().canonicalize().unwrap();
        let local = FolderSource::open(&folder.join(prefix)).unwrap();
        let local = list_selected(&local, selection.clone(), false).await;
        let keys = names(&remote.objects, &format!("{}/{BUCKET}/", self.server.endpoint_url()));
        let files = names(&local.objects, &format!("{}/", folder.display()));
        let (folders, files): (Vec<_>, Vec<_>) =
            keys.iter().chain(&files).cloned().partition(|key| key.ends_with('/'));
        assert!(folders.len() <= 1, "a folder has no object of its own");
        let files: BTreeSet<String> = files.into_iter().collect();
        let keys: BTreeSet<String> = keys.into_iter().filter(|key| !key.ends_with('/')).collect();
        assert_eq!(files, keys, "the bucket and its copy differ");
        assert_eq!(local.without_logs, remote.without_logs);
        (keys, remote)
    }
}

pub(super) fn names(objects: &[ObjectRef], above: &str) -> BTreeSet<String> {
    let name = |object: &ObjectRef| object.location.uri().strip_prefix(above).unwrap().to_owned();
    let names: BTreeSet<String> = objects.iter().map(name).collect();
    assert_eq!(names.len(), objects.len(), "an object was listed twice");
    names
}

pub(super) fn days(from: Option<(i8, i8)>, to: Option<(i8, i8)>) -> Selection {
    let day = |(month, day)| date(2026, month, day);
    Selection { from: from.map(day), to: to.map(day), ..Selection::default() }
}

#[tokio::test]
async fn digests_and_other_services_are_not_listed_and_counted() {
    let trees = Trees::new();
    let (keys, found) = trees.list("", &Selection::default()).await;
    // 3 accounts, 2 families, 2 regions, 4 days, 3 files; and the export.
    assert_eq!(keys.len(), 3 * 2 * 2 * 4 * 3 + 1);
    assert!(keys.iter().all(|key| !key.contains("Digest") && !key.contains("Config")));
    let left_out = found.without_logs.names.into_iter().collect::<Vec<_>>();
    assert_eq!(left_out, [("CloudTrail-Digest".to_owned(), 3), ("Config".to_owned(), 3)]);
    // "", logs/, exports/, its year, AWSLogs, organization, accounts, families, regions.
    assert_eq!(found.requests, 1 + 2 + 1 + 1 + 1 + 3 + 6 + 12);
}

#[tokio::test]
async fn a_digest_prefix_is_listed_if_it_is_named() {
    let trees = Trees::new();
    let prefix = format!("logs/AWSLogs/o-abc/{}/CloudTrail-Digest/", ACCOUNTS[0]);
    let (keys, _) = trees.list(&prefix, &Selection::default()).await;
    assert_eq!(keys.len(), 2 * 4 * 3);
}

#[tokio::test]
async fn days_are_selected_by_their_folders() {
    let trees = Trees::new();
    for (from, to, days_selected) in [
        (None, None, 4),
        (Some((1, 31)), None, 3),
        (None, Some((1, 31)), 2),
        (Some((1, 31)), Some((1, 31)), 1),
        (Some((1, 31)), Some((2, 1)), 2),
        (Some((2, 3)), None, 0),
        (None, Some((1, 29)), 0),
    ] {
        let selection = days(from, to);
        for prefix in ["", "logs/AWSLogs/", "logs/AWSLogs/o-abc/"] {
            let (keys, _) = trees.list(prefix, &selection).await;
            let exports = usize::from(prefix.is_empty() && selection.is_all());
            assert_eq!(
                keys.len(),
                3 * 2 * 2 * days_selected * 3 + exports,
                "{selection:?} {prefix}"
            );
        }
        // The selection also applies below a prefix among the day folders.
        let month =
            format!("logs/AWSLogs/o-abc/{}/CloudTrail/{}/2026/01/", ACCOUNTS[0], REGIONS[0]);
        let (keys, _) = trees.list(&month, &selection).await;
        let selected = ["30", "31"].into_iter().filter(|day| {
            let folder = format!("{month}{day}/x.json");
            selection.has(&folder)
        });
        assert_eq!(keys.len(), 3 * selected.count(), "{selection:?}");
    }
}

#[tokio::test]
async fn accounts_and_regions_are_selected_before_they_are_listed() {
    let trees = Trees::new();
    let selection = Selection {
        accounts: [ACCOUNTS[1].to_owned()].into(),
        regions: [REGIONS[0].to_owned()].into(),
        ..days(Some((2, 1)), Some((2, 1)))
    };
    let before = trees.server.calls(Op::ListObjectsV2);
    let (keys, found) = trees.list("logs/", &selection).await;
    assert_eq!(keys.len(), 2 * 3);
    assert!(keys.iter().all(|key| key.contains(ACCOUNTS[1]) && key.contains("2026/02/01")));
    // logs/, AWSLogs, organization, one account, two families, one region of each.
    assert_eq!(found.requests, 3 + 1 + 2 + 2);
    assert_eq!(trees.server.calls(Op::ListObjectsV2) - before, 8);
    assert!(found.filtered_out > 0);
}

#[tokio::test]
async fn a_range_that_is_split_is_listed_once_and_whole() {
    let server = S3Server::start();
    let mut put = BTreeSet::new();
    for n in 0..4_541_u32 {
        // Names that differ early, late, in letters, and some beyond any alphabet.
        let key = match n % 4 {
            0 => format!("flat/{n:05}"),
            1 => format!("flat/2026/01/{:02}/{n}", n % 29 + 1),
            2 => format!("flat/{}é{n}", char::from(b'a' + u8::try_from(n % 26).unwrap())),
            _ => format!("flat/~{n}"),
        };
        server.put(BUCKET, &key, "");
        put.insert(key);
    }
    let source = s3::open(&server, "flat/").await.unwrap();
    let found = list_selected(&source, Selection::default(), true).await;
    assert_eq!(names(&found.objects, &format!("{}/{BUCKET}/", server.endpoint_url())), put);
    assert!(found.requests > 6, "nothing was split");
    assert!(found.requests < 100, "{} requests", found.requests);
}

#[tokio::test]
async fn another_layout_with_many_folders_is_listed_plainly() {
    let server = S3Server::start();
    for n in 0..541 {
        server.put(BUCKET, &format!("by-minute/{n:04}/a.json"), "{}");
    }
    let source = s3::open(&server, "by-minute/").await.unwrap();
    let found = list_selected(&source, Selection::default(), false).await;
    assert_eq!(found.objects.len(), 541);
    assert_eq!(found.requests, 2);
}
