//! Verifies one account and region, day by day.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::VerifyError;
use super::contents::hash_contents;
use super::days::Days;
use super::keys::{NamedKey, RegionKeys};
use super::outcome::Verified;
use super::regions::Region;
use super::shared::Shared;
use crate::database::integrity::{LedgerObject, StoredDay};
use crate::import::error::chain;
use crate::source::{Source, SourceError};
use crate::trail::gzip::decode;
use crate::trail::integrity::digest::ReadDigest;
use crate::trail::integrity::judge::{Judge, JudgeSettings};
use crate::trail::integrity::signature::{BACKFILL_TIME_METADATA, SIGNATURE_METADATA};
use crate::trail::integrity::verdict::{
    Day, FoundContent, FoundDigest, JudgedDay, LedgerFile, RememberedDigest,
};
use crate::trail::layout::{DIGEST_FAMILY, LOG_FAMILIES, Selection, TRAIL_FAMILY, folder_of};
use crate::trail::object::ObjectRef;
use crate::trail::time::EventTime;

/// Digests that are fetched at once in one account and region: those of a day.
const DIGESTS_MAX: usize = 32;

/// The most bytes that a digest may decode to: it names some million files then.
const DIGEST_BYTES_MAX: u64 = 512 << 20;

impl Shared<'_> {
    /// Verifies an account and region.
    pub(super) async fn verify(&self, region: Region) -> Result<Verified, VerifyError> {
        Walk::new(self, region).run().await
    }
}

/// The walk through the days of a region.
struct Walk<'w> {
    shared: &'w Shared<'w>,
    place: Region,
    /// The listing of each family.
    families: BTreeMap<String, Days>,
    keys: RegionKeys,
    judge: Judge,
    /// What earlier verifications stored of the day that the judge holds.
    held: Vec<RememberedDigest>,
    /// The log files of the next day that the ledger has, if they have been read.
    ahead: Option<(Date, Vec<LedgerObject>)>,
    verified: Verified,
}

impl<'w> Walk<'w> {
    fn new(shared: &'w Shared<'w>, place: Region) -> Self {
        let selection = Arc::new(shared.plan.days());
        let listing = |(family, folder): (&String, &_)| {
            (family.clone(), Days::new(&*place.source, folder, &selection))
        };
        let families = place.folders.iter().map(listing).collect();
        let keys = RegionKeys::new(&shared.plan.keys, &place.name);
        let settings = settings(&shared.plan.selection);
        let judge = Judge::new(&place.account, &place.name, keys.ring(), settings);
        let verified = Verified::default();
        Self { shared, place, families, keys, judge, held: Vec::new(), ahead: None, verified }
    }

    async fn run(mut self) -> Result<Verified, VerifyError> {
        let mut last = None;
        while let Some(day) = self.next_day(last).await? {
            self.day(day).await?;
            last = Some(day);
        }
        let conclusion = self.judge.conclude();
        if let Some(judged) = &conclusion.day {
            let stored = StoredDay::of(&self.place.account_folder, judged, &self.held);
            self.shared.store.store_day(&stored).await?;
        }
        for days in self.families.into_values() {
            self.verified.list_requests += days.requests;
            self.verified.unreadable.extend(days.unreadable);
        }
        self.verified.conclude(&self.place.account, &self.place.name, conclusion);
        Ok(self.verified)
    }

    /// Returns the first day after `last` that has something.
    async fn next_day(&mut self, last: Option<Date>) -> Result<Option<Date>, VerifyError> {
        let is_later = |day: &Date| last.is_none_or(|last| last < *day);
        let Region { ledger_days, remembered_days, .. } = &self.place;
        let stored = ledger_days.values().chain([remembered_days]);
        let mut days: Vec<Date> =
            stored.filter_map(|days| days.iter().copied().find(is_later)).collect();
        for listing in self.families.values_mut() {
            days.extend(listing.peek().await?);
        }
        Ok(days.into_iter().min())
    }

    /// Brings the judge what there is of a day, and stores the verdict on the day before.
    async fn day(&mut self, day: Date) -> Result<(), VerifyError> {
        let has_digests = self.families.contains_key(DIGEST_FAMILY);
        let (mut listed, mut ledger) = (Vec::new(), Vec::new());
        for family in LOG_FAMILIES {
            if let Some(listing) = self.families.get_mut(family) {
                listed.extend(listing.take(day).await?);
            }
            let mut objects = self.ledger_objects(family, day).await?;
            if self.shared.plan.rereads && has_digests {
                let source = &*self.place.source;
                let read = hash_contents(self.shared, source, &mut objects, &listed).await?;
                self.verified.reread += read;
            }
            ledger.extend(objects);
        }
        let digests = match self.families.get_mut(DIGEST_FAMILY) {
            Some(listing) => listing.take(day).await?,
            None => Vec::new(),
        };
        let remembered = if self.place.remembered_days.contains(&day) {
            self.shared.store.remembered_digests(&self.folder(DIGEST_FAMILY, day)).await?
        } else {
            Vec::new()
        };
        let ledger: Vec<_> = ledger.into_iter().map(|it: LedgerObject| it.file).collect();
        let skippable = self.skippable(day, &remembered, &ledger).await?;
        let (digests, keys) = self.fetch_digests(digests, &skippable).await?;
        if self.keys.fetch(&keys).await? {
            self.judge.set_keys(self.keys.ring());
        }
        let source = listed.iter().map(|object| object.location.uri()).collect();
        let held = std::mem::replace(&mut self.held, remembered.clone());
        let judged = self.judge.judge(Day { day, digests, remembered, ledger, source });
        if let Some(judged) = judged {
            self.store(judged, &held).await?;
        }
        Ok(())
    }

