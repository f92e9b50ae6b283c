//! A source in memory, with faults.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use tokio::sync::watch;

use crate::object::{Location, ObjectId, ObjectRef};
use crate::source::{Pages, Source, SourceError};

/// One step of a listing.
#[derive(Debug, Clone)]
pub(super) enum Step {
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
    steps: Vec<Step>,
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
    let records: Vec<String> =
        ids.iter().map(|id| format!(r#"{{"eventID":"{}"}}"#, id.as_ref())).collect();
    format!(r#"{{"Records":[{}]}}"#, records.join(","))
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
        let version = crate::ledger::digest(&bytes)[..8].to_owned();
        let size_bytes = bytes.len() as u64;
        let object = ObjectRef { location, size_bytes, version, is_named: false };
        state.contents.insert(object.location.clone(), bytes);
        state.objects.retain(|other| other.location != object.location);
        state.objects.push(object);
        state.steps = state.objects.iter().map(|it| Step::Page(vec![it.clone()])).collect();
    }

    /// Gives an object another version, as a copy of the same bytes has.
    pub(super) fn touch(&self, name: &str) {
        let mut state = self.state();
        let location = location(name);
        for object in state.objects.iter_mut().filter(|object| object.location == location) {
            object.version.push_str(" touched");
        }
        state.steps = vec![Step::Page(state.objects.clone())];
    }

    /// Lists everything, in pages of so many.
    pub(super) fn list_all(&self, width: usize) {
        let mut state = self.state();
        state.steps = state.objects.chunks(width).map(|page| Step::Page(page.to_vec())).collect();
    }

    /// Lists so many pages, and then that.
    pub(super) fn cut_listing(&self, pages: usize, step: Step) {
        let mut state = self.state();
        state.steps.truncate(pages);
        state.steps.push(step);
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

    pub(super) fn id(&self, name: &str) -> ObjectId {
        location(name).id()
    }
}

struct MemoryPages {
    steps: std::vec::IntoIter<Step>,
}

#[async_trait]
impl Pages for MemoryPages {
    async fn next_page(&mut self) -> Result<Option<Vec<ObjectRef>>, SourceError> {
        tokio::task::yield_now().await;
        match self.steps.next() {
            Some(Step::Page(page)) => Ok(Some(page)),
            Some(Step::Break) => Err(gone()),
            Some(Step::Hang) => std::future::pending().await,
            None => Ok(None),
        }
    }
}

#[async_trait]
impl Source for MemorySource {
    fn pages(&self) -> Box<dyn Pages> {
        Box::new(MemoryPages { steps: self.state().steps.clone().into_iter() })
    }

    async fn fetch(&self, object: &ObjectRef) -> Result<Bytes, SourceError> {
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
        Ok(Bytes::from(state.contents[&object.location].clone()))
    }
}
