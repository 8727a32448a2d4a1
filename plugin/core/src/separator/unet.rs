//! Spleeter's U-Net (Jansson et al. 2017; Hennequin et al. 2020): from magnitudes of the mix to those of one stem.

use super::convolution::{Scratch, Shape, TAPS, dilated, strided, transposed};
use super::integer::{Buffers, IntegerUNet};
use super::weights::{CHANNELS, LEVELS, NetworkWeights, leaky};
use crate::isa::{Isa, Vectorised, vectorised};
use crate::nn::ops::sigmoid;

/// Bins of each frame, from the lowest: 11 kHz at 44.1 kHz.
pub const BINS: usize = 1024;
/// The number of frames must be a multiple of this.
pub const FRAME_MULTIPLE: usize = 1 << LEVELS;

/// Buffers of a pass. Reuse them: they are as large as the maps.
#[derive(Default)]
pub struct Workspace {
    integer: Buffers,
    floating: FloatBuffers,
}

/// Buffers of a pass in floating point.
#[derive(Default)]
struct FloatBuffers {
    scratch: Scratch,
    weights: Vec<f32>,
    /// One map per level: the skip in the first half of the channels, the output of the level below in the second.
    joined: [Vec<f32>; LEVELS],
    activation: Vec<f32>,
    map: Vec<f32>,
}

/// The network of one stem.
pub struct UNet {
    network: Network,
}

/// How it is computed.
enum Network {
    /// Kernels of 8 bits, in whole numbers.
    Integer(IntegerUNet),
    /// In floating point.
    Floating(NetworkWeights),
}

impl UNet {
    /// The network with these weights: in whole numbers where its kernels have 8 bits, in floating point elsewhere.
    pub fn new(weights: NetworkWeights) -> Self {
        Self::with_isa(weights, Isa::best())
    }

    /// As [`UNet::new`], with these of the processor's instructions.
    pub fn with_isa(weights: NetworkWeights, isa: Isa) -> Self {
        match IntegerUNet::new(&weights, isa) {
            Some(network) => UNet { network: Network::Integer(network) },
            None => UNet::floating(weights),
        }
    }

    /// The network in floating point, whatever its kernels: what the other way is compared with.
    pub fn floating(weights: NetworkWeights) -> Self {
        UNet { network: Network::Floating(weights) }
    }

    /// Share of each cell of `magnitudes` that is the stem's, 0 to 1, into `shares`; both `[2, frames, 1024]`.
    ///
    /// # Panics
    /// When the lengths do not fit, or the number of frames is no multiple of [`FRAME_MULTIPLE`].
    pub fn shares(&self, magnitudes: &[f32], frames: usize, work: &mut Workspace, shares: &mut [f32]) {
        let whole = Shape { channels: CHANNELS, rows: frames, columns: BINS };
        assert!(frames > 0 && frames.is_multiple_of(FRAME_MULTIPLE), "{frames} frames are no multiple of 64");
        assert!(magnitudes.len() == whole.values() && shares.len() == whole.values());
        match &self.network {
            Network::Integer(network) => network.logits(magnitudes, whole, &mut work.integer, shares),
            Network::Floating(weights) => weights.logits(magnitudes, whole, &mut work.floating, shares),
        }
        vectorised(Sigmoid(shares));
    }
}

/// Logits to shares, in place.
struct Sigmoid<'a>(&'a mut [f32]);

impl Vectorised for Sigmoid<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        self.0.iter_mut().for_each(|value| *value = sigmoid(*value));
    }
}

impl NetworkWeights {
    /// Logits of the shares, in floating point.
    fn logits(&self, magnitudes: &[f32], whole: Shape, work: &mut FloatBuffers, logits: &mut [f32]) {
        let mut shape = whole;
        work.activation.clear();
        work.activation.extend_from_slice(magnitudes);
        for (level, down) in self.down.iter().enumerate() {
            let next = shape.halved(down.kernel.outputs());
            let is_lowest = level + 1 == LEVELS;
            // The lowest level has no level below it: its map is the skip alone.
            let joined = &mut work.joined[level];
            joined.resize(if is_lowest { next.values() } else { 2 * next.values() }, 0.0);
            down.kernel.dense_into(&mut work.weights);
            let skip = &mut joined[..next.values()];
            strided(&work.activation, shape, &work.weights, &down.after.bias, skip, &mut work.scratch);
            shape = next;
            if !is_lowest {
                work.activation.resize(next.values(), 0.0);
                let planes =
                    skip.chunks_exact(next.area()).zip(work.activation.chunks_exact_mut(next.area()));
                let norms = down.after.scale.iter().zip(&down.after.offset);
                for ((from, to), (scale, offset)) in planes.zip(norms) {
                    for (from, to) in from.iter().zip(to) {
                        *to = leaky(*from, *scale, *offset);
                    }
                }
            }
        }
        for (step, up) in self.up.iter().enumerate() {
            let level = LEVELS - 1 - step;
            let outputs = up.kernel.outputs();
            let double = shape.doubled(outputs);
            up.kernel.dense_into(&mut work.weights);
            let (above, here) = work.joined.split_at_mut(level);
            let to = match above.last_mut() {
                Some(joined) => &mut joined[double.values()..],
                None => {
                    work.map.resize(double.values(), 0.0);
                    &mut work.map
                }
            };
            transposed(&here[0], shape, &work.weights, &up.after, to, &mut work.scratch);
            shape = if level == 0 { double } else { Shape { channels: 2 * outputs, ..double } };
        }
        self.mask.kernel.dense_into(&mut work.weights);
        dilated(&work.map, shape, &work.weights, &self.mask.after.bias, logits);
    }

    /// Multiplications and additions of one pass over as many frames.
    pub fn operations(&self, frames: usize) -> u64 {
        let (mut shape, mut sum) = (Shape { channels: CHANNELS, rows: frames, columns: BINS }, 0);
        for down in &self.down {
            let next = shape.halved(down.kernel.outputs());
            sum += (next.values() * shape.channels * TAPS) as u64;
            shape = next;
        }
        for up in &self.up {
            sum += (shape.area() * up.kernel.size()) as u64;
            shape = shape.doubled(2 * up.kernel.outputs());
        }
        2 * (sum + (frames * BINS * self.mask.kernel.size()) as u64)
    }
}
