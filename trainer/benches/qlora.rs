//! Step time of QLoRA against LoRA, on two blocks of the size of Qwen2 0.5B and 96 tokens (the goal is at most 1.15).

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use criterion::{Criterion, criterion_group, criterion_main};
use mixing_buddy_core::decoder::{Decoder, DecoderConfig};
use mixing_buddy_core::nn::{LoraConfig, Params};

const TOKENS: usize = 96;

/// Sizes of Qwen2 0.5B; two of its 24 blocks and a small vocabulary, so that the blocks take most of the time.
fn config() -> DecoderConfig {
    DecoderConfig {
        vocab_size: 256,
        hidden_size: 896,
        intermediate_size: 4864,
        num_hidden_layers: 2,
        num_attention_heads: 14,
        num_key_value_heads: 2,
        ..DecoderConfig::default()
    }
}

#[expect(clippy::unwrap_used, reason = "a benchmark that cannot run should panic")]
fn step_time(criterion: &mut Criterion) {
    let lora = LoraConfig::default();
    let dense = Params::train(1, &Device::Cpu);
    let on_dense = Decoder::new(&dense.frozen(), &config(), Some(&lora)).unwrap();
    let quantized = Params::train(1, &Device::Cpu);
    for (name, var) in dense.vars() {
        if name.ends_with("_proj.weight") {
            quantized
                .set_quantized(&name, QTensor::quantize(var.as_tensor(), GgmlDType::Q8_0).unwrap())
                .unwrap();
        } else {
            quantized.set(&name, var.as_tensor()).unwrap();
        }
    }
    let on_quantized = Decoder::new(&quantized.frozen(), &config(), Some(&lora)).unwrap();
    let ids: Vec<u32> = (0..TOKENS as u32).collect();
    let step = |decoder: &Decoder| {
        let embeds: Tensor = decoder.embed(&ids).unwrap().unsqueeze(0).unwrap();
        let states = decoder.forward(&embeds, None).unwrap().squeeze(0).unwrap();
        decoder.logits(&states).unwrap().sqr().unwrap().mean_all().unwrap().backward().unwrap()
    };
    let mut group = criterion.benchmark_group("step");
    group.sample_size(10);
    group.bench_function("LoRA", |bench| bench.iter(|| step(&on_dense)));
    group.bench_function("QLoRA", |bench| bench.iter(|| step(&on_quantized)));
    group.finish();
}

criterion_group!(benches, step_time);
criterion_main!(benches);