    /// Returns the URIs of the digests of a day that need not be fetched.
    async fn skippable(
        &mut self,
        day: Date,
        remembered: &[RememberedDigest],
        ledger: &[LedgerFile],
    ) -> Result<HashSet<String>, VerifyError> {
        if remembered.is_empty() {
            return Ok(HashSet::new());
        }
        // The last digest of a day may name a file in the folder of the next day.
        let mut known = ledger.to_vec();
        if let Ok(next) = day.tomorrow() {
            let ahead = self.ledger_objects(TRAIL_FAMILY, next).await?;
            known.extend(ahead.iter().map(|object| object.file.clone()));
            self.ahead = Some((next, ahead));
        }
        let skippable = self.judge.skippable(remembered, &known);
        Ok(skippable.into_iter().map(str::to_owned).collect())
    }

    /// Returns the objects of a family and day that the ledger has.
    async fn ledger_objects(
        &mut self,
        family: &str,
        day: Date,
    ) -> Result<Vec<LedgerObject>, VerifyError> {
        if family == TRAIL_FAMILY
            && let Some((_, objects)) = self.ahead.take_if(|(own, _)| *own == day)
        {
            return Ok(objects);
        }
        if !self.place.ledger_days.get(family).is_some_and(|days| days.contains(&day)) {
            return Ok(Vec::new());
        }
        Ok(self.shared.store.ledger_objects(&self.folder(family, day)).await?)
    }

    /// Returns the URI of a day folder, without a slash at its end.
    fn folder(&self, family: &str, day: Date) -> String {
        let Region { account_folder, name, .. } = &self.place;
        format!("{account_folder}{family}/{name}/{}", folder_of(day))
    }

    async fn store(
        &mut self,
        judged: JudgedDay,
        remembered: &[RememberedDigest],
    ) -> Result<(), VerifyError> {
        let stored = StoredDay::of(&self.place.account_folder, &judged, remembered);
        self.shared.store.store_day(&stored).await?;
        self.verified.add(&self.place.account, &self.place.name, judged);
        Ok(())
    }

    /// Fetches and reads the digests of a day that need not be skipped. Also returns the keys that they
    /// name.
    async fn fetch_digests(
        &mut self,
        objects: Vec<ObjectRef>,
        skippable: &HashSet<String>,
    ) -> Result<(Vec<FoundDigest>, Vec<NamedKey>), VerifyError> {
        let (shared, source) = (self.shared, &*self.place.source);
        let reads = objects.into_iter().map(|object| async move {
            let location = object.location.clone();
            if skippable.contains(&location.uri()) {
                let content = FoundContent::Skipped;
                return Ok((FoundDigest { location, content, signature: None }, None));
            }
            let _permit = shared.fetch_permit().await;
            fetch_digest(source, &object).await
        });
        let read: Vec<_> = stream::iter(reads).buffered(DIGESTS_MAX).collect().await;
        let (mut digests, mut keys) = (Vec::with_capacity(read.len()), HashMap::new());
        for read in read {
            let (digest, signed) = read?;
            if !matches!(digest.content, FoundContent::Skipped) {
                self.verified.fetched += 1;
            }
            if let FoundContent::Read(read) = &digest.content {
                let ReadDigest { digest, .. } = &**read;
                let (fingerprint, span) = (digest.fingerprint.clone(), (digest.start, digest.end));
                let key = NamedKey { fingerprint: fingerprint.clone(), span, signed };
                keys.entry(fingerprint).or_insert(key);
            }
            digests.push(digest);
        }
        Ok((digests, keys.into_values().collect()))
    }
}

/// Fetches and reads one digest. Also returns when it was signed, if its metadata say so.
async fn fetch_digest(
    source: &dyn Source,
    object: &ObjectRef,
) -> Result<(FoundDigest, Option<EventTime>), SourceError> {
    let location = object.location.clone();
    let unreadable = |reason: String| FoundContent::Unreadable(reason);
    let fetched = match source.fetch(object).await {
        Ok(fetched) => fetched,
        Err(error) if error.is_fatal() => return Err(error),
        Err(error) => {
            let content = unreadable(chain(&error));
            return Ok((FoundDigest { location, content, signature: None }, None));
        }
    };
    let content = match decode(&fetched.bytes, DIGEST_BYTES_MAX) {
        Ok(content) => match ReadDigest::parse(&content) {
            Ok(read) => FoundContent::Read(Box::new(read)),
            Err(error) => unreadable(chain(&error)),
        },
        Err(error) => unreadable(chain(&error)),
    };
    let mut metadata = fetched.metadata;
    let signature = metadata.remove(SIGNATURE_METADATA);
    let signed = metadata.get(BACKFILL_TIME_METADATA).and_then(|text| EventTime::parse(text));
    Ok((FoundDigest { location, content, signature }, signed))
}

/// Returns what is judged of the selected days.
fn settings(selection: &Selection) -> JudgeSettings {
    let now = EventTime::from_unix_s(Timestamp::now().as_second());
    let end = |day: Date| {
        let midnight = day.tomorrow().ok()?.to_zoned(TimeZone::UTC).ok()?;
        EventTime::from_unix_s(midnight.timestamp().as_second())
    };
    let until = selection.to.and_then(end).map(|end| now.map_or(end, |now| now.min(end)));
    JudgeSettings { from: selection.from, to: selection.to, until }
}
