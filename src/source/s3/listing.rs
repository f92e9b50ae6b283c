//! Listing a prefix, one request at a time.
//!
//! Above the day folders, prefixes are found by delimiter, so that digests and the folders of
//! other services are not listed at all. Day folders are not looked up: their names sort by date,
//! so the days from one to another are one range of keys. A range of more than one page is split
//! at guessed keys when a lister has nothing to do. A bad guess costs one request and never an
//! object, because the parts always cover the whole range.

use std::sync::Arc;

use async_trait::async_trait;

use super::bucket::Bucket;
use super::page::{ListRequest, Rest};
use crate::source::{Found, SourceError, Step};
use crate::trail::layout::{Level, Place, Selection, Visit, folder_of};
use crate::trail::object::ObjectRef;

/// How many levels above `AWSLogs/` are searched for it. Deeper levels are listed plainly.
pub(super) const ABOVE_LEVELS_MAX: u8 = 3;

/// A level without `AWSLogs/` and with more folders than these has some other layout.
pub(super) const ABOVE_FOLDERS_MAX: usize = 50;

/// How many parts one range is split into at a time.
const PARTS_MAX: usize = 8;

/// One request of a listing.
#[derive(Debug)]
pub(super) struct S3Step {
    bucket: Arc<Bucket>,
    selection: Arc<Selection>,
    request: Request,
}

/// What one step requests.
#[derive(Debug, Clone)]
enum Request {
    /// The folders and objects directly below a prefix.
    Folders { prefix: String, levels_above: u8, rest: Option<Rest> },
    /// Every key of a range.
    Keys(Range),
    /// Nothing, because the object is already known.
    Known(ObjectRef),
}

/// The keys with a prefix that are greater than `after` and not greater than `until`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Range {
    prefix: String,
    after: Option<String>,
    until: Option<String>,
    rest: Option<Rest>,
}

impl S3Step {
    /// Returns the first step of a listing of the selected objects below a prefix.
    pub(super) fn below(bucket: Arc<Bucket>, selection: &Arc<Selection>, prefix: String) -> Self {
        // A prefix that ends within a name is not a folder.
        let is_folder = prefix.is_empty() || prefix.ends_with('/');
        let level = if is_folder { Place::of(&prefix).level } else { Level::Other };
        let request = Request::at(prefix, level, 0, selection);
        Self { bucket, selection: Arc::clone(selection), request }
    }

    /// Returns the step that lists one known object, if it is selected.
    pub(super) fn known(
        bucket: Arc<Bucket>,
        selection: &Arc<Selection>,
        object: ObjectRef,
    ) -> Self {
        Self { bucket, selection: Arc::clone(selection), request: Request::Known(object) }
    }

    fn next(&self, request: Request) -> Box<dyn Step> {
        let (bucket, selection) = (Arc::clone(&self.bucket), Arc::clone(&self.selection));
        Box::new(Self { bucket, selection, request })
    }

    async fn folders(
        &self,
        prefix: &str,
        levels_above: u8,
        rest: Option<&Rest>,
    ) -> Result<Found, SourceError> {
        let request = ListRequest { prefix, delimiter: Some("/"), ..ListRequest::default() };
        let page = self.bucket.list(&request, rest).await?;
        let place = Place::of(prefix);
        let names: Vec<&str> = page
            .prefixes
            .iter()
            .map(|folder| folder[prefix.len()..].trim_end_matches('/'))
            .collect();
        let is_above = place.level == Level::Above;
        let is_crowded = names.len() > ABOVE_FOLDERS_MAX || page.next.is_some();
        let is_deep = levels_above >= ABOVE_LEVELS_MAX;
        let mut found = Found { requests: 1, ..Found::default() };
        if is_above && rest.is_none() && !names.contains(&"AWSLogs") && (is_crowded || is_deep) {
            // Some other layout: a request per folder would cost more than it saves.
            let prefix = prefix.to_owned();
            found.steps = vec![self.next(Request::Keys(Range { prefix, ..Range::default() }))];
            return Ok(found);
        }
        for (folder, name) in page.prefixes.iter().zip(&names) {
            match place.visit(name, &self.selection) {
                Visit::Enter(Level::Above) if is_crowded => {
                    let prefix = folder.clone();
                    let keys = Request::Keys(Range { prefix, ..Range::default() });
                    found.steps.push(self.next(keys));
                }
                Visit::Enter(level) => {
                    let request =
                        Request::at(folder.clone(), level, levels_above + 1, &self.selection);
                    found.steps.push(self.next(request));
                }
                Visit::NoLogs => found.without_logs.add(name, 1),
                Visit::FilteredOut => found.filtered_out += 1,
            }
        }
        if let Some(rest) = page.next {
            let (prefix, rest) = (prefix.to_owned(), Some(rest));
            found.steps.push(self.next(Request::Folders { prefix, levels_above, rest }));
        }
        found.objects = page.objects;
        Ok(found)
    }

