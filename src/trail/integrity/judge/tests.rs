//! Every state and every hole, with digests that are really signed.

use std::collections::BTreeMap;

use super::*;
use crate::trail::integrity::digest::ReadDigest;
use crate::trail::integrity::hash::ContentHash;
use crate::trail::integrity::key::LogName;
use crate::trail::integrity::signer::{DigestPlan, SignedDigest, Signer, public_keys};
use crate::trail::integrity::verdict::{
    DigestNote, DigestVerdict, FileState, FoundContent, FoundDigest, ProvenBy,
};
use crate::trail::object::Location;

mod digests;

mod files;

mod holes;

mod memory;

mod random;

/// The first digest ends here: eight hours reach over midnight.
const FIRST_END: &str = "2026-01-15T20:57:31Z";

fn at(text: &str) -> EventTime {
    EventTime::parse(text).unwrap()
}

/// The key of a log file.
fn log_key(time: &str, unique: &str) -> String {
    log_key_of("CloudTrail", time, unique)
}

fn log_key_of(family: &str, time: &str, unique: &str) -> String {
    let time = iso(at(time));
    let day = time[..10].replace('-', "/");
    let time = time.replace(['-', ':'], "");
    format!(
        "AWSLogs/111122223333/{family}/eu-central-1/{day}/\
         111122223333_{family}_eu-central-1_{}Z_{unique}.json.gz",
        &time[..13]
    )
}

fn iso(time: EventTime) -> String {
    time.to_string().replace(' ', "T") + "Z"
}

fn content_of(key: &str) -> ContentHash {
    ContentHash::of(key.as_bytes())
}

fn hash_of(key: &str) -> String {
    content_of(key).to_string()
}

/// The key file with the one key.
fn ring(signer: &Signer) -> KeyRing {
    KeyRing::parse(public_keys([signer]).as_bytes()).unwrap()
}

/// What is in the source, in the database and in the key files.
#[derive(Clone)]
struct World {
    digests: Vec<FoundDigest>,
    remembered: Vec<RememberedDigest>,
    ledger: Vec<LedgerFile>,
    source: Vec<String>,
    keys: KeyRing,
    settings: JudgeSettings,
}

/// What the judge states of it.
struct Outcome {
    days: Vec<JudgedDay>,
    conclusion: Conclusion,
    /// The digests that were not fetched.
    skipped: Vec<String>,
}

impl World {
    fn empty() -> Self {
        Self {
            digests: vec![],
            remembered: vec![],
            ledger: vec![],
            source: vec![],
            keys: ring(&Signer::first()),
            settings: JudgeSettings::default(),
        }
    }

    /// A trail of `hours` with all of its files loaded.
    fn trail(hours: i64) -> Self {
        let mut world = Self::empty();
        world.add_chain(&Signer::first(), &plans(hours));
        world
    }

    /// Delivers the digests with their files, and loads the files.
    fn add_chain(&mut self, signer: &Signer, plans: &[DigestPlan]) -> Vec<SignedDigest> {
        let digests = chain(signer, plans);
        self.digests.extend(digests.iter().map(found));
        for (key, _) in plans.iter().flat_map(|plan| &plan.files) {
            self.load(key);
        }
        digests
    }

    /// Puts a log file into the source and loads it.
    fn load(&mut self, key: &str) {
        let uri = format!("s3://trail/{key}");
        self.source.push(uri.clone());
        self.ledger.push(LedgerFile { uri, outcome: LedgerOutcome::Loaded(Some(content_of(key))) });
    }

    /// Returns the digest whose name has this hour.
    fn digest(&mut self, hour: &str) -> &mut FoundDigest {
        let at = self.position(hour);
        &mut self.digests[at]
    }

    fn position(&self, hour: &str) -> usize {
        let is = |it: &FoundDigest| it.location.uri().contains(&format!("T{hour}5731Z"));
        self.digests.iter().position(is).unwrap()
    }

