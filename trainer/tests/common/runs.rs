//! Training runs so small that a step takes milliseconds.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics with the reason")]

use super::cli::{Place, run};

pub const TOKENIZER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../assets/tokenizer.json");

// One shard, so that sums are made in one order.

pub const DECODER: &str = "
steps = 60
batch = 2
shards = 1
checkpoint_steps = 4
projector_inner = 16
[decoder]
hidden_size = 32
intermediate_size = 64
num_hidden_layers = 1
num_attention_heads = 2
num_key_value_heads = 1
[optimizer]
learning_rate = 0.003
warmup_steps = 10
[simulation]
summary = 8
";

pub const ENCODER: &str = "
steps = 24
batch = 2
shards = 1
checkpoint_steps = 2
measure_steps = 1000
measure_mixes = 12
[encoder]
hidden = 32
intermediate = 64
layers = 1
heads = 2
summary = 8
dropout = 0.1
";

pub const ADVISOR: &str = "
steps = 4
batch = 2
shards = 1
checkpoint_steps = 2
mixes = 3
unheard = 0.0
[lora]
rank = 4
alpha = 8.0
dropout = 0.05
target_modules = [\"q_proj\", \"down_proj\"]
[simulation]
summary = 8
";

/// A tiny encoder, decoder and advisor, trained for a few steps into `run1` to `run3`, on the maps in `cache`.
pub fn tuned(place: &Place, cache: &str, advisor: &str) {
    let (encoder, decoder) = (
        place.write("encoder.toml", &ENCODER.replace("24", "2")),
        place.write("decoder.toml", &DECODER.replace("60", "4")),
    );
    let text = |name: &str| place.text(name);
    run(&["train", "encoder", "--config", &encoder, "--cache", cache, "--out", &text("run1")]).unwrap();
    run(&["train", "decoder", "--config", &decoder, "--tokenizer", TOKENIZER, "--out", &text("run2")])
        .unwrap();
    let advisor = place.write("advisor.toml", advisor);
    let (e, d) = (text("run1/encoder.safetensors"), text("run2/decoder.safetensors"));
    let files = ["--config", &advisor, "--cache", cache, "--encoder", &e, "--decoder", &d];
    run(&[&["train", "advisor"], &files[..], &["--out", &text("run3")]].concat()).unwrap();
}
