//! Adapters in PEFT's layout: the exported files give the logits of our decoder, an import gives what was exported bit for
//! bit, and an adapter that does not fit is refused by name.

#![allow(clippy::unwrap_used)]

#[path = "common/cli.rs"]
mod cli;

use candle_core::{Device, Tensor};
use cli::{Place, answer};
use mixing_buddy_core::decoder::{Decoder, DecoderConfig, Projector, ProjectorConfig};
use mixing_buddy_core::nn::{LoraConfig, Params};
use mixing_buddy_trainer::weights::{
    AdvisorWeights, CardFacts, adapter_shapes, export_peft, import_adapter, save_imported,
};
use safetensors::SafeTensors;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

const IDS: [u32; 9] = [3, 9, 27, 81, 50, 7, 21, 95, 0];

fn small() -> DecoderConfig {
    DecoderConfig {
        vocab_size: 96,
        hidden_size: 32,
        intermediate_size: 64,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        ..DecoderConfig::default()
    }
}

/// A tuned decoder with random weights everywhere, also in the adapter's B, which would start at zero.
fn random_run(lora: LoraConfig) -> AdvisorWeights {
    let (decoder, projector) = (small(), ProjectorConfig::new(8, 16, 32));
    let params = Params::train(11, &Device::Cpu);
    Decoder::new(&params.pp("decoder"), &decoder, Some(&lora)).unwrap();
    Projector::new(&params.pp("projector"), &projector).unwrap();
    let tensors: BTreeMap<String, Tensor> = params
        .vars()
        .iter()
        .map(|(name, var)| {
            // Deterministic, of all sizes, biases and norms included.
            let values: Vec<f32> = (0..var.elem_count())
                .map(|n| {
                    let noise = ((n as f32 + name.len() as f32) * 12.9898).sin() * 43_758.547;
                    (noise - noise.floor() - 0.5) * 0.2
                })
                .collect();
            let noise = Tensor::from_vec(values, var.shape(), &Device::Cpu).unwrap();
            (name.clone(), (var.as_tensor() + noise).unwrap().contiguous().unwrap())
        })
        .collect();
    AdvisorWeights { decoder, projector, lora, tensors }
}

fn facts() -> CardFacts {
    CardFacts { name: "A \"small\" one".into(), version: "1.2.3".into(), licence: "cc-by-sa-4.0".into() }
}

fn our_logits(weights: &AdvisorWeights) -> Vec<Vec<f32>> {
    let params = Params::load(weights.tensors.clone(), BTreeMap::new(), &Device::Cpu);
    let decoder = Decoder::new(&params.pp("decoder"), &weights.decoder, Some(&weights.lora)).unwrap();
    let states = decoder.forward(&decoder.embed(&IDS).unwrap().unsqueeze(0).unwrap(), None).unwrap();
    decoder.logits(&states.squeeze(0).unwrap()).unwrap().to_vec2().unwrap()
}

// ------------------------------------------------------------------- Qwen2 in f64, from the exported files alone.

type Matrix = Vec<Vec<f64>>;

struct File(Vec<u8>);

impl File {
    fn read(path: &Path) -> Self {
        File(std::fs::read(path).unwrap())
    }

    fn names(&self) -> Vec<String> {
        SafeTensors::deserialize(&self.0).unwrap().names().iter().map(|name| name.to_string()).collect()
    }

    fn values(&self, name: &str) -> (Vec<usize>, Vec<f64>) {
        let file = SafeTensors::deserialize(&self.0).unwrap();
        let tensor = file.tensor(name).unwrap();
        assert_eq!(tensor.dtype(), safetensors::Dtype::F32);
        let values =
            tensor.data().chunks(4).map(|b| f64::from(f32::from_le_bytes(b.try_into().unwrap()))).collect();
        (tensor.shape().to_vec(), values)
    }

    fn vector(&self, name: &str) -> Vec<f64> {
        self.values(name).1
    }

    fn matrix(&self, name: &str) -> Matrix {
        let (shape, values) = self.values(name);
        values.chunks(shape[1]).map(<[f64]>::to_vec).collect()
    }
}

