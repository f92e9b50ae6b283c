//! The contract of sources, run on each of them, and tests of single sources.

mod environment;
mod folder;
mod independent;
mod plan;
mod public_keys;
mod rate_limiter;
mod regions;
mod s3;
mod stdin;
mod unreadable;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use cloudtrail2sql::source::{Found, Source, SourceError, Step};
use cloudtrail2sql::trail::layout::Selection;
use cloudtrail2sql::trail::object::ObjectRef;

use self::regions::{
    a_region_is_listed_once_in_the_order_of_its_days, a_single_object_has_no_root,
    region_folders_are_found_from_every_level, region_folders_are_selected,
};

/// A place to put objects in, and a source that reads them.
#[async_trait]
trait Fixture: Sync {
    async fn new() -> Self;
    async fn put(&self, name: &str, bytes: &[u8]);
    async fn remove(&self, name: &str);
    /// Names that are difficult for this source.
    fn odd_names() -> Vec<String>;
    /// Opens the object or folder `name`, or everything if it is empty.
    async fn open(&self, name: &str) -> Result<Box<dyn Source>, SourceError>;
    /// Returns the name under which an object was put.
    fn name_of(&self, object: &ObjectRef) -> String;
    /// Returns the URI of the object or folder `name`.
    fn uri_of(&self, name: &str) -> String;
}

/// Lists all of `source`, one step after another.
async fn list(source: &dyn Source) -> Vec<ObjectRef> {
    list_selected(source, Selection::default(), false).await.objects
}

/// Lists the selected objects of `source`, and sums up what its steps found.
async fn list_selected(source: &dyn Source, selection: Selection, wants_more: bool) -> Found {
    take_all(source.listing(&Arc::new(selection)), wants_more).await
}

/// Takes a step and all that follow it, and sums up what they found.
async fn take_all(first: Box<dyn Step>, wants_more: bool) -> Found {
    let mut steps = vec![first];
    let mut all = Found::default();
    while let Some(step) = steps.pop() {
        let found = step.take(wants_more).await.unwrap();
        assert!(found.objects.len() <= 1_000, "a step found {} objects", found.objects.len());
        all.objects.extend(found.objects);
        all.requests += found.requests;
        all.filtered_out += found.filtered_out;
        all.own_files += found.own_files;
        all.without_logs.merge(&found.without_logs);
        all.links_not_followed += found.links_not_followed;
        all.unreadable.extend(found.unreadable);
        steps.extend(found.steps.into_iter().rev());
    }
    all
}

/// Returns the only object of `source`.
async fn only(source: &dyn Source) -> ObjectRef {
    let mut objects = list(source).await;
    assert_eq!(objects.len(), 1, "{objects:?}");
    objects.remove(0)
}

/// Lists and fetches all of `source`.
async fn read(fixture: &impl Fixture, source: &dyn Source) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for object in list(source).await {
        let bytes = source.fetch(&object).await.unwrap().bytes;
        assert_eq!(object.size_bytes, bytes.len() as u64);
        let before = all.insert(fixture.name_of(&object), bytes.to_vec());
        assert!(before.is_none(), "{object:?} was listed twice");
    }
    all
}

async fn every_object_is_listed_exactly_once<F: Fixture>() {
    const OBJECTS: usize = 2_541;
    let fixture = F::new().await;
    let mut put = (0..OBJECTS).map(|n| format!("{}/{}/{n}.gz", n % 3, n % 7)).collect::<Vec<_>>();
    for name in &put {
        fixture.put(name, b"").await;
    }
    let source = fixture.open("").await.unwrap();
    for _ in 0..2 {
        let objects = list(&*source).await;
        let mut listed = objects.iter().map(|object| fixture.name_of(object)).collect::<Vec<_>>();
        listed.sort();
        put.sort();
        assert_eq!(listed, put);
    }
}

