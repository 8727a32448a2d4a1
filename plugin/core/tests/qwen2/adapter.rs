//! LoRA adapters, and the fingerprint of their base.

use crate::candle::apart;
use crate::tiny::{Tiny, config};
use candle_core::quantized::GgmlDType;
use candle_core::{DType, Device, Tensor};
use mixing_buddy_core::qwen2::adapter::LowRank;
use mixing_buddy_core::qwen2::files::Part;
use mixing_buddy_core::qwen2::{Adapter, Cache, Checkpoint, Fingerprint, Model, Precision, RunOptions};
use rand::{Rng, SeedableRng};
use std::path::Path;

const RANK: usize = 4;

fn fingerprint(tiny: &Tiny, kinds: &[GgmlDType]) -> Fingerprint {
    tiny.model(kinds).fingerprint().clone()
}

/// An adapter with random factors for all layers of block 1 and the queries of block 2.
fn adapter(base: Fingerprint) -> Adapter {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(11);
    let mut noise =
        |count: usize, scale: f32| (0..count).map(|_| (rng.random::<f32>() - 0.5) * scale).collect();
    let places = Part::LINEAR.into_iter().map(|part| (1, part)).chain([(2, Part::Query)]);
    let layers = places
        .map(|(block, part)| {
            let (inputs, outputs) = part.sizes(&config());
            let layer = LowRank { a: noise(RANK * inputs, 0.2), b: noise(outputs * RANK, 0.2), rank: RANK };
            ((block, part), layer)
        })
        .collect();
    Adapter { base, layers }
}

fn logits(model: &Model, count: usize, precision: Precision) -> Vec<f32> {
    let ids: Vec<u32> = (0..count as u32).map(|n| n * 31 % 256).collect();
    let options = RunOptions { precision, ..RunOptions::default() };
    model.extend(&mut Cache::new(model.config()), &model.embed(&ids).unwrap(), &options).unwrap()
}

#[test]
fn an_adapter_does_what_changed_weights_do() {
    let tiny = Tiny::new(1, config());
    let mut model = tiny.model(&[GgmlDType::F32]);
    let adapter = adapter(model.fingerprint().clone());
    let mut changed = Tiny::new(1, config());
    for ((block, part), layer) in &adapter.layers {
        let (inputs, outputs) = part.sizes(&config());
        let a = Tensor::from_vec(layer.a.clone(), (RANK, inputs), &Device::Cpu).unwrap();
        let b = Tensor::from_vec(layer.b.clone(), (outputs, RANK), &Device::Cpu).unwrap();
        let name = format!("model.layers.{block}.{}.weight", part.name());
        let weight = changed.weights.get_mut(&name).unwrap();
        *weight = (&*weight + b.matmul(&a).unwrap()).unwrap();
    }
    let without = logits(&model, 20, Precision::Exact);
    model.adapt(Path::new("adapter"), adapter.clone()).unwrap();
    for count in [1, 20] {
        let expected = logits(&changed.model(&[GgmlDType::F32]), count, Precision::Exact);
        assert!(apart(&logits(&model, count, Precision::Exact), &expected) < 1e-4);
    }
    assert!(apart(&logits(&model, 20, Precision::Exact), &without) > 0.01, "it changes something");
    model.remove_adapter();
    assert_eq!(logits(&model, 20, Precision::Exact), without);

    // Over a quantised base it is added to that base's own output.
    let kinds = [GgmlDType::Q4_0];
    let mut rounded = Tiny { config: config(), weights: tiny.rounded(&kinds).weights };
    for (name, weight) in &mut rounded.weights {
        *weight = ((&*weight + &changed.weights[name]).unwrap() - &tiny.weights[name]).unwrap();
    }
    let mut model = tiny.model(&kinds);
    model.adapt(Path::new("adapter"), adapter).unwrap();
    let expected = logits(&rounded.model(&[GgmlDType::F32]), 20, Precision::Exact);
    assert!(apart(&logits(&model, 20, Precision::Exact), &expected) < 1e-3);
}