/// `x Wᵀ`, rows of `w` being outputs.
fn times(x: &Matrix, w: &Matrix) -> Matrix {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    x.iter().map(|row| w.iter().map(|out| dot(row, out)).collect()).collect()
}

fn norm(x: &Matrix, gain: &[f64], epsilon: f64) -> Matrix {
    let scale =
        |row: &[f64]| 1.0 / (row.iter().map(|v| v * v).sum::<f64>() / row.len() as f64 + epsilon).sqrt();
    x.iter().map(|row| row.iter().zip(gain).map(|(v, g)| v * g * scale(row)).collect()).collect()
}

/// Rotates halves, as in transformers' `apply_rotary_pos_emb`.
fn rotate(head: &[f64], position: usize, theta: f64) -> Vec<f64> {
    let half = head.len() / 2;
    (0..head.len())
        .map(|i| {
            let angle = position as f64 * theta.powf(-2.0 * (i % half) as f64 / head.len() as f64);
            let turned = if i < half { -head[i + half] } else { head[i - half] };
            head[i] * angle.cos() + turned * angle.sin()
        })
        .collect()
}

/// Logits by transformers' and PEFT's definitions.
fn reference_logits(dir: &Path) -> Matrix {
    let json =
        |name: &str| -> Value { serde_json::from_slice(&std::fs::read(dir.join(name)).unwrap()).unwrap() };
    let (config, adapter_config) = (json("base/config.json"), json("adapter_config.json"));
    let (base, adapter) =
        (File::read(&dir.join("base/model.safetensors")), File::read(&dir.join("adapter_model.safetensors")));
    let number = |value: &Value, key: &str| value[key].as_f64().unwrap();
    let (heads, pairs) =
        (number(&config, "num_attention_heads") as usize, number(&config, "num_key_value_heads") as usize);
    let (epsilon, theta) = (number(&config, "rms_norm_eps"), number(&config, "rope_theta"));
    let scale = number(&adapter_config, "lora_alpha") / number(&adapter_config, "r");
    let targets: Vec<&str> =
        adapter_config["target_modules"].as_array().unwrap().iter().map(|t| t.as_str().unwrap()).collect();
    let weight = |place: &str| {
        let mut w = base.matrix(&format!("{place}.weight"));
        if targets.contains(&place.rsplit('.').next().unwrap()) {
            let of = |part: &str| adapter.matrix(&format!("base_model.model.{place}.{part}.weight"));
            let (a, b) = (of("lora_A"), of("lora_B"));
            for (row, b) in w.iter_mut().zip(&b) {
                for (k, a) in a.iter().enumerate() {
                    row.iter_mut().zip(a).for_each(|(w, a)| *w += scale * b[k] * a);
                }
            }
        }
        w
    };
    let biased = |x: &Matrix, place: &str| -> Matrix {
        let bias = base.vector(&format!("{place}.bias"));
        times(x, &weight(place))
            .iter()
            .map(|row| row.iter().zip(&bias).map(|(v, b)| v + b).collect())
            .collect()
    };
    let add = |a: &Matrix, b: &Matrix| -> Matrix {
        a.iter().zip(b).map(|(a, b)| a.iter().zip(b).map(|(a, b)| a + b).collect()).collect()
    };
    let embed = base.matrix("model.embed_tokens.weight");
    let mut x: Matrix = IDS.iter().map(|id| embed[*id as usize].clone()).collect();
    let width = x[0].len() / heads;
    for layer in 0..number(&config, "num_hidden_layers") as usize {
        let at = format!("model.layers.{layer}");
        let normed = norm(&x, &base.vector(&format!("{at}.input_layernorm.weight")), epsilon);
        let [q, k, v] = ["q", "k", "v"].map(|name| biased(&normed, &format!("{at}.self_attn.{name}_proj")));
        let mut mixed = vec![vec![0.0; heads * width]; x.len()];
        for head in 0..heads {
            let part = |m: &Matrix, t: usize, head: usize| m[t][head * width..(head + 1) * width].to_vec();
            let pair = head / (heads / pairs);
            for (t, mixed) in mixed.iter_mut().enumerate() {
                let query = rotate(&part(&q, t, head), t, theta);
                let scores: Vec<f64> = (0..=t)
                    .map(|s| {
                        let key = rotate(&part(&k, s, pair), s, theta);
                        query.iter().zip(&key).map(|(a, b)| a * b).sum::<f64>() / (width as f64).sqrt()
                    })
                    .collect();
                let total: f64 = scores.iter().map(|s| s.exp()).sum();
                for (s, score) in scores.iter().enumerate() {
                    for (i, value) in part(&v, s, pair).iter().enumerate() {
                        mixed[head * width + i] += score.exp() / total * value;
                    }
                }
            }
        }
        x = add(&x, &times(&mixed, &weight(&format!("{at}.self_attn.o_proj"))));
        let normed = norm(&x, &base.vector(&format!("{at}.post_attention_layernorm.weight")), epsilon);
        let [gate, up] = ["gate", "up"].map(|name| times(&normed, &weight(&format!("{at}.mlp.{name}_proj"))));
        let gated: Matrix = gate
            .iter()
            .zip(&up)
            .map(|(g, u)| g.iter().zip(u).map(|(g, u)| g / (1.0 + (-g).exp()) * u).collect())
            .collect();
        x = add(&x, &times(&gated, &weight(&format!("{at}.mlp.down_proj"))));
    }
    assert_eq!(config["tie_word_embeddings"], Value::Bool(true));
    times(&norm(&x, &base.vector("model.norm.weight"), epsilon), &embed)
}

