//! LoRA starts as the identity; every trainable weight learns; no frozen one moves by a bit.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says why by panicking")]

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor, Var};
use mixing_buddy_core::decoder::{Decoder, DecoderConfig};
use mixing_buddy_core::nn::{KeyValueCache, LoraConfig, Params};
use std::collections::BTreeMap;

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

fn loss(decoder: &Decoder, ids: &[u32]) -> Tensor {
    let states = decoder.forward(&decoder.embed(ids).unwrap().unsqueeze(0).unwrap(), None).unwrap();
    decoder.logits(&states.squeeze(0).unwrap()).unwrap().sqr().unwrap().mean_all().unwrap()
}

fn bits(vars: &BTreeMap<String, Var>) -> BTreeMap<String, Vec<u32>> {
    let of = |var: &Var| {
        var.flatten_all().unwrap().to_vec1::<f32>().unwrap().iter().map(|v| v.to_bits()).collect()
    };
    vars.iter().map(|(name, var)| (name.clone(), of(var))).collect()
}

const IDS: [u32; 7] = [3, 9, 27, 81, 50, 7, 21];

#[test]
fn an_adapter_starts_as_the_identity() {
    let params = Params::train(5, &Device::Cpu);
    let plain = loss(&Decoder::new(&params, &small(), None).unwrap(), &IDS).to_scalar::<f32>().unwrap();
    let adapted = Decoder::new(&params.frozen(), &small(), Some(&LoraConfig::default())).unwrap();
    assert_eq!(plain.to_bits(), loss(&adapted, &IDS).to_scalar::<f32>().unwrap().to_bits());
}

#[test]
fn adapters_learn_and_the_base_stays() {
    let params = Params::train(6, &Device::Cpu);
    Decoder::new(&params, &small(), None).unwrap();
    let base = bits(&params.vars());
    let decoder = Decoder::new(&params.frozen(), &small(), Some(&LoraConfig::default())).unwrap();
    let adapters: BTreeMap<String, Var> =
        params.vars().into_iter().filter(|(name, _)| name.contains(".lora_")).collect();
    assert_eq!(adapters.len(), 2 * 7 * 2, "two matrices for each of seven layers in two blocks");
    for step in 0..3 {
        let grads = loss(&decoder, &IDS).backward().unwrap();
        for (name, var) in &params.vars() {
            match (adapters.contains_key(name), grads.get(var)) {
                (false, gradient) => assert!(gradient.is_none(), "{name} is frozen and has a gradient"),
                (true, None) => panic!("{name} has no gradient"),
                (true, Some(gradient)) => {
                    let size = gradient.abs().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
                    assert!(size.is_finite(), "{name}: {size}");
                    // B starts at zero, which hides A on the first step.
                    if step == 2 || name.contains("lora_B") {
                        assert!(size > 0.0, "{name} has a zero gradient at step {step}");
                    }
                    var.set(&(var.as_tensor() - (gradient * 0.1).unwrap()).unwrap().detach()).unwrap();
                }
            }
        }
    }
    let after = bits(&params.vars());
    for (name, before) in &base {
        assert_eq!(before, &after[name], "{name} is frozen and has changed");
    }
}

#[test]
fn the_cache_gives_what_one_pass_gives() {
    let params = Params::train(7, &Device::Cpu);
    let decoder = Decoder::new(&params, &small(), None).unwrap();
    let whole = decoder.forward(&decoder.embed(&IDS).unwrap().unsqueeze(0).unwrap(), None).unwrap();
    let mut cache = KeyValueCache::default();
    let head = decoder.embed(&IDS[..4]).unwrap().unsqueeze(0).unwrap();
    let mut parts = vec![decoder.forward_cached(&head, &mut cache).unwrap()];
    for id in &IDS[4..] {
        let next = decoder.embed(&[*id]).unwrap().unsqueeze(0).unwrap();
        parts.push(decoder.forward_cached(&next, &mut cache).unwrap());
    }
    let pieced = Tensor::cat(&parts, 1).unwrap();
    let worst = (whole - pieced).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap();
    assert!(worst.to_scalar::<f32>().unwrap() < 1e-5);
}

/// QLoRA: with the base stored in 8 bits, loss and gradients are, bit for bit, those of LoRA on the dequantised base.
#[test]
fn a_quantised_base_gives_the_gradients_of_its_dequantised_one() {
    let lora = LoraConfig { rank: 4, ..LoraConfig::default() };
    let fresh = Params::train(8, &Device::Cpu);
    Decoder::new(&fresh, &small(), Some(&lora)).unwrap();
    let (dense, quantised) = (Params::train(8, &Device::Cpu), Params::train(8, &Device::Cpu));
    let mut stored = 0;
    for (name, var) in fresh.vars() {
        if name.ends_with("_proj.weight") {
            let weight = QTensor::quantize(var.as_tensor(), GgmlDType::Q8_0).unwrap();
            dense.set(&name, &weight.dequantize(&Device::Cpu).unwrap()).unwrap();
            quantised.set_quantized(&name, weight).unwrap();
            stored += 1;
        } else {
            // B is not zero here, or A would have no gradient.
            let value = if name.contains("lora_B") {
                (var.as_tensor() + 0.1).unwrap()
            } else {
                var.as_tensor().clone()
            };
            dense.set(&name, &value).unwrap();
            quantised.set(&name, &value).unwrap();
        }
    }
    assert_eq!(stored, 2 * 7);
    let run = |params: &Params| {
        let decoder = Decoder::new(&params.frozen(), &small(), Some(&lora)).unwrap();
        let loss = loss(&decoder, &IDS);
        let grads = loss.backward().unwrap();
        let adapters = params.vars().into_iter().filter(|(name, _)| name.contains(".lora_"));
        let gradients: BTreeMap<String, Vec<u32>> = adapters
            .map(|(name, var)| {
                let gradient = grads.get(&var).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
                assert!(gradient.iter().any(|g| *g != 0.0), "{name} does not learn");
                (name, gradient.iter().map(|g| g.to_bits()).collect())
            })
            .collect();
        (loss.to_scalar::<f32>().unwrap().to_bits(), gradients)
    };
    let (on_dense, on_quantised) = (run(&dense), run(&quantised));
    assert_eq!(on_dense.1.len(), 2 * 7 * 2);
    assert_eq!(on_dense, on_quantised);
    assert!(!quantised.vars().keys().any(|name| name.ends_with("_proj.weight")), "nothing is kept twice");

    // What is stored in another shape is refused by name.
    let wrong = Params::train(9, &Device::Cpu);
    let weight = QTensor::quantize(
        &Tensor::zeros((32, 64), candle_core::DType::F32, &Device::Cpu).unwrap(),
        GgmlDType::Q8_0,
    );
    wrong.set_quantized("model.layers.0.self_attn.q_proj.weight", weight.unwrap()).unwrap();
    let sentence = Decoder::new(&wrong.frozen(), &small(), Some(&lora)).err().unwrap().to_string();
    assert!(sentence.contains("layers.0.self_attn.q_proj.weight"), "{sentence}");
}