#[test]
fn a_file_comes_back_and_is_refused_where_it_does_not_fit() {
    let mut model = Tiny::new(1, config()).model(&[GgmlDType::Q8_0]);
    let adapter = adapter(model.fingerprint().clone());
    let bytes = adapter.to_bytes().unwrap();
    assert_eq!(Adapter::from_bytes(&bytes).unwrap(), adapter);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("adapter.safetensors");
    std::fs::write(&path, &bytes).unwrap();
    model.adapt(&path, Adapter::open(&path).unwrap()).unwrap();

    let mut other = Tiny::new(2, config()).model(&[GgmlDType::Q8_0]);
    let said = other.adapt(&path, adapter.clone()).unwrap_err().to_string();
    assert!(
        said.contains("adapter.safetensors: is an adapter for another base: it has the same sizes"),
        "{said}"
    );
    let mut small = config();
    small.num_hidden_layers = 2;
    let mut small = Tiny::new(1, small).model(&[GgmlDType::Q8_0]);
    let said = small.adapt(&path, adapter.clone()).unwrap_err().to_string();
    assert!(said.contains("its sizes are"), "{said}");

    let mut far = adapter.clone();
    let layer = far.layers[&(1, Part::Query)].clone();
    far.layers.insert((3, Part::Query), layer.clone());
    assert!(model.adapt(&path, far).unwrap_err().to_string().contains("block 3, self_attn.q_proj"));
    let mut wide = adapter.clone();
    wide.layers.insert((1, Part::Down), layer);
    assert!(model.adapt(&path, wide).unwrap_err().to_string().contains("mlp.down_proj"));

    assert!(Adapter::from_bytes(&bytes[..bytes.len() - 1]).unwrap_err().contains("not a whole"));
    let name = b"lora_A";
    let at = bytes.windows(name.len()).position(|part| part == name).unwrap();
    let mut renamed = bytes.clone();
    renamed[at + 5] = b'C';
    assert!(Adapter::from_bytes(&renamed).unwrap_err().contains("which no layer has"));
    let plain = candle_safetensors(&folder.path().join("plain"));
    assert!(Adapter::from_bytes(&plain).unwrap_err().contains("does not name its base"));
}

fn candle_safetensors(path: &Path) -> Vec<u8> {
    let tensor = Tensor::zeros(2, DType::F32, &Device::Cpu).unwrap();
    candle_core::safetensors::save(&std::collections::HashMap::from([("a", tensor)]), path).unwrap();
    std::fs::read(path).unwrap()
}

#[test]
fn a_fingerprint_survives_quantisation_and_tells_other_weights() {
    // Rows of 64 weights: a length's error is largest in short rows.
    let mut narrow = config();
    (narrow.hidden_size, narrow.intermediate_size) = (64, 128);
    for seed in 0..8 {
        let tiny = Tiny::new(seed, narrow.clone());
        let whole = fingerprint(&tiny, &[GgmlDType::F32]);
        let kinds = [GgmlDType::F16, GgmlDType::Q8_0, GgmlDType::Q5_0, GgmlDType::Q4_0];
        let prints: Vec<Fingerprint> = kinds.iter().map(|kind| fingerprint(&tiny, &[*kind])).collect();
        for (kind, print) in kinds.iter().zip(&prints) {
            whole.compare(print).unwrap_or_else(|why| panic!("{kind:?}: {why} {:?}", whole.worst(print)));
            print.compare(&prints[0]).unwrap();
        }
        let other = Tiny::new(100 + seed, narrow.clone());
        for kind in kinds {
            let print = fingerprint(&other, &[kind]);
            assert!(whole.compare(&print).is_err(), "{kind:?}: {:?}", whole.worst(&print));
        }
        // Other matrices alone, and another bias alone, are told as well.
        for name in [
            "model.embed_tokens.weight",
            "model.layers.2.self_attn.q_proj.weight",
            "model.layers.0.self_attn.k_proj.bias",
        ] {
            let mut mixed = Tiny::new(seed, narrow.clone());
            mixed.weights.insert(name.into(), other.weights[name].clone());
            let print = fingerprint(&mixed, &[GgmlDType::Q8_0]);
            assert!(whole.compare(&print).is_err(), "{name}: {:?}", whole.worst(&print));
        }
        assert_eq!(Fingerprint::from_json(&whole.to_json().unwrap()).unwrap(), whole);
    }
}

#[test]
fn a_fingerprint_is_the_same_from_safetensors() {
    let tiny = Tiny::new(3, config());
    let whole = fingerprint(&tiny, &[GgmlDType::F32]);
    for kind in [DType::F32, DType::F16, DType::BF16] {
        let folder = tempfile::tempdir().unwrap();
        tiny.write_folder(folder.path(), kind, 2);
        let model = Model::load(&Checkpoint::open(folder.path()).unwrap()).unwrap();
        whole.compare(model.fingerprint()).unwrap_or_else(|why| panic!("{kind:?}: {why}"));
    }
}