#[test]
fn exported_files_give_the_logits_of_our_decoder() {
    let dir = tempfile::tempdir().unwrap();
    let some = ["q_proj", "v_proj", "down_proj"].map(String::from).to_vec();
    for lora in [
        LoraConfig { rank: 4, alpha: 12.0, ..LoraConfig::default() },
        LoraConfig { rank: 3, alpha: 6.5, target_modules: some, ..LoraConfig::default() },
    ] {
        let weights = random_run(lora);
        export_peft(&weights, None, &facts(), dir.path()).unwrap();
        let (ours, theirs) = (our_logits(&weights), reference_logits(dir.path()));
        let mut largest: f64 = 0.0;
        for (a, b) in ours.iter().flatten().zip(theirs.iter().flatten()) {
            largest = largest.max(b.abs());
            assert!((f64::from(*a) - b).abs() < 2e-5 * b.abs().max(1.0), "{a} instead of {b}");
        }
        assert!(largest > 0.1, "logits that are all near zero would prove nothing");
        // The adapter matters: without it the logits differ.
        let mut bare = weights.clone();
        bare.lora.target_modules.clear();
        let moved =
            our_logits(&bare).iter().flatten().zip(ours.iter().flatten()).any(|(a, b)| (a - b).abs() > 1e-2);
        assert!(moved);
    }
}

