//! Region folders on disk: names, links and permissions.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use cloudtrail2sql::source::Source;
use cloudtrail2sql::source::folder::FolderSource;
use nix::unistd::Uid;

use super::{Selection, days, find, list, names_in_order, uris};
use crate::sources::Fixture;
use crate::sources::folder::Folder;

const IN_CHILD: &str = "CLOUDTRAIL2SQL_TEST_CHILD";
/// The user and group that own nothing.
const NOBODY: u32 = 65_534;
const ACCOUNT: &str = "AWSLogs/111122223333";

#[cfg(target_os = "linux")]
#[tokio::test]
async fn names_that_are_not_utf8_are_found_and_listed() {
    let folder = Folder::new().await;
    let root = folder.0.path().join(OsStr::from_bytes(b"x\xff")).join(ACCOUNT);
    for region in [&b"eu-west-1"[..], b"\xfe", b"\xff"] {
        let day = root.join("CloudTrail-Digest").join(OsStr::from_bytes(region));
        let day = day.join("2026/01/15");
        fs::create_dir_all(&day).unwrap();
        fs::write(day.join(OsStr::from_bytes(b"\xfd")), b"x").unwrap();
    }
    let source = FolderSource::open(folder.0.path()).unwrap();
    let found = source.region_folders(&Arc::default()).await.unwrap();
    let regions: Vec<&str> = found.folders.iter().map(|folder| &*folder.region).collect();
    assert_eq!(regions, ["eu-west-1", "\u{fffd}", "\u{fffd}"]);
    let mut ids = BTreeSet::new();
    for folder in &found.folders {
        let listed = list(&source, folder, days(Some((1, 15)), None)).await.objects;
        assert_eq!(listed.len(), 1);
        assert!(listed[0].location.uri().starts_with(&folder.uri));
        assert!(source.fetch(&listed[0]).await.is_ok());
        ids.insert(listed[0].location.id());
    }
    assert_eq!(ids.len(), 3, "each is another file");
}

#[tokio::test]
async fn links_to_regions_and_days_are_followed_on_request_and_else_counted() {
    let (folder, elsewhere) = (Folder::new().await, Folder::new().await);
    let region = format!("{ACCOUNT}/CloudTrail-Digest/eu-west-1");
    for name in ["2026/01/15/a", "2026/01/17/c"] {
        folder.put(&format!("{region}/{name}"), b"x").await;
    }
    for name in ["16/b", "us-east-1/2026/01/16/d", "us-east-1/2026/01/15/e", "file"] {
        elsewhere.put(name, b"x").await;
    }
    let at = |name: String| folder.0.path().join(name);
    let target = |name: &str| elsewhere.0.path().join(name);
    symlink(target("16"), at(format!("{region}/2026/01/16"))).unwrap();
    symlink(target("us-east-1"), at(format!("{ACCOUNT}/CloudTrail-Digest/us-east-1"))).unwrap();
    // The target of this one is found anyway.
    symlink(at(region.clone()), at(format!("{ACCOUNT}/CloudTrail-Digest/again"))).unwrap();
    symlink(target("file"), at(format!("{ACCOUNT}/file"))).unwrap();
    symlink("nowhere", at(format!("{ACCOUNT}/dangling"))).unwrap();

    let above = folder.uri_of("");
    let day = format!("{above}{region}/2026/01");
    let source = FolderSource::open(folder.0.path()).unwrap();
    let found = find(&source, Selection::default()).await;
    assert_eq!(uris(&found.folders), [format!("{above}{region}/")]);
    assert_eq!(found.links_not_followed, 1, "the link to `us-east-1`");
    let listed = list(&source, &found.folders[0], Selection::default()).await;
    assert_eq!(names_in_order(&listed, &day), ["/15/a", "/17/c"]);
    assert_eq!(listed.links_not_followed, 1, "the link to day 16");

    let source = source.follow_links(true);
    let found = find(&source, Selection::default()).await;
    assert_eq!((found.folders.len(), found.links_not_followed), (2, 0));
    let listed = list(&source, &found.folders[0], Selection::default()).await;
    assert_eq!(names_in_order(&listed, &day), ["/15/a", "/16/b", "/17/c"]);
    let listed = list(&source, &found.folders[1], Selection::default()).await;
    assert_eq!(names_in_order(&listed, &found.folders[1].uri), ["2026/01/15/e", "2026/01/16/d"]);
}

/// A link to a file, and later a link to the folder of that file.
#[tokio::test]
async fn what_links_of_two_days_lead_to_is_listed_once() {
    let (folder, elsewhere) = (Folder::new().await, Folder::new().await);
    let region = format!("{ACCOUNT}/CloudTrail-Digest/eu-west-1");
    folder.put(&format!("{region}/2026/01/15/a"), b"x").await;
    folder.put(&format!("{region}/2026/02/15/d"), b"x").await;
    elsewhere.put("16/b", b"x").await;
    elsewhere.put("16/c", b"x").await;
    let at = |name: &str| folder.0.path().join(&region).join(name);
    symlink(elsewhere.0.path().join("16/b"), at("2026/01/15/b")).unwrap();
    symlink(elsewhere.0.path().join("16"), at("2026/02/16")).unwrap();
    let source = FolderSource::open(folder.0.path()).unwrap().follow_links(true);
    let found = find(&source, Selection::default()).await;
    let listed = list(&source, &found.folders[0], Selection::default()).await;
    let mut names = names_in_order(&listed, &found.folders[0].uri);
    names[..2].sort();
    assert_eq!(names, ["2026/01/15/a", "2026/01/15/b", "2026/02/15/d", "2026/02/16/c"]);
}