    fn delete(&mut self, hour: &str) -> FoundDigest {
        let at = self.position(hour);
        self.digests.remove(at)
    }

    /// Changes a digest's content and keeps its signature.
    fn change(&mut self, hour: &str, change: impl Fn(&mut ReadDigest)) {
        let FoundContent::Read(read) = &mut self.digest(hour).content else { panic!("not read") };
        change(read);
    }

    fn ledger_of(&mut self, part: &str) -> &mut LedgerOutcome {
        let mut lines = self.ledger.iter_mut().filter(|line| line.uri.contains(part));
        let line = lines.next().unwrap();
        assert!(lines.next().is_none(), "{part} is not unique");
        &mut line.outcome
    }

    fn judge(self) -> Outcome {
        let Self { digests, remembered, ledger, source, keys, settings } = self;
        let mut days: BTreeMap<Date, Day> = BTreeMap::new();
        let day_of = |uri: &str| crate::trail::layout::Layout::of(uri).unwrap().day;
        for digest in digests {
            let day = day_of(&digest.location.uri());
            days.entry(day).or_insert_with(|| Day::empty(day)).digests.push(digest);
        }
        for it in remembered {
            let day = day_of(&it.uri);
            days.entry(day).or_insert_with(|| Day::empty(day)).remembered.push(it);
        }
        for line in ledger {
            let day = day_of(&line.uri);
            days.entry(day).or_insert_with(|| Day::empty(day)).ledger.push(line);
        }
        for uri in source {
            let day = day_of(&uri);
            days.entry(day).or_insert_with(|| Day::empty(day)).source.push(uri);
        }
        let mut judge = Judge::new("111122223333", "eu-central-1", Arc::new(keys), settings);
        let (mut judged, mut skipped) = (vec![], vec![]);
        for mut day in days.into_values() {
            for uri in judge.skippable(&day.remembered, &day.ledger) {
                for digest in day.digests.iter_mut().filter(|it| it.location.uri() == uri) {
                    digest.content = FoundContent::Skipped;
                    skipped.push(uri.to_owned());
                }
            }
            judged.extend(judge.judge(day));
        }
        let mut conclusion = judge.conclude();
        judged.extend(conclusion.day.take());
        assert!(conclusion.totals.is_balanced(), "{:?}", conclusion.totals);
        let outcome = Outcome { days: judged, conclusion, skipped };
        outcome.assert_sums();
        outcome
    }
}

impl Outcome {
    /// The sums are those of the days.
    fn assert_sums(&self) {
        let mut sums = Totals::default();
        for day in &self.days {
            sums.digests += day.coverage.digests;
            sums.files += day.coverage.files;
            sums.unnamed += day.coverage.unnamed;
            sums.holes += day.holes.len() as u64;
            let is_noted =
                |it: &&DigestVerdict| matches!(it.state, DigestState::Proven(_)) && it.is_finding();
            sums.noted += day.digests.iter().filter(is_noted).count() as u64;
            assert!(day.coverage.digests.is_balanced() && day.coverage.files.is_balanced());
            assert_eq!(day.coverage.digests.found, day.digests.len() as u64);
        }
        sums.holes += self.conclusion.holes.len() as u64;
        assert_eq!(sums, self.totals());
    }

    fn totals(&self) -> Totals {
        self.conclusion.totals
    }

    fn digests(&self) -> impl Iterator<Item = &DigestVerdict> {
        self.days.iter().flat_map(|day| &day.digests)
    }

    fn digest(&self, hour: &str) -> &DigestVerdict {
        self.digests().find(|it| it.uri.contains(&format!("T{hour}5731Z"))).unwrap()
    }

    fn state(&self, hour: &str) -> &DigestState {
        &self.digest(hour).state
    }

    /// The hours of the digests that are not proven.
    fn not_proven(&self) -> Vec<String> {
        let not = self.digests().filter(|it| !matches!(it.state, DigestState::Proven(_)));
        not.map(|it| it.name.as_ref().unwrap().end.to_string()[11..13].to_owned()).collect()
    }

