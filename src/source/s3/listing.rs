//! Listing keys, one request at a time.
//!
//! Above the days, prefixes are found by delimiter, so that digests and other services' folders
//! are not listed at all. Days are not looked up: they sort as text, so that the days from one to
//! another are one range of keys. A range with more than a page in it is split, when somebody has
//! nothing to list, at keys that are guessed; a bad guess costs a request, never an object, for
//! the parts always cover the whole.

use std::borrow::Cow;

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::types::{EncodingType, Object};

use super::client::Bucket;
use super::fault::Answer;
use crate::source::{Found, SourceError, Step};
use crate::trail::layout::{Choice, Level, Place, Selection, folder_of};
use crate::trail::object::{Location, ObjectRef};

// S3: ListObjectsV2 returns at most 1,000 keys.
const PAGE_KEYS_MAX: i32 = 1_000;

/// How many levels above `AWSLogs/` are searched for it. Deeper down, all is listed plainly.
const ABOVE_LEVELS_MAX: u8 = 3;

/// More folders than these at a level without `AWSLogs/` are some other layout.
const ABOVE_FOLDERS_MAX: usize = 50;

/// How many parts one range is split into at a time.
const PARTS_MAX: usize = 8;

/// What to list.
#[derive(Debug, Clone, Default)]
pub(super) struct Ask<'a> {
    /// What keys begin with.
    pub(super) prefix: &'a str,
    /// What ends the part of a key, after the prefix, under which keys are rolled up.
    pub(super) delimiter: Option<&'a str>,
    /// The key after which to begin.
    pub(super) start_after: Option<&'a str>,
    /// Fewer keys than a full page.
    pub(super) keys_max: Option<i32>,
}

/// One page of a listing.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) objects: Vec<ObjectRef>,
    /// What keys were rolled up under, if a delimiter was given.
    pub(super) prefixes: Vec<String>,
    /// Where to go on; none at the end.
    pub(super) next: Option<String>,
}

impl Bucket {
    /// Lists one page: the first, or the one that `token` stands for.
    ///
    /// A page may be empty and still not the last.
    pub(super) async fn list(
        &self,
        ask: &Ask<'_>,
        token: Option<&str>,
    ) -> Result<Page, SourceError> {
        self.pace.turn().await;
        let answer = self
            .client
            .list_objects_v2()
            .bucket(&self.name)
            .prefix(ask.prefix)
            .set_delimiter(ask.delimiter.map(str::to_owned))
            .set_start_after(ask.start_after.map(str::to_owned))
            .set_continuation_token(token.map(str::to_owned))
            .max_keys(ask.keys_max.unwrap_or(PAGE_KEYS_MAX))
            // XML 1.0 has no way to write U+0001, which a key may contain.
            .encoding_type(EncodingType::Url)
            .set_request_payer(self.payer())
            .send()
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return Err(self.list_error(ask.prefix, error).await),
        };
        let odd = |what: &'static str| SourceError::List {
            uri: self.uri(ask.prefix),
            cause: what.into(),
        };
        // Servers that do not know the parameter do not echo it.
        let is_encoded = answer.encoding_type() == Some(&EncodingType::Url);
        let objects = answer
            .contents()
            .iter()
            .map(|object| self.listed(object, is_encoded))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| odd("the server listed an object without key or size"))?;
        let prefixes = answer
            .common_prefixes()
            .iter()
            .filter_map(|common| common.prefix())
            .map(|prefix| key_of(prefix, is_encoded).into_owned())
            .collect();
        let next = if answer.is_truncated().unwrap_or_default() {
            // To stop here would leave out objects in silence; to begin again would never end.
            match answer.next_continuation_token() {
                Some(next) if Some(next) != token => Some(next.to_owned()),
                _ => return Err(odd("the server says there is more, but not where")),
            }
        } else {
            None
        };
        Ok(Page { objects, prefixes, next })
    }

    /// Returns the first object whose key begins with `prefix`.
    pub(super) async fn first_below(&self, prefix: &str) -> Result<Option<ObjectRef>, SourceError> {
        let ask = Ask { prefix, keys_max: Some(1), ..Ask::default() };
        let mut token = None;
        loop {
            let page = self.list(&ask, token.as_deref()).await?;
            if let Some(object) = page.objects.into_iter().next() {
                return Ok(Some(object));
            }
            token = Some(match page.next {
                Some(next) => next,
                None => return Ok(None),
            });
        }
    }

    /// Returns the object of that key, or `None` if there is none, or we may not know.
    pub(super) async fn head(&self, key: &str) -> Result<Option<ObjectRef>, SourceError> {
        let answer = self
            .client
            .head_object()
            .bucket(&self.name)
            .key(key)
            .set_request_payer(self.payer())
            .send()
            .await;
        match answer {
            Ok(answer) => Ok(Some(ObjectRef {
                location: self.location(key.to_owned()),
                size_bytes: answer.content_length().map_or(0, i64::unsigned_abs),
                version: version(answer.e_tag()),
                is_named: true,
            })),
            // Refusals have no body, hence no code: the listing that follows gets a better one.
            Err(error) if Answer::of(&error).is_some() => Ok(None),
            Err(error) => Err(self.unanswered(error).await),
        }
    }

    fn listed(&self, object: &Object, is_encoded: bool) -> Option<ObjectRef> {
        Some(ObjectRef {
            location: self.location(key_of(object.key()?, is_encoded).into_owned()),
            size_bytes: u64::try_from(object.size()?).ok()?,
            version: version(object.e_tag()),
            is_named: false,
        })
    }
}

