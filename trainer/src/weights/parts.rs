//! Parts of a model: found in the folder of a run, in a file of such a folder, or in a model bundle.
//!
//! This is the one place that tells the three apart, and it does so by content, not by name.

use super::files::{Metadata, Tensors, field, parse_tensors, read};
use anyhow::{Context, Result, ensure};
use candle_core::Device;
use mixing_buddy_core::CancelFlag;
use mixing_buddy_core::bundle::Bundle;
use mixing_buddy_core::encoder::Encoder;
use mixing_buddy_core::features::FeatureSettings;
use mixing_buddy_core::nn::Params;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A part of a model that one run trains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The encoder.
    Encoder,
    /// The decoder and the projector, without an adapter.
    Decoder,
    /// The decoder, its adapter and the projector.
    Advisor,
}

impl Part {
    /// The name in messages, and of the command that trains the part.
    pub const fn name(self) -> &'static str {
        match self {
            Part::Encoder => "encoder",
            Part::Decoder => "decoder",
            Part::Advisor => "advisor",
        }
    }

    /// The file in the folder of a run that holds the part.
    pub const fn file_name(self) -> &'static str {
        match self {
            Part::Encoder => "encoder.safetensors",
            Part::Decoder => "decoder.safetensors",
            Part::Advisor => "advisor.safetensors",
        }
    }

    /// The file that holds the part: `path` itself, or the file in it where `path` is the folder of a run.
    ///
    /// # Errors
    /// When the file is missing.
    pub fn file(self, path: &Path) -> Result<PathBuf> {
        let file = if path.is_dir() { path.join(self.file_name()) } else { path.to_path_buf() };
        ensure!(
            file.is_file(),
            "{} is missing: is {} the folder of a run of `train {}`?",
            file.display(),
            path.display(),
            self.name()
        );
        Ok(file)
    }

    /// The name that a weight of a bundle has in the file of a run; none if it belongs to another part.
    fn name_in_run(self, name: &str) -> Option<String> {
        let of_encoder = name.strip_prefix("encoder.");
        match self {
            Part::Encoder => of_encoder.map(String::from),
            Part::Decoder => (of_encoder.is_none() && !name.contains(".lora_")).then(|| name.into()),
            Part::Advisor => of_encoder.is_none().then(|| name.into()),
        }
    }
}

/// The named tensors and the metadata of a part. `path` is the folder of a run, a file in it, or a model bundle.
///
/// # Errors
/// When the file is missing or damaged.
pub fn load_part(path: &Path, part: Part) -> Result<(Tensors, Metadata)> {
    let path = &part.file(path)?;
    let bytes = read(path)?;
    if !Bundle::is_one(&bytes) {
        return parse_tensors(&bytes, path);
    }
    let Bundle { info, weights, .. } = Bundle::read(path, &bytes, &Device::Cpu, &CancelFlag::new())?;
    let weights = weights.loaded().into_iter();
    let tensors = weights.filter_map(|(name, tensor)| Some((part.name_in_run(&name)?, tensor))).collect();
    let mut metadata = Metadata::from([
        ("features".into(), serde_json::to_string(&info.features)?),
        ("encoder".into(), serde_json::to_string(&info.encoder)?),
        ("decoder".into(), serde_json::to_string(&info.decoder)?),
        ("projector".into(), serde_json::to_string(&info.projector)?),
    ]);
    if let (Part::Advisor, Some(lora)) = (part, &info.lora) {
        metadata.insert("lora".into(), serde_json::to_string(lora)?);
    }
    Ok((tensors, metadata))
}

/// Gives the variables of a run that is about to start the weights of an earlier run or of a model bundle. The model
/// has been built on `params`, so that its variables exist. Returns the weights.
///
/// # Errors
/// As [`load_part`], and when the names or shapes of the weights are not those of the model: the message names them. No
/// variable is changed then.
pub fn start_from(params: &Params, path: &Path, part: Part) -> Result<Tensors> {
    let weights = load_part(path, part)?.0;
    let misfit = || format!("start_from: {} does not fit this {}", path.display(), part.name());
    params.set_all(&weights).with_context(misfit)?;
    Ok(weights)
}

/// The encoder of a run or of a model bundle on `device`, and the features that it takes as input.
///
/// # Errors
/// As [`load_part`], and when the file does not state how the encoder is built.
pub fn load_encoder(path: &Path, device: &Device) -> Result<(Encoder, FeatureSettings)> {
    let (weights, metadata) = load_part(path, Part::Encoder)?;
    let features: FeatureSettings = field(&metadata, "features", path)?;
    let config = field(&metadata, "encoder", path)?;
    let params = Params::load(weights, BTreeMap::new(), device);
    Ok((Encoder::new(&params, &config, &features)?, features))
}

#[cfg(test)]
mod tests {
    use super::super::files::save_tensors;
    use super::*;
    use candle_core::Tensor;
    use mixing_buddy_core::nn::Init;

    #[test]
    fn start_from_refuses_a_file_that_does_not_fit_and_names_the_tensors() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("encoder.safetensors");
        let zeros = |size: usize| Tensor::zeros(size, candle_core::DType::F32, &Device::Cpu).unwrap();
        let params = Params::train(1, &Device::Cpu);
        let values = |name: &str| params.vars()[name].as_tensor().to_vec1::<f32>().unwrap();
        for (name, size) in [("a", 2), ("b", 3)] {
            params.get(name, size, Init::Const(1.0)).unwrap();
        }
        let tensors = Tensors::from([("a".into(), zeros(2)), ("b".into(), zeros(4)), ("c".into(), zeros(1))]);
        save_tensors(&path, &tensors, &[]).unwrap();
        let sentence = format!("{:#}", start_from(&params, &path, Part::Encoder).unwrap_err());
        assert!(
            sentence.contains("does not fit this encoder") && sentence.contains("unknown: c"),
            "{sentence}"
        );
        assert!(sentence.contains("of another shape: b (shape [4], expected [3])"), "{sentence}");
        assert_eq!(values("a"), [1.0, 1.0], "nothing is changed");
        save_tensors(&path, &Tensors::from([("b".into(), zeros(3))]), &[]).unwrap();
        let sentence = format!("{:#}", start_from(&params, &path, Part::Encoder).unwrap_err());
        assert!(sentence.contains("missing: a") && !sentence.contains("unknown"), "{sentence}");
        let tensors = Tensors::from([("a".into(), zeros(2)), ("b".into(), zeros(3))]);
        save_tensors(&path, &tensors, &[]).unwrap();
        // The folder of a run stands for the file in it.
        start_from(&params, dir.path(), Part::Encoder).unwrap();
        assert_eq!((values("a"), values("b")), (vec![0.0; 2], vec![0.0; 3]));
        assert!(Part::Decoder.file(dir.path()).unwrap_err().to_string().contains("`train decoder`"));
    }
}
