//! The folders of digests and log files, and their listing by day.

#[cfg(unix)]
mod on_disk;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use cloudtrail2sql::source::{Found, RegionFolder, RegionFolders, Source, SourceError};
use cloudtrail2sql::trail::layout::{Layout, Selection};
use jiff::civil::{Date, date};

use super::plan::days;
use super::s3::{BUCKET, open};
use super::{Fixture, take_all};
use crate::s3_server::{ALWAYS, Fault, Op, S3Server};
use crate::wait;

const ACCOUNTS: [&str; 2] = ["111122223333", "444455556666"];
const REGIONS: [&str; 2] = ["eu-central-1", "us-east-1"];
const FAMILIES: [&str; 5] = [
    "CloudTrail",
    "CloudTrail-Aggregated",
    "CloudTrail-Digest",
    "CloudTrail-Insight",
    "CloudTrail-NetworkActivity",
];

/// Two accounts below a prefix and the same in an organization, with other services' folders, objects
/// in another layout and names that only look like those of a trail.
fn tree() -> Vec<String> {
    let mut names = Vec::new();
    for start in ["p/q/AWSLogs", "p/q/AWSLogs/o-abc"] {
        for account in ACCOUNTS {
            for family in FAMILIES.into_iter().chain(["Config", "vpcflowlogs"]) {
                for region in REGIONS {
                    names.push(format!("{start}/{account}/{family}/{region}/2026/01/15/a.json.gz"));
                }
            }
            names.push(format!("{start}/{account}/file"));
        }
        names.push(format!("{start}/waf/x.gz"));
    }
    for name in ["export/all.json", "p/MyAWSLogs/1/x", "p/AWSLogs-old/111122223333/CloudTrail/x/y"]
    {
        names.push(name.to_owned());
    }
    names
}

/// Returns the regions' folders above the names.
fn regions(names: &[String]) -> BTreeSet<String> {
    let layouts = names
        .iter()
        .filter(|name| Layout::of(name).is_some_and(|layout| FAMILIES.contains(&&*layout.family)));
    layouts.map(|name| name[..name.find("2026").unwrap()].to_owned()).collect()
}

async fn find(source: &dyn Source, selection: Selection) -> RegionFolders {
    let found = source.region_folders(&Arc::new(selection)).await.unwrap();
    assert!(found.unreadable.is_empty(), "{found:?}");
    assert!(found.folders.is_sorted_by(|one, other| one.uri < other.uri), "{found:?}");
    found
}

fn uris(folders: &[RegionFolder]) -> Vec<&str> {
    folders.iter().map(|folder| &*folder.uri).collect()
}

/// Lists a region as a verification does.
async fn list(source: &dyn Source, folder: &RegionFolder, selection: Selection) -> Found {
    take_all(source.listing_of(folder, &Arc::new(selection)), false).await
}

