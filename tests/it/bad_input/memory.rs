//! A file that is small until it is unpacked.

use std::io::Write;

use flate2::{Compress, Compression, FlushCompress};

use crate::binary::Place;
use crate::logs::log_gz;

const MIB: usize = 1 << 20;

/// How large the bomb is, unpacked.
const BOMB_MIB: usize = 300;

/// What the program needs besides its buffers: code, stacks, connections.
pub(super) const OVERHEAD_BYTES: u64 = 64 << 20;

/// Returns 300 MiB of spaces in 300 KiB of gzip.
///
/// One deflated MiB, repeated: to deflate all of it takes long without optimisation. The checksum
/// is wrong, but it is never reached.
pub(super) fn bomb() -> Vec<u8> {
    let spaces = vec![b' '; MIB];
    let mut deflate = Compress::new(Compression::best(), false);
    let mut next = |bytes: &[u8], flush| {
        let mut out = Vec::with_capacity(MIB);
        deflate.compress_vec(bytes, &mut out, flush).unwrap();
        out
    };
    // The second has only references into the window of the first, and so may follow itself.
    let (first, again) = (next(&spaces, FlushCompress::Sync), next(&spaces, FlushCompress::Sync));
    let end = next(b"", FlushCompress::Finish);
    let mut bomb = b"\x1f\x8b\x08\0\0\0\0\0\0\xff".to_vec();
    bomb.write_all(&first).unwrap();
    (1..BOMB_MIB).for_each(|_| bomb.extend_from_slice(&again));
    bomb.extend_from_slice(&end);
    bomb.extend_from_slice(&[0; 4]);
    bomb.extend_from_slice(&u32::try_from(BOMB_MIB * MIB).unwrap().to_le_bytes());
    bomb
}

#[test]
fn the_bomb_is_one() {
    let bomb = bomb();
    assert!(bomb.len() < 320 << 10, "{} bytes", bomb.len());
    let mut member = flate2::write::DeflateDecoder::new(std::io::sink());
    member.write_all(&bomb[10..bomb.len() - 8]).unwrap();
    member.try_finish().unwrap();
    assert_eq!(member.total_out(), (BOMB_MIB * MIB) as u64);
}

#[test]
fn a_bomb_is_refused_within_the_memory_that_was_given() {
    for (args, limit_bytes) in
        [(&[][..], 256 << 20), (&["--memory=64MiB", "--max-object-size=64MiB"][..], 64 << 20)]
    {
        let place = Place::new();
        // Several, so that two at once would show.
        for name in ["a", "b", "c"] {
            place.write(format!("logs/{name}-bomb.json.gz"), bomb());
            place.write(format!("logs/{name}-good.json.gz"), log_gz(&[name]));
        }
        // One that says of itself that it is small.
        let mut liar = bomb();
        let trailer = liar.len() - 4;
        liar[trailer..].copy_from_slice(&100_u32.to_le_bytes());
        place.write("logs/liar.json.gz", liar);

        let args = [&["--output=json", "import", "--fetchers=4"], args, &["logs"]].concat();
        let (run, peak_bytes) = place.start(&args).end_with_peak();
        let run = run.expect(3);
        assert_eq!(run.json()["failed"]["objects"], 4, "{}", run.shown());
        assert_eq!(run.json()["rows"], 3, "{}", run.shown());
        let reason = format!("decodes to more than {limit_bytes} bytes");
        assert_eq!(run.stderr.matches(&reason).count(), 4, "{}", run.shown());
        if let Some(peak_bytes) = peak_bytes {
            let peak_max = limit_bytes + OVERHEAD_BYTES;
            assert!(peak_bytes < peak_max, "{peak_bytes} bytes at the peak, not {peak_max}");
            assert!(peak_bytes > limit_bytes / 2, "{peak_bytes} bytes: was it measured?");
        }
    }
}