/// Returns the `ETag` without its quotes.
pub(super) fn version(e_tag: Option<&str>) -> String {
    e_tag.unwrap_or_default().trim_matches('"').to_owned()
}

/// Returns the key that a listing shows. S3 writes a space as `+`, like a form, and every other
/// odd byte as `%XX`; what is not a valid escape stays as it is.
fn key_of(shown: &str, is_encoded: bool) -> Cow<'_, str> {
    if !is_encoded || !shown.contains(['%', '+']) {
        return Cow::Borrowed(shown);
    }
    let hex = |byte: Option<&u8>| byte.and_then(|&byte| char::from(byte).to_digit(16));
    let shown = shown.as_bytes();
    let mut key = Vec::with_capacity(shown.len());
    let mut at = 0;
    while at < shown.len() {
        match (shown[at], hex(shown.get(at + 1)), hex(shown.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                key.push(u8::try_from(high * 16 + low).expect("two hex digits make a byte"));
                at += 2;
            }
            (b'+', ..) => key.push(b' '),
            (byte, ..) => key.push(byte),
        }
        at += 1;
    }
    Cow::Owned(String::from_utf8_lossy(&key).into_owned())
}

/// One request of a listing.
#[derive(Debug)]
pub(super) struct S3Step {
    bucket: Arc<Bucket>,
    selection: Arc<Selection>,
    what: What,
}

/// What a step asks for.
#[derive(Debug, Clone)]
enum What {
    /// What is directly below a prefix.
    Folders { prefix: String, levels_above: u8, token: Option<String> },
    /// Every key of a range.
    Keys(Range),
    /// Nothing: the object is known.
    Only(ObjectRef),
}

/// Keys that begin with a prefix, lie after one key and not beyond another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Range {
    prefix: String,
    after: Option<String>,
    until: Option<String>,
    token: Option<String>,
}

impl S3Step {
    /// Returns the first step of a listing of all that is chosen below a prefix.
    pub(super) fn below(bucket: Arc<Bucket>, selection: &Arc<Selection>, prefix: String) -> Self {
        // A prefix that ends within a name is no folder.
        let is_folder = prefix.is_empty() || prefix.ends_with('/');
        let level = if is_folder { Place::of(&prefix).level } else { Level::Other };
        let what = What::at(prefix, level, 0, selection);
        Self { bucket, selection: Arc::clone(selection), what }
    }

    /// Returns the step that lists one known object.
    pub(super) fn only(bucket: Arc<Bucket>, object: ObjectRef) -> Self {
        Self { bucket, selection: Arc::default(), what: What::Only(object) }
    }

    fn next(&self, what: What) -> Box<dyn Step> {
        let (bucket, selection) = (Arc::clone(&self.bucket), Arc::clone(&self.selection));
        Box::new(Self { bucket, selection, what })
    }

    async fn folders(
        &self,
        prefix: &str,
        levels_above: u8,
        token: Option<&str>,
    ) -> Result<Found, SourceError> {
        let ask = Ask { prefix, delimiter: Some("/"), ..Ask::default() };
        let page = self.bucket.list(&ask, token).await?;
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
        if is_above && token.is_none() && !names.contains(&"AWSLogs") && (is_crowded || is_deep) {
            // Some other layout: looking into each folder would cost more than it saves.
            let prefix = prefix.to_owned();
            found.steps = vec![self.next(What::Keys(Range { prefix, ..Range::default() }))];
            return Ok(found);
        }
        for (folder, name) in page.prefixes.iter().zip(&names) {
            match place.choose(name, &self.selection) {
                Choice::Descend(Level::Above) if is_crowded => {
                    let prefix = folder.clone();
                    let keys = What::Keys(Range { prefix, ..Range::default() });
                    found.steps.push(self.next(keys));
                }
                Choice::Descend(level) => {
                    let what = What::at(folder.clone(), level, levels_above + 1, &self.selection);
                    found.steps.push(self.next(what));
                }
                Choice::NoLogs => *found.without_logs.entry((*name).to_owned()).or_default() += 1,
                Choice::NotChosen => found.filtered_out += 1,
            }
        }
        if let Some(token) = page.next {
            let (prefix, token) = (prefix.to_owned(), Some(token));
            found.steps.push(self.next(What::Folders { prefix, levels_above, token }));
        }
        found.objects = page.objects;
        Ok(found)
    }