pub(super) async fn region_folders_are_found_from_every_level<F: Fixture>() {
    let fixture = F::new().await;
    let tree = tree();
    for name in &tree {
        fixture.put(name, b"x").await;
    }
    for (root, folders) in [
        ("", 40),
        ("p", 40),
        ("p/q", 40),
        ("p/q/AWSLogs", 40),
        ("p/q/AWSLogs/o-abc", 20),
        ("p/q/AWSLogs/444455556666", 10),
        ("p/q/AWSLogs/o-abc/444455556666/CloudTrail-Digest", 2),
        ("p/q/AWSLogs/o-abc/444455556666/CloudTrail-Digest/us-east-1", 1),
        ("p/q/AWSLogs/444455556666/Config", 0),
        ("p/q/AWSLogs/444455556666/Config/us-east-1", 0),
        ("p/q/AWSLogs/waf", 0),
        ("export", 0),
    ] {
        let below = if root.is_empty() { String::new() } else { format!("{root}/") };
        let source = fixture.open(root).await.unwrap();
        assert_eq!(source.root_uri(), Some(fixture.uri_of(&below)));
        let found = find(&*source, Selection::default()).await;
        let expected = regions(&tree).into_iter().filter(|name| name.starts_with(&below));
        let expected: Vec<String> = expected.map(|name| fixture.uri_of(&name)).collect();
        assert_eq!(uris(&found.folders), expected, "{root}");
        assert_eq!(found.folders.len(), folders, "{root}");
        for folder in &found.folders {
            let object = format!("{}2026/01/15/a.json.gz", folder.uri);
            let Layout { account, family, region, .. } = Layout::of(&object).unwrap();
            assert_eq!(
                (&folder.account, &folder.family, &folder.region),
                (&account, &family, &region)
            );
            let listed = list(&*source, folder, Selection::default()).await.objects;
            let listed: Vec<String> = listed.iter().map(|it| it.location.uri()).collect();
            assert_eq!(listed, [object]);
        }
    }
    // Below a region's folder, the root stands for it.
    for below in ["2026/", "2026/01/", "2026/01/15/"] {
        let root = format!("p/q/AWSLogs/444455556666/CloudTrail-Digest/us-east-1/{below}");
        let source = fixture.open(root.trim_end_matches('/')).await.unwrap();
        let found = find(&*source, Selection::default()).await;
        assert_eq!(uris(&found.folders), [fixture.uri_of(&root)]);
        assert_eq!(list(&*source, &found.folders[0], Selection::default()).await.objects.len(), 1);
        let later = days(Some((1, 16)), None);
        assert_eq!(list(&*source, &found.folders[0], later).await.objects.len(), 0);
    }
}

pub(super) async fn region_folders_are_selected<F: Fixture>() {
    let fixture = F::new().await;
    for name in tree() {
        fixture.put(&name, b"x").await;
    }
    let [accounts, regions] = [ACCOUNTS, REGIONS].map(|names| [names[1].to_owned()].into());
    // Neither days nor days of events leave out a region.
    let other_day = Some(date(2020, 1, 1));
    let selection = Selection {
        accounts,
        regions,
        from: other_day,
        to: other_day,
        event_from: other_day,
        event_to: other_day,
    };
    let start = "p/q/AWSLogs/o-abc/";
    let account = format!("{start}{}/", ACCOUNTS[1]);
    for (root, folders) in [
        ("", 10),
        (start, 5),
        (&*account, 5),
        (&*format!("{account}CloudTrail/"), 1),
        (&*format!("{account}CloudTrail/us-east-1/"), 1),
        (&*format!("{account}CloudTrail/eu-central-1/"), 0),
        (&*format!("{start}{}/", ACCOUNTS[0]), 0),
        (&*format!("{start}{}/CloudTrail/us-east-1/", ACCOUNTS[0]), 0),
    ] {
        let source = fixture.open(root.trim_end_matches('/')).await.unwrap();
        let found = find(&*source, selection.clone()).await;
        assert_eq!(found.folders.len(), folders, "{root}: {found:?}");
        for folder in &found.folders {
            assert_eq!((&*folder.account, &*folder.region), (ACCOUNTS[1], REGIONS[1]));
        }
    }
}

