//! Files and folders.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use async_trait::async_trait;
use cloudtrail2sql::source::folder::FolderSource;
use cloudtrail2sql::source::{Source, SourceError};
use cloudtrail2sql::trail::layout::Selection;
use cloudtrail2sql::trail::object::{Location, ObjectRef};
use tempfile::TempDir;

use super::{Fixture, contract, list, list_selected, only};

contract!(crate::sources::folder::Folder);

pub(super) struct Folder(pub(super) TempDir);

impl Folder {
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn source(&self) -> FolderSource {
        FolderSource::open(self.0.path()).unwrap()
    }
}

#[async_trait]
impl Fixture for Folder {
    async fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    async fn put(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    async fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
    }

    fn odd_names() -> Vec<String> {
        vec!["n".repeat(255), " ".into(), "line\nbreak".into(), "-rf".into()]
    }

    async fn open(&self, name: &str) -> Result<Box<dyn Source>, SourceError> {
        Ok(Box::new(FolderSource::open(&self.path(name))?))
    }

    fn name_of(&self, object: &ObjectRef) -> String {
        let Location::File(path) = &object.location else { panic!("{object:?}") };
        let root = self.0.path().canonicalize().unwrap();
        path.strip_prefix(root).unwrap().to_str().unwrap().to_owned()
    }

    fn uri_of(&self, name: &str) -> String {
        format!("{}/{name}", self.0.path().canonicalize().unwrap().display())
    }
}

async fn names(folder: &Folder, source: &FolderSource) -> Vec<String> {
    let mut names =
        list(source).await.iter().map(|object| folder.name_of(object)).collect::<Vec<_>>();
    names.sort();
    names
}

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[tokio::test]
async fn a_file_has_no_metadata() {
    let folder = Folder::new().await;
    folder.put("a", b"x").await;
    let source = folder.source();
    let fetched = source.fetch(&only(&source).await).await.unwrap();
    assert!(fetched.metadata.is_empty(), "{fetched:?}");
}