    async fn keys(&self, range: &Range, wants_more: bool) -> Result<Found, SourceError> {
        let ask =
            Ask { prefix: &range.prefix, start_after: range.after.as_deref(), ..Ask::default() };
        let page = self.bucket.list(&ask, range.token.as_deref()).await?;
        let mut objects = page.objects;
        let listed = objects.len();
        if let Some(until) = &range.until {
            objects.retain(|object| key(object) <= until.as_str());
        }
        let mut found = Found { requests: 1, ..Found::default() };
        // Keys come in their order, so one beyond the end is the end.
        if let Some(token) = page.next
            && objects.len() == listed
        {
            let parts = match (objects.first(), objects.last()) {
                (Some(first), Some(last)) if wants_more => range.split(key(first), key(last)),
                _ => None,
            };
            let rest = || vec![Range { token: Some(token), ..range.clone() }];
            let parts = parts.unwrap_or_else(rest).into_iter();
            found.steps = parts.map(|part| self.next(What::Keys(part))).collect();
        }
        found.objects = objects;
        Ok(found)
    }
}

#[async_trait]
impl Step for S3Step {
    async fn take(self: Box<Self>, wants_more: bool) -> Result<Found, SourceError> {
        let mut found = match &self.what {
            What::Folders { prefix, levels_above, token } => {
                self.folders(prefix, *levels_above, token.as_deref()).await?
            }
            What::Keys(range) => self.keys(range, wants_more).await?,
            What::Only(object) => Found { objects: vec![object.clone()], ..Found::default() },
        };
        found.keep_chosen(&self.selection);
        Ok(found)
    }
}

impl What {
    /// Returns what to ask for at a prefix of this level.
    fn at(prefix: String, level: Level, levels_above: u8, selection: &Selection) -> Self {
        // How many of the last names are parts of a date.
        let date_names = match level {
            Level::Above | Level::Logs | Level::Organization | Level::Account | Level::Family => {
                return Self::Folders { prefix, levels_above, token: None };
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
    /// Returns the keys below a prefix, at or below a region's, in the chosen days' folders.
    fn of_days(prefix: String, date_names: usize, selection: &Selection) -> Self {
        let mut region = prefix.trim_end_matches('/');
        for _ in 0..date_names {
            region = region.rsplit_once('/').map_or("", |(above, _)| above);
        }
        let from = selection.from.map(|day| format!("{region}/{}/", folder_of(day)));
        let to = selection.to.map(|day| format!("{region}/{}/", folder_of(day)));
        let mut range = Self { prefix, ..Self::default() };
        if let (Some(from), Some(to)) = (&from, &to) {
            // What both ends begin with, every key between them begins with.
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

    /// Splits what is left after `last`, the last key of a page that began with `first`.
    ///
    /// The parts are split at keys that count on from `last` at the place where the page's keys
    /// differ: with `…T0000Z…` to `…T0340Z…` seen, at `…T04`, `…T05` and so on. The last part has
    /// no such end, so that nothing is left out.
    fn split(&self, first: &str, last: &str) -> Option<Vec<Self>> {
        let shared = first.bytes().zip(last.bytes()).take_while(|(a, b)| a == b).count();
        // If the place has counted to its end, one before it counts on.
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
            Self { prefix, after: Some(after), until, token: None }
        };
        (!ends.is_empty()).then(|| afters.zip(untils).map(part).collect())
    }
}

/// Returns the digits or letters that follow one in its alphabet.
fn following(byte: u8) -> Vec<u8> {
    match byte {
        b'0'..=b'9' => (byte + 1..=b'9').collect(),
        b'A'..=b'Z' => (byte + 1..=b'Z').collect(),
        b'a'..=b'z' => (byte + 1..=b'z').collect(),
        _ => Vec::new(),
    }
}

fn key(object: &ObjectRef) -> &str {
    match &object.location {
        Location::S3 { key, .. } => key,
        Location::File(_) => unreachable!("a bucket lists only S3 objects"),
    }
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
    fn chosen_days_are_one_range_of_keys() {
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
    fn a_prefix_below_the_region_keeps_to_itself() {
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
    fn a_place_that_has_counted_to_its_end_lets_one_before_it_count_on() {
        let range = Range { prefix: "p/".into(), ..Range::default() };
        let parts = ends(&range, "p/2026/01/01", "p/2026/01/09");
        assert_eq!(parts[0], ("p/2026/01/09".into(), Some("p/2026/01/1".into())));
        assert_eq!(ends(&range, "p/-a", "p/-z"), []);
        assert_eq!(ends(&range, "p/", "p/é"), []);
    }

    #[test]
    fn an_encoded_key_is_decoded_once() {
        assert_eq!(key_of("a+b%2Bc%25d%01%C3%BC", true), "a b+c%d\u{1}ü");
        assert_eq!(key_of("100%+%4", true), "100% %4");
        assert_eq!(key_of("a+b%2B", false), "a+b%2B");
    }
}