pub(super) async fn a_region_is_listed_once_in_the_order_of_its_days<F: Fixture>() {
    let fixture = F::new().await;
    let digests = format!("AWSLogs/{}/CloudTrail-Digest/{}", ACCOUNTS[0], REGIONS[0]);
    let logs = format!("AWSLogs/{}/CloudTrail/{}", ACCOUNTS[0], REGIONS[0]);
    // Put in an order of no kind, over two years; one day has more files than a page.
    let mut put = Vec::new();
    for region in [&digests, &logs] {
        for n in 0..199_usize {
            let n = n * 83 % 199;
            let (year, month, day) = (2025 + n / 100, n % 12 + 1, n % 28 + 1);
            put.push(format!("{region}/{year}/{month:02}/{day:02}/{n}.json.gz"));
        }
        (0..1_041).for_each(|n| put.push(format!("{region}/2025/03/03/many-{n}.json.gz")));
    }
    let in_days = put.len() / 2;
    for region in [&digests, &logs] {
        for other in ["file", "0000.json", "2025/01/file", "2025/1/02/x", "other/2026/01/02/x"] {
            put.push(format!("{region}/{other}"));
        }
    }
    put.push(format!("{digests}-2/2025/01/01/beside.json.gz"));
    for name in &put {
        fixture.put(name, b"x").await;
    }
    let source = fixture.open("").await.unwrap();
    let found = find(&*source, Selection::default()).await;
    let folders: Vec<&RegionFolder> =
        found.folders.iter().filter(|folder| folder.region == REGIONS[0]).collect();
    assert_eq!((folders.len(), found.folders.len()), (2, 3));
    let day = |month, day| Some(date(2025, month, day));
    for (folder, region) in folders.into_iter().zip([&digests, &logs]) {
        for (from, to) in [
            (None, None),
            (day(3, 3), day(3, 3)),
            (day(2, 2), day(11, 30)),
            (day(12, 31), None),
            (None, day(1, 31)),
            (day(3, 4), day(3, 3)),
        ] {
            // Days of events select nothing here.
            let event_from = Some(date(2030, 1, 1));
            let selection = Selection { from, to, event_from, ..Selection::default() };
            let listed = list(&*source, folder, selection).await.objects;
            let days: Vec<Date> = listed
                .iter()
                .map(|object| Layout::of(&object.location.uri()).unwrap().day)
                .collect();
            assert!(days.is_sorted(), "{from:?} {to:?}: {days:?}");
            let mut listed: Vec<String> = listed.iter().map(|it| fixture.name_of(it)).collect();
            listed.sort();
            let mut expected: Vec<String> = put.clone();
            expected.retain(|name| {
                let is_in_day = name.starts_with(&format!("{region}/202"));
                let layout = Layout::of(name).filter(|_| is_in_day);
                layout.is_some_and(|Layout { day, .. }| {
                    from.is_none_or(|from| from <= day) && to.is_none_or(|to| day <= to)
                })
            });
            expected.sort();
            assert!(listed == expected, "{from:?} {to:?}: {} listed", listed.len());
            if from.is_none() && to.is_none() {
                assert_eq!(listed.len(), in_days);
            }
        }
    }
}

pub(super) async fn a_single_object_has_no_root<F: Fixture>() {
    let fixture = F::new().await;
    let name = &tree()[0];
    fixture.put(name, b"x").await;
    let source = fixture.open(name).await.unwrap();
    assert_eq!(source.root_uri(), None);
    assert!(find(&*source, Selection::default()).await.folders.is_empty());
}

fn bucket(names: impl IntoIterator<Item = String>) -> S3Server {
    let server = S3Server::start();
    server.make_bucket(BUCKET);
    names.into_iter().for_each(|name| server.put(BUCKET, &name, "x"));
    server
}

fn digest(start: &str, n: usize) -> String {
    format!("{start}AWSLogs/{n:012}/CloudTrail-Digest/eu-west-1/2026/01/15/a.json.gz")
}

#[tokio::test]
async fn the_search_takes_one_request_for_a_folder_and_none_for_a_region() {
    let server = bucket(tree());
    let source = open(&server, "p/q/").await.unwrap();
    let before = server.calls(Op::ListObjectsV2);
    let found = find(&source, Selection::default()).await;
    // p/q/, AWSLogs and two folders `waf`, the organization, four accounts of five families.
    assert_eq!(found.requests, 1 + 3 + 1 + 4 + 4 * 5);
    assert_eq!(server.calls(Op::ListObjectsV2) - before, 29);
}

#[tokio::test]
async fn accounts_of_several_pages_are_found_with_few_requests_in_flight() {
    const ACCOUNTS: usize = 1_041;
    let server = bucket((0..ACCOUNTS).map(|n| digest("", n)));
    let source = Arc::new(open(&server, "").await.unwrap());
    let hold = server
        .hold(|call| call.op == Op::ListObjectsV2 && call.query.contains("CloudTrail-Digest"));
    let finding = tokio::spawn(async move { find(&*source, Selection::default()).await });
    wait::until_async("requests are in flight", async || hold.calls().len() == 16).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(hold.calls().len(), 16);
    drop(hold);
    let found = finding.await.unwrap();
    assert_eq!(found.folders.len(), ACCOUNTS);
    // The bucket, two pages of accounts, and two requests for each.
    assert_eq!(found.requests, 1 + 2 + 2 * ACCOUNTS as u64);
}

