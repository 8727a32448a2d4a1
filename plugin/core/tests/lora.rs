//! LoRA starts as the identity; every trainable weight learns; no frozen one moves by a bit.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says why by panicking")]

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