#[test]
fn the_folder_has_the_layout_of_peft_and_transformers() {
    let dir = tempfile::tempdir().unwrap();
    let weights = random_run(LoraConfig { rank: 4, alpha: 8.0, ..LoraConfig::default() });
    export_peft(&weights, None, &facts(), dir.path()).unwrap();
    let adapter = File::read(&dir.path().join("adapter_model.safetensors"));
    assert_eq!(adapter.names().len(), 2 * 7 * 2);
    let (shape, _) = adapter.values("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight");
    assert_eq!(shape, [4, 32]);
    let (shape, _) = adapter.values("base_model.model.model.layers.1.mlp.down_proj.lora_B.weight");
    assert_eq!(shape, [32, 4]);
    let base = File::read(&dir.path().join("base/model.safetensors"));
    assert!(base.names().iter().all(|name| name.starts_with("model.") && !name.contains("lora")));
    let json = |name: &str| -> Value {
        serde_json::from_slice(&std::fs::read(dir.path().join(name)).unwrap()).unwrap()
    };
    let config = json("adapter_config.json");
    assert_eq!(
        (&config["peft_type"], &config["r"], &config["lora_alpha"]),
        (&"LORA".into(), &4.into(), &8.into())
    );
    assert_eq!(config["lora_dropout"], 0.05);
    assert_eq!(json("base/config.json")["architectures"][0], "Qwen2ForCausalLM");
    let card = std::fs::read_to_string(dir.path().join("README.md")).unwrap();
    let front = card.strip_prefix("---\n").unwrap().split_once("\n---\n").unwrap().0;
    let front: BTreeMap<String, Value> = serde_saphyr::from_str(front).unwrap();
    assert_eq!(
        (&front["license"], &front["model_name"]),
        (&"cc-by-sa-4.0".into(), &"A \"small\" one".into())
    );
    assert_eq!(front["library_name"], "peft");
    assert!(
        card.contains("rank 4, alpha 8") && card.contains("Version 1.2.3.") && !card.contains(['{', '}']),
        "{card}"
    );

    let other = tempfile::tempdir().unwrap();
    std::fs::write(other.path().join("thesis.doc"), "precious").unwrap();
    let sentence = format!("{:#}", export_peft(&weights, None, &facts(), other.path()).unwrap_err());
    assert!(sentence.contains("holds other files"), "{sentence}");
}

fn bits(tensors: &BTreeMap<String, Tensor>) -> BTreeMap<String, (Vec<usize>, Vec<u32>)> {
    let of = |tensor: &Tensor| {
        let values = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        (tensor.dims().to_vec(), values.iter().map(|v| v.to_bits()).collect())
    };
    tensors.iter().map(|(name, tensor)| (name.clone(), of(tensor))).collect()
}