#[tokio::test]
async fn a_trail_within_another_layout_is_found() {
    let mut keys: Vec<String> = Vec::new();
    // Many folders, some of which are deep.
    for n in 0..541 {
        keys.push(format!("by-minute/{n:04}/a.json"));
        keys.push(format!("by-minute/{n:04}/z/z.json"));
    }
    let starts = ["by-minute/0007/x/y/", "a/b/c/d/e/f/", "AWSLogs/backup/"];
    keys.extend(starts.map(|start| digest(start, 7)));
    let server = bucket(keys);
    let source = open(&server, "").await.unwrap();
    let found = find(&source, Selection::default()).await;
    let uri = |key: &str| format!("{}/{BUCKET}/{key}", server.endpoint_url());
    let region = |start: &str| uri(digest(start, 7).split("2026").next().unwrap());
    let mut expected = starts.map(region);
    expected.sort();
    assert_eq!(uris(&found.folders), expected);
    assert!(found.requests < 40, "{} requests", found.requests);
}

#[tokio::test]
async fn a_prefix_that_ends_within_a_name_is_the_root() {
    let server = bucket((0..3).map(|n| digest("", n * 111_111_111_111)));
    let start = "AWSLogs/1111";
    let region = "AWSLogs/111111111111/CloudTrail-Digest/eu-west-1/";
    let uri = |key: &str| format!("{}/{BUCKET}/{key}", server.endpoint_url());
    for (prefix, folder) in [
        (start, region),
        ("AWSL", region),
        (&region[..region.len() - 3], region),
        (&*format!("{region}20"), &*format!("{region}20")),
        (&*format!("{region}2026/0"), &*format!("{region}2026/0")),
    ] {
        let source = open(&server, prefix).await.unwrap();
        assert_eq!(source.root_uri(), Some(uri(prefix)));
        let found = find(&source, Selection::default()).await;
        let found = found.folders.iter().find(|it| it.account == "111111111111").unwrap();
        assert_eq!(found.uri, uri(folder), "{prefix}");
        for (selection, objects) in [
            (Selection::default(), 1),
            (days(Some((1, 15)), None), 1),
            (days(Some((1, 16)), None), 0),
        ] {
            assert_eq!(list(&source, found, selection).await.objects.len(), objects, "{prefix}");
        }
    }
}

/// `REGION//2026/02/01/` is listed before `REGION/2026/01/15/`.
#[tokio::test]
async fn empty_names_do_not_break_the_order_of_days() {
    let region = "AWSLogs//111122223333/CloudTrail-Digest/eu-west-1/";
    let names = ["/2026/02/01/b", "2026/01/15/a", "2026/01//20/c", "2026/02/01/d", "2026/02/02//e"];
    let server = bucket(names.map(|name| format!("{region}{name}")));
    let source = open(&server, "").await.unwrap();
    let found = find(&source, Selection::default()).await;
    assert_eq!(found.folders.len(), 1);
    let listed = list(&source, &found.folders[0], Selection::default()).await;
    let above = format!("{}/{BUCKET}/{region}", server.endpoint_url());
    let expected = ["2026/01/15/a", "2026/02/01/d", "2026/02/02//e"];
    assert_eq!(names_in_order(&listed, &above), expected);
    assert_eq!(listed.filtered_out, 2);
}

fn names_in_order(found: &Found, above: &str) -> Vec<String> {
    let uris = found.objects.iter().map(|object| object.location.uri());
    uris.map(|uri| uri.strip_prefix(above).unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_search_that_is_denied_is_an_error() {
    let server = bucket(tree());
    let source = open(&server, "p/").await.unwrap();
    server.fail_next(Op::ListObjectsV2, Fault::SlowDown, 2);
    assert_eq!(find(&source, Selection::default()).await.folders.len(), 40);
    server.fail_next(Op::ListObjectsV2, Fault::Denied, ALWAYS);
    let error = source.region_folders(&Arc::default()).await.unwrap_err();
    assert!(matches!(error, SourceError::ListDenied { .. }), "{error:?}");
}
