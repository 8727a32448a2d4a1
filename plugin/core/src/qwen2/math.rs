//! Functions of vectors that run between the matrix products. Each is compiled twice on x86: for every processor, and for
//! those with AVX2, chosen when it runs.

use super::format::GROUP;

/// Values that are summed side by side, so that a sum can use vector instructions.
const LANES: usize = 16;

/// Defines a function that is compiled for AVX2 as well.
macro_rules! wide {
    ($(#[$about:meta])* fn $name:ident($($argument:ident: $kind:ty),*) $(-> $result:ty)? $body:block) => {
        $(#[$about])*
        pub fn $name($($argument: $kind),*) $(-> $result)? {
            #[inline(always)]
            fn body($($argument: $kind),*) $(-> $result)? $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                fn wide($($argument: $kind),*) $(-> $result)? {
                    body($($argument),*)
                }
                if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                    // SAFETY: the processor has both.
                    return unsafe { wide($($argument),*) };
                }
            }
            body($($argument),*)
        }
    };
}

/// `e^x` with a relative error under 2e-7, by the polynomial of Cephes' `expf`. Inputs are limited to ±87.
#[inline(always)]
fn exp(x: f32) -> f32 {
    /// Adding it rounds to a whole number, which then stands in the low bits: 1.5 · 2^23.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts, so that the difference is exact.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.0, 87.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * LN2_HIGH - n * LN2_LOW;
    let p = 1.987_569_1e-4 * r + 1.398_199_9e-3;
    let p = ((p * r + 8.333_452e-3) * r + 4.166_579_6e-2) * r + 1.666_666_5e-1;
    let p = (p * r + 0.5) * (r * r) + r + 1.0;
    let power = shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23;
    p * f32::from_bits(power)
}

#[inline(always)]
fn sum_of(values: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest: f32 = chunks.remainder().iter().map(|x| of(*x)).sum();
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane += of(*x);
        }
    }
    lanes.iter().sum::<f32>() + rest
}

wide! {
    /// Turns scores into shares that sum to one.
    fn softmax(scores: &mut [f32]) {
        let top = scores.iter().copied().fold(f32::NEG_INFINITY, |a, b| if a > b { a } else { b });
        scores.iter_mut().for_each(|x| *x = exp(*x - top));
        let scale = 1.0 / sum_of(scores, |x| x);
        scores.iter_mut().for_each(|x| *x *= scale);
    }
}

wide! {
    /// `gate = gate · sigmoid(gate) · up` (SwiGLU).
    fn swiglu(gate: &mut [f32], up: &[f32]) {
        for (gate, up) in gate.iter_mut().zip(up) {
            *gate = *gate / (1.0 + exp(-*gate)) * up;
        }
    }
}

wide! {
    /// `to = x / rms(x) · weight`, for one token.
    fn rms_norm(x: &[f32], weight: &[f32], epsilon: f32, to: &mut [f32]) {
        let scale = 1.0 / (sum_of(x, |x| x * x) / x.len() as f32 + epsilon).sqrt();
        for ((to, x), weight) in to.iter_mut().zip(x).zip(weight) {
            *to = x * scale * weight;
        }
    }
}

wide! {
    /// Rotates the pairs `(i, i + half)` of a head by the angles of its position (Su et al. 2021).
    fn rotate(head: &mut [f32], cosines: &[f32], sines: &[f32]) {
        let (low, high) = head.split_at_mut(cosines.len());
        for (((low, high), cosine), sine) in low.iter_mut().zip(high).zip(cosines).zip(sines) {
            (*low, *high) = (*low * cosine - *high * sine, *low * sine + *high * cosine);
        }
    }
}

wide! {
    /// Quantises a group of values that share a scale, which is returned. What is not a number becomes zero.
    fn quantize_group(values: &[f32], codes: &mut [i8]) -> f32 {
        /// As in `exp`.
        const ROUND: f32 = 12_582_912.0;
        debug_assert!(values.len() == GROUP && codes.len() == GROUP);
        let largest = values.iter().map(|x| x.abs()).fold(0.0f32, |a, b| if a > b { a } else { b });
        let scale = largest / 127.0;
        let inverse = if scale > f32::MIN_POSITIVE && scale.is_finite() { 1.0 / scale } else { 0.0 };
        for (code, x) in codes.iter_mut().zip(values) {
            *code = (x * inverse + ROUND).to_bits().wrapping_sub(ROUND.to_bits()) as i8;
        }
        if inverse > 0.0 { scale } else { 0.0 }
    }
}

wide! {
    /// `to += from`.
    fn add(to: &mut [f32], from: &[f32]) {
        for (to, from) in to.iter_mut().zip(from) {
            *to += from;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_as_exact_as_single_precision_allows() {
        for n in -8700..=8700 {
            let x = n as f32 / 100.0;
            let error = f64::from(exp(x)) / f64::from(x).exp() - 1.0;
            assert!(error.abs() < 2e-7, "e^{x} is off by {error}");
        }
        assert!(exp(f32::INFINITY).is_finite() && exp(-1e30) > 0.0);
    }

    #[test]
    fn shares_sum_to_one() {
        let mut scores: Vec<f32> = (0..37).map(|n| (n as f32 * 0.7).sin() * 30.0).collect();
        let before = scores.clone();
        softmax(&mut scores);
        assert!((scores.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        let ratio = (before[3] - before[5]).exp();
        assert!((scores[3] / scores[5] / ratio - 1.0).abs() < 1e-5);
    }

    #[test]
    fn a_group_is_quantised_to_its_largest_value() {
        let mut values = [0.0f32; GROUP];
        for (n, value) in values.iter_mut().enumerate() {
            *value = n as f32 - 20.0;
        }
        let mut codes = [0i8; GROUP];
        let scale = quantize_group(&values, &mut codes);
        assert_eq!((codes[0], codes[20]), (-127, 0));
        for (value, code) in values.iter().zip(codes) {
            assert!((value - scale * f32::from(code)).abs() <= scale / 2.0 + 1e-6);
        }
        assert_eq!(quantize_group(&[0.0; GROUP], &mut codes), 0.0);
        assert_eq!(quantize_group(&[f32::INFINITY; GROUP], &mut codes), 0.0);
    }
}
