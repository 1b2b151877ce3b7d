//! Chance that is the same in every run.

/// A number from 0 (included) to 1 (excluded) that depends on nothing but `parts`, evenly spread
/// (SplitMix64).
pub(super) fn chance(parts: [u64; 4]) -> f64 {
    let mixed = parts.iter().fold(0, |state: u64, part| mix(state ^ part));
    // The upper 53 bits are what a float holds exactly.
    (mixed >> 11) as f64 / (1u64 << 53) as f64
}

fn mix(state: u64) -> u64 {
    let z = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
