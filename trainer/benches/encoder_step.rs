//! What a training step of the encoder costs on one thread, and the making of its examples: `RAYON_NUM_THREADS=1 cargo
//! bench --workspace --bench encoder_step`. `trainer/benches/encoder_step_jax.py` runs the same network in JAX for comparison.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot continue panics with the reason")]

use candle_core::Device;
use criterion::{Criterion, criterion_group, criterion_main};
use half::f16;
use mixing_buddy_core::Stem;
use mixing_buddy_core::encoder::Encoder;
use mixing_buddy_core::features::FeatureSettings;
use mixing_buddy_core::nn::{DropoutStream, Params};
use mixing_buddy_core::norms::NormsSummary;
use mixing_buddy_trainer::allocator::{MiMalloc, keep_pages};
use mixing_buddy_trainer::mixing::Example;
use mixing_buddy_trainer::mixing::batch::EncoderPart;
use mixing_buddy_trainer::mixing::cache::{MapCache, MapHeader, WindowHeader, pairs_of, write_maps};
use mixing_buddy_trainer::mixing::mixer::{MixSettings, Mixer};
use mixing_buddy_trainer::protocol::{SourceKind, Split};
use mixing_buddy_trainer::train::encoder_loss::encoder_loss;
use mixing_buddy_trainer::train::optimizer::AdamW;
use mixing_buddy_trainer::train::runs::encoder::EncoderRun;
use mixing_buddy_trainer::train::shards::{BatchSplit, gradients};
use std::path::Path;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Windows per step: those of one of two shards in a run with batches of 24.
const BATCH: usize = 12;

/// Numbers between 0.01 and 1.01.
fn noise(seed: u64) -> impl FnMut() -> f32 {
    let mut state = seed | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state & 0xffff) as f32 / 65_536.0 + 0.01
    }
}

/// A mix of noise per stem, each stem loudest in its own share of the bands.
fn example(features: &FeatureSettings, seed: u64) -> Example {
    let cells = features.frames(features.window_samples()) * 2 * features.bands;
    let mut noise = noise(seed);
    let parts: Vec<Vec<f32>> = (0..Stem::COUNT)
        .map(|stem| {
            let own = |cell: usize| {
                if cell % features.bands * Stem::COUNT / features.bands == stem { 1.0 } else { 0.05 }
            };
            (0..cells).map(|cell| noise() * own(cell)).collect()
        })
        .collect();
    let mix = (0..cells).map(|cell| parts.iter().map(|part| part[cell]).sum()).collect();
    Example { mix, parts, shares: Vec::new() }
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
            let split = BatchSplit::new(BATCH, 1, 1).unwrap();
            let (grads, _) = gradients(optimizer.vars(), split, |_| {
                let part = EncoderPart::new(&examples, &features, &Device::Cpu)?;
                encoder_loss(&encoder, part, run.loss_weights(), Some(&DropoutStream::new(1)))
            })
            .unwrap();
            optimizer.step(&grads, 1e-4).unwrap()
        })
    });
    group.finish();
}

/// Four songs of noise, of four windows each.
fn write_songs(dir: &Path, features: &FeatureSettings) {
    let frames = features.frames(features.window_samples());
    for song in 0..4 {
        let window = |at: usize| WindowHeader {
            start_s: 10.0 * at as f64,
            variant: 0,
            power: vec![(frames * 2 * features.bands) as f32 / Stem::COUNT as f32; Stem::COUNT],
            active: vec![true; Stem::COUNT],
            separator_error_db: Vec::new(),
        };
        let header = MapHeader {
            song: format!("song {song}"),
            source: SourceKind::Real,
            split: Split::Train,
            features: features.clone(),
            stems: Stem::ALL.to_vec(),
            frames,
            has_share_errors: false,
            windows: (0..4).map(window).collect(),
        };
        let mut noise = noise(song as u64 + 5);
        let mut payload: Vec<f16> = Vec::new();
        for _ in &header.windows {
            for (i, j) in pairs_of(Stem::COUNT) {
                // Cross terms have either sign and are smaller than the power of either stem.
                let (scale, shift) = if i == j { (0.5, 0.0) } else { (0.2, 0.5) };
                payload.extend((0..header.cells()).map(|_| f16::from_f32(scale * (noise() - shift))));
            }
        }
        write_maps(&dir.join(format!("{song}.maps")), &header, &payload).unwrap();
    }
}

/// The examples of a step and their tensors, as a loader makes them: to be compared with the step itself.
fn data(criterion: &mut Criterion) {
    let features = FeatureSettings::default();
    let dir = tempfile::tempdir().unwrap();
    write_songs(dir.path(), &features);
    let cache = MapCache::open(dir.path(), MapHeader::is_for_training).unwrap();
    let settings = MixSettings::default();
    let mixer = Mixer::new(&cache, &settings, NormsSummary::shipped());
    let mut group = criterion.benchmark_group("encoder");
    group.sample_size(10).measurement_time(Duration::from_secs(10));
    // The same examples each time, since some take longer than others.
    let examples = || (0..BATCH as u64).map(|number| mixer.example(1, number)).collect::<Vec<_>>();
    group.bench_function("mixing the examples of a step", |b| b.iter(examples));
    group.bench_function("data of a step", |b| {
        b.iter(|| EncoderPart::new(&examples(), &features, &Device::Cpu).unwrap())
    });
    group.finish();
}

criterion_group!(benches, step, data);
criterion_main!(benches);
