//! Weights of earlier models as the start of models that get to know more: inputs that are new get weights of zero, so that
//! at first nothing changes.

use super::parts::{load_part, start_with};
use super::{Part, Tensors, field};
use anyhow::Result;
use candle_core::Tensor;
use mixing_buddy_core::features::FeatureSettings;
use mixing_buddy_core::nn::Params;
use std::path::Path;

/// As [`start_from`](super::start_from) for an encoder with these features. An encoder without a separator may start one
/// that has one: the inputs for shares get weights of zero.
///
/// # Errors
/// As [`start_from`](super::start_from).
pub fn start_encoder_from(params: &Params, path: &Path, features: &FeatureSettings) -> Result<Tensors> {
    let (mut weights, metadata) = load_part(path, Part::Encoder)?;
    if metadata.contains_key("features") {
        let before: FeatureSettings = field(&metadata, "features", path)?;
        if before.separated.is_empty() {
            add_inputs(&mut weights, "embed.weight", features.patch_shares())?;
        }
    }
    start_with(params, weights, path, Part::Encoder)
}

/// Adds inputs of weight zero to a linear layer.
fn add_inputs(weights: &mut Tensors, name: &str, further: usize) -> Result<()> {
    if let Some(layer) = weights.get_mut(name).filter(|_| further > 0) {
        let zeros = Tensor::zeros((layer.dim(0)?, further), layer.dtype(), layer.device())?;
        *layer = Tensor::cat(&[&*layer, &zeros], 1)?;
    }
    Ok(())
}

/// As [`start_from`](super::start_from) for a decoder and projector. One that knows the mean of a reference only may start one that also knows
/// its spread.
///
/// # Errors
/// As [`start_from`](super::start_from).
pub fn start_decoder_from(params: &Params, path: &Path) -> Result<Tensors> {
    let name = "projector.reference_in.weight";
    let (mut weights, _) = load_part(path, Part::Decoder)?;
    let wanted = params.vars().get(name).map(|var| var.dim(1)).transpose()?;
    let given = weights.get(name).map(|tensor| tensor.dim(1)).transpose()?;
    if let (Some(wanted), Some(given)) = (wanted, given) {
        add_inputs(&mut weights, name, wanted.saturating_sub(given))?;
    }
    start_with(params, weights, path, Part::Decoder)
}

#[cfg(test)]
mod tests {
    use super::super::save_tensors;
    use super::*;
    use candle_core::Device;
    use mixing_buddy_core::Stem;
    use mixing_buddy_core::encoder::{Encoder, EncoderConfig};

    #[test]
    fn an_encoder_without_a_separator_starts_one_with_it() {
        let config = EncoderConfig {
            hidden: 32,
            intermediate: 32,
            layers: 1,
            heads: 2,
            summary: 8,
            dropout: 0.0,
            ..EncoderConfig::default()
        };
        let plain = FeatureSettings::default();
        let separated = FeatureSettings { separated: vec![Stem::Vocals], ..plain.clone() };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("encoder.safetensors");
        let old = Params::train(1, &Device::Cpu);
        Encoder::new(&old, &config, &plain).unwrap();
        let tensors: Tensors =
            old.vars().iter().map(|(name, var)| (name.clone(), var.as_tensor().copy().unwrap())).collect();
        let metadata = [("features", serde_json::to_string(&plain).unwrap())];
        save_tensors(&path, &tensors, &metadata).unwrap();
        let new = Params::train(2, &Device::Cpu);
        Encoder::new(&new, &config, &separated).unwrap();
        let given = start_encoder_from(&new, &path, &separated).unwrap();
        let (cells, shares) = (plain.patch_values(), separated.patch_shares());
        assert_eq!(given["embed.weight"].dims(), [32, cells + shares]);
        let added = given["embed.weight"].narrow(1, cells, shares).unwrap();
        assert_eq!(added.abs().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap(), 0.0);
        let masks = |t: &Tensors| t["masks.weight"].to_vec2::<f32>().unwrap();
        assert_eq!(masks(&given), masks(&tensors), "all else is as it was");
    }
}