async fn every_object_is_read_byte_for_byte<F: Fixture>() {
    let fixture = F::new().await;
    let large = (0..3_000_017_u32).map(|n| n.to_le_bytes()[(n % 3) as usize]).collect::<Vec<_>>();
    let put = BTreeMap::from([
        ("empty".to_owned(), Vec::new()),
        ("large".to_owned(), large),
        ("deep/er/zeros".to_owned(), vec![0; 70_001]),
        ("deep/gzip".to_owned(), b"\x1f\x8b\x08 not decoded \xff\x00".to_vec()),
    ]);
    for (name, bytes) in &put {
        fixture.put(name, bytes).await;
    }
    let source = fixture.open("").await.unwrap();
    assert!(read(&fixture, &*source).await == put);
}

async fn odd_names_are_listed_and_read<F: Fixture>() {
    let fixture = F::new().await;
    let mut names = F::odd_names();
    names.extend(
        ["a b", "a+b", "a%20b", "a%2Fb", "100%", "q'\"<&>", "ü/日本/🦀", "#?=;:@$,![]", "..a/~.b"]
            .map(str::to_owned),
    );
    let put = names
        .iter()
        .map(|name| (name.clone(), name.as_bytes().to_vec()))
        .collect::<BTreeMap<_, _>>();
    for (name, bytes) in &put {
        fixture.put(name, bytes).await;
    }
    let source = fixture.open("").await.unwrap();
    assert_eq!(read(&fixture, &*source).await, put);
    for (name, bytes) in &put {
        if name.starts_with('/') || name.ends_with('/') {
            continue; // An address of that kind is a folder, or a path from the root.
        }
        let source = fixture.open(name).await.unwrap();
        let object = only(&*source).await;
        assert_eq!((fixture.name_of(&object), object.is_named), (name.clone(), true));
        assert_eq!(source.fetch(&object).await.unwrap().bytes, bytes);
    }
}

async fn a_folder_with_nothing_in_it_is_an_empty_listing<F: Fixture>() {
    let fixture = F::new().await;
    let source = fixture.open("").await.unwrap();
    assert!(list(&*source).await.is_empty());
}

/// Issue 11, B6: a named S3 object ignored the selection.
async fn the_selection_applies_to_a_named_object<F: Fixture>() {
    let fixture = F::new().await;
    let name = "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/01/15/a.json.gz";
    fixture.put(name, b"x").await;
    for (source, from, objects) in [
        (name, "2026-01-15", 1),
        (name, "2026-01-16", 0),
        ("AWSLogs", "2026-01-15", 1),
        ("AWSLogs", "2026-01-16", 0),
    ] {
        let selection = Selection { from: Some(from.parse().unwrap()), ..Selection::default() };
        let opened = fixture.open(source).await.unwrap();
        let found = list_selected(&*opened, selection, false).await;
        assert_eq!(found.objects.len(), objects, "{source}");
        if source == name {
            assert_eq!(found.filtered_out, 1 - objects as u64, "{source}");
        }
    }
}

async fn only_what_is_below_the_folder_is_listed<F: Fixture>() {
    let fixture = F::new().await;
    for name in ["logs/a", "logs/b/c", "logs2/d", "log", "other/logs/e"] {
        fixture.put(name, b"x").await;
    }
    let source = fixture.open("logs").await.unwrap();
    let objects = list(&*source).await;
    let mut names = objects.iter().map(|object| fixture.name_of(object)).collect::<Vec<_>>();
    names.sort();
    assert_eq!(names, ["logs/a", "logs/b/c"]);
    assert!(objects.iter().all(|object| !object.is_named));
}

async fn a_missing_source_cannot_be_opened<F: Fixture>() {
    let fixture = F::new().await;
    fixture.put("logs/a", b"x").await;
    let error = fixture.open("lgos").await.unwrap_err();
    assert!(error.is_fatal());
    assert!(error.to_string().contains("lgos"), "{error}");
    assert!(error.hint().unwrap().contains("spelling"), "{error:?}");
}

async fn an_object_gone_since_listed_costs_only_itself<F: Fixture>() {
    let fixture = F::new().await;
    fixture.put("a", b"x").await;
    let source = fixture.open("").await.unwrap();
    let object = only(&*source).await;
    fixture.remove("a").await;
    let error = source.fetch(&object).await.unwrap_err();
    assert!(matches!(error, SourceError::Missing { .. }), "{error:?}");
    assert!(!error.is_fatal());
}

