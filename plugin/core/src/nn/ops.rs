//! Softmax, RMS norm, SwiGLU and rotary embedding with gradients.
//!
//! Each operation has two forms, which tests compare: a fused one for the CPU, and one of plain candle operations for
//! CUDA and Metal, where a CPU-only custom operation would fail.

use super::fused::{Argument, Fused, apply1, apply2, evaluate1, evaluate2, evaluate3};
use candle_core::{D, Result, Shape, Tensor, bail};

/// `exp` by range reduction and a polynomial of degree 6, which the compiler can vectorise (relative error below 3e-7).
#[inline(always)]
pub(crate) fn fast_exp(x: f32) -> f32 {
    let x = x.clamp(-87.0, 88.0);
    let scaled = x * std::f32::consts::LOG2_E;
    // Adding and taking away 1.5 * 2^23 rounds to the nearest integer without a library call.
    let whole = (scaled + 12_582_912.0) - 12_582_912.0;
    let fraction = (scaled - whole) * std::f32::consts::LN_2;
    let polynomial = 1.0
        + fraction
            * (1.0
                + fraction
                    * (0.5
                        + fraction
                            * (1.0 / 6.0
                                + fraction
                                    * (1.0 / 24.0 + fraction * (1.0 / 120.0 + fraction * (1.0 / 720.0))))));
    polynomial * f32::from_bits((((whole as i32) + 127) << 23) as u32)
}

#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + fast_exp(-x))
}

// ---------------------------------------------------------------------------------------------------------------

/// Softmax over the last dimension.
pub fn softmax(x: &Tensor) -> Result<Tensor> {
    if x.device().is_cpu() { apply1(Softmax, x) } else { softmax_plain(x) }
}

/// [`softmax`] of plain operations.
pub fn softmax_plain(x: &Tensor) -> Result<Tensor> {
    let shifted = x.broadcast_sub(&x.max_keepdim(D::Minus1)?.detach())?.exp()?;
    shifted.broadcast_div(&shifted.sum_keepdim(D::Minus1)?)
}

struct Softmax;

impl Fused<1> for Softmax {
    const NAME: &'static str = "softmax";

    fn forward(&self, [x]: [Argument<'_>; 1]) -> Result<(Vec<f32>, Shape)> {
        let width = x.last_dim()?;
        let mut y = vec![0.0; x.values.len()];
        for (row, to) in x.values.chunks_exact(width).zip(y.chunks_exact_mut(width)) {
            let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            for (value, slot) in row.iter().zip(to.iter_mut()) {
                *slot = fast_exp(value - top);
            }
            let inverse = 1.0 / to.iter().sum::<f32>();
            to.iter_mut().for_each(|slot| *slot *= inverse);
        }
        Ok(x.shaped(y))
    }

    fn backward(&self, _x: [&Tensor; 1], y: &Tensor, grad: &Tensor) -> Result<[Option<Tensor>; 1]> {
        Ok([Some(evaluate2(SoftmaxGrad, y, grad)?)])
    }
}

/// `y * (g - sum(g * y))`, row by row.
struct SoftmaxGrad;

impl Fused<2> for SoftmaxGrad {
    const NAME: &'static str = "softmax-grad";