#[test]
fn a_path_becomes_absolute() {
    let source = FolderSource::open(Path::new("src")).unwrap();
    assert!(source.root().is_absolute());
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_that_leads_nowhere_is_counted_as_an_object() {
    let folder = Folder::new().await;
    folder.put("a", b"x").await;
    std::os::unix::fs::symlink("nowhere", folder.path("dangling")).unwrap();
    let source = folder.source();
    let objects = list(&source).await;
    assert_eq!(objects.len(), 2);
    let dangling = objects.into_iter().find(|object| folder.name_of(object) == "dangling").unwrap();
    let error = source.fetch(&dangling).await.unwrap_err();
    assert!(!error.is_fatal(), "{error:?}");
    assert!(error.to_string().contains("dangling"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn links_out_of_the_folder_are_followed_on_request_and_a_loop_of_them_ends() {
    use std::os::unix::fs::symlink;
    let (folder, elsewhere) = (Folder::new().await, Folder::new().await);
    folder.put("a/b", b"x").await;
    elsewhere.put("c", b"y").await;
    elsewhere.put("d", b"y").await;
    symlink(elsewhere.0.path(), folder.path("elsewhere")).unwrap();
    symlink(elsewhere.path("d"), folder.path("d")).unwrap();
    symlink(folder.0.path(), folder.path("a/up")).unwrap();
    symlink(elsewhere.0.path(), elsewhere.path("loop")).unwrap();
    let source = folder.source();
    assert_eq!(names(&folder, &source).await, ["a/b"]);
    let found = list_selected(&source, Selection::default(), false).await;
    assert_eq!(found.links_not_followed, 2, "the links to `elsewhere` and `d`");
    let followed = names(&folder, &source.follow_links(true)).await;
    assert_eq!(followed[..2], ["a/b", if followed[1] == "d" { "d" } else { "elsewhere/c" }]);
    assert_eq!(followed.len(), 3, "each target once: {followed:?}");
}

/// Issue 11, B11: the rows of a folder outside were loaded once for each link to it.
#[cfg(unix)]
#[tokio::test]
async fn what_several_links_lead_to_is_listed_once() {
    use std::os::unix::fs::symlink;
    let elsewhere = Folder::new().await;
    for name in ["x/a", "x/sub/b", "x/sub/deep/c"] {
        elsewhere.put(name, b"x").await;
    }
    // Folders are not read in the order of their names: each order of the links is tried.
    let targets = ["x", "x", "x/sub", "x/sub/deep", "x/sub/b", "x/sub/b"];
    for first in 0..targets.len() {
        let folder = Folder::new().await;
        for (n, target) in targets.iter().cycle().skip(first).take(targets.len()).enumerate() {
            symlink(elsewhere.path(target), folder.path(&n.to_string())).unwrap();
        }
        let listed = names(&folder, &folder.source().follow_links(true)).await;
        let ends = ["/a", "b", "c"];
        let count = |end: &str| listed.iter().filter(|name| name.ends_with(end)).count();
        // A link to the file `b` itself is a name without its own.
        assert_eq!((listed.len(), count(ends[0]), count(ends[2])), (3, 1, 1), "{listed:?}");
    }
}

/// Issue 11: a link to `/` was followed through the whole file system.
#[cfg(unix)]
#[tokio::test]
async fn a_link_to_a_folder_above_the_root_is_not_followed_by_default() {
    use std::os::unix::fs::symlink;
    let above = Folder::new().await;
    above.put("root/a", b"x").await;
    above.put("beside/b", b"y").await;
    symlink(above.0.path(), above.path("root/up")).unwrap();
    let source = FolderSource::open(&above.path("root")).unwrap();
    assert_eq!(names(&above, &source).await, ["root/a"]);
    // What is below the root is not listed again.
    let followed = names(&above, &source.follow_links(true)).await;
    assert_eq!(followed, ["root/a", "root/up/beside/b"]);
}

#[cfg(unix)]
#[tokio::test]
async fn the_targets_of_links_in_the_folder_are_listed_once() {
    use std::os::unix::fs::symlink;
    let folder = Folder::new().await;
    folder.put("m/real/a", b"x").await;
    for link in ["aaa", "m/link", "zzz"] {
        symlink(folder.path("m/real"), folder.path(link)).unwrap();
    }
    symlink("real/a", folder.path("m/again")).unwrap();
    assert_eq!(names(&folder, &folder.source()).await, ["m/real/a"]);

    symlink(folder.path("m/real"), folder.path("named")).unwrap();
    let source = FolderSource::open(&folder.path("named")).unwrap();
    assert_eq!(names(&folder, &source).await, ["m/real/a"]);
}

#[cfg(unix)]
#[tokio::test]
async fn a_pipe_is_left_out_without_waiting_for_a_writer() {
    let folder = Folder::new().await;
    folder.put("a", b"x").await;
    pipe(&folder.path("pipe"));
    let source = folder.source();
    assert_eq!(names(&folder, &source).await, ["a"]);
    let error = FolderSource::open(&folder.path("pipe")).unwrap_err();
    assert!(error.is_fatal(), "{error:?}");

    let object = only(&source).await;
    folder.remove("a").await;
    pipe(&folder.path("a"));
    let error = source.fetch(&object).await.unwrap_err();
    assert!(matches!(error, SourceError::Fetch { .. }), "{error:?}");
}

#[tokio::test]
async fn a_file_that_became_a_folder_costs_only_itself() {
    let folder = Folder::new().await;
    folder.put("a", b"x").await;
    let source = folder.source();
    let object = only(&source).await;
    folder.remove("a").await;
    folder.put("a/b", b"x").await;
    let error = source.fetch(&object).await.unwrap_err();
    assert!(matches!(error, SourceError::Fetch { .. }), "{error:?}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn names_that_are_not_utf8_are_read() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = Folder::new().await;
    for byte in [b"\xff", b"\xfe"] {
        fs::write(folder.0.path().join(OsStr::from_bytes(byte)), byte).unwrap();
    }
    let source = folder.source();
    let objects = list(&source).await;
    assert_eq!(objects.len(), 2);
    assert_ne!(objects[0].location.id(), objects[1].location.id());
    for object in &objects {
        let Location::File(path) = &object.location else { panic!("{object:?}") };
        let name = path.file_name().unwrap().as_bytes();
        assert_eq!(source.fetch(object).await.unwrap().bytes, name);
    }
}
