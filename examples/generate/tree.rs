//! A whole tree: plans, writes, hashes and counts, hour by hour.
//!
//! The files of an hour are shared out among threads; when all are done, the
//! hour's digests follow. Memory holds one hour's list of files and one file's
//! text per thread.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, io, thread};

use sha2::{Digest as _, Sha256};

use crate::digest::{Chain, DigestPlan, Listed};
use crate::file::{Scribe, compress};
use crate::layout::Layout;
use crate::metadata::MetadataFile;
use crate::plan::{FilePlan, Hour, Plan, Settings, slots};
use crate::signer::{Signer, public_keys};
use crate::summary::Summary;
use crate::world::{REGIONS, World};

/// The file of the digests' metadata, and its path.
type Metadata = (PathBuf, MetadataFile<io::BufWriter<fs::File>>);

/// A file that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}", path.display())]
pub(crate) struct WriteError {
    path: PathBuf,
    source: io::Error,
}

/// Which part of the tree is written: files whose number leaves `index` when divided by `of`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shard {
    /// From 0.
    pub(crate) index: u64,
    /// At least 1.
    pub(crate) of: u64,
}

impl Shard {
    /// The whole tree.
    pub(crate) const WHOLE: Self = Self { index: 0, of: 1 };

    fn has(self, number: u64) -> bool {
        number % self.of == self.index
    }
}

/// Makes a tree.
#[derive(Debug)]
pub(crate) struct Maker<'a> {
    settings: &'a Settings,
    layout: &'a Layout,
    shard: Shard,
    /// Where the tree goes; `None` only counts.
    folder: Option<&'a Path>,
    /// Where what verifies the digests goes.
    signatures: Option<&'a Path>,
    scribe: Scribe,
    /// Each region has one, as each region of AWS has its own key.
    signers: Vec<Signer>,
}

/// What a thread keeps from file to file.
#[derive(Debug, Default)]
struct Desk {
    json: String,
    gzip: Vec<u8>,
    made: Vec<(usize, Listed)>,
    summary: Summary,
}

impl<'a> Maker<'a> {
    /// Prepares to make the tree under `folder`, or only to count it.
    pub(crate) fn new(
        settings: &'a Settings,
        layout: &'a Layout,
        shard: Shard,
        folder: Option<&'a Path>,
    ) -> Self {
        let scribe = Scribe::new(World::new(settings.seed, settings.accounts));
        let signers = vec![Signer::first(), Signer::second()];
        Self { settings, layout, shard, folder, signatures: None, scribe, signers }
    }

    /// Also writes, to a folder beside the tree, the public keys as `public-keys.json` and the metadata of
    /// all digests, those of other parts, too, as `metadata.json`.
    pub(crate) fn with_signatures(mut self, folder: Option<&'a Path>) -> Self {
        self.signatures = folder;
        self
    }

    /// Makes all files with so many threads, and returns what was made.
    ///
    /// # Errors
    /// If a file cannot be written. What was written until then stays.
    pub(crate) fn make(&self, threads: usize) -> Result<Summary, WriteError> {
        let mut summary = Summary::default();
        let mut chains = vec![Chain::default(); slots(self.settings).count()];
        let mut metadata = self.begin_signatures()?;
        for hour in Plan::new(self.settings) {
            let listed = self.make_logs(&hour, threads, &mut summary)?;
            self.make_digests(&hour, &listed, &mut chains, &mut metadata, &mut summary)?;
        }
        if let Some((path, file)) = metadata {
            file.finish().map_err(|source| WriteError { path, source })?;
        }
        Ok(summary)
    }

    /// Writes the public keys, and begins the file of the metadata.
    fn begin_signatures(&self) -> Result<Option<Metadata>, WriteError> {
        let Some(folder) = self.signatures else { return Ok(None) };
        let path = folder.join("public-keys.json");
        let written =
            fs::create_dir_all(folder).and_then(|()| fs::write(&path, public_keys(&self.signers)));
        written.map_err(|source| WriteError { path, source })?;
        let path = folder.join("metadata.json");
        let file =
            fs::File::create(&path).and_then(|file| MetadataFile::new(io::BufWriter::new(file)));
        match file {
            Ok(file) => Ok(Some((path, file))),
            Err(source) => Err(WriteError { path, source }),
        }
    }

