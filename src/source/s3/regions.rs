//! Searching a prefix for the folders of digests and log files.
//!
//! Down to the regions' folders, prefixes are found by delimiter, several at a time. Folders in some
//! other layout are too many for that, or too deep. Their keys are listed, and where one shows a folder
//! `AWSLogs/`, the search goes on by delimiter, and the listing behind that folder.

use futures_util::stream::{FuturesUnordered, StreamExt};

use super::bucket::Bucket;
use super::listing::{ABOVE_FOLDERS_MAX, ABOVE_LEVELS_MAX};
use super::page::{ListRequest, Page, Rest};
use crate::source::region_folder::Address;
use crate::source::{RegionFolder, RegionFolders, SourceError};
use crate::trail::layout::{Level, Place, Selection, Visit};

/// Requests that a search has in flight.
const REQUESTS_MAX: usize = 16;

const LOGS_FOLDER: &str = "AWSLogs/";

/// Finds the region folders below a prefix.
///
/// The requests that wait are at most as many as there are folders.
pub(super) async fn region_folders(
    bucket: &Bucket,
    prefix: &str,
    selection: &Selection,
) -> Result<RegionFolders, SourceError> {
    let search = Search { bucket, selection };
    let mut found = RegionFolders::default();
    let mut waiting = Vec::new();
    match Place::of(folder_part(prefix)).level {
        Level::Region | Level::Year | Level::Month | Level::Day => {
            found.folders.extend(search.folder(prefix));
        }
        Level::Other => waiting.push(Request::keys(prefix.to_owned())),
        Level::Above | Level::Logs | Level::Organization | Level::Account | Level::Family => {
            waiting.push(Request::folders(prefix.to_owned(), 0));
        }
    }
    let mut in_flight = FuturesUnordered::new();
    loop {
        while in_flight.len() < REQUESTS_MAX
            && let Some(request) = waiting.pop()
        {
            in_flight.push(search.send(request));
        }
        let Some(answer) = in_flight.next().await else { break };
        let answer = answer?;
        found.requests += 1;
        for folder in answer.folders {
            if !found.add(folder) {
                let (uri, cause) = (bucket.uri(prefix), RegionFolders::too_many().into());
                return Err(SourceError::List { uri, cause });
            }
        }
        waiting.extend(answer.requests);
    }
    found.folders.sort();
    Ok(found)
}

/// A request of the search.
#[derive(Debug)]
enum Request {
    /// The folders directly below a prefix.
    Folders { prefix: String, levels_above: u8, rest: Option<Rest> },
    /// The keys with a prefix that are greater than `after`.
    Keys { prefix: String, after: Option<String>, rest: Option<Rest> },
}

impl Request {
    fn folders(prefix: String, levels_above: u8) -> Self {
        Self::Folders { prefix, levels_above, rest: None }
    }

    fn keys(prefix: String) -> Self {
        Self::Keys { prefix, after: None, rest: None }
    }
}

/// What the answer to a request shows.
#[derive(Debug, Default)]
struct Answer {
    folders: Vec<RegionFolder>,
    /// The requests that follow.
    requests: Vec<Request>,
}

#[derive(Debug, Clone, Copy)]
struct Search<'s> {
    bucket: &'s Bucket,
    selection: &'s Selection,
}

