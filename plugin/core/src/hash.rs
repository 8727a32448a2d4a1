//! Small hashes for seeds, splits and streams of random numbers: the same number on every machine, in every version.

/// FNV-1a of bytes, 64 bits (Fowler, Noll, Vo). Its lowest bit is only the parity of the bytes: take higher bits for a
/// yes or no.
pub fn fnv1a(bytes: impl IntoIterator<Item = u8>) -> u64 {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    bytes.into_iter().fold(OFFSET_BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

/// Well-spread bits of a counter: the last step of SplitMix64 (Steele, Lea and Flood 2014).
pub fn mix_bits(counter: u64) -> u64 {
    let mut z = counter.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fnv1a_agrees_with_the_published_test_vectors() {
        assert_eq!(fnv1a(*b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(*b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(*b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn mix_bits_agrees_with_splitmix64_of_seed_0() {
        assert_eq!(mix_bits(1), 0xe220_a839_7b1d_cdaf);
        assert_eq!(mix_bits(2), 0x6e78_9e6a_a1b9_65f4);
    }
}