    async fn keys(&self, range: &Range, wants_more: bool) -> Result<Found, SourceError> {
        let request = ListRequest {
            prefix: &range.prefix,
            start_after: range.after.as_deref(),
            ..ListRequest::default()
        };
        let page = self.bucket.list(&request, range.rest.as_ref()).await?;
        let mut objects = page.objects;
        let listed = objects.len();
        if let Some(until) = &range.until {
            objects.retain(|object| key(object) <= until.as_str());
        }
        let mut found = Found { requests: 1, ..Found::default() };
        // Keys are listed in order, so a key beyond the end means that all before it were seen.
        if let Some(rest) = page.next
            && objects.len() == listed
        {
            let parts = match (objects.first(), objects.last()) {
                (Some(first), Some(last)) if wants_more => range.split(key(first), key(last)),
                _ => None,
            };
            let rest = || vec![Range { rest: Some(rest), ..range.clone() }];
            let parts = parts.unwrap_or_else(rest).into_iter();
            found.steps = parts.map(|part| self.next(Request::Keys(part))).collect();
        }
        found.objects = objects;
        Ok(found)
    }
}

#[async_trait]
impl Step for S3Step {
    async fn take(self: Box<Self>, wants_more: bool) -> Result<Found, SourceError> {
        let mut found = match &self.request {
            Request::Folders { prefix, levels_above, rest } => {
                self.folders(prefix, *levels_above, rest.as_ref()).await?
            }
            Request::Keys(range) => self.keys(range, wants_more).await?,
            Request::Known(object) => Found { objects: vec![object.clone()], ..Found::default() },
        };
        found.keep_selected(&self.selection);
        Ok(found)
    }
}

impl Request {
    /// Returns the request for a prefix of this level.
    fn at(prefix: String, level: Level, levels_above: u8, selection: &Selection) -> Self {
        // How many of the last folders are parts of a date.
        let date_names = match level {
            Level::Above | Level::Logs | Level::Organization | Level::Account | Level::Family => {
                return Self::Folders { prefix, levels_above, rest: None };
            }
            Level::Other => return Self::Keys(Range { prefix, ..Range::default() }),
            Level::Region => 0,
            Level::Year => 1,
            Level::Month => 2,
            Level::Day => 3,
        };
        Self::Keys(Range::of_days(prefix, date_names, selection))
    }
}

impl Range {
    /// Returns the keys in the selected days' folders below a prefix, which is a region's folder or
    /// below it.
    fn of_days(prefix: String, date_names: usize, selection: &Selection) -> Self {
        let mut region = prefix.trim_end_matches('/');
        for _ in 0..date_names {
            region = region.rsplit_once('/').map_or("", |(above, _)| above);
        }
        let from = selection.from.map(|day| format!("{region}/{}/", folder_of(day)));
        let to = selection.to.map(|day| format!("{region}/{}/", folder_of(day)));
        let mut range = Self { prefix, ..Self::default() };
        if let (Some(from), Some(to)) = (&from, &to) {
            // Every key between the ends begins with what both ends begin with.
            let shared = from.bytes().zip(to.bytes()).take_while(|(a, b)| a == b).count();
            if shared > range.prefix.len() {
                from[..shared].clone_into(&mut range.prefix);
            }
        }
        range.after = from.filter(|from| *from > range.prefix);
        // No key below the last day is greater than this.
        range.until = to.map(|to| format!("{to}{}", char::MAX));
        range
    }

