//! A tiny Qwen2 with random weights, as a GGUF file or as a folder of safetensors.

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{DType, Device, Tensor};
use mixing_buddy_core::decoder::DecoderConfig;
use mixing_buddy_core::qwen2::files::Storage;
use mixing_buddy_core::qwen2::{Checkpoint, Model};
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;

/// Template with a system message of its own.
pub const TEMPLATE: &str =
    "{% if messages[0].role != 'system' %}{{ '<|im_start|>system\\nYou are tiny.<|im_end|>\\n' }}{% endif %}";
/// Marks behind the 256 bytes and the merged tokens.
pub const MARKS: [&str; 3] = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
/// Merges, each of which makes a token.
pub const MERGES: [(&str, &str); 4] = [("h", "e"), ("l", "l"), ("he", "ll"), ("Ġ", "he")];

/// Weights by their names in checkpoints of Hugging Face.
pub struct Tiny {
    pub config: DecoderConfig,
    pub weights: BTreeMap<String, Tensor>,
}

/// The characters that stand for the bytes in byte-level tokenizers (GPT-2).
pub fn byte_characters() -> Vec<char> {
    let mut next = 256u32;
    (0..=255u8)
        .map(|byte| match byte {
            b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff => char::from(byte),
            _ => {
                next += 1;
                char::from_u32(next - 1).unwrap()
            }
        })
        .collect()
}

/// All tokens, in the order of their ids.
pub fn tokens() -> Vec<String> {
    let bytes = byte_characters().into_iter().map(String::from);
    let merged = MERGES.iter().map(|(left, right)| format!("{left}{right}"));
    bytes.chain(merged).chain(MARKS.map(String::from)).collect()
}

pub fn config() -> DecoderConfig {
    DecoderConfig {
        vocab_size: tokens().len() + 9,
        hidden_size: 256,
        intermediate_size: 512,
        num_hidden_layers: 3,
        num_attention_heads: 8,
        num_key_value_heads: 2,
        max_position_embeddings: 512,
        tie_word_embeddings: true,
        rope_theta: 1_000_000.0,
        rms_norm_eps: 1e-6,
    }
}

impl Tiny {
    pub fn new(seed: u64, config: DecoderConfig) -> Self {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let mut weights = BTreeMap::new();
        let mut add = |name: String, shape: &[usize], scale: f32, middle: f32| {
            let count = shape.iter().product();
            let values: Vec<f32> = (0..count)
                .map(|_| middle + scale * ((0..4).map(|_| rng.random::<f32>()).sum::<f32>() - 2.0) * 1.73)
                .collect();
            weights.insert(name, Tensor::from_vec(values, shape, &Device::Cpu).unwrap());
        };
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let pairs = config.num_key_value_heads * config.block().head_dim();
        add("model.embed_tokens.weight".into(), &[config.vocab_size, hidden], 1.0, 0.0);
        add("model.norm.weight".into(), &[hidden], 0.2, 1.0);
        if !config.tie_word_embeddings {
            add("lm_head.weight".into(), &[config.vocab_size, hidden], 0.1, 0.0);
        }
        for n in 0..config.num_hidden_layers {
            let place = |part: &str| format!("model.layers.{n}.{part}");
            add(place("input_layernorm.weight"), &[hidden], 0.2, 1.0);
            add(place("post_attention_layernorm.weight"), &[hidden], 0.2, 1.0);
            for (part, outputs) in [("q", hidden), ("k", pairs), ("v", pairs)] {
                add(place(&format!("self_attn.{part}_proj.weight")), &[outputs, hidden], 0.06, 0.0);
                add(place(&format!("self_attn.{part}_proj.bias")), &[outputs], 0.5, 0.0);
            }
            add(place("self_attn.o_proj.weight"), &[hidden, hidden], 0.06, 0.0);
            add(place("mlp.gate_proj.weight"), &[inner, hidden], 0.06, 0.0);
            add(place("mlp.up_proj.weight"), &[inner, hidden], 0.06, 0.0);
            add(place("mlp.down_proj.weight"), &[hidden, inner], 0.05, 0.0);
        }
        Tiny { config, weights }
    }

    /// The bytes of a GGUF file whose matrices have these formats, in turn.
    pub fn gguf(&self, kinds: &[GgmlDType]) -> Vec<u8> {
        self.gguf_with(kinds, |_| {})
    }