    /// Makes the log files of an hour and returns their entries in order.
    fn make_logs(
        &self,
        hour: &Hour,
        threads: usize,
        summary: &mut Summary,
    ) -> Result<Vec<Listed>, WriteError> {
        let next = AtomicUsize::new(0);
        let desks: Vec<Result<Desk, WriteError>> = thread::scope(|scope| {
            let work = || {
                let mut desk = Desk::default();
                while let Some((at, file)) = take(&next, &hour.files) {
                    let listed = self.make_log(file, &mut desk)?;
                    desk.made.push((at, listed));
                }
                Ok(desk)
            };
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            workers
                .into_iter()
                .map(|worker| worker.join().expect("a worker ends without panic"))
                .collect()
        });
        let mut made = Vec::with_capacity(hour.files.len());
        for desk in desks {
            let desk = desk?;
            summary.add(&desk.summary);
            made.extend(desk.made);
        }
        made.sort_by_key(|(at, _)| *at);
        Ok(made.into_iter().map(|(_, listed)| listed).collect())
    }

    /// Makes one log file. Outside the shard it is only hashed: digests need it.
    fn make_log(&self, file: &FilePlan, desk: &mut Desk) -> Result<Listed, WriteError> {
        let (oldest_secs, newest_secs) = self.scribe.write(file, &mut desk.json);
        let key = self.layout.log_key(self.scribe.world(), file);
        if self.shard.has(file.number) {
            let stored = if self.layout.plain {
                desk.json.as_bytes()
            } else {
                compress(desk.json.as_bytes(), &mut desk.gzip)
                    .map_err(|source| self.error(&key, source))?;
                &desk.gzip
            };
            desk.summary.count_log(file.family, file.records, desk.json.len(), stored.len());
            self.store(&key, stored)?;
        }
        let hash = Sha256::digest(desk.json.as_bytes()).into();
        Ok(Listed { key, hash, oldest_secs, newest_secs })
    }

    fn make_digests(
        &self,
        hour: &Hour,
        listed: &[Listed],
        chains: &mut [Chain],
        metadata: &mut Option<Metadata>,
        summary: &mut Summary,
    ) -> Result<(), WriteError> {
        let mut gzip = Vec::new();
        let mut from = 0;
        let closed_secs = Chain::closed_secs(hour.start_secs);
        for ((slot, chain), number) in slots(self.settings).zip(chains).zip(hour.first_digest..) {
            let files = hour.files[from..]
                .iter()
                .take_while(|file| (file.account, file.region) == slot)
                .count();
            let account = self.scribe.world().account(slot.0);
            let key = self.layout.digest_key(account, REGIONS[slot.1], closed_secs);
            let plan = DigestPlan {
                account,
                key: &key,
                closed_secs,
                files: &listed[from..from + files],
                // Readers have to take both spellings.
                escapes_slashes: slot.1 % 2 == 1,
            };
            let json = chain.add(&plan, &self.signers[slot.1 % self.signers.len()]);
            if let Some((path, file)) = metadata {
                let added = file.add(&key, chain.signature());
                added.map_err(|source| WriteError { path: path.clone(), source })?;
            }
            if self.shard.has(number) {
                compress(json.as_bytes(), &mut gzip).map_err(|source| self.error(&key, source))?;
                summary.count_digest(gzip.len());
                self.store(&key, &gzip)?;
            }
            from += files;
        }
        Ok(())
    }

    fn store(&self, key: &str, bytes: &[u8]) -> Result<(), WriteError> {
        let Some(folder) = self.folder else { return Ok(()) };
        let path = folder.join(key);
        let written = match fs::write(&path, bytes) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => path
                .parent()
                .map_or(Ok(()), fs::create_dir_all)
                .and_then(|()| fs::write(&path, bytes)),
            other => other,
        };
        written.map_err(|source| WriteError { path, source })
    }

    fn error(&self, key: &str, source: io::Error) -> WriteError {
        WriteError { path: self.folder.unwrap_or(Path::new("")).join(key), source }
    }
}

/// Takes the next file that no other thread has taken.
fn take<'f>(next: &AtomicUsize, files: &'f [FilePlan]) -> Option<(usize, &'f FilePlan)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    Some((at, files.get(at)?))
}