    fn forward(&self, [y, g]: [Argument<'_>; 2]) -> Result<(Vec<f32>, Shape)> {
        let width = y.last_dim()?;
        let mut dx = vec![0.0; y.values.len()];
        let rows = y.values.chunks_exact(width).zip(g.values.chunks_exact(width));
        for ((y, g), dx) in rows.zip(dx.chunks_exact_mut(width)) {
            let dot: f32 = y.iter().zip(g).map(|(y, g)| y * g).sum();
            for ((slot, y), g) in dx.iter_mut().zip(y).zip(g) {
                *slot = y * (g - dot);
            }
        }
        Ok(y.shaped(dx))
    }
}

// ---------------------------------------------------------------------------------------------------------------

/// Root-mean-square normalisation over the last dimension, scaled by `gain` (Zhang and Sennrich 2019).
pub fn rms_norm(x: &Tensor, gain: &Tensor, epsilon: f64) -> Result<Tensor> {
    if x.device().is_cpu() {
        apply2(RmsNorm { epsilon: epsilon as f32 }, x, gain)
    } else {
        rms_norm_plain(x, gain, epsilon)
    }
}

/// [`rms_norm`] of plain operations.
pub fn rms_norm_plain(x: &Tensor, gain: &Tensor, epsilon: f64) -> Result<Tensor> {
    let root = (x.sqr()?.mean_keepdim(D::Minus1)? + epsilon)?.sqrt()?;
    x.broadcast_div(&root)?.broadcast_mul(gain)
}

struct RmsNorm {
    epsilon: f32,
}

fn inverse_rms(row: &[f32], epsilon: f32) -> f32 {
    1.0 / (row.iter().map(|v| v * v).sum::<f32>() / row.len() as f32 + epsilon).sqrt()
}

impl Fused<2> for RmsNorm {
    const NAME: &'static str = "rms-norm";

    fn forward(&self, [x, gain]: [Argument<'_>; 2]) -> Result<(Vec<f32>, Shape)> {
        let width = gain.last_dim()?;
        let mut y = vec![0.0; x.values.len()];
        for (row, to) in x.values.chunks_exact(width).zip(y.chunks_exact_mut(width)) {
            let inverse = inverse_rms(row, self.epsilon);
            for ((slot, value), gain) in to.iter_mut().zip(row).zip(gain.values) {
                *slot = value * inverse * gain;
            }
        }
        Ok(x.shaped(y))
    }

    fn backward(&self, [x, gain]: [&Tensor; 2], _y: &Tensor, grad: &Tensor) -> Result<[Option<Tensor>; 2]> {
        let dx = evaluate3(RmsNormGradInput { epsilon: self.epsilon }, x, gain, grad)?;
        let dgain = evaluate2(RmsNormGradGain { epsilon: self.epsilon }, x, grad)?;
        Ok([Some(dx), Some(dgain)])
    }
}

struct RmsNormGradInput {
    epsilon: f32,
}

impl Fused<3> for RmsNormGradInput {
    const NAME: &'static str = "rms-norm-grad-input";

    fn forward(&self, [x, gain, grad]: [Argument<'_>; 3]) -> Result<(Vec<f32>, Shape)> {
        let width = gain.last_dim()?;
        let mut dx = vec![0.0; x.values.len()];
        let rows = x.values.chunks_exact(width).zip(grad.values.chunks_exact(width));
        for ((x, g), dx) in rows.zip(dx.chunks_exact_mut(width)) {
            let inverse = inverse_rms(x, self.epsilon);
            let dot: f32 = x.iter().zip(g).zip(gain.values).map(|((x, g), w)| x * g * w).sum();
            let pull = dot * inverse * inverse * inverse / width as f32;
            for (((slot, x), g), w) in dx.iter_mut().zip(x).zip(g).zip(gain.values) {
                *slot = g * w * inverse - x * pull;
            }
        }
        Ok(x.shaped(dx))
    }
}

struct RmsNormGradGain {
    epsilon: f32,
}

impl Fused<2> for RmsNormGradGain {
    const NAME: &'static str = "rms-norm-grad-gain";

    fn forward(&self, [x, grad]: [Argument<'_>; 2]) -> Result<(Vec<f32>, Shape)> {
        let width = x.last_dim()?;
        let mut dgain = vec![0.0; width];
        for (x, g) in x.values.chunks_exact(width).zip(grad.values.chunks_exact(width)) {
            let inverse = inverse_rms(x, self.epsilon);
            for ((slot, x), g) in dgain.iter_mut().zip(x).zip(g) {
                *slot += x * inverse * g;
            }
        }
        Ok((dgain, Shape::from(width)))
    }
}

// ---------------------------------------------------------------------------------------------------------------

/// `silu(gate) * up`, the gate of Qwen2's feed-forward layer (Shazeer 2020).
pub fn swiglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    if gate.device().is_cpu() { apply2(SwiGlu, gate, up) } else { swiglu_plain(gate, up) }
}

/// [`swiglu`] of plain operations.
pub fn swiglu_plain(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    gate.silu()? * up
}

struct SwiGlu;

impl Fused<2> for SwiGlu {
    const NAME: &'static str = "swiglu";

