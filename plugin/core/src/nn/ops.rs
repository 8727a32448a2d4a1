//! Softmax, RMS norm, SwiGLU and rotary embedding with gradients.
//!
//! Each operation has two forms that tests hold against each other: a fused one for the CPU, and one of plain candle
//! operations for CUDA and Metal, where a CPU-only custom operation would fail.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, CustomOp3, D, Layout, Result, Shape, Tensor, bail};

/// Borrows the values of a contiguous `f32` CPU buffer: what every fused operation reads. Callers make their arguments
/// contiguous first.
///
/// # Errors
/// When the buffer is of another type, or not contiguous.
pub fn contiguous_f32<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(data), Some((start, end))) => Ok(&data[start..end]),
        _ => bail!("a fused operation needs contiguous f32 arguments"),
    }
}

fn last_dim(layout: &Layout) -> Result<usize> {
    match layout.shape().dims().last() {
        Some(&width) if width > 0 => Ok(width),
        _ => bail!("a fused operation needs at least one dimension"),
    }
}

fn out(values: Vec<f32>, layout: &Layout) -> Result<(CpuStorage, Shape)> {
    Ok((CpuStorage::F32(values), layout.shape().clone()))
}

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
    if x.device().is_cpu() { x.contiguous()?.apply_op1(Softmax) } else { softmax_plain(x) }
}

/// [`softmax`] of plain operations.
pub fn softmax_plain(x: &Tensor) -> Result<Tensor> {
    let shifted = x.broadcast_sub(&x.max_keepdim(D::Minus1)?.detach())?.exp()?;
    shifted.broadcast_div(&shifted.sum_keepdim(D::Minus1)?)
}

struct Softmax;

impl CustomOp1 for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (x, width) = (contiguous_f32(storage, layout)?, last_dim(layout)?);
        let mut y = vec![0.0; x.len()];
        for (row, to) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)) {
            let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            for (value, slot) in row.iter().zip(to.iter_mut()) {
                *slot = fast_exp(value - top);
            }
            let inverse = 1.0 / to.iter().sum::<f32>();
            to.iter_mut().for_each(|slot| *slot *= inverse);
        }
        out(y, layout)
    }

    fn bwd(&self, _x: &Tensor, y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        y.apply_op2_no_bwd(&grad.contiguous()?, &SoftmaxGrad).map(Some)
    }
}

/// `y * (g - sum(g * y))`, row by row.
struct SoftmaxGrad;

impl CustomOp2 for SoftmaxGrad {
    fn name(&self) -> &'static str {
        "softmax-grad"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (y, g, width) = (contiguous_f32(s1, l1)?, contiguous_f32(s2, l2)?, last_dim(l1)?);
        let mut dx = vec![0.0; y.len()];
        for ((y, g), dx) in y.chunks_exact(width).zip(g.chunks_exact(width)).zip(dx.chunks_exact_mut(width)) {
            let dot: f32 = y.iter().zip(g).map(|(y, g)| y * g).sum();
            for ((slot, y), g) in dx.iter_mut().zip(y).zip(g) {
                *slot = y * (g - dot);
            }
        }
        out(dx, l1)
    }
}

// ---------------------------------------------------------------------------------------------------------------

/// Root-mean-square normalisation over the last dimension, scaled by `gain` (Zhang and Sennrich 2019).
pub fn rms_norm(x: &Tensor, gain: &Tensor, epsilon: f64) -> Result<Tensor> {
    if x.device().is_cpu() {
        x.contiguous()?.apply_op2(&gain.contiguous()?, RmsNorm { epsilon: epsilon as f32 })
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

impl CustomOp2 for RmsNorm {
    fn name(&self) -> &'static str {
        "rms-norm"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, gain) = (contiguous_f32(s1, l1)?, contiguous_f32(s2, l2)?);
        let mut y = vec![0.0; x.len()];
        for (row, to) in x.chunks_exact(gain.len()).zip(y.chunks_exact_mut(gain.len())) {
            let inverse = inverse_rms(row, self.epsilon);
            for ((slot, value), gain) in to.iter_mut().zip(row).zip(gain) {
                *slot = value * inverse * gain;
            }
        }
        out(y, l1)
    }

    fn bwd(
        &self,
        x: &Tensor,
        gain: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let dx =
            x.contiguous()?.apply_op3_no_bwd(gain, &grad, &RmsNormGradInput { epsilon: self.epsilon })?;
        let dgain = x.contiguous()?.apply_op2_no_bwd(&grad, &RmsNormGradGain { epsilon: self.epsilon })?;
        Ok((Some(dx), Some(dgain)))
    }
}

struct RmsNormGradInput {
    epsilon: f32,
}