    /// As [`Tiny::gguf`], with changed metadata.
    pub fn gguf_with(&self, kinds: &[GgmlDType], change: impl FnOnce(&mut Vec<(String, Value)>)) -> Vec<u8> {
        let config = &self.config;
        let text = |text: &str| Value::String(text.into());
        let size = |n: usize| Value::U32(n as u32);
        let all = tokens();
        let kinds_of_tokens =
            all.iter().map(|token| Value::I32(if MARKS.contains(&token.as_str()) { 3 } else { 1 }));
        let merges = MERGES.iter().map(|(left, right)| text(&format!("{left} {right}")));
        let mut metadata: Vec<(String, Value)> = [
            ("general.architecture", text("qwen2")),
            ("general.name", text("Tiny")),
            ("qwen2.embedding_length", size(config.hidden_size)),
            ("qwen2.feed_forward_length", size(config.intermediate_size)),
            ("qwen2.block_count", size(config.num_hidden_layers)),
            ("qwen2.attention.head_count", size(config.num_attention_heads)),
            ("qwen2.attention.head_count_kv", size(config.num_key_value_heads)),
            ("qwen2.context_length", size(config.max_position_embeddings)),
            ("qwen2.rope.freq_base", Value::F32(config.rope_theta as f32)),
            ("qwen2.attention.layer_norm_rms_epsilon", Value::F32(config.rms_norm_eps as f32)),
            ("tokenizer.ggml.model", text("gpt2")),
            ("tokenizer.ggml.pre", text("qwen2")),
            ("tokenizer.ggml.tokens", Value::Array(all.iter().map(|token| text(token)).collect())),
            ("tokenizer.ggml.token_type", Value::Array(kinds_of_tokens.collect())),
            ("tokenizer.ggml.merges", Value::Array(merges.collect())),
            ("tokenizer.chat_template", text(TEMPLATE)),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_string(), value))
        .collect();
        change(&mut metadata);
        let mut matrices = 0;
        let tensors: Vec<(String, QTensor)> = self
            .weights
            .iter()
            .map(|(name, tensor)| {
                let kind = if tensor.rank() == 2 {
                    matrices += 1;
                    kinds[(matrices - 1) % kinds.len()]
                } else {
                    GgmlDType::F32
                };
                (gguf_name(name), QTensor::quantize(tensor, kind).unwrap())
            })
            .collect();
        let metadata: Vec<(&str, &Value)> =
            metadata.iter().map(|(key, value)| (key.as_str(), value)).collect();
        let tensors: Vec<(&str, &QTensor)> =
            tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
        let mut bytes = Cursor::new(Vec::new());
        gguf_file::write(&mut bytes, &metadata, &tensors).unwrap();
        bytes.into_inner()
    }

    /// The checkpoint of a GGUF file whose matrices have these formats.
    pub fn checkpoint(&self, kinds: &[GgmlDType]) -> Checkpoint {
        Checkpoint::of_gguf(&Storage::owned(Path::new("tiny.gguf"), self.gguf(kinds))).unwrap()
    }

    /// The model of such a file.
    pub fn model(&self, kinds: &[GgmlDType]) -> Model {
        Model::load(&self.checkpoint(kinds)).unwrap()
    }

    /// The weights as they are after quantisation.
    pub fn rounded(&self, kinds: &[GgmlDType]) -> Tiny {
        let mut matrices = 0;
        let weights = self.weights.iter().map(|(name, tensor)| {
            let rounded = if tensor.rank() == 2 {
                matrices += 1;
                let kind = kinds[(matrices - 1) % kinds.len()];
                QTensor::quantize(tensor, kind).unwrap().dequantize(&Device::Cpu).unwrap()
            } else {
                tensor.clone()
            };
            (name.clone(), rounded)
        });
        Tiny { config: self.config.clone(), weights: weights.collect() }
    }

    /// Writes a folder with `config.json`, `tokenizer.json` and safetensors, in several files where `shards` says so.
    pub fn write_folder(&self, folder: &Path, kind: DType, shards: usize) {
        let mut config = serde_json::to_value(&self.config).unwrap();
        config["model_type"] = "qwen2".into();
        std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
        let json = self.checkpoint(&[GgmlDType::F32]).tokenizer.to_json().unwrap();
        std::fs::write(folder.join("tokenizer.json"), json).unwrap();
        let about = serde_json::json!({ "chat_template": TEMPLATE.replace("\\n", "\n") });
        std::fs::write(folder.join("tokenizer_config.json"), about.to_string()).unwrap();
        let mut map = serde_json::Map::new();
        let mut parts: Vec<std::collections::HashMap<String, Tensor>> = vec![Default::default(); shards];
        for (n, (name, tensor)) in self.weights.iter().enumerate() {
            map.insert(name.clone(), shard_name(n % shards, shards).into());
            parts[n % shards].insert(name.clone(), tensor.to_dtype(kind).unwrap());
        }
        for (n, part) in parts.iter().enumerate() {
            candle_core::safetensors::save(part, folder.join(shard_name(n, shards))).unwrap();
        }
        if shards > 1 {
            let index = serde_json::json!({ "metadata": {}, "weight_map": map });
            std::fs::write(folder.join("model.safetensors.index.json"), index.to_string()).unwrap();
        }
    }
}

pub fn shard_name(n: usize, shards: usize) -> String {
    match shards {
        1 => "model.safetensors".into(),
        _ => format!("model-{:05}-of-{shards:05}.safetensors", n + 1),
    }
}

fn gguf_name(name: &str) -> String {
    let name = name.replace("model.layers.", "blk.");
    [
        ("model.embed_tokens", "token_embd"),
        ("model.norm", "output_norm"),
        ("lm_head", "output"),
        ("input_layernorm", "attn_norm"),
        ("post_attention_layernorm", "ffn_norm"),
        ("self_attn.q_proj", "attn_q"),
        ("self_attn.k_proj", "attn_k"),
        ("self_attn.v_proj", "attn_v"),
        ("self_attn.o_proj", "attn_output"),
        ("mlp.gate_proj", "ffn_gate"),
        ("mlp.up_proj", "ffn_up"),
        ("mlp.down_proj", "ffn_down"),
    ]
    .iter()
    .fold(name, |name, (from, to)| name.replace(from, to))
}
