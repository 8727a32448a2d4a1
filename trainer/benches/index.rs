//! Time to open the index of 100,000 songs of four minutes (the limit is 1 s).

use criterion::{Criterion, criterion_group, criterion_main};
use mixing_buddy_core::{PerStem, Stem};
use mixing_buddy_trainer::collections::{
    Checks, ChunkEntry, FileEntry, Index, Layout, MeasuredSong, SongEntry, SongFiles,
};
use mixing_buddy_trainer::protocol::Split;
use std::hint::black_box;
use std::path::Path;

const SONGS: usize = 100_000;
const CHUNKS: usize = 24;

fn song(number: usize) -> MeasuredSong {
    let name = format!("Artist {} - Song {number}", number / 10);
    let file = |stem: &str| FileEntry {
        path: format!("train/{name}/{stem}.flac").into(),
        track: None,
        bytes: 20_000_000 + number as u64,
        modified_ms: 1_700_000_000_000,
    };
    let chunk = |at: usize| ChunkEntry {
        level_dbfs: [-24.0 - (at + number % 7) as f32 * 0.1, -22.5, -25.0, -23.0],
        mix_dbfs: -17.5,
        active_share: [0.9, 1.0, 0.95, 1.0],
        correlation: [0.01, -0.02, 0.05, 0.1, 0.0, 0.03],
    };
    let stems = PerStem::from_fn(|stem: Stem| vec![file(stem.name())]);
    MeasuredSong {
        entry: SongEntry {
            split: Some(Split::Train),
            rate_hz: 44_100,
            duration_s: 240.0,
            files: SongFiles { stems, mixture: Some(file("mixture")) },
            level_dbfs: PerStem::from_fn(|_| Some(-24.0)),
            mix_dbfs: -17.5,
            checks: Checks { sum_residual_db: Some(-82.1), mixture_gain_db: Some(0.0), ..Checks::default() },
            chunks: 0..CHUNKS,
            name,
        },
        chunks: (0..CHUNKS).map(chunk).collect(),
    }
}

#[expect(clippy::unwrap_used, reason = "a benchmark that cannot run must fail")]
fn write(path: &Path) {
    Index::new(Layout::Musdb, "/music".into(), (0..SONGS).map(song).collect(), Vec::new())
        .save(path)
        .unwrap();
}

#[expect(clippy::unwrap_used, reason = "a benchmark that cannot run must fail")]
fn opening(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("songs.index");
    write(&path);
    let mut group = criterion.benchmark_group("index");
    group.sample_size(10);
    group.bench_function("opening 100,000 songs", |bench| {
        bench.iter(|| black_box(Index::load(&path).unwrap()).songs.len());
    });
    group.finish();
}

criterion_group!(benches, opening);
criterion_main!(benches);
