//! What a training step of the encoder costs on one thread: `RAYON_NUM_THREADS=1 cargo bench --workspace
//! --bench encoder_step`. `trainer/benches/encoder_step_jax.py` runs it beside the same network in JAX.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on says why by panicking")]

use candle_core::Device;
use criterion::{Criterion, criterion_group, criterion_main};
use mixing_buddy_core::encoder::{Encoder, STEMS};
use mixing_buddy_core::features::FeatureSettings;
use mixing_buddy_core::nn::{DropoutStream, Params};
use mixing_buddy_trainer::allocator::{MiMalloc, keep_pages};
use mixing_buddy_trainer::data::Example;
use mixing_buddy_trainer::train::encoder::{EncoderRun, shard_loss};
use mixing_buddy_trainer::train::optimizer::AdamW;
use mixing_buddy_trainer::train::shards::gradients;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Windows a step, as one of two shards of a run of 24 has them.
const BATCH: usize = 12;

/// A mix of four noises, each loudest in its own quarter of the bands.
fn example(features: &FeatureSettings, seed: u64) -> Example {
    let cells = features.frames(features.window_samples()) * 2 * features.mels;
    let mut state = seed | 1;
    let mut noise = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state & 0xffff) as f32 / 65_536.0 + 0.01
    };
    let parts: Vec<Vec<f32>> = (0..STEMS)
        .map(|stem| {
            let own =
                |cell: usize| if cell % features.mels * STEMS / features.mels == stem { 1.0 } else { 0.05 };
            (0..cells).map(|cell| noise() * own(cell)).collect()
        })
        .collect();
    let mix = (0..cells).map(|cell| parts.iter().map(|part| part[cell]).sum()).collect();
    Example { mix, parts }
}

fn step(criterion: &mut Criterion) {
    keep_pages();
    let (features, run) = (FeatureSettings::default(), EncoderRun::default());
    let params = Params::train(1, &Device::Cpu);
    let encoder = Encoder::new(&params, &run.encoder, &features).unwrap();
    let mut optimizer = AdamW::new(params.vars(), &run.optimizer).unwrap();
    let examples: Vec<Example> = (0..BATCH as u64).map(|seed| example(&features, seed + 1)).collect();
    let mut group = criterion.benchmark_group("encoder");
    group.sample_size(10).measurement_time(Duration::from_secs(20));
    group.bench_function("training step", |b| {
        b.iter(|| {
            let (grads, _) = gradients(optimizer.vars(), 1, |_| {
                let dropout = DropoutStream::new(1);
                shard_loss(&encoder, &features, &examples, &run, Some(&dropout), Duration::ZERO)
            })
            .unwrap();
            optimizer.step(&grads, 1e-4).unwrap()
        })
    });
    group.finish();
}

criterion_group!(benches, step);
criterion_main!(benches);
