//! The choice of the next token, for every language model.

use crate::hash::mix_bits;

/// Probability of each of `ids`, given that the next token is one of them.
pub fn shares(logits: &[f32], ids: &[u32]) -> Vec<f32> {
    let of = |id: &u32| logits.get(*id as usize).copied().unwrap_or(f32::NEG_INFINITY);
    let top = ids.iter().map(of).fold(f32::NEG_INFINITY, f32::max);
    let weights: Vec<f32> = ids.iter().map(|id| (of(id) - top).exp()).collect();
    let total = weights.iter().sum::<f32>().max(f32::MIN_POSITIVE);
    weights.into_iter().map(|weight| weight / total).collect()
}

/// Mean and standard deviation of values with these probabilities, which sum to one.
pub fn mean_and_sd(values: impl Iterator<Item = f32> + Clone, shares: &[f32]) -> (f32, f32) {
    let weighted = || shares.iter().zip(values.clone());
    let mean: f32 = weighted().map(|(share, value)| share * value).sum();
    let variance: f32 = weighted().map(|(share, value)| share * (value - mean).powi(2)).sum();
    (mean, variance.max(0.0).sqrt())
}

/// The token with the largest logit; 0 without logits.
pub fn most_probable(logits: &[f32]) -> u32 {
    let best = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b]));
    best.unwrap_or(0) as u32
}

/// A token drawn at random, by the probabilities at a temperature. One that has less than the share `least_weight` of the
/// most probable token's weight is replaced by that token: improbable words read as mistakes. `seed` moves on.
pub fn draw(logits: &[f32], temperature: f32, least_weight: f32, seed: &mut u64) -> u32 {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weights: Vec<f32> = logits.iter().map(|l| ((l - top) / temperature).exp()).collect();
    *seed = mix_bits(seed.wrapping_add(1));
    let mut left = (*seed >> 40) as f32 / (1u64 << 24) as f32 * weights.iter().sum::<f32>();
    let drawn = weights.iter().position(|w| {
        left -= w;
        left < 0.0
    });
    drawn.filter(|i| weights[*i] > least_weight).map_or_else(|| most_probable(logits), |i| i as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_tokens_follow_the_probabilities_and_the_seed() {
        let logits = [0.0, 2.0f32.ln(), f32::NEG_INFINITY, -20.0];
        let mut seed = 7;
        let drawn: Vec<u32> = (0..3000).map(|_| draw(&logits, 1.0, 0.02, &mut seed)).collect();
        let share = drawn.iter().filter(|id| **id == 1).count() as f64 / 3000.0;
        assert!((share - 2.0 / 3.0).abs() < 0.03, "{share}");
        assert!(drawn.iter().all(|id| *id < 2));
        let mut seed = 7;
        assert_eq!(drawn[0], draw(&logits, 1.0, 0.02, &mut seed));
        assert_eq!(most_probable(&logits), 1);
    }
}
