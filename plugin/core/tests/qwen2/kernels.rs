//! Each kernel against the plain one, and that against the definition.

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use mixing_buddy_core::isa::Isa;
use mixing_buddy_core::qwen2::files::Storage;
use mixing_buddy_core::qwen2::matrix::Matrix;
use mixing_buddy_core::qwen2::product::{Inputs, Runner};
use mixing_buddy_core::qwen2::team::Team;
use mixing_buddy_core::qwen2::{Format, Precision};
use rand::{Rng, SeedableRng};
use std::path::Path;

/// Formats with their names in candle.
pub const KINDS: [(Format, GgmlDType); 7] = [
    (Format::F32, GgmlDType::F32),
    (Format::F16, GgmlDType::F16),
    (Format::Q4_0, GgmlDType::Q4_0),
    (Format::Q5_0, GgmlDType::Q5_0),
    (Format::Q8_0, GgmlDType::Q8_0),
    (Format::Q4K, GgmlDType::Q4K),
    (Format::Q6K, GgmlDType::Q6K),
];

fn noise(seed: u64, count: usize) -> Vec<f32> {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    // Some values are much larger, as in a real network.
    (0..count).map(|n| (rng.random::<f32>() - 0.5) * if n % 61 == 0 { 9.0 } else { 1.0 }).collect()
}

/// A matrix of random weights in a format, and its values as candle reads them.
fn matrix(kind: (Format, GgmlDType), rows: usize, columns: usize) -> (Matrix, Vec<f32>) {
    let tensor = Tensor::from_vec(noise(5, rows * columns), (rows, columns), &Device::Cpu).unwrap();
    let stored = QTensor::quantize(&tensor, kind.1).unwrap();
    let dense = stored.dequantize(&Device::Cpu).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    let bytes = stored.data().unwrap().into_owned();
    (of_bytes(kind.0, rows, columns, bytes), dense)
}

fn of_bytes(format: Format, rows: usize, columns: usize, bytes: Vec<u8>) -> Matrix {
    let length = bytes.len();
    let span = Storage::owned(Path::new("test"), bytes).span(0, length).unwrap();
    Matrix::new(format, (rows, columns), span).unwrap()
}

fn product(isa: Isa, threads: usize, precision: Precision, matrix: &Matrix, inputs: &[f32]) -> Vec<f32> {
    let columns = inputs.len() / matrix.columns();
    let mut prepared = Inputs::default();
    prepared.values_mut(columns, matrix.columns()).copy_from_slice(inputs);
    prepared.finish(precision);
    let mut out = vec![f32::NAN; columns * matrix.rows()];
    Team::with(threads, |team| Runner { isa, team, precision }.multiply(matrix, &prepared, &mut out));
    out
}

/// Root mean square of the difference, relative to that of `b`.
fn apart(a: &[f32], b: &[f32]) -> f64 {
    let squares = |x: &mut dyn Iterator<Item = f32>| x.map(|x| f64::from(x).powi(2)).sum::<f64>();
    (squares(&mut a.iter().zip(b).map(|(a, b)| a - b)) / squares(&mut b.iter().copied())).sqrt()
}

#[test]
fn rows_are_unpacked_as_candle_does_bit_for_bit() {
    for kind in KINDS {
        let (matrix, dense) = matrix(kind, 3, 512);
        assert_eq!(matrix.dense(), dense, "{:?}", kind.0);
    }
    let half: Vec<u8> =
        [1.5f32, -0.001].iter().flat_map(|x| (x.to_bits() >> 16).to_le_bytes()[..2].to_vec()).collect();
    let values = of_bytes(Format::Bf16, 1, 2, half).dense();
    assert!(values[0] == 1.5 && (values[1] + 0.001).abs() < 1e-5);
}

#[test]
fn every_kernel_gives_what_the_plain_one_does() {
    let length = 512;
    for kind in KINDS.into_iter().filter(|(format, _)| format.is_quantized()) {
        // 37 rows leave a tile that is not full; 1 to 11 columns use all widths of a pass.
        let (matrix, _) = matrix(kind, 37, length);
        for columns in [1, 2, 3, 4, 5, 6, 7, 8, 11] {
            let inputs = noise(columns as u64, columns * length);
            let plain = product(Isa::Plain, 1, Precision::Fast, &matrix, &inputs);
            for isa in Isa::available() {
                for threads in [1, 3] {
                    let fast = product(isa, threads, Precision::Fast, &matrix, &inputs);
                    let difference = apart(&fast, &plain);
                    assert!(difference < 1e-6, "{:?}, {isa:?}, {columns} columns: {difference}", kind.0);
                }
            }
        }
    }
}

#[test]
fn products_are_those_of_the_definition() {
    let (rows, length, columns) = (37, 512, 5);
    let inputs = noise(9, columns * length);
    for kind in KINDS {
        let (matrix, dense) = matrix(kind, rows, length);
        let expected: Vec<f32> = inputs
            .chunks_exact(length)
            .flat_map(|x| {
                dense.chunks_exact(length).map(move |w| w.iter().zip(x).map(|(w, x)| w * x).sum::<f32>())
            })
            .collect();
        let exact = product(Isa::best(), 2, Precision::Exact, &matrix, &inputs);
        assert!(apart(&exact, &expected) < 1e-6, "{:?}", kind.0);
        for isa in Isa::available() {
            let fast = product(isa, 1, Precision::Fast, &matrix, &inputs);
            let difference = apart(&fast, &expected);
            // Inputs in 8 bits with a common scale of 32 values; dense matrices take them as they are.
            assert!(
                difference < if kind.0.is_quantized() { 0.02 } else { 1e-6 },
                "{:?}: {difference}",
                kind.0
            );
        }
    }
}

#[test]
fn the_largest_codes_do_not_overflow() {
    // Every bit pattern of a block may come from a damaged file: all ones, and the sign bit alone.
    for (format, _) in KINDS.into_iter().filter(|(format, _)| format.is_quantized()) {
        for byte in [0xff, 0x80, 0x7f, 0] {
            let length = 512;
            let bytes = format.row_bytes(length).unwrap();
            let mut rows = vec![byte; 2 * bytes];
            // Finite scales, so that the sums can be compared.
            for block in rows.chunks_exact_mut(format.block_bytes()) {
                let scale = 0x3c00u16.to_le_bytes();
                let at = if format == Format::Q6K { 208 } else { 0 };
                block[at..at + 2].copy_from_slice(&scale);
                if format == Format::Q4K {
                    block[2..4].copy_from_slice(&scale);
                }
            }
            let matrix = of_bytes(format, 2, length, rows);
            for sign in [1.0, -1.0] {
                let inputs = vec![sign; 4 * length];
                for columns in [1, 4] {
                    let plain = product(Isa::Plain, 1, Precision::Fast, &matrix, &inputs[..columns * length]);
                    let exact =
                        product(Isa::Plain, 1, Precision::Exact, &matrix, &inputs[..columns * length]);
                    for isa in Isa::available() {
                        let fast = product(isa, 1, Precision::Fast, &matrix, &inputs[..columns * length]);
                        for ((fast, plain), exact) in fast.iter().zip(&plain).zip(&exact) {
                            let size = exact.abs().max(1.0);
                            assert!(
                                (fast - plain).abs() < 1e-5 * size,
                                "{format:?} {isa:?}: {fast}, {plain}"
                            );
                            assert!(
                                (fast - exact).abs() < 1e-4 * size,
                                "{format:?} {isa:?}: {fast}, {exact}"
                            );
                        }
                    }
                }
            }
        }
    }
}
