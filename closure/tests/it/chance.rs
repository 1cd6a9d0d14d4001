//! Chance that can be had again: a small generator of pseudo-random numbers (SplitMix64), seeded by a round.

/// The same seed gives the same numbers.
pub struct Chance(u64);

impl Chance {
    pub fn seeded(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5EED)
    }

    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Below a bound that is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.number() % bound as u64) as usize
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn pick<'a, T>(&mut self, some: &'a [T]) -> &'a T {
        &some[self.below(some.len())]
    }
}

/// How often a test of chance is repeated: `JALON_TEST_ROUNDS`, or as many as are quick.
pub fn rounds(usual: u64) -> u64 {
    let more = std::env::var("JALON_TEST_ROUNDS")
        .ok()
        .and_then(|it| it.parse().ok());
    more.unwrap_or(usual)
}
