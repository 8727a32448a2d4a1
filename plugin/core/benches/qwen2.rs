//! What a Qwen2 of half a billion parameters costs: `MIXING_BUDDY_QWEN2_GGUF=FILE cargo bench --workspace --bench qwen2`.
//!
//! Reading 200 tokens (prefill), and writing one after 200 (decode), in tokens per second, on one thread and on two.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on says why by panicking")]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use mixing_buddy_core::output::note;
use mixing_buddy_core::qwen2::{Cache, Checkpoint, Model, RunOptions};
use std::hint::black_box;

/// Tokens of a prompt: about those of an advisor's prompt with a short history.
const PROMPT: usize = 200;

fn qwen2(criterion: &mut Criterion) {
    let Some(path) = std::env::var_os("MIXING_BUDDY_QWEN2_GGUF") else {
        note("skipped: MIXING_BUDDY_QWEN2_GGUF names no file");
        return;
    };
    let checkpoint = Checkpoint::open(path.as_ref()).unwrap();
    let model = Model::load(&checkpoint).unwrap();
    let ids: Vec<u32> = (0..PROMPT as u32).map(|n| 1000 + n * 37 % 5000).collect();
    let prompt = model.embed(&ids).unwrap();
    let next = model.embed(&ids[..1]).unwrap();
    let mut group = criterion.benchmark_group("qwen2");
    group.sample_size(10);
    for threads in [1, 2] {
        let options = RunOptions { threads, ..RunOptions::default() };
        let mut read = Cache::new(model.config());
        model.extend(&mut read, &prompt, &options).unwrap();

        group.throughput(Throughput::Elements(PROMPT as u64));
        group.bench_function(format!("prefill of {PROMPT}, {threads} threads"), |b| {
            b.iter(|| model.extend(&mut Cache::new(model.config()), black_box(&prompt), &options).unwrap());
        });
        group.throughput(Throughput::Elements(1));
        group.bench_function(format!("decode, {threads} threads"), |b| {
            b.iter_batched_ref(
                || read.clone(),
                |cache| model.extend(cache, black_box(&next), &options).unwrap(),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, qwen2);
criterion_main!(benches);
