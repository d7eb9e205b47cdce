//! Seeded chance: a result depends only on the seed and on a name, never on what happens
//! concurrently.

/// Hashes these words: splitmix64 over their bytes.
pub(crate) fn roll(seed: u64, words: &[&str]) -> u64 {
    let bytes = words.iter().flat_map(|word| word.bytes().chain([0]));
    bytes.fold(mix(seed), |state, byte| mix(state ^ u64::from(byte)))
}

/// Like [`roll`], below `sides`.
pub(crate) fn below(sides: u64, seed: u64, words: &[&str]) -> u64 {
    roll(seed, words) % sides
}

fn mix(state: u64) -> u64 {
    let z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