    /// Splits the rest of the range after a page of the keys from `first` to `last`.
    ///
    /// The keys of the page show at which character keys differ, and the parts end at the
    /// characters that follow there: after `…T0000Z…` to `…T0340Z…`, at `…T04`, `…T05` and so on.
    /// The last part ends where the range ends, so that no key is left out.
    fn split(&self, first: &str, last: &str) -> Option<Vec<Self>> {
        let shared = first.bytes().zip(last.bytes()).take_while(|(a, b)| a == b).count();
        // If no character follows at that position, an earlier position is used.
        let (at, ends) = (0..=shared).rev().find_map(|at| {
            let ends = following(*last.as_bytes().get(at)?);
            (!ends.is_empty()).then_some((at, ends))
        })?;
        let start = last.get(..at).filter(|start| start.len() >= self.prefix.len())?;
        let ends = ends.into_iter().map(|byte| format!("{start}{}", char::from(byte)));
        let ends: Vec<String> = ends
            .filter(|end| self.until.as_ref().is_none_or(|until| end < until))
            .take(PARTS_MAX - 1)
            .collect();
        let afters = std::iter::once(last.to_owned()).chain(ends.iter().cloned());
        let untils = ends.iter().cloned().map(Some).chain([self.until.clone()]);
        let part = |(after, until)| {
            let prefix = self.prefix.clone();
            Self { prefix, after: Some(after), until, rest: None }
        };
        (!ends.is_empty()).then(|| afters.zip(untils).map(part).collect())
    }
}

/// Returns the digits or letters that follow `byte` among digits, capitals or small letters.
fn following(byte: u8) -> Vec<u8> {
    match byte {
        b'0'..=b'9' => (byte + 1..=b'9').collect(),
        b'A'..=b'Z' => (byte + 1..=b'Z').collect(),
        b'a'..=b'z' => (byte + 1..=b'z').collect(),
        _ => Vec::new(),
    }
}

fn key(object: &ObjectRef) -> &str {
    object.location.key().expect("a bucket lists only S3 objects")
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    const REGION: &str = "AWSLogs/111122223333/CloudTrail/eu-central-1/";

    fn days(from: Option<i8>, to: Option<i8>) -> Selection {
        let day = |day| date(2026, 1, day);
        Selection { from: from.map(day), to: to.map(day), ..Selection::default() }
    }

    #[test]
    fn selected_days_are_one_range_of_keys() {
        let range = Range::of_days(REGION.into(), 0, &days(Some(9), Some(15)));
        assert_eq!(range.prefix, format!("{REGION}2026/01/"));
        assert_eq!(range.after, Some(format!("{REGION}2026/01/09/")));
        assert_eq!(range.until, Some(format!("{REGION}2026/01/15/\u{10ffff}")));
        let one = Range::of_days(REGION.into(), 0, &days(Some(9), Some(9)));
        assert_eq!((one.prefix, one.after), (format!("{REGION}2026/01/09/"), None));
        let open = Range::of_days(REGION.into(), 0, &days(Some(9), None));
        let after = Some(format!("{REGION}2026/01/09/"));
        assert_eq!((&*open.prefix, open.after, open.until), (REGION, after, None));
    }

    #[test]
    fn a_range_stays_below_its_prefix() {
        let month = format!("{REGION}2026/02/");
        let range = Range::of_days(month.clone(), 2, &days(Some(9), None));
        assert_eq!((range.prefix, range.after), (month, None));
    }

    /// Returns the parts as pairs of ends.
    fn ends(range: &Range, first: &str, last: &str) -> Vec<(String, Option<String>)> {
        let parts = range.split(first, last).unwrap_or_default();
        parts.into_iter().map(|part| (part.after.unwrap(), part.until)).collect()
    }

    #[test]
    fn the_parts_of_a_range_join_and_cover_all_of_it() {
        let range = Range { prefix: "p/".into(), until: Some("p/zz".into()), ..Range::default() };
        for (first, last) in
            [("p/a1", "p/a7"), ("p/T00x", "p/T03y"), ("p/19", "p/21"), ("p/ax9", "p/ay9")]
        {
            let parts = ends(&range, first, last);
            assert!(parts.len() > 1 && parts.len() <= PARTS_MAX, "{first} {last}: {parts:?}");
            assert_eq!(parts[0].0, last);
            assert_eq!(parts.last().unwrap().1.as_deref(), Some("p/zz"));
            for pair in parts.windows(2) {
                assert_eq!(pair[0].1.as_ref(), Some(&pair[1].0), "{first} {last}");
                assert!(pair[0].0 < pair[1].0);
            }
        }
    }

    #[test]
    fn after_the_last_digit_an_earlier_position_is_split() {
        let range = Range { prefix: "p/".into(), ..Range::default() };
        let parts = ends(&range, "p/2026/01/01", "p/2026/01/09");
        assert_eq!(parts[0], ("p/2026/01/09".into(), Some("p/2026/01/1".into())));
        assert_eq!(ends(&range, "p/-a", "p/-z"), []);
        assert_eq!(ends(&range, "p/", "p/é"), []);
    }
}
