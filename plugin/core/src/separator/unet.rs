//! Spleeter's U-Net (Jansson et al. 2017; Hennequin et al. 2020): from magnitudes of the mix to those of one stem.

use super::convolution::{Rectified, Scratch, Shape, TAPS, dilated, strided, transposed};
use super::weights::{CHANNELS, LEVELS, NetworkWeights};

/// Bins of each frame, from the lowest: 11 kHz at 44.1 kHz.
pub const BINS: usize = 1024;
/// The number of frames must be a multiple of this.
pub const FRAME_MULTIPLE: usize = 1 << LEVELS;
/// Slope of the leaky rectifier on the way down.
const LEAK: f32 = 0.2;

/// Buffers of a pass. Reuse them: they are as large as the maps.
#[derive(Default)]
pub struct Workspace {
    scratch: Scratch,
    weights: Vec<f32>,
    /// One map per level: the skip in the first half of the channels, the output of the level below in the second.
    joined: [Vec<f32>; LEVELS],
    activation: Vec<f32>,
    map: Vec<f32>,
}

/// The network of one stem.
pub struct UNet {
    weights: NetworkWeights,
}

impl UNet {
    /// The network with these weights.
    pub fn new(weights: NetworkWeights) -> Self {
        UNet { weights }
    }

    /// Share of each cell of `magnitudes` that is the stem's, 0 to 1, into `shares`; both `[2, frames, 1024]`.
    ///
    /// # Panics
    /// When the lengths do not fit, or the number of frames is no multiple of [`FRAME_MULTIPLE`].
    pub fn shares(&self, magnitudes: &[f32], frames: usize, work: &mut Workspace, shares: &mut [f32]) {
        let whole = Shape { channels: CHANNELS, rows: frames, columns: BINS };
        assert!(frames > 0 && frames.is_multiple_of(FRAME_MULTIPLE), "{frames} frames are no multiple of 64");
        assert!(magnitudes.len() == whole.values() && shares.len() == whole.values());
        let mut shape = whole;
        work.activation.clear();
        work.activation.extend_from_slice(magnitudes);
        for (level, down) in self.weights.down.iter().enumerate() {
            let next = shape.halved(down.kernel.outputs());
            let is_lowest = level + 1 == LEVELS;
            // The lowest level has no level below it: its map is the skip alone.
            let joined = &mut work.joined[level];
            joined.resize(if is_lowest { next.values() } else { 2 * next.values() }, 0.0);
            down.kernel.dense_into(&mut work.weights);
            let skip = &mut joined[..next.values()];
            strided(&work.activation, shape, &work.weights, &down.bias, skip, &mut work.scratch);
            shape = next;
            if !is_lowest {
                work.activation.resize(next.values(), 0.0);
                let planes =
                    skip.chunks_exact(next.area()).zip(work.activation.chunks_exact_mut(next.area()));
                for ((from, to), (scale, offset)) in planes.zip(down.norm_scale.iter().zip(&down.norm_offset))
                {
                    for (from, to) in from.iter().zip(to) {
                        let value = from * scale + offset;
                        *to = if value > 0.0 { value } else { LEAK * value };
                    }
                }
            }
        }
        for (step, up) in self.weights.up.iter().enumerate() {
            let level = LEVELS - 1 - step;
            let outputs = up.kernel.outputs();
            let double = shape.doubled(outputs);
            up.kernel.dense_into(&mut work.weights);
            let after = Rectified { bias: &up.bias, scale: &up.norm_scale, offset: &up.norm_offset };
            let (above, here) = work.joined.split_at_mut(level);
            let to = match above.last_mut() {
                Some(joined) => &mut joined[double.values()..],
                None => {
                    work.map.resize(double.values(), 0.0);
                    &mut work.map
                }
            };
            transposed(&here[0], shape, &work.weights, &after, to, &mut work.scratch);
            shape = if level == 0 { double } else { Shape { channels: 2 * outputs, ..double } };
        }
        self.weights.mask.kernel.dense_into(&mut work.weights);
        dilated(&work.map, shape, &work.weights, &self.weights.mask.bias, shares);
        shares.iter_mut().for_each(|value| *value = 1.0 / (1.0 + (-*value).exp()));
    }

    /// Multiplications and additions of one pass over as many frames.
    pub fn operations(&self, frames: usize) -> u64 {
        let (mut shape, mut sum) = (Shape { channels: CHANNELS, rows: frames, columns: BINS }, 0);
        for down in &self.weights.down {
            let next = shape.halved(down.kernel.outputs());
            sum += (next.values() * shape.channels * TAPS) as u64;
            shape = next;
        }
        for up in &self.weights.up {
            sum += (shape.area() * up.kernel.size()) as u64;
            shape = shape.doubled(2 * up.kernel.outputs());
        }
        2 * (sum + (frames * BINS * self.weights.mask.kernel.size()) as u64)
    }
}
