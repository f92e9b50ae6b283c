//! Standard input.

use std::io::{self, Read};
use std::sync::Arc;

use cloudtrail2sql::source::stdin::StdinSource;
use cloudtrail2sql::source::{Source, SourceError};
use cloudtrail2sql::trail::layout::Selection;

use super::{list_selected, only};

/// The SHA-256 of nothing (FIPS 180-4 examples).
const HASH_OF_NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

async fn copied(bytes: &[u8]) -> StdinSource {
    StdinSource::copy(io::Cursor::new(bytes.to_vec()), u64::MAX).await.unwrap()
}

#[tokio::test]
async fn it_is_one_object_that_is_read_byte_for_byte() {
    let large: Vec<u8> = (0..3_000_017_u32).map(|n| n.to_le_bytes()[(n % 3) as usize]).collect();
    for bytes in [&b""[..], b"x", b"\x1f\x8b\x08 not decoded \xff\x00", &large] {
        let source = copied(bytes).await;
        for _ in 0..2 {
            let object = only(&source).await;
            assert!(object.is_named && object.size_bytes == bytes.len() as u64);
            assert!(source.fetch(&object).await.unwrap().bytes == bytes);
            for bytes_max in [1, 70_001, u64::MAX] {
                let head = source.fetch_head(&object, bytes_max).await.unwrap();
                let end = bytes.len().min(usize::try_from(bytes_max).unwrap());
                assert!(head == bytes[..end]);
            }
        }
    }
}

#[tokio::test]
async fn its_name_is_the_hash_of_its_content() {
    let object = only(&copied(b"").await).await;
    assert_eq!(object.location.uri(), format!("stdin:{HASH_OF_NOTHING}"));
    assert_eq!(object.version, HASH_OF_NOTHING);
    let (one, same, other) = (copied(b"a").await, copied(b"a").await, copied(b"b").await);
    let id = async |source: &StdinSource| only(source).await.location.id();
    assert_eq!(id(&one).await, id(&same).await);
    assert_ne!(id(&one).await, id(&other).await);
}

#[tokio::test]
async fn it_is_in_no_day_folder() {
    let from = "2026-01-15".parse().ok();
    let selection = Selection { from, ..Selection::default() };
    let found = list_selected(&copied(b"a").await, selection, false).await;
    assert_eq!((found.objects.len(), found.filtered_out), (0, 1));
    let step = copied(b"a").await.listing(&Arc::default());
    assert!(step.take(true).await.unwrap().steps.is_empty());
}

#[tokio::test]
async fn no_more_is_copied_than_an_object_may_have() {
    let endless = io::repeat(b'x');
    let error = StdinSource::copy(endless, 100_000).await.unwrap_err();
    assert!(matches!(error, SourceError::StdinTooLarge { bytes_max: 100_000 }), "{error:?}");
    assert!(error.is_fatal() && error.hint().unwrap().contains("--max-object-size"));
    assert!(StdinSource::copy(io::repeat(b'x').take(100_000), 100_000).await.is_ok());
}

#[tokio::test]
async fn what_cannot_be_read_to_its_end_is_no_object() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("gone"))
        }
    }
    let input = io::Cursor::new(b"{\"Records\":[".to_vec()).chain(Broken);
    let error = StdinSource::copy(input, u64::MAX).await.unwrap_err();
    assert!(matches!(error, SourceError::Stdin { .. }) && error.is_fatal(), "{error:?}");
}

#[tokio::test]
async fn it_has_no_folders() {
    let source = copied(b"a").await;
    assert_eq!(source.root_uri(), None);
    let found = source.region_folders(&Arc::default()).await.unwrap();
    assert!(found.folders.is_empty() && found.unreadable.is_empty());
}
