//! Weights of earlier models as the start of models that get to know more: inputs that are new get weights of zero, so that
//! at first nothing changes.

use super::{Metadata, Part, Tensors, field, load_part, start_from};
use anyhow::{Context, Result};
use candle_core::Tensor;
use mixing_buddy_core::Stem;
use mixing_buddy_core::features::FeatureSettings;
use mixing_buddy_core::nn::Params;
use std::path::Path;

/// As [`start_from`](super::start_from) for an encoder with these features. An encoder without a separator may start one
/// that has one: the inputs for shares get weights of zero, and the masks of the separated stems are left out.
///
/// # Errors
/// As [`start_from`](super::start_from).
pub fn start_encoder_from(params: &Params, path: &Path, features: &FeatureSettings) -> Result<Tensors> {
    let (weights, metadata) = load_part(path, Part::Encoder)?;
    let misfit = || format!("start_from: {} does not fit this encoder", path.display());
    let weights = with_shares(weights, &metadata, features, path).with_context(misfit)?;
    params.set_all(&weights).with_context(misfit)?;
    Ok(weights)
}

fn with_shares(
    mut weights: Tensors,
    metadata: &Metadata,
    features: &FeatureSettings,
    path: &Path,
) -> Result<Tensors> {
    let before: FeatureSettings = match metadata.contains_key("features") {
        true => field(metadata, "features", path)?,
        false => return Ok(weights),
    };
    if features.separated.is_empty() || !before.separated.is_empty() {
        return Ok(weights);
    }
    if let Some(embed) = weights.get_mut("embed.weight") {
        *embed = with_inputs(embed, features.patch_shares())?;
    }
    for name in ["masks.weight", "masks.bias"] {
        let Some(masks) = weights.get_mut(name) else { continue };
        let cells = masks.dim(0)? / Stem::COUNT;
        let free = Stem::ALL.into_iter().filter(|stem| !features.separated.contains(stem));
        let rows: Vec<Tensor> = free
            .map(|stem| masks.narrow(0, stem.index() * cells, cells))
            .collect::<candle_core::Result<_>>()?;
        *masks = Tensor::cat(&rows, 0)?;
    }
    Ok(weights)
}

/// A linear layer's weights with further inputs, of weight zero.
fn with_inputs(weights: &Tensor, further: usize) -> candle_core::Result<Tensor> {
    let zeros = Tensor::zeros((weights.dim(0)?, further), weights.dtype(), weights.device())?;
    Tensor::cat(&[weights, &zeros], 1)
}

/// As [`start_from`] for a decoder and projector. One that knows the mean of a reference only may start one that also knows
/// its spread.
///
/// # Errors
/// As [`start_from`].
pub fn start_decoder_from(params: &Params, path: &Path) -> Result<Tensors> {
    let name = "projector.reference_in.weight";
    let (mut weights, _) = load_part(path, Part::Decoder)?;
    let wanted = params.vars().get(name).map(|var| var.dim(1)).transpose()?;
    let given = weights.get(name).map(|tensor| tensor.dim(1)).transpose()?;
    match (wanted, given) {
        (Some(wanted), Some(given)) if given < wanted => {
            let widened = with_inputs(&weights[name], wanted - given)?;
            weights.insert(name.into(), widened);
            let misfit = || format!("start_from: {} does not fit this decoder", path.display());
            params.set_all(&weights).with_context(misfit)?;
            Ok(weights)
        }
        _ => start_from(params, path, Part::Decoder),
    }
}

#[cfg(test)]
mod tests {
    use super::super::save_tensors;
    use super::*;
    use candle_core::{DType, Device};
    use mixing_buddy_core::encoder::{Encoder, EncoderConfig};

    #[test]
    fn an_encoder_without_a_separator_starts_one_with_it() {
        let config =
            EncoderConfig { hidden: 32, intermediate: 32, layers: 1, heads: 2, summary: 8, dropout: 0.0 };
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
        assert_eq!(given["masks.weight"].dims(), [3 * cells, 32]);
        let drums = Stem::Drums.index();
        let of = |t: &Tensor, at: usize| {
            t.narrow(0, at * cells, cells).unwrap().to_dtype(DType::F32).unwrap().to_vec2::<f32>().unwrap()
        };
        assert_eq!(
            of(&given["masks.weight"], 0),
            of(&tensors["masks.weight"], drums),
            "the drums come first"
        );
    }
}
