//! Pseudo-random numbers that are the same on every machine and for ever.
//!
//! The generator is `SplitMix64`, written out here (and not a crate's) because
//! the committed sample must not change with a dependency's version. Integers
//! only: the last bits of floating-point functions differ between platforms.

use std::ops::RangeInclusive;

/// The increment of `SplitMix64` (Steele, Lea, Flood 2014): 2^64 / golden ratio, odd.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// One stream of pseudo-random numbers.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// Returns stream number `stream` of the tree with this `seed`.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        Self(mix(seed, stream))
    }

    /// Returns the next 64 bits.
    pub(crate) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GAMMA);
        finish(self.0)
    }

    /// Returns a number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        scale(self.draw(), bound)
    }

    /// Returns a number in `range`.
    pub(crate) fn between(&mut self, range: &RangeInclusive<usize>) -> usize {
        range.start() + self.below(range.end() - range.start() + 1)
    }

    /// Returns true once in `n` times on average.
    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// Returns a number that depends on every bit of `a` and `b`.
pub(crate) fn mix(a: u64, b: u64) -> u64 {
    finish(finish(a.wrapping_add(GAMMA)) ^ b.wrapping_mul(GAMMA))
}

/// Maps 64 random bits onto `0..bound`, evenly.
pub(crate) fn scale(bits: u64, bound: usize) -> usize {
    let product = u128::from(bits) * bound as u128;
    #[expect(clippy::cast_possible_truncation, reason = "the high half is below `bound`")]
    let scaled = (product >> 64) as usize;
    scaled
}

/// Maps 64 random bits onto `0..bound` so that low numbers come far more often.
///
/// The square of an even number: half of all results fall in the first quarter.
pub(crate) fn skew(bits: u64, bound: usize) -> usize {
    let squared = (u128::from(bits) * u128::from(bits)) >> 64;
    scale(squared as u64, bound)
}

/// Returns the FNV-1a hash of `text`: a number for a name, stable for ever.
pub(crate) fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn finish(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_splitmix64() {
        // Known answers of SplitMix64 for the state 1234567 (Rosetta Code, "Pseudo-random numbers").
        let mut random = Random(1_234_567);
        assert_eq!(random.draw(), 6_457_827_717_110_365_317);
        assert_eq!(random.draw(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn low_numbers_come_more_often_when_skewed() {
        let mut random = Random::new(1, 1);
        let low = (0..1000).filter(|_| skew(random.draw(), 100) < 25).count();
        assert!((430..570).contains(&low), "{low} of 1,000 in the first quarter");
    }
}
