//! What the vocal separator costs: `cargo bench --workspace --bench separator`.
//!
//! In one run, all on one thread, in operations per second (a multiplication and an addition are two):
//! - the whole network over ten seconds of sound: in whole numbers, as it ships, with each kind of this processor's
//!   instructions, and in floating point,
//! - one of its heaviest layers in floating point, as it is and written plainly, tap by tap,
//! - the product of two matrices that fit the cache: what this core can reach at most with the same library.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on says why by panicking")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mixing_buddy_core::isa::Isa;
use mixing_buddy_core::separator::convolution::{KERNEL, Scratch, Shape, TAPS, strided};
use mixing_buddy_core::separator::{BINS, CHANNELS, FRAME_MULTIPLE, NetworkWeights, UNet, Workspace};
use std::hint::black_box;

static VOCALS: &[u8] = include_bytes!("../../../assets/separator/vocals.safetensors");

/// Frames of ten seconds, filled up to a number that the network takes.
const FRAMES: usize = (10usize * 44_100 / 1024 + 1).next_multiple_of(FRAME_MULTIPLE);
/// Side of the matrices of the upper limit: three of them fit the second cache of a core.
const SIDE: usize = 256;

fn noise(count: usize) -> Vec<f32> {
    let mut state = 1u32;
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32
        })
        .collect()
}

/// The strided convolution as its definition reads.
fn plain(input: &[f32], shape: Shape, weights: &[f32], bias: &[f32], output: &mut [f32]) {
    let half = shape.halved(bias.len());
    for o in 0..half.channels {
        for row in 0..half.rows {
            for column in 0..half.columns {
                let mut sum = bias[o];
                for c in 0..shape.channels {
                    for i in 0..KERNEL {
                        for j in 0..KERNEL {
                            let (y, x) = ((2 * row + i).wrapping_sub(1), (2 * column + j).wrapping_sub(1));
                            if y < shape.rows && x < shape.columns {
                                sum += weights[((o * shape.channels + c) * KERNEL + i) * KERNEL + j]
                                    * input[(c * shape.rows + y) * shape.columns + x];
                            }
                        }
                    }
                }
                output[(o * half.rows + row) * half.columns + column] = sum;
            }
        }
    }
}

fn separator(criterion: &mut Criterion) {
    let weights = || NetworkWeights::read(VOCALS).unwrap();
    let input = noise(CHANNELS * FRAMES * BINS);
    let mut shares = vec![0.0; input.len()];
    let mut work = Workspace::default();

    let mut group = criterion.benchmark_group("separator");
    group.sample_size(10).throughput(Throughput::Elements(weights().operations(FRAMES)));
    for isa in Isa::available() {
        let network = UNet::with_isa(weights(), isa);
        group.bench_function(format!("ten seconds, {isa:?}"), |b| {
            b.iter(|| network.shares(black_box(&input), FRAMES, &mut work, &mut shares))
        });
    }
    let floating = UNet::floating(weights());
    group.bench_function("ten seconds, in floating point", |b| {
        b.iter(|| floating.shares(black_box(&input), FRAMES, &mut work, &mut shares))
    });

    // The third layer on the way down, over 64 frames of input.
    let shape = Shape { channels: 32, rows: FRAME_MULTIPLE / 4, columns: BINS / 4 };
    let (outputs, map) = (64, noise(shape.values()));
    let (weights, bias) = (noise(outputs * shape.channels * TAPS), noise(outputs));
    let mut output = vec![0.0; shape.halved(outputs).values()];
    let mut other = output.clone();
    let operations = 2 * shape.halved(outputs).values() * shape.channels * TAPS;
    group.throughput(Throughput::Elements(operations as u64));
    let mut scratch = Scratch::default();
    group.bench_function("one layer", |b| {
        b.iter(|| strided(black_box(&map), shape, &weights, &bias, &mut output, &mut scratch))
    });
    group.bench_function("one layer, plainly", |b| {
        b.iter(|| plain(black_box(&map), shape, &weights, &bias, &mut other))
    });
    let worst = output.iter().zip(&other).map(|(a, b)| (a - b).abs() / b.abs().max(1.0)).fold(0.0, f32::max);
    assert!(worst < 1e-4, "both give the same: {worst}");

    let (a, b_matrix, mut c) = (noise(SIDE * SIDE), noise(SIDE * SIDE), vec![0.0f32; SIDE * SIDE]);
    group.throughput(Throughput::Elements(2 * (SIDE * SIDE * SIDE) as u64));
    group.bench_function("matrices in the cache", |b| {
        b.iter(|| {
            // SAFETY: all three are SIDE x SIDE, row-major.
            unsafe {
                gemm::gemm(
                    SIDE,
                    SIDE,
                    SIDE,
                    c.as_mut_ptr(),
                    1,
                    SIDE as isize,
                    false,
                    a.as_ptr(),
                    1,
                    SIDE as isize,
                    b_matrix.as_ptr(),
                    1,
                    SIDE as isize,
                    0.0,
                    1.0,
                    false,
                    false,
                    false,
                    gemm::Parallelism::None,
                );
            }
        })
    });
    group.finish();
}

criterion_group!(benches, separator);
criterion_main!(benches);