    fn holes(&self) -> Vec<&Hole> {
        self.days.iter().flat_map(|day| &day.holes).chain(&self.conclusion.holes).collect()
    }

    fn hole(&self) -> &Hole {
        let holes = self.holes();
        let [hole] = holes[..] else { panic!("{holes:?}") };
        hole
    }

    /// The times in the names of the log files that are findings, and their states.
    fn files(&self) -> Vec<(String, &FileState)> {
        let files = self.days.iter().flat_map(|day| &day.files);
        let mut files: Vec<_> = files
            .map(|it| {
                let time = LogName::of(&it.uri).unwrap().delivered;
                (time.map_or_else(String::new, |it| it.to_string()[11..16].to_owned()), &it.state)
            })
            .collect();
        files.sort_by(|one, other| one.0.cmp(&other.0));
        files
    }

    fn assert_all_proven(&self) {
        assert!(self.totals().is_all_proven(), "{:?}", self.totals());
        assert!(self.holes().is_empty() && self.files().is_empty());
        assert_eq!(self.not_proven(), Vec::<String>::new());
    }
}

/// The span of a hole, for people.
fn span(hole: &Hole) -> (String, String) {
    let text = |time: EventTime| time.to_string()[8..].to_owned();
    (hole.from.map_or("?".to_owned(), text), text(hole.to))
}

/// Digests of `hours` after each other, with a log file in the middle of each hour and three around
/// midnight.
fn plans(hours: i64) -> Vec<DigestPlan> {
    let first = DigestPlan::hour(FIRST_END);
    let plans = (0..hours).map(|hour| {
        let mut plan = first.after(hour * 3_600);
        let middle = plan.end - jiff::SignedDuration::from_secs(1_951);
        let mut keys = vec![log_key(&middle.to_string(), "a")];
        let end = plan.end.to_string();
        if end.contains("15T23") {
            // Delivered before the end, and its name is rounded into the next day.
            keys.push(log_key("2026-01-16T00:00:00Z", "up"));
        }
        if end.contains("16T00") {
            // Delivered after the end of the digest before, and its name is rounded down.
            keys.push(log_key("2026-01-15T23:55:00Z", "down"));
        }
        plan.files = keys.into_iter().map(|key| (key.clone(), hash_of(&key))).collect();
        plan
    });
    plans.collect()
}

/// Signs digests, each naming the one before.
fn chain(signer: &Signer, plans: &[DigestPlan]) -> Vec<SignedDigest> {
    let mut digests: Vec<SignedDigest> = Vec::new();
    for plan in plans {
        digests.push(signer.digest(plan, digests.last()));
    }
    digests
}

/// Returns a digest as it lies in its bucket.
fn found(signed: &SignedDigest) -> FoundDigest {
    let SignedDigest { bucket, key, content, signature } = signed.clone();
    FoundDigest {
        location: Location::S3 { bucket, key },
        content: FoundContent::Read(Box::new(ReadDigest::parse(content.as_bytes()).unwrap())),
        signature: Some(signature),
    }
}

#[test]
fn a_clean_trail_is_proven_over_midnight() {
    let outcome = World::trail(8).judge();
    outcome.assert_all_proven();
    let totals = outcome.totals();
    assert_eq!((totals.digests.found, totals.digests.proven), (8, 8));
    assert_eq!((totals.files.named, totals.files.proven), (10, 10));
    let [first, second] = &outcome.days[..] else { panic!("two days") };
    // From 19:57:31 on, which is four hours, two minutes and 29 seconds before midnight.
    assert_eq!((first.coverage.seconds, first.coverage.proven_seconds), (14_549, 14_549));
    assert_eq!((first.coverage.files.named, second.coverage.files.named), (5, 5));
    assert_eq!((second.coverage.seconds, second.coverage.proven_seconds), (14_251, 14_251));
    assert_eq!(first.coverage.digests.found, 4);
    assert_eq!(*outcome.state("20"), DigestState::Proven(ProvenBy::Metadata));
}
