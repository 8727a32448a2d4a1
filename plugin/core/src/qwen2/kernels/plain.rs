//! The kernels without vector instructions of our own; the compiler makes some.

use super::tile::{TILE_ROWS, Tile, TileInput, TileSums};
use crate::qwen2::activations::Column;
use crate::qwen2::format::{Format, GROUP};
use crate::qwen2::unpack::{Unpacked, unpack_block};

/// See [`Isa::multiply_rows`](super::Isa::multiply_rows).
pub fn multiply_rows(
    format: Format,
    (rows, row_bytes): (&[u8], usize),
    column: Column<'_>,
    starts: &[i32],
    sums: &mut [f32],
) {
    let (values, group) = (format.block_values(), format.group());
    let mut block = Unpacked::default();
    for (row, sum) in rows.chunks_exact(row_bytes).zip(sums) {
        *sum = 0.0;
        for (n, bytes) in row.chunks_exact(format.block_bytes()).enumerate() {
            unpack_block(format, bytes, &mut block);
            for g in 0..values / group {
                let first = n * values + g * group;
                let codes = &block.codes[g * group..][..group];
                let inputs = &column.codes[first..][..group];
                let products =
                    codes.iter().zip(inputs).map(|(code, input)| i32::from(*code) * i32::from(*input));
                let total = starts[first / group] + products.sum::<i32>();
                *sum += total as f32 * (block.scales[g] * column.scales[first / GROUP]);
            }
            if format == Format::Q4K {
                for (least, weighted) in
                    block.minima.iter().zip(&column.weighted[n * values / GROUP..]).take(8)
                {
                    *sum -= least * weighted;
                }
            }
        }
    }
}

/// Fills a tile; see [`Tile::load`].
pub fn load(tile: &mut Tile, rows: &[&[u8]; TILE_ROWS]) {
    let format = tile.format;
    let (values, group) = (format.block_values(), format.group());
    let mut block = Unpacked::default();
    for (r, row) in rows.iter().enumerate() {
        for (n, bytes) in row.chunks_exact(format.block_bytes()).enumerate() {
            unpack_block(format, bytes, &mut block);
            for (i, codes) in block.codes[..values].chunks_exact(4).enumerate() {
                tile.codes[((n * values / 4 + i) * TILE_ROWS + r) * 4..][..4].copy_from_slice(codes);
            }
            for g in 0..values / group {
                let at = (n * values / group + g) * TILE_ROWS + r;
                tile.scales[at] = block.scales[g];
                if format == Format::Q4K {
                    tile.minima[at] = block.minima[g];
                }
            }
        }
    }
}

/// See [`Tile::multiply`].
pub fn multiply_tile(tile: &Tile, input: &TileInput<'_>, columns: usize) -> TileSums {
    let group = tile.format.group();
    let mut sums = TileSums::default();
    for (c, sums) in sums.iter_mut().enumerate().take(columns) {
        let column = input.activations.column(input.first + c);
        for g in 0..tile.length / group {
            let mut totals = [input.start(c, g); TILE_ROWS];
            for four in g * group / 4..(g + 1) * group / 4 {
                let inputs = &column.codes[four * 4..][..4];
                let codes = &tile.codes[four * TILE_ROWS * 4..][..TILE_ROWS * 4];
                for (total, codes) in totals.iter_mut().zip(codes.chunks_exact(4)) {
                    for (code, input) in codes.iter().zip(inputs) {
                        *total += i32::from(*code) * i32::from(*input);
                    }
                }
            }
            let scale = column.scales[g * group / GROUP];
            for (r, (sum, total)) in sums.iter_mut().zip(totals).enumerate() {
                *sum += total as f32 * (tile.scales[g * TILE_ROWS + r] * scale);
            }
            if tile.format == Format::Q4K {
                for (r, sum) in sums.iter_mut().enumerate() {
                    *sum -= tile.minima[g * TILE_ROWS + r] * column.weighted[g];
                }
            }
        }
    }
    sums
}