impl Search<'_> {
    async fn send(self, request: Request) -> Result<Answer, SourceError> {
        match request {
            Request::Folders { prefix, levels_above, rest } => {
                let request =
                    ListRequest { prefix: &prefix, delimiter: Some("/"), ..ListRequest::default() };
                let page = self.bucket.list(&request, rest.as_ref()).await?;
                Ok(self.below(&prefix, levels_above, rest.is_none(), page))
            }
            Request::Keys { prefix, after, rest } => {
                let request = ListRequest {
                    prefix: &prefix,
                    start_after: after.as_deref(),
                    ..ListRequest::default()
                };
                let page = self.bucket.list(&request, rest.as_ref()).await?;
                Ok(among_keys(prefix, after, page))
            }
        }
    }

    /// Returns what to do with the folders of a page.
    fn below(&self, prefix: &str, levels_above: u8, is_first: bool, page: Page) -> Answer {
        let above = folder_part(prefix);
        let place = Place::of(above);
        let name = |folder: &str| folder[above.len()..].trim_end_matches('/').to_owned();
        let names: Vec<String> = page.prefixes.iter().map(|folder| name(folder)).collect();
        let is_above = place.level == Level::Above;
        let is_crowded = names.len() > ABOVE_FOLDERS_MAX || page.next.is_some();
        let is_deep = levels_above >= ABOVE_LEVELS_MAX;
        let has_logs = names.iter().any(|name| name == "AWSLogs");
        let mut answer = Answer::default();
        if is_above && is_first && !has_logs && (is_crowded || is_deep) {
            // Some other layout: a request per folder would cost more than it saves.
            answer.requests.push(Request::keys(prefix.to_owned()));
            return answer;
        }
        for (folder, name) in page.prefixes.into_iter().zip(&names) {
            match place.visit_with_digests(name, self.selection) {
                Visit::Enter(Level::Region) => answer.folders.extend(self.folder(&folder)),
                Visit::Enter(Level::Other) => answer.requests.push(Request::keys(folder)),
                Visit::Enter(Level::Above) if is_crowded => {
                    answer.requests.push(Request::keys(folder));
                }
                Visit::Enter(_) => {
                    answer.requests.push(Request::folders(folder, levels_above + 1));
                }
                Visit::NoLogs | Visit::FilteredOut => {}
            }
        }
        if let Some(rest) = page.next {
            let (prefix, rest) = (prefix.to_owned(), Some(rest));
            answer.requests.push(Request::Folders { prefix, levels_above, rest });
        }
        answer
    }

    fn folder(&self, prefix: &str) -> Option<RegionFolder> {
        let address = Address::Prefix(prefix.to_owned());
        RegionFolder::of(self.bucket.uri(prefix), address, self.selection)
    }
}

/// Returns what to do after a page of keys.
fn among_keys(prefix: String, after: Option<String>, page: Page) -> Answer {
    let mut keys = page.objects.iter().filter_map(|object| object.location.key());
    let folder = keys.find_map(|key| logs_folder(key, prefix.len())).map(str::to_owned);
    let mut answer = Answer::default();
    if let Some(folder) = folder {
        // No key below the folder is greater than this.
        let after = Some(format!("{folder}{}", char::MAX));
        answer.requests.push(Request::Keys { prefix, after, rest: None });
        answer.requests.push(Request::folders(folder, 0));
    } else if let Some(rest) = page.next {
        answer.requests.push(Request::Keys { prefix, after, rest: Some(rest) });
    }
    answer
}

/// Returns the first folder `AWSLogs/` on the way to a key that is longer than `bytes`.
fn logs_folder(key: &str, bytes: usize) -> Option<&str> {
    key.match_indices(LOGS_FOLDER)
        .filter(|(at, _)| *at == 0 || key.as_bytes()[at - 1] == b'/')
        .map(|(at, name)| &key[..at + name.len()])
        .find(|folder| folder.len() > bytes)
}

/// Returns the part of a prefix up to its last slash.
fn folder_part(prefix: &str) -> &str {
    &prefix[..prefix.rfind('/').map_or(0, |at| at + 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_logs_is_a_whole_name_below_the_prefix() {
        for (key, prefix, folder) in [
            ("AWSLogs/1/x", "", Some("AWSLogs/")),
            ("a/AWSLogs/1/x", "", Some("a/AWSLogs/")),
            ("a/AWSLogs/1/x", "a/", Some("a/AWSLogs/")),
            ("a/MyAWSLogs/AWSLogs/x", "a/", Some("a/MyAWSLogs/AWSLogs/")),
            ("AWSLogs/b/AWSLogs/x", "AWSLogs/b/", Some("AWSLogs/b/AWSLogs/")),
            ("a/MyAWSLogs/x", "", None),
            ("a/AWSLogs", "", None),
            ("AWSLogs/waf/x", "AWSLogs/waf/", None),
        ] {
            assert_eq!(logs_folder(key, prefix.len()), folder, "{key} below {prefix}");
        }
    }
}