    fn forward(&self, [gate, up]: [Argument<'_>; 2]) -> Result<(Vec<f32>, Shape)> {
        let values = gate.values.iter().zip(up.values).map(|(&g, &u)| g * sigmoid(g) * u);
        Ok(gate.shaped(values.collect()))
    }

    fn backward(&self, [gate, up]: [&Tensor; 2], _y: &Tensor, grad: &Tensor) -> Result<[Option<Tensor>; 2]> {
        Ok([Some(evaluate3(SwiGluGradGate, gate, up, grad)?), Some(evaluate2(SwiGlu, gate, grad)?)])
    }
}

struct SwiGluGradGate;

impl Fused<3> for SwiGluGradGate {
    const NAME: &'static str = "swiglu-grad-gate";

    fn forward(&self, [gate, up, grad]: [Argument<'_>; 3]) -> Result<(Vec<f32>, Shape)> {
        let values = gate.values.iter().zip(up.values).zip(grad.values).map(|((&g, &u), &d)| {
            let s = sigmoid(g);
            d * u * s * (1.0 + g * (1.0 - s))
        });
        Ok(gate.shaped(values.collect()))
    }
}

// ---------------------------------------------------------------------------------------------------------------

/// Rotary embedding of `x`, `[batch, heads, tokens, head_dim]`, halves rotated against each other as in Qwen2.
///
/// `cos` and `sin` are `[tokens, head_dim / 2]`, already cut to the positions of these tokens.
pub fn rope(x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
    if x.device().is_cpu() {
        let flat = |t: &Tensor| t.flatten_all()?.to_vec1::<f32>();
        apply1(Rope { cos: flat(cos)?, sin: flat(sin)? }, x)
    } else {
        rope_plain(x, cos, sin)
    }
}

/// [`rope`] of plain operations.
pub fn rope_plain(x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
    let half = x.dim(D::Minus1)? / 2;
    let (a, b) = (x.narrow(D::Minus1, 0, half)?, x.narrow(D::Minus1, half, half)?);
    let first = (a.broadcast_mul(cos)? - b.broadcast_mul(sin)?)?;
    let second = (b.broadcast_mul(cos)? + a.broadcast_mul(sin)?)?;
    Tensor::cat(&[first, second], D::Minus1)
}

struct Rope {
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl Fused<1> for Rope {
    const NAME: &'static str = "rope";

    fn forward(&self, [x]: [Argument<'_>; 1]) -> Result<(Vec<f32>, Shape)> {
        let (width, table) = (x.last_dim()?, 2 * self.cos.len());
        let half = width / 2;
        if table == 0 || !x.values.len().is_multiple_of(table) {
            bail!("a rotary table of {} values does not fit {} values", self.cos.len(), x.values.len());
        }
        let mut y = vec![0.0; x.values.len()];
        for (block, to) in x.values.chunks_exact(table).zip(y.chunks_exact_mut(table)) {
            let rows = block.chunks_exact(width).zip(to.chunks_exact_mut(width));
            let angles = self.cos.chunks_exact(half).zip(self.sin.chunks_exact(half));
            for ((row, to), (cos, sin)) in rows.zip(angles) {
                let ((a, b), (ya, yb)) = (row.split_at(half), to.split_at_mut(half));
                for i in 0..half {
                    ya[i] = a[i] * cos[i] - b[i] * sin[i];
                    yb[i] = b[i] * cos[i] + a[i] * sin[i];
                }
            }
        }
        Ok(x.shaped(y))
    }

    fn backward(&self, _x: [&Tensor; 1], _y: &Tensor, grad: &Tensor) -> Result<[Option<Tensor>; 1]> {
        // A rotation's transpose is the rotation by the opposite angle.
        let back = Rope { cos: self.cos.clone(), sin: self.sin.iter().map(|s| -s).collect() };
        Ok([Some(evaluate1(back, grad)?)])
    }
}

#[cfg(test)]
mod tests;