async fn an_object_changed_since_listed_is_not_read<F: Fixture>() {
    for now in ["as long, but not that", "longer than it was when it was listed", "short", ""] {
        let fixture = F::new().await;
        fixture.put("a", b"what it was when seen").await;
        let source = fixture.open("").await.unwrap();
        let object = only(&*source).await;
        fixture.put("a", now.as_bytes()).await;
        let error = source.fetch(&object).await.unwrap_err();
        assert!(matches!(error, SourceError::Changed { .. }), "{now}: {error:?}");
        assert!(!error.is_fatal());
        let object = only(&*source).await;
        assert_eq!(source.fetch(&object).await.unwrap().bytes, now.as_bytes());
    }
}

async fn the_first_bytes_of_an_object_are_read<F: Fixture>() {
    let fixture = F::new().await;
    // Not a multiple of any buffer's size.
    let large = (0..200_003_u32).map(|n| n.to_le_bytes()[(n % 3) as usize]).collect::<Vec<_>>();
    fixture.put("large", &large).await;
    fixture.put("empty", b"").await;
    let source = fixture.open("").await.unwrap();
    for object in list(&*source).await {
        let name = fixture.name_of(&object);
        let stored = if name == "large" { &large[..] } else { b"" };
        let whole = stored.len();
        for bytes_max in [1, 65_536, whole - whole.min(1), whole, whole + 1, whole + 70_001] {
            let bytes_max = bytes_max.max(1);
            let head = source.fetch_head(&object, bytes_max as u64).await.unwrap();
            let expected = &stored[..bytes_max.min(whole)];
            assert!(head == expected, "{name}, {bytes_max}: {} bytes", head.len());
        }
        let head = source.fetch_head(&object, u64::MAX).await.unwrap();
        assert!(head == stored, "{name}: {} bytes", head.len());
    }
}

async fn the_first_bytes_of_a_changed_or_deleted_object_are_not_read<F: Fixture>() {
    const LISTED: &[u8] = b"what it was when listed";
    for (bytes_max, now) in [
        (5, &b"another text, as long.."[..]),
        (5, b"longer than it was when it was listed"),
        (LISTED.len(), b"another text, as long.."),
        (LISTED.len(), b"shorter"),
        (1_000, b"longer than it was when it was listed"),
        (5, b"abc"),
        (5, b""),
    ] {
        let fixture = F::new().await;
        fixture.put("a", LISTED).await;
        let source = fixture.open("").await.unwrap();
        let object = only(&*source).await;
        fixture.put("a", now).await;
        let error = source.fetch_head(&object, bytes_max as u64).await.unwrap_err();
        assert!(matches!(error, SourceError::Changed { .. }), "{bytes_max}, {now:?}: {error:?}");
        assert!(!error.is_fatal());
        fixture.remove("a").await;
        let error = source.fetch_head(&object, bytes_max as u64).await.unwrap_err();
        assert!(matches!(error, SourceError::Missing { .. }), "{bytes_max}: {error:?}");
    }
}

/// Runs the contract on a source.
macro_rules! contract {
    ($fixture:ty: $($promise:ident)+) => {
        mod contract {
            $(#[tokio::test]
            async fn $promise() {
                super::super::$promise::<$fixture>().await;
            })+
        }
    };
    ($fixture:ty) => {
        contract! { $fixture:
            every_object_is_listed_exactly_once
            every_object_is_read_byte_for_byte
            odd_names_are_listed_and_read
            a_folder_with_nothing_in_it_is_an_empty_listing
            the_selection_applies_to_a_named_object
            only_what_is_below_the_folder_is_listed
            a_missing_source_cannot_be_opened
            an_object_gone_since_listed_costs_only_itself
            an_object_changed_since_listed_is_not_read
            the_first_bytes_of_an_object_are_read
            the_first_bytes_of_a_changed_or_deleted_object_are_not_read
            region_folders_are_found_from_every_level
            region_folders_are_selected
            a_region_is_listed_once_in_the_order_of_its_days
            a_single_object_has_no_root
        }
    };
}
use contract;
