//! Time for 100,000 samples from the index of 150 songs of four minutes (the limit is 60 s).

use criterion::{Criterion, criterion_group, criterion_main};
use mixing_buddy_core::PerStem;
use mixing_buddy_trainer::collections::{
    Checks, ChunkEntry, Index, Layout, MeasuredSong, SongEntry, SongFiles,
};
use mixing_buddy_trainer::part::Part;
use mixing_buddy_trainer::protocol::Split;
use mixing_buddy_trainer::synthesis::{Synthesis, SynthesisSettings, Synthesizer, synthesize};
use mixing_buddy_trainer::text::{Instructions, TextSampler};
use std::hint::black_box;

const SONGS: usize = 150;
const CHUNKS: usize = 24;
const LINES: u64 = 100_000;

fn index() -> Index {
    let chunk = |at: usize| ChunkEntry {
        level_dbfs: [-24.0 - at as f32 * 0.1, -22.5, -25.0, -23.0],
        mix_dbfs: -17.5,
        active_share: [0.9, 1.0, 0.95, 1.0],
        correlation: [0.01, -0.02, 0.05, 0.1, 0.0, 0.03],
    };
    let song = |number: usize| MeasuredSong {
        entry: SongEntry {
            name: format!("Artist {number} - Song"),
            split: Some(Split::Train),
            rate_hz: 44_100,
            duration_s: 240.0,
            files: SongFiles::default(),
            level_dbfs: PerStem::from_fn(|_| Some(-24.0)),
            mix_dbfs: -17.5,
            checks: Checks::default(),
            chunks: 0..CHUNKS,
        },
        chunks: (0..CHUNKS).map(chunk).collect(),
    };
    Index::new(Layout::Musdb, "/".into(), (0..SONGS).map(song).collect(), Vec::new())
}

#[expect(clippy::unwrap_used, reason = "a benchmark that cannot run must fail")]
fn synthesis(criterion: &mut Criterion) {
    let (index, settings) = (index(), SynthesisSettings::default());
    let (text, instructions) = (TextSampler::shipped().unwrap(), Instructions::shipped().unwrap());
    let synthesizer = Synthesizer::new(&index, &settings, &text, &instructions, &[]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("lines.jsonl");
    let mut group = criterion.benchmark_group("synthesize");
    group.sample_size(10);
    group.bench_function("100,000 lines from 150 songs", |bench| {
        bench.iter(|| {
            let plan = Synthesis { count: LINES, seed: 1, part: Part::WHOLE, audio: None };
            synthesize(black_box(&index), &synthesizer, plan, &out).unwrap();
        });
    });
    group.finish();
}

criterion_group!(benches, synthesis);
criterion_main!(benches);