#[test]
fn an_import_gives_what_was_exported_bit_for_bit() {
    let dir = Place::new();
    let place = |name: &str| dir.text(name);
    let weights = random_run(LoraConfig { rank: 4, alpha: 8.0, dropout: 0.05, ..LoraConfig::default() });
    std::fs::create_dir(dir.path("run")).unwrap();
    save_imported(&weights, &dir.path("run/advisor.safetensors")).unwrap();
    for args in [
        vec!["export", &place("run"), "--format", "peft", "--model-version", "1.2.3", "--out", &place("hub")],
        vec!["import-adapter", &place("hub"), "--out", &place("back.safetensors")],
        vec![
            "import-adapter",
            &place("hub"),
            "--base",
            &place("run/advisor.safetensors"),
            "--out",
            &place("on.safetensors"),
        ],
    ] {
        let done = answer(&args);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    for name in ["back.safetensors", "on.safetensors"] {
        let back = AdvisorWeights::load(&dir.path(name)).unwrap();
        assert_eq!(bits(&back.tensors), bits(&weights.tensors));
        assert_eq!(
            (&back.decoder, &back.projector, &back.lora),
            (&weights.decoder, &weights.projector, &weights.lora)
        );
    }
    let failed = |args: &[&str]| {
        let done = answer(args);
        assert!(!done.status.success());
        String::from_utf8_lossy(&done.stderr).into_owned()
    };
    let (run, nowhere, model) = (place("run"), place("nowhere"), place("model"));
    let version = ["--model-version", "1.2.3"];
    let sentence = failed(&[&["export", &run, "--format", "bundle", "--out", &model], &version[..]].concat());
    assert!(sentence.contains("--encoder"), "{sentence}");
    let sentence =
        failed(&[&["export", &nowhere, "--format", "peft", "--out", &model], &version[..]].concat());
    assert!(sentence.contains("nowhere"), "{sentence}");
    // A default version would mislabel the weights.
    let sentence = failed(&["export", &run, "--format", "peft", "--out", &model]);
    assert!(sentence.contains("--model-version <MODEL_VERSION>"), "{sentence}");
    let sentence = failed(&["bundle", "--encoder", "E", "--decoder", "D", "--cache", "C", "--out", &model]);
    assert!(sentence.contains("--model-version <MODEL_VERSION>"), "{sentence}");
}

#[test]
fn a_wrong_adapter_is_refused_by_name() {
    let weights = random_run(LoraConfig { rank: 4, alpha: 8.0, ..LoraConfig::default() });
    let fresh = || {
        let dir = tempfile::tempdir().unwrap();
        export_peft(&weights, None, &facts(), dir.path()).unwrap();
        dir
    };
    let refusal = |dir: &Path| format!("{:#}", import_adapter(dir, None).unwrap_err());
    for (key, value, words) in [
        ("r", Value::from(8), vec!["lora_A.weight' has shape [4, 32]", "[8, 32]"]),
        ("r", Value::Null, vec!["r is missing"]),
        ("lora_alpha", Value::from("much"), vec!["lora_alpha"]),
        ("target_modules", serde_json::json!(["q_proj", "c_attn"]), vec!["'c_attn' is not a layer"]),
        ("target_modules", serde_json::json!(["q_proj", "q_proj"]), vec!["'q_proj' is named twice"]),
        ("target_modules", serde_json::json!(["q_proj"]), vec!["does not belong to any of its targets"]),
        ("target_modules", Value::from(".*_proj"), vec!["target_modules is \".*_proj\""]),
        ("peft_type", Value::from("LOHA"), vec!["peft_type is \"LOHA\""]),
        ("use_dora", Value::from(true), vec!["use_dora is true"]),
        ("use_rslora", Value::from(true), vec!["use_rslora"]),
        ("bias", Value::from("all"), vec!["bias"]),
        ("modules_to_save", serde_json::json!(["lm_head"]), vec!["modules_to_save"]),
        ("rank_pattern", serde_json::json!({"q_proj": 2}), vec!["rank_pattern"]),
    ] {
        let dir = fresh();
        let path = dir.path().join("adapter_config.json");
        let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        config[key] = value;
        std::fs::write(&path, config.to_string()).unwrap();
        let sentence = refusal(dir.path());
        assert!(words.iter().all(|word| sentence.contains(word)), "{key}: {sentence}");
    }
    let file = |dir: &Path| dir.join("adapter_model.safetensors");
    let rewrite = |dir: &Path, change: &dyn Fn(&mut std::collections::HashMap<String, Tensor>)| {
        let mut tensors = candle_core::safetensors::load(file(dir), &Device::Cpu).unwrap();
        change(&mut tensors);
        candle_core::safetensors::save(&tensors, file(dir)).unwrap();
    };
    const KEY: &str = "base_model.model.model.layers.1.mlp.up_proj.lora_B.weight";
    let dir = fresh();
    rewrite(dir.path(), &|tensors| _ = tensors.remove(KEY));
    let sentence = refusal(dir.path());
    assert!(sentence.contains(KEY) && sentence.contains("is missing"), "{sentence}");
    let dir = fresh();
    rewrite(dir.path(), &|tensors| {
        _ = tensors.insert(KEY.into(), Tensor::zeros((63, 4), candle_core::DType::F32, &Device::Cpu).unwrap())
    });
    let sentence = refusal(dir.path());
    assert!(sentence.contains(KEY) && sentence.contains("[63, 4]"), "{sentence}");
    let dir = fresh();
    std::fs::write(file(dir.path()), b"no tensors").unwrap();
    assert!(refusal(dir.path()).contains("adapter_model.safetensors is damaged"));
    let dir = fresh();
    std::fs::remove_dir_all(dir.path().join("base")).unwrap();
    assert!(refusal(dir.path()).contains("--base"), "{}", refusal(dir.path()));

    // An adapter for another decoder, with one layer more.
    let larger = DecoderConfig { num_hidden_layers: 3, ..small() };
    assert_eq!(adapter_shapes(&larger, &weights.lora).unwrap().len(), 3 * 14);
    let dir = fresh();
    let config = dir.path().join("base/config.json");
    let text = std::fs::read_to_string(&config)
        .unwrap()
        .replace("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3");
    std::fs::write(&config, text).unwrap();
    assert!(refusal(dir.path()).contains("layers.2.self_attn.q_proj.lora_A.weight' is missing"));
}
