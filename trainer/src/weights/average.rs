//! Averages of weights.

use super::files::Tensors;
use anyhow::{Context, Result};

/// The mean of two sets of weights, `(1 - old_share) · new + old_share · old`, for every name in `new`.
///
/// Such a mean of fine-tuned and original weights errs less on data unlike the training data (Wortsman et al. 2022,
/// "Robust fine-tuning of zero-shot models").
///
/// # Errors
/// When `old` lacks a weight of `new`, or a shape differs.
pub fn weighted_mean(new: &Tensors, old: &Tensors, old_share: f64) -> Result<Tensors> {
    new.iter()
        .map(|(name, new)| {
            let old = old.get(name).with_context(|| format!("the weights to average have no '{name}'"))?;
            Ok((name.clone(), ((new * (1.0 - old_share))? + (old * old_share)?)?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Tensor};

    #[test]
    fn a_mean_takes_its_share_of_each_and_names_what_is_missing() {
        let of = |name: &str, value: f32| {
            Tensors::from([(name.to_string(), Tensor::new(&[value], &Device::Cpu).unwrap())])
        };
        let mean = weighted_mean(&of("a", 4.0), &of("a", 8.0), 0.25).unwrap();
        assert_eq!(mean["a"].to_vec1::<f32>().unwrap(), [5.0]);
        let sentence = weighted_mean(&of("a", 1.0), &of("b", 1.0), 0.5).unwrap_err().to_string();
        assert!(sentence.contains("'a'"), "{sentence}");
    }
}
