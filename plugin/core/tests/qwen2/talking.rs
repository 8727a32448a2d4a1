//! A tiny Qwen2 whose vocabulary has the words of decisions, as one that gives advice needs it.

use crate::tiny::{MARKS, MERGES, Tiny, byte_characters, config};
use candle_core::Device;
use candle_core::quantized::GgmlDType;
use candle_core::quantized::gguf_file::Value;
use mixing_buddy_core::decoder::{Projector, ProjectorConfig, ReferenceCode};
use mixing_buddy_core::large::{About, Package};
use mixing_buddy_core::nn::Params;
use mixing_buddy_core::qwen2::adapter::LowRank;
use mixing_buddy_core::qwen2::files::{Part, Storage};
use mixing_buddy_core::qwen2::{Adapter, Checkpoint, Model};
use std::path::Path;

/// Merges that make " none", " vocals" and so on one token each, letter by letter.
fn merges() -> Vec<(String, String)> {
    let mut merges: Vec<(String, String)> =
        MERGES.iter().map(|(left, right)| (left.to_string(), right.to_string())).collect();
    let letters = ('A'..='S').map(|letter| letter.to_string());
    let words = ["none", "vocals", "drums", "bass", "quiet", "loud"].map(String::from);
    for word in words.into_iter().chain(letters) {
        let mut left = "Ġ".to_string();
        for letter in word.chars() {
            let merge = (left.clone(), letter.to_string());
            left.push(letter);
            if !merges.contains(&merge) {
                merges.push(merge);
            }
        }
    }
    merges
}

fn tokens() -> Vec<String> {
    let bytes = byte_characters().into_iter().map(String::from);
    let mut all: Vec<String> = bytes.collect();
    for (left, right) in merges() {
        let token = format!("{left}{right}");
        if !all.contains(&token) {
            all.push(token);
        }
    }
    all.extend(MARKS.map(String::from));
    all
}

/// The bytes of the base's GGUF file.
pub fn base(seed: u64) -> Vec<u8> {
    let mut config = config();
    config.vocab_size = tokens().len() + 5;
    config.max_position_embeddings = 4096;
    let text = |text: &str| Value::String(text.into());
    Tiny::new(seed, config).gguf_with(&[GgmlDType::Q8_0], |metadata| {
        metadata.retain(|(key, _)| !key.starts_with("tokenizer.ggml.t") && key != "tokenizer.ggml.merges");
        let kind = |token: &String| Value::I32(if MARKS.contains(&token.as_str()) { 3 } else { 1 });
        let lists = [
            ("tokenizer.ggml.tokens", tokens().iter().map(|token| text(token)).collect()),
            ("tokenizer.ggml.token_type", tokens().iter().map(kind).collect()),
            (
                "tokenizer.ggml.merges",
                merges().iter().map(|(left, right)| text(&format!("{left} {right}"))).collect::<Vec<_>>(),
            ),
        ];
        metadata.extend(lists.map(|(key, list)| (key.to_string(), Value::Array(list))));
    })
}

/// An adapter with a projector for the base of a seed.
pub fn package(seed: u64) -> Package {
    let checkpoint = Checkpoint::of_gguf(&Storage::owned(Path::new("tiny.gguf"), base(seed))).unwrap();
    package_of(&Model::load(&checkpoint).unwrap(), seed)
}

/// An adapter of rank 1 with a projector for a model; `seed` is that of the projector.
pub fn package_of(model: &Model, seed: u64) -> Package {
    let (inputs, outputs) = Part::Query.sizes(model.config());
    let layer = LowRank { a: vec![0.01; inputs], b: vec![0.01; outputs], rank: 1 };
    let adapter = Adapter { base: model.fingerprint().clone(), layers: [((0, Part::Query), layer)].into() };
    let sizes = ProjectorConfig {
        tokens_per_stem: 1,
        reference: ReferenceCode::Spread,
        ..ProjectorConfig::new(1, 8, model.config().hidden_size)
    };
    let params = Params::train(seed, &Device::Cpu);
    Projector::new(&params.pp("projector"), &sizes).unwrap();
    let projector = params.vars().iter().map(|(name, var)| (name.clone(), var.as_tensor().clone())).collect();
    let about = About {
        version: "1.0.0".into(),
        base_name: "Tiny".into(),
        licence: "CC0-1.0".into(),
        projector: sizes,
        temperatures: None,
        decides: true,
        steps: 1,
        conversations: 1,
    };
    Package { adapter, projector, about }
}
