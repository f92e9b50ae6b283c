//! A source in memory, with faults.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use tokio::sync::watch;

use crate::source::{Fetched, Found, Source, SourceError, Step};
use crate::trail::layout::Selection;
use crate::trail::object::{Location, ObjectId, ObjectRef};

/// What the next step of a listing finds.
#[derive(Debug, Clone)]
pub(super) enum Cue {
    Page(Vec<ObjectRef>),
    /// The source is gone for good.
    Break,
    Hang,
}

#[derive(Debug, Default)]
pub(super) struct MemorySource {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// Names in the order they were put.
    objects: Vec<ObjectRef>,
    contents: HashMap<Location, Vec<u8>>,
    /// Objects that cannot be fetched, and whether that ends the run.
    failing: HashMap<Location, bool>,
    cues: Vec<Cue>,
    fetches: usize,
    stop_at: Option<(usize, watch::Sender<bool>)>,
}

/// Returns the name of an object, as CloudTrail would end it.
pub(super) fn name(n: usize) -> String {
    format!("logs/{n}.json.gz")
}

pub(super) fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Returns a log file with a record for each eventID.
pub(super) fn log_gz(ids: &[impl AsRef<str>]) -> Vec<u8> {
    gz(log_json(ids).as_bytes())
}

pub(super) fn log_json(ids: &[impl AsRef<str>]) -> String {
    let records: Vec<String> = ids
        .iter()
        .map(|id| format!(r#"{{"eventVersion":"1","eventID":"{}"}}"#, id.as_ref()))
        .collect();
    format!(r#"{{"Records":[{}]}}"#, records.join(","))
}

/// Returns the ledger's key of the object of that name.
pub(super) fn id(name: &str) -> ObjectId {
    location(name).id()
}

fn location(name: &str) -> Location {
    Location::S3 { bucket: "b".into(), key: name.into() }
}

fn gone() -> SourceError {
    SourceError::Refused { uri: "s3://b".into(), cause: "no more".into() }
}

impl MemorySource {
    pub(super) fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Puts an object, or another state of it, and lists it in a page of its own.
    pub(super) fn put(&self, name: &str, bytes: Vec<u8>) {
        let mut state = self.state();
        let location = location(name);
        let version = crate::database::ledger::sha256_hex(&bytes)[..8].to_owned();
        let size_bytes = bytes.len() as u64;
        let object = ObjectRef { location, size_bytes, version, is_named: false };
        state.contents.insert(object.location.clone(), bytes);
        state.objects.retain(|other| other.location != object.location);
        state.objects.push(object);
        state.cues = state.objects.iter().map(|it| Cue::Page(vec![it.clone()])).collect();
    }

    /// Gives an object another version, as a copy of the same bytes has.
    pub(super) fn touch(&self, name: &str) {
        let mut state = self.state();
        let location = location(name);
        for object in state.objects.iter_mut().filter(|object| object.location == location) {
            object.version.push_str(" touched");
        }
        state.cues = vec![Cue::Page(state.objects.clone())];
    }

    /// Lists everything, in pages of so many.
    pub(super) fn list_all(&self, width: usize) {
        let mut state = self.state();
        state.cues = state.objects.chunks(width).map(|page| Cue::Page(page.to_vec())).collect();
    }

    /// Lists so many pages, and then that.
    pub(super) fn cut_listing(&self, pages: usize, cue: Cue) {
        let mut state = self.state();
        state.cues.truncate(pages);
        state.cues.push(cue);
    }

    pub(super) fn fail_fetch(&self, name: &str, is_fatal: bool) {
        self.state().failing.insert(location(name), is_fatal);
    }

    pub(super) fn mend_fetches(&self) {
        self.state().failing.clear();
    }

    /// Stops the run when so many objects are being fetched.
    pub(super) fn stop_at_fetch(&self, fetches: usize, stop: watch::Sender<bool>) {
        self.state().stop_at = Some((fetches, stop));
    }

    /// Returns how many objects were fetched.
    pub(super) fn fetches(&self) -> usize {
        self.state().fetches
    }
}

#[derive(Debug)]
struct MemoryStep {
    cues: VecDeque<Cue>,
}

#[async_trait]
impl Step for MemoryStep {
    async fn take(mut self: Box<Self>, wants_more: bool) -> Result<Found, SourceError> {
        tokio::task::yield_now().await;
        let mut found = Found { requests: 1, ..Found::default() };
        match self.cues.pop_front() {
            Some(Cue::Page(page)) => found.objects = page,
            Some(Cue::Break) => return Err(gone()),
            Some(Cue::Hang) => std::future::pending().await,
            None => return Ok(found),
        }
        let is_plain = self.cues.iter().all(|cue| matches!(cue, Cue::Page(_)));
        if wants_more && is_plain {
            let later = self.cues.split_off(self.cues.len() / 2);
            found.steps = vec![self, Box::new(Self { cues: later })];
        } else {
            found.steps = vec![self];
        }
        Ok(found)
    }
}

#[async_trait]
impl Source for MemorySource {
    fn listing(&self, _selection: &Arc<Selection>) -> Box<dyn Step> {
        Box::new(MemoryStep { cues: self.state().cues.clone().into() })
    }

    async fn fetch(&self, object: &ObjectRef) -> Result<Fetched, SourceError> {
        tokio::task::yield_now().await;
        let mut state = self.state();
        match state.failing.get(&object.location) {
            Some(true) => return Err(gone()),
            Some(false) => {
                let uri = object.location.uri();
                return Err(SourceError::Fetch { uri, cause: "not today".into() });
            }
            None => {}
        }
        state.fetches += 1;
        if let Some((fetches, stop)) = &state.stop_at
            && *fetches == state.fetches
        {
            stop.send_replace(true);
        }
        let bytes = Bytes::from(state.contents[&object.location].clone());
        Ok(Fetched { bytes, metadata: BTreeMap::new() })
    }

    async fn fetch_head(&self, object: &ObjectRef, bytes_max: u64) -> Result<Bytes, SourceError> {
        let bytes = self.fetch(object).await?.bytes;
        Ok(bytes.slice(..bytes.len().min(usize::try_from(bytes_max).unwrap())))
    }
}
