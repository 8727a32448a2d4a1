//! What becomes of a layer's results before they are coded, many at a time.

use crate::isa::{Vectorised, vectorised};
use crate::separator::weights::{After, leaky, rectified};
use std::marker::PhantomData;

/// Least number of values after which scales and offsets repeat: long enough for any vector instruction.
const PATTERN: usize = 256;

/// Normalisation and rectifier of a layer, for values `[…, channels]`.
pub struct Norm<R> {
    scale: Vec<f32>,
    offset: Vec<f32>,
    rule: PhantomData<R>,
}

/// A function of a value, and its channel's scale and offset.
pub trait Rule {
    /// The function.
    fn apply(value: f32, scale: f32, offset: f32) -> f32;
}

/// The value as it is.
pub struct Same;
/// See [`leaky`].
pub struct Leaky;
/// See [`rectified`].
pub struct Rectified;

impl Rule for Same {
    #[inline(always)]
    fn apply(value: f32, _scale: f32, _offset: f32) -> f32 {
        value
    }
}

impl Rule for Leaky {
    #[inline(always)]
    fn apply(value: f32, scale: f32, offset: f32) -> f32 {
        leaky(value, scale, offset)
    }
}

impl Rule for Rectified {
    #[inline(always)]
    fn apply(value: f32, scale: f32, offset: f32) -> f32 {
        rectified(value, scale, offset)
    }
}

impl<R: Rule> Norm<R> {
    /// With the scales and offsets of a layer.
    pub fn new(after: &After) -> Self {
        let times = PATTERN.div_ceil(after.scale.len());
        Norm { scale: after.scale.repeat(times), offset: after.offset.repeat(times), rule: PhantomData }
    }
}

impl Norm<Same> {
    /// The values as they are.
    pub fn none() -> Self {
        Norm { scale: vec![1.0; PATTERN], offset: vec![0.0; PATTERN], rule: PhantomData }
    }
}

struct Peak<'a, R> {
    from: &'a [f32],
    norm: &'a Norm<R>,
}

impl<R: Rule> Vectorised for Peak<'_, R> {
    type Output = f32;

    #[inline(always)]
    fn run(self) -> f32 {
        // One for each of sixteen neighbours. Magnitudes are in the order of their bits.
        let mut largest = [0; 16];
        let norm = self.norm;
        for from in self.from.chunks(norm.scale.len()) {
            let norms = norm.scale.as_chunks::<16>().0.iter().zip(norm.offset.as_chunks::<16>().0);
            for (from, (scale, offset)) in from.as_chunks::<16>().0.iter().zip(norms) {
                for n in 0..16 {
                    let value = R::apply(from[n], scale[n], offset[n]);
                    largest[n] = largest[n].max(value.abs().to_bits());
                }
            }
        }
        f32::from_bits(largest.into_iter().max().unwrap_or(0))
    }
}

struct Codes<'a, R> {
    from: &'a [f32],
    to: &'a mut [i16],
    norm: &'a Norm<R>,
    per_scale: f32,
    /// Codes that are taken away first, and what they are worth.
    less: Option<(&'a [i16], f32)>,
}

impl<R: Rule> Vectorised for Codes<'_, R> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let norm = self.norm;
        let size = norm.scale.len();
        let parts = self.from.chunks(size).zip(self.to.chunks_mut(size)).enumerate();
        for (n, (from, to)) in parts {
            let norms = norm.scale.iter().zip(&norm.offset);
            let values =
                from.iter().zip(norms).map(|(from, (scale, offset))| R::apply(*from, *scale, *offset));
            match self.less {
                None => {
                    for (to, value) in to.iter_mut().zip(values) {
                        *to = nearest(value * self.per_scale);
                    }
                }
                Some((codes, scale)) => {
                    for ((to, value), code) in to.iter_mut().zip(values).zip(&codes[n * size..]) {
                        *to = nearest((value - f32::from(*code) * scale) * self.per_scale);
                    }
                }
            }
        }
    }
}

/// The largest magnitude of the values. Not a number, if one of them is none.
pub fn peak<R: Rule>(from: &[f32], norm: &Norm<R>) -> f32 {
    vectorised(Peak { from, norm })
}

/// Codes of the values, `per_scale` for 1; `less` are codes that are taken away first, and what they are worth.
pub fn code<R: Rule>(
    from: &[f32],
    norm: &Norm<R>,
    per_scale: f32,
    less: Option<(&[i16], f32)>,
    to: &mut [i16],
) {
    vectorised(Codes { from, to, norm, per_scale, less });
}

/// The nearest whole number, for magnitudes below 2^22. No call and no branch, so that compilers do many at a time.
#[inline(always)]
fn nearest(value: f32) -> i16 {
    // From 1.5 · 2^23 on, neighbouring numbers of this type are 1 apart: the sum is rounded, and its last bits are the number.
    const SHIFT: f32 = 12_582_912.0;
    ((value + SHIFT).to_bits() as i32).wrapping_sub(SHIFT.to_bits() as i32) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_to_the_nearest() {
        for (value, expected) in [(0.4, 0), (0.6, 1), (-0.6, -1), (-32_766.7, -32_767), (32_767.0, 32_767)] {
            assert_eq!(nearest(value), expected, "{value}");
        }
    }

    #[test]
    fn every_value_meets_the_norm_of_its_channel() {
        let after =
            After { bias: Vec::new(), scale: (1..=16).map(|n| n as f32).collect(), offset: vec![1.0; 16] };
        let norm = Norm::<Rectified>::new(&after);
        let from: Vec<f32> = (0..16 * 48).map(|n| (n / 16) as f32).collect();
        assert_eq!(peak(&from, &norm), 47.0 * 16.0 + 1.0);
        let mut to = vec![0; from.len()];
        code(&from, &norm, 1.0, None, &mut to);
        let expected = |n: usize| ((n / 16) * (n % 16 + 1) + 1) as i16;
        assert!(to.iter().enumerate().all(|(n, code)| *code == expected(n)));
        let less = vec![1; from.len()];
        code(&from, &norm, 2.0, Some((&less, 0.5)), &mut to);
        assert!(to.iter().enumerate().all(|(n, code)| *code == 2 * expected(n) - 1));
    }

    #[test]
    fn a_value_that_is_no_number_is_noticed() {
        let mut from = vec![0.0; 64];
        from[20] = f32::NAN;
        assert!(peak(&from, &Norm::none()).is_nan());
    }
}
