//! Damaged heads of GGUF files: no panic, and no memory beyond the file's size.
//!
//! The ordinary test tries [`SHORT_CASES`] inputs; as many as the variable `MIXING_BUDDY_FUZZ_CASES` says otherwise.
#![allow(clippy::unwrap_used)]

use candle_core::quantized::GgmlDType;
use counting::{ALONE, IN_USE, PEAK};
use mixing_buddy_core::qwen2::files::Storage;
use mixing_buddy_core::qwen2::{Checkpoint, Model};
use rand::{Rng, SeedableRng};
use std::path::Path;
use std::sync::atomic::Ordering;

#[path = "../../../tests/src/counting.rs"]
mod counting;
#[path = "qwen2/tiny.rs"]
#[allow(dead_code)]
mod tiny;

/// Inputs of the ordinary test.
const SHORT_CASES: u32 = 20_000;
/// Memory that an input may take beyond its own size: tables of tensors, texts of errors, the norms of the model.
const BEYOND: usize = 64 << 10;

/// Changes some bytes; where, says what the head holds there: counts and lengths are changed most.
fn damage(rng: &mut impl Rng, bytes: &mut Vec<u8>, head: usize) {
    for _ in 0..rng.random_range(1..4) {
        let at = rng.random_range(0..head.min(bytes.len() - 8));
        match rng.random_range(0..8) {
            0 => bytes[at] = rng.random(),
            1 => bytes[at] ^= 1 << rng.random_range(0..8),
            2 => bytes[at..at + 8].copy_from_slice(&u64::MAX.to_le_bytes()),
            3 => bytes[at..at + 8].copy_from_slice(&rng.random::<u64>().to_le_bytes()),
            4 => bytes[at..at + 4].copy_from_slice(&rng.random_range(0..40u32).to_le_bytes()),
            // Counts of the head.
            5 => bytes[8 + 8 * rng.random_range(0..2usize)..][..4]
                .copy_from_slice(&rng.random_range(0..70_000u32).to_le_bytes()),
            6 => {
                let length = rng.random_range(0..32).min(bytes.len() - at);
                bytes.drain(at..at + length);
            }
            _ => {
                let from = rng.random_range(0..bytes.len() - 8);
                let copy: [u8; 8] = bytes[from..from + 8].try_into().unwrap();
                bytes[at..at + 8].copy_from_slice(&copy);
            }
        }
        if bytes.len() < 64 {
            return;
        }
    }
    if rng.random_range(0..10) == 0 {
        bytes.truncate(rng.random_range(0..bytes.len()));
    }
}

#[test]
fn damaged_heads_are_refused_without_panic_or_memory() {
    let _alone = ALONE.lock().unwrap();
    let mut config = tiny::config();
    (config.hidden_size, config.intermediate_size, config.num_hidden_layers) = (32, 32, 1);
    config.num_attention_heads = 2;
    let tiny = tiny::Tiny::new(1, config);
    // Without the tokenizer, whose tables are larger than their text, and with it.
    let bare = tiny.gguf_with(&[GgmlDType::Q8_0, GgmlDType::Q4_0], |metadata| {
        metadata.retain(|(key, _)| !key.starts_with("tokenizer"));
    });
    let whole = tiny.gguf(&[GgmlDType::Q8_0]);
    let head = |bytes: &[u8]| bytes.windows(11).rposition(|w| w == b"output_norm").unwrap_or(0) + 60;
    let (bare_head, whole_head) = (head(&bare), head(&whole));
    let cases =
        std::env::var("MIXING_BUDDY_FUZZ_CASES").ok().map_or(SHORT_CASES, |text| text.parse().unwrap());
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(14);
    let (mut loaded, mut largest) = (0, 0);
    for case in 0..cases {
        let mut bytes = bare.clone();
        damage(&mut rng, &mut bytes, bare_head);
        let (size, storage) = (bytes.len(), Storage::owned(Path::new("fuzz.gguf"), bytes));
        let before = IN_USE.load(Ordering::Relaxed);
        PEAK.store(before, Ordering::Relaxed);
        let opened = Checkpoint::sizes_of_gguf(&storage)
            .and_then(|(_, config, weights)| Model::from_weights(&weights, &config))
            .is_ok();
        let taken = PEAK.load(Ordering::Relaxed) - before;
        assert!(taken < size + BEYOND, "case {case}: {taken} bytes for a file of {size}");
        loaded += u32::from(opened);
        largest = largest.max(taken);
        if case % 10 == 0 {
            let mut bytes = whole.clone();
            damage(&mut rng, &mut bytes, whole_head);
            let _either = Checkpoint::of_gguf(&Storage::owned(Path::new("fuzz.gguf"), bytes)).is_ok();
        }
    }
    eprintln!("{cases} damaged heads: {loaded} still load, at most {largest} bytes of memory");
    assert!(loaded < cases);
}