impl CustomOp3 for RmsNormGradInput {
    fn name(&self) -> &'static str {
        "rms-norm-grad-input"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, gain, grad) = (contiguous_f32(s1, l1)?, contiguous_f32(s2, l2)?, contiguous_f32(s3, l3)?);
        let width = gain.len();
        let mut dx = vec![0.0; x.len()];
        for ((x, g), dx) in
            x.chunks_exact(width).zip(grad.chunks_exact(width)).zip(dx.chunks_exact_mut(width))
        {
            let inverse = inverse_rms(x, self.epsilon);
            let dot: f32 = x.iter().zip(g).zip(gain).map(|((x, g), w)| x * g * w).sum();
            let pull = dot * inverse * inverse * inverse / width as f32;
            for (((slot, x), g), w) in dx.iter_mut().zip(x).zip(g).zip(gain) {
                *slot = g * w * inverse - x * pull;
            }
        }
        out(dx, l1)
    }
}

struct RmsNormGradGain {
    epsilon: f32,
}

impl CustomOp2 for RmsNormGradGain {
    fn name(&self) -> &'static str {
        "rms-norm-grad-gain"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, grad, width) = (contiguous_f32(s1, l1)?, contiguous_f32(s2, l2)?, last_dim(l1)?);
        let mut dgain = vec![0.0; width];
        for (x, g) in x.chunks_exact(width).zip(grad.chunks_exact(width)) {
            let inverse = inverse_rms(x, self.epsilon);
            for ((slot, x), g) in dgain.iter_mut().zip(x).zip(g) {
                *slot += x * inverse * g;
            }
        }
        Ok((CpuStorage::F32(dgain), Shape::from(width)))
    }
}

// ---------------------------------------------------------------------------------------------------------------

/// `silu(gate) * up`, the gate of Qwen2's feed-forward layer (Shazeer 2020).
pub fn swiglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    if gate.device().is_cpu() {
        gate.contiguous()?.apply_op2(&up.contiguous()?, SwiGlu)
    } else {
        swiglu_plain(gate, up)
    }
}

/// [`swiglu`] of plain operations.
pub fn swiglu_plain(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    gate.silu()? * up
}

struct SwiGlu;

impl CustomOp2 for SwiGlu {
    fn name(&self) -> &'static str {
        "swiglu"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (gate, up) = (contiguous_f32(s1, l1)?, contiguous_f32(s2, l2)?);
        out(gate.iter().zip(up).map(|(&g, &u)| g * sigmoid(g) * u).collect(), l1)
    }

    fn bwd(
        &self,
        gate: &Tensor,
        up: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let dgate = gate.apply_op3_no_bwd(up, &grad, &SwiGluGradGate)?;
        let dup = gate.apply_op2_no_bwd(&grad, &SwiGlu)?;
        Ok((Some(dgate), Some(dup)))
    }
}

struct SwiGluGradGate;

impl CustomOp3 for SwiGluGradGate {
    fn name(&self) -> &'static str {
        "swiglu-grad-gate"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (gate, up, grad) = (contiguous_f32(s1, l1)?, contiguous_f32(s2, l2)?, contiguous_f32(s3, l3)?);
        let values = gate
            .iter()
            .zip(up)
            .zip(grad)
            .map(|((&g, &u), &d)| {
                let s = sigmoid(g);
                d * u * s * (1.0 + g * (1.0 - s))
            })
            .collect();
        out(values, l1)
    }
}

// ---------------------------------------------------------------------------------------------------------------

/// Rotary embedding of `x`, `[batch, heads, tokens, head_dim]`, halves rotated against each other as in Qwen2.
///
/// `cos` and `sin` are `[tokens, head_dim / 2]`, already cut to the positions of these tokens.
pub fn rope(x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
    if x.device().is_cpu() {
        let flat = |t: &Tensor| t.flatten_all()?.to_vec1::<f32>();
        x.contiguous()?.apply_op1(Rope { cos: flat(cos)?, sin: flat(sin)? })
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

impl CustomOp1 for Rope {
    fn name(&self) -> &'static str {
        "rope"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (x, width) = (contiguous_f32(storage, layout)?, last_dim(layout)?);
        let half = width / 2;
        if self.cos.is_empty() || !x.len().is_multiple_of(2 * self.cos.len()) {
            bail!("rotary table of {} values does not fit {} values", self.cos.len(), x.len());
        }
        let mut y = vec![0.0; x.len()];
        for (block, to) in x.chunks_exact(2 * self.cos.len()).zip(y.chunks_exact_mut(2 * self.cos.len())) {
            let rows = block.chunks_exact(width).zip(to.chunks_exact_mut(width));
            for ((row, to), (cos, sin)) in
                rows.zip(self.cos.chunks_exact(half).zip(self.sin.chunks_exact(half)))
            {
                let ((a, b), (ya, yb)) = (row.split_at(half), to.split_at_mut(half));
                for i in 0..half {
                    ya[i] = a[i] * cos[i] - b[i] * sin[i];
                    yb[i] = b[i] * cos[i] + a[i] * sin[i];
                }
            }
        }
        out(y, layout)
    }

    fn bwd(&self, _x: &Tensor, _y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        // A rotation's transpose is the rotation by the opposite angle.
        let back = Rope { cos: self.cos.clone(), sin: self.sin.iter().map(|s| -s).collect() };
        grad.contiguous()?.apply_op1_no_bwd(&back).map(Some)
    }
}

#[cfg(test)]
mod tests;
