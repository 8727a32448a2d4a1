//! What advice costs: `RAYON_NUM_THREADS=1 cargo bench --workspace --bench advice`.
//!
//! The figures with a limit are measured in the same run as the transform of the same window, so that their ratio means
//! the same on any machine.
#![expect(clippy::unwrap_used, reason = "a benchmark stops by panicking")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mixing_buddy_core::audio::StereoPcm;
use mixing_buddy_core::features::{FeatureExtractor, FeatureSettings};
use mixing_buddy_core::{CancelFlag, Engine, Request};
use std::hint::black_box;
use std::path::Path;

const BUNDLE: &[u8] = include_bytes!("../../../assets/compact.mixbuddy");

fn window() -> StereoPcm {
    let mut state = 1u32;
    let samples: Vec<f32> = (0..320_000)
        .map(|n| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = (state >> 8) as f32 / (1 << 24) as f32 - 0.5;
            0.2 * noise + 0.3 * (n as f32 * 0.0162).sin()
        })
        .collect();
    StereoPcm::new(samples.clone(), samples, 32_000).unwrap()
}

fn advice(criterion: &mut Criterion) {
    let cancel = CancelFlag::new();
    let load = || Engine::from_bytes(Path::new("compact"), BUNDLE, &cancel).unwrap();
    let (engine, pcm, request) = (load(), window(), Request::default());
    let analysis = engine.analyze(&pcm, &cancel).unwrap();
    let mut extractor = FeatureExtractor::new(&FeatureSettings::default());

    let mut group = criterion.benchmark_group("one window");
    group.sample_size(20);
    group.bench_function("features alone", |b| {
        b.iter(|| extractor.band_power(&pcm.left, &pcm.right).unwrap())
    });
    group.bench_function("features and encoder", |b| {
        b.iter(|| engine.analyze(black_box(&pcm), &cancel).unwrap())
    });
    group.bench_function("whole advice", |b| {
        b.iter(|| engine.advise(black_box(&pcm), &request, &cancel).unwrap())
    });
    group.finish();

    // Tokens of the answer to this window, from intent to end. The time includes the branches of the decision.
    let generated = engine.generate(&analysis, &request, &cancel).unwrap();
    let mut group = criterion.benchmark_group("language model");
    group.sample_size(20).throughput(Throughput::Elements(generated.tokens as u64));
    group.bench_function("answer", |b| {
        b.iter(|| engine.generate(black_box(&analysis), &request, &cancel).unwrap())
    });
    group.finish();

    // A question costs no more than the general one, but where the language model must understand its words first. The last
    // words that it understood are kept, so two questions take turns here.
    let asked = |question: &str| Request { question: question.into(), ..Request::default() };
    let (why, unclear) =
        (asked("why do you say that?"), [asked("everything in its place?"), asked("would you sign it off?")]);
    let mut group = criterion.benchmark_group("reply");
    group.sample_size(20);
    for (name, requests) in
        [("general", vec![request.clone()]), ("why", vec![why]), ("words for the model", unclear.to_vec())]
    {
        let mut turns = requests.iter().cycle();
        group.bench_function(name, |b| {
            b.iter(|| engine.reply(black_box(&analysis), turns.next().unwrap(), &cancel).unwrap())
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("bundle");
    group.sample_size(20);
    group.bench_function("load", |b| b.iter(load));
    group.finish();
}

criterion_group!(benches, advice);
criterion_main!(benches);
