//! The folders of digests and log files, one for each account, family and region.
//!
//! Digests are verified region by region and day by day. These folders are the units of that.

use std::path::PathBuf;

use async_trait::async_trait;

use super::{Found, SourceError, Step, UnreadableFolder};
use crate::trail::layout::{Layout, Level, Place, Selection, folder_of};
use crate::trail::object::ObjectRef;

/// The most region folders of one source. An organization of 1,000 accounts has 85,000 if all four
/// families of log files and digests are in all 17 regions that are enabled by default.
const REGION_FOLDERS_MAX: usize = 1_000_000;

/// A folder of digests or log files: `[PREFIX/]AWSLogs/[o-ORG/]ACCOUNT/FAMILY/REGION/`.
///
/// If the root of a source is a folder below it, such as that of a year, it is that folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RegionFolder {
    /// What the URIs of all objects in it begin with. It ends with a slash, as
    /// [`Source::root_uri`](super::Source::root_uri) does.
    pub uri: String,
    /// The account, 12 digits.
    pub account: String,
    /// `CloudTrail-Digest`, or the family of log files, such as `CloudTrail`.
    pub family: String,
    /// Such as `eu-central-1`.
    pub region: String,
    /// The URI of the region's folder itself, with a slash at its end.
    region_uri: String,
    pub(super) address: Address,
}

/// Where a source finds a region folder again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Address {
    /// A prefix of keys.
    Prefix(String),
    /// A folder on disk.
    Folder(PathBuf),
}

/// What a search for region folders found.
#[derive(Debug, Default)]
pub struct RegionFolders {
    /// The folders, in the order of their URIs.
    pub folders: Vec<RegionFolder>,
    /// The number of requests sent.
    pub requests: u64,
    /// Links on disk that lead out of the folder and were not followed.
    pub links_not_followed: u64,
    /// Selected folders that could not be searched.
    pub unreadable: Vec<UnreadableFolder>,
}

impl RegionFolders {
    /// Adds a folder. Returns whether there is room for more.
    pub(super) fn add(&mut self, folder: RegionFolder) -> bool {
        self.folders.push(folder);
        self.folders.len() < REGION_FOLDERS_MAX
    }

    /// Returns why a search ends when there is no room for more.
    pub(super) fn too_many() -> String {
        format!("it has {REGION_FOLDERS_MAX} folders of accounts and regions or more")
    }
}

impl RegionFolder {
    /// Returns the folder at `uri`, which ends with a slash or within a name; `None` if it is not within
    /// a region's folder, or not selected.
    pub(super) fn of(uri: String, address: Address, selection: &Selection) -> Option<Self> {
        let folder = &uri[..uri.rfind('/')?];
        let place = Place::of(folder);
        let [account, family, region] = place.region_names()?.map(str::to_owned);
        if !place.is_selected(&selection.without_event_days()) {
            return None;
        }
        let date_names = match place.level {
            Level::Year => 1,
            Level::Month => 2,
            Level::Day => 3,
            _ => 0,
        };
        let mut region_folder = folder.trim_end_matches('/');
        for _ in 0..date_names {
            region_folder = region_folder.rsplit_once('/')?.0;
        }
        let region_uri = format!("{region_folder}/");
        Some(Self { uri, account, family, region, region_uri, address })
    }

    /// Limits a listing to the objects that are in a day folder of the region.
    ///
    /// In S3, a name may be empty: the keys of `REGION//2026/01/15/` have that day, too, but are listed
    /// before those of other days.
    pub(super) fn in_day_folders(&self, step: Box<dyn Step>) -> Box<dyn Step> {
        Box::new(DayFolderStep { step, region_uri: self.region_uri.clone() })
    }
}

/// A step of which only the objects in day folders count.
#[derive(Debug)]
struct DayFolderStep {
    step: Box<dyn Step>,
    region_uri: String,
}

#[async_trait]
impl Step for DayFolderStep {
    async fn take(self: Box<Self>, wants_more: bool) -> Result<Found, SourceError> {
        let Self { step, region_uri } = *self;
        let mut found = step.take(wants_more).await?;
        let listed = found.objects.len();
        found.objects.retain(|object| is_in_day_folder(object, &region_uri));
        found.filtered_out += (listed - found.objects.len()) as u64;
        let limited =
            |step| -> Box<dyn Step> { Box::new(Self { step, region_uri: region_uri.clone() }) };
        found.steps = found.steps.into_iter().map(limited).collect();
        Ok(found)
    }
}

fn is_in_day_folder(object: &ObjectRef, region_uri: &str) -> bool {
    let uri = object.location.uri();
    let day = Layout::of(&uri).map(|layout| folder_of(layout.day));
    let rest = uri.strip_prefix(region_uri);
    rest.zip(day).is_some_and(|(rest, day)| {
        rest.strip_prefix(&*day).is_some_and(|file| file.starts_with('/'))
    })
}
