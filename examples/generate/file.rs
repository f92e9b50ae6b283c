//! The bytes of one log file.

use std::io::{self, Write as _};

use flate2::{Compression, GzBuilder};

use crate::event::{Catalogue, Focus, Place};
use crate::plan::{Family, FilePlan};
use crate::random::Random;
use crate::special::Special;
use crate::world::{REGIONS, World};

/// Compression level, zlib's default. On a real file of 394 records level 1 makes
/// a quarter more bytes (65,195 against 52,243), and trees should be no larger than in life.
const LEVEL: u32 = 6;
/// The gzip header's "unknown" operating system (RFC 1952), the same everywhere.
const UNKNOWN_SYSTEM: u8 = 255;

/// Writes log files.
#[derive(Debug)]
pub(crate) struct Scribe {
    world: World,
    catalogue: Catalogue,
    special: Special,
}

/// The times of a file's oldest and newest event, in seconds since 1970.
pub(crate) type Span = (i64, i64);

impl Scribe {
    /// Prepares to write the files of `world`.
    pub(crate) fn new(world: World) -> Self {
        Self { world, catalogue: Catalogue::new(), special: Special::new() }
    }

    /// Returns the accounts.
    pub(crate) fn world(&self) -> &World {
        &self.world
    }

    /// Writes the JSON of `file` to `json`, replacing what is in it.
    pub(crate) fn write(&self, file: &FilePlan, json: &mut String) -> Span {
        let mut random = Random::new(self.world.seed, file.number);
        let place = Place {
            world: &self.world,
            account: file.account,
            region: REGIONS[file.region],
            file_secs: file.secs,
        };
        let mut span = (i64::MAX, i64::MIN);
        json.clear();
        json.push_str("{\"Records\":[");
        let file_bits = random.draw();
        let mut focus = Focus::new(&self.catalogue, &mut random);
        for number in 0..file.records {
            if number > 0 {
                json.push(',');
            }
            let secs = if file.family == Family::Trail {
                self.catalogue.write_record(place, &mut focus, &mut random, json)
            } else {
                let mut scene = self.catalogue.set_scene(place, &focus, &mut random);
                match file.family {
                    Family::Insight => {
                        self.special.write_insight(number, file_bits, &mut scene, json);
                    }
                    Family::NetworkActivity => self.special.write_network(&mut scene, json),
                    _ => self.special.write_aggregated(&mut scene, json),
                }
                scene.time_secs
            };
            span = (span.0.min(secs), span.1.max(secs));
        }
        json.push_str("]}");
        span
    }
}

/// Compresses `bytes` into `gzip`, replacing what is in it; always the same bytes for the same.
pub(crate) fn compress(bytes: &[u8], gzip: &mut Vec<u8>) -> io::Result<()> {
    gzip.clear();
    let mut encoder = GzBuilder::new()
        .mtime(0)
        .operating_system(UNKNOWN_SYSTEM)
        .write(gzip, Compression::new(LEVEL));
    encoder.write_all(bytes)?;
    encoder.finish()?;
    Ok(())
}
