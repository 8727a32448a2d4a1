//! The network of one stem in whole numbers.

use super::layers::{Single, Strided, Transposed};
use super::map::CodedMap;
use super::norm::{Leaky, Norm, Rectified, Rule, Same};
use crate::isa::Isa;
use crate::separator::convolution::{Scratch, Shape, dilated, strided};
use crate::separator::weights::{After, CHANNELS, LEVELS, Layer, NetworkWeights};

/// A map's values need as many codes, 13 bits with the sign: with fewer, floating point is used.
const LEAST_LARGEST_CODE: i16 = 1 << 12;
/// Levels whose input for the level below is kept in two maps. There, loud cells are a thousand times as large as most
/// others, and 14 bits for all would shift the shares of quiet cells by tenths.
const FINE_LEVELS: usize = 2;

/// Buffers of a pass.
#[derive(Default)]
pub struct Buffers {
    scratch: Scratch,
    /// Results of a layer, `[rows, columns, channels]`.
    results: Vec<f32>,
    /// Results of the first layer and of the last but one, `[channels, rows, columns]`.
    planes: Vec<f32>,
    levels: [LevelMaps; LEVELS],
}

/// The maps of a level.
#[derive(Default)]
struct LevelMaps {
    /// What the way down found.
    skip: CodedMap,
    /// The same, normalised and rectified: the input of the level below. On the first levels a second map holds what the
    /// codes of the first leave.
    activated: [CodedMap; 2],
    /// What came up from the level below.
    risen: CodedMap,
}

/// The inputs of a transposed convolution, in their order.
#[derive(Clone, Copy)]
enum UpMap {
    Skip,
    Risen,
}

/// A convolution, its bias, and the norm that follows it.
struct Step<C, R> {
    convolution: C,
    bias: Vec<f32>,
    norm: Norm<R>,
}

impl<C, R: Rule> Step<C, R> {
    fn new(convolution: C, after: &After) -> Self {
        Step { convolution, bias: after.bias.clone(), norm: Norm::new(after) }
    }
}

/// The network, with its kernels as they are stored: in 8 bits, small ones in 13.
pub struct IntegerUNet {
    isa: Isa,
    /// In floating point.
    first: Step<Vec<f32>, Leaky>,
    /// From the second level down.
    down: Vec<Step<Strided, Leaky>>,
    /// From the lowest level up to the second.
    up: Vec<Step<Transposed, Rectified>>,
    /// Up to the size of the input.
    single: Single,
    single_after: After,
    /// Makes logits of it, in floating point.
    mask: Vec<f32>,
    mask_bias: Vec<f32>,
    /// The skips are not normalised.
    skip_norm: Norm<Same>,
}

impl IntegerUNet {
    /// The network with these weights and instructions. Nothing, if one of its kernels leaves too few bits to a map: kernels
    /// stored whole do, but for small ones.
    pub fn new(weights: &NetworkWeights, isa: Isa) -> Option<Self> {
        let (first, down) = weights.down.split_first()?;
        let (last, up) = weights.up.split_last()?;
        let dense = |layer: &Layer| {
            let mut values = Vec::new();
            layer.kernel.dense_into(&mut values);
            values
        };
        let down =
            down.iter().map(|layer| Step::new(Strided::new(&layer.kernel.coded()), &layer.after)).collect();
        // The lowest level has no level below it: only the skip goes up from there.
        let up = up.iter().enumerate().map(|(step, layer)| {
            let maps = if step == 0 { 1 } else { 2 };
            Step::new(Transposed::new(&layer.kernel.coded(), maps), &layer.after)
        });
        let network = IntegerUNet {
            isa,
            first: Step::new(dense(first), &first.after),
            down,
            up: up.collect(),
            single: Single::new(&last.kernel.coded(), 2),
            single_after: last.after.clone(),
            mask: dense(&weights.mask),
            mask_bias: weights.mask.after.bias.clone(),
            skip_norm: Norm::none(),
        };
        let activated = network.down.iter().map(|step| step.convolution.largest_code());
        let skips = (0..LEVELS).map(|level| network.largest_code(level, UpMap::Skip));
        let risen = (0..LEVELS - 1).map(|level| network.largest_code(level, UpMap::Risen));
        let least = activated.chain(skips).chain(risen).min()?;
        (least >= LEAST_LARGEST_CODE).then_some(network)
    }

    /// Logits of the stem's share of each cell of `magnitudes`; both `whole`, `[2, frames, bins]`.
    pub fn logits(&self, magnitudes: &[f32], whole: Shape, work: &mut Buffers, logits: &mut [f32]) {
        let Buffers { scratch, results, planes, levels } = work;
        let mut shape = whole.halved(self.first.bias.len());
        planes.resize(shape.values(), 0.0);
        strided(magnitudes, whole, &self.first.convolution, &self.first.bias, planes, scratch);
        interleave(planes, shape, results);
        let mut norm = &self.first.norm;
        for level in 0..LEVELS {
            if let Some(step) = level.checked_sub(1).map(|above| &self.down[above]) {
                let inputs = &levels[level - 1].activated[..if level <= FINE_LEVELS { 2 } else { 1 }];
                shape = step.convolution.run(self.isa, inputs, shape, &step.bias, results);
                norm = &step.norm;
            }
            let maps = &mut levels[level];
            maps.skip.fill(results, shape, self.largest_code(level, UpMap::Skip), &self.skip_norm);
            if let Some(below) = self.down.get(level) {
                let largest = below.convolution.largest_code();
                let [coarse, rest] = &mut maps.activated;
                coarse.fill(results, shape, largest, norm);
                if level < FINE_LEVELS {
                    rest.fill_with_rest_of(coarse, results, shape, largest, norm);
                }
            }
        }
        for (level, step) in (1..LEVELS).rev().zip(&self.up) {
            let maps = &levels[level];
            let inputs: &[&CodedMap] =
                if level + 1 == LEVELS { &[&maps.skip] } else { &[&maps.skip, &maps.risen] };
            shape = step.convolution.run(self.isa, inputs, shape, &step.bias, results);
            let largest = self.largest_code(level - 1, UpMap::Risen);
            levels[level - 1].risen.fill(results, shape, largest, &step.norm);
        }
        let inputs = [&levels[0].skip, &levels[0].risen];
        shape = self.single.run(self.isa, &inputs, shape, &self.single_after, results, planes);
        dilated(planes, shape, &self.mask, &self.mask_bias, logits);
        debug_assert_eq!(logits.len(), CHANNELS * shape.area());
    }

    /// The largest code of what goes up from a level: of its skip, or of what came up to it.
    fn largest_code(&self, level: usize, map: UpMap) -> i16 {
        // The steps up begin at the lowest level; the last begins at the first level.
        match self.up.get(LEVELS - 1 - level) {
            Some(step) => step.convolution.largest_code(map as usize),
            None => self.single.largest_code(map as usize),
        }
    }
}

/// `[channels, rows, columns]` as `[rows, columns, channels]`.
fn interleave(planes: &[f32], shape: Shape, results: &mut Vec<f32>) {
    results.resize(shape.values(), 0.0);
    for (channel, plane) in planes.chunks_exact(shape.area()).enumerate() {
        for (to, from) in results[channel..].iter_mut().step_by(shape.channels).zip(plane) {
            *to = *from;
        }
    }
}
