//! What a Qwen2 of half a billion parameters costs: `MIXING_BUDDY_QWEN2_GGUF=FILE cargo bench --workspace --bench qwen2`.
//!
//! Reading 200 tokens (prefill), and writing one after them (decode), on one thread and on two. On Linux it first prints both in
//! tokens per second of CPU time on one thread, which `llama.mjs` prints for llama.cpp, whatever else the machine does.
//!
//! One run of both, one after the other, on a busy AMD EPYC (Zen 4, AVX-512 VNNI), qwen2.5-coder-0.5b-instruct-q4_k_m.gguf
//! (491,400,064 bytes; Q5_0, Q8_0, Q6_K, Q4_K), llama.cpp as in node-llama-cpp 3.21.1 with its code for Zen 4:
//!
//! | tokens per CPU second, one thread | here | llama.cpp |
//! | --- | --- | --- |
//! | prefill of 200 | 210 to 234 | 96 to 105 |
//! | decode | 30 to 35 | 24 to 25 |
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on says why by panicking")]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use mixing_buddy_core::output::note;
use mixing_buddy_core::qwen2::{Cache, Checkpoint, Model, RunOptions};
use std::hint::black_box;

/// Tokens of a prompt: about those of an advisor's prompt with a short history.
const PROMPT: usize = 200;

/// CPU time of this thread in seconds; none where the system does not say.
fn cpu_s() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(text.split(' ').next()?.parse::<f64>().ok()? / 1e9)
}

/// Prints tokens per second of CPU time, as `llama.mjs` does.
fn print_cpu_speed(model: &Model, prompt: &[f32]) {
    let (options, hidden) = (RunOptions::default(), model.config().hidden_size);
    for _round in 0..3 {
        let mut cache = Cache::new(model.config());
        let Some(start) = cpu_s() else { return };
        model.extend(&mut cache, prompt, &options).unwrap();
        let Some(read) = cpu_s() else { return };
        for token in prompt.chunks_exact(hidden).take(10) {
            model.extend(&mut cache, token, &options).unwrap();
        }
        let Some(end) = cpu_s() else { return };
        note(&format!("prefill {:.1} tokens per CPU second", PROMPT as f64 / (read - start)));
        note(&format!("decode {:.1} tokens per CPU second", 10.0 / (end - read)));
    }
}

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
    print_cpu_speed(&model, &prompt);
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