#[tokio::test]
async fn a_region_folder_that_is_gone_when_it_is_listed_is_reported() {
    let folder = Folder::new().await;
    folder.put(&format!("{ACCOUNT}/CloudTrail-Digest/eu-west-1/2026/01/15/a"), b"x").await;
    let source = FolderSource::open(folder.0.path()).unwrap();
    let found = find(&source, Selection::default()).await;
    fs::remove_dir_all(folder.0.path().join(ACCOUNT)).unwrap();
    let listed = list(&source, &found.folders[0], Selection::default()).await;
    assert!(listed.objects.is_empty());
    let [unread] = &listed.unreadable[..] else { panic!("{listed:?}") };
    assert_eq!(format!("{}/", unread.uri), found.folders[0].uri);
    assert!(unread.reason.contains("No such file"), "{unread:?}");
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Permissions do not apply to root, so that the test runs itself again as another user.
#[tokio::test]
async fn folders_that_cannot_be_read_are_reported() {
    const NAME: &str = "folders_that_cannot_be_read_are_reported";
    if let Some(root) = std::env::var_os(IN_CHILD) {
        return check_unreadable(Path::new(&root)).await;
    }
    let folder = Folder::new().await;
    for name in [
        "111122223333/CloudTrail-Digest/eu-west-1/2026/01/15/a",
        "111122223333/CloudTrail-Digest/eu-west-1/2026/01/16/b",
        "111122223333/CloudTrail-Digest/eu-west-1/2026/01/17/c",
        "111122223333/CloudTrail-Digest/us-east-1/2026/01/15/d",
        "111122223333/Config/us-east-1/2026/01/15/e",
        "444455556666/CloudTrail-Digest/us-east-1/2026/01/15/f",
    ] {
        folder.put(&format!("AWSLogs/{name}"), b"x").await;
    }
    let root = folder.0.path().canonicalize().unwrap();
    let unreadable = [
        "AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2026/01/16",
        "AWSLogs/111122223333/CloudTrail-Digest/us-east-1",
        "AWSLogs/111122223333/Config",
        "AWSLogs/444455556666",
    ];
    for name in unreadable {
        set_mode(&root.join(name), 0);
    }
    set_mode(&root, 0o755);
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args([&format!("sources::regions::on_disk::{NAME}"), "--exact", "--nocapture"]);
    child.env(IN_CHILD, &root);
    if Uid::effective().is_root() {
        child.uid(NOBODY).gid(NOBODY);
    }
    let output = child.output().unwrap();
    for name in unreadable {
        set_mode(&root.join(name), 0o755);
    }
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{output:?}");
}

async fn check_unreadable(root: &Path) {
    let source = FolderSource::open(root).unwrap();
    let found = source.region_folders(&Arc::default()).await.unwrap();
    let uri = |name: &str| format!("{}/AWSLogs/{name}", root.display());
    let unread: Vec<&str> = found.unreadable.iter().map(|it| &*it.uri).collect();
    assert_eq!(unread, [uri("444455556666")]);
    assert!(found.unreadable[0].reason.contains("Permission denied"), "{found:?}");
    let digests = "111122223333/CloudTrail-Digest";
    let regions = ["eu-west-1/", "us-east-1/"].map(|region| uri(&format!("{digests}/{region}")));
    assert_eq!(uris(&found.folders), regions);

    let listed = list(&source, &found.folders[0], Selection::default()).await;
    let names = names_in_order(&listed, &found.folders[0].uri);
    assert_eq!(names, ["2026/01/15/a", "2026/01/17/c"]);
    assert_eq!(listed.unreadable.len(), 1);
    assert_eq!(listed.unreadable[0].uri, uri(&format!("{digests}/eu-west-1/2026/01/16")));
    let listed = list(&source, &found.folders[0], days(Some((1, 17)), None)).await;
    assert_eq!((listed.objects.len(), listed.unreadable.len()), (1, 0));

    let listed = list(&source, &found.folders[1], Selection::default()).await;
    let [unread] = &listed.unreadable[..] else { panic!("{listed:?}") };
    assert_eq!(unread.uri, uri(&format!("{digests}/us-east-1")));
    assert!(listed.objects.is_empty());

    // Another selection does not miss it.
    let accounts = ["111122223333".to_owned()].into();
    let selection = Selection { accounts, ..Selection::default() };
    assert_eq!(find(&source, selection).await.folders.len(), 2);
}
